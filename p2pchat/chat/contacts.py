"""Contacts on disk: pins, standing, the highest records seen, counts of texts, drafts."""

from dataclasses import dataclass

from p2pchat.chat.message import MAX_NUMBER, sequence
from p2pchat.chat.storage import Database
from p2pchat.errors import Misbehaved

CONTACT, REQUEST, BLOCKED, KNOWN = "contact", "request", "blocked", "known"
COLUMNS = (
    "user, standing, fingerprint, offered, verified, version, epoch, mail_key, capability, given, draft, last_seen,"
    " former"
)


@dataclass(frozen=True, slots=True)
class Contact:
    """One person as this home knows them.  `known` means asked about, never written to."""

    user: str
    standing: str
    fingerprint: bytes | None
    offered: bytes | None
    verified: bool
    version: int
    epoch: int
    mail_key: int
    capability: bytes | None
    given: bytes | None
    draft: str
    last_seen: int | None
    former: bytes | None = None


class ContactStore:
    """Rows of contacts; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, user: str) -> Contact | None:
        rows = self._database.query(f"SELECT {COLUMNS} FROM contacts WHERE user = ?", user)
        return _contact(rows[0]) if rows else None

    def all(self) -> list[Contact]:
        """Everybody but those that were only asked about, by name."""
        rows = self._database.query(f"SELECT {COLUMNS} FROM contacts WHERE standing != ? ORDER BY user", KNOWN)
        return [_contact(row) for row in rows]

    def everybody(self) -> list[Contact]:
        """All that have a row here, by name."""
        return [_contact(row) for row in self._database.query(f"SELECT {COLUMNS} FROM contacts ORDER BY user")]

    def set_standing(self, user: str, standing: str) -> None:
        self._write(
            "INSERT INTO contacts (user, standing) VALUES (?1, ?2) ON CONFLICT (user) DO UPDATE SET standing = ?2",
            user,
            standing,
        )

    def meet(self, user: str, standing: str) -> None:
        """Note that somebody exists; who is known better already stays so."""
        self._write(
            "INSERT INTO contacts (user, standing) VALUES (?1, ?2) ON CONFLICT (user) DO UPDATE SET standing = ?2"
            " WHERE standing = 'known'",
            user,
            standing,
        )

    def pin(self, user: str, fingerprint: bytes) -> None:
        """Pin, or accept a changed key; a new key is not verified."""
        self._write(
            "UPDATE contacts SET verified = (verified AND fingerprint IS ?2), fingerprint = ?2, offered = NULL,"
            " version = CASE WHEN fingerprint IS ?2 THEN version ELSE 0 END,"
            " mail_key = CASE WHEN fingerprint IS ?2 THEN mail_key ELSE 0 END,"
            " epoch = CASE WHEN fingerprint IS ?2 THEN epoch ELSE 0 END WHERE user = ?1",
            user,
            fingerprint,
        )

    def succeed(self, user: str, fingerprint: bytes) -> None:
        """Pin what the pinned identity itself named as its successor; `former` says so until digits are compared."""
        self._write(
            "UPDATE contacts SET former = fingerprint, fingerprint = ?2, offered = NULL, verified = 0 WHERE user = ?1",
            user,
            fingerprint,
        )

    def offer(self, user: str, fingerprint: bytes | None) -> None:
        """The ring shows another fingerprint than the pin (None: it does no longer)."""
        self._write("UPDATE contacts SET offered = ?2 WHERE user = ?1", user, fingerprint)

    def verify(self, user: str, verified: bool) -> None:
        """What a person found when they compared the digits."""
        self._write(
            "UPDATE contacts SET verified = ?2, former = CASE WHEN ?2 THEN NULL ELSE former END WHERE user = ?1",
            user,
            int(verified),
        )

    def saw(self, user: str, version: int = 0, epoch: int = 0, mail_key: int = 0) -> bool:
        """Remember the highest account version, session epoch and mail key number; whether the session is new to us.

        Raises:
            Misbehaved: one of them is higher than the database holds.
        """
        if max(version, epoch, mail_key) > MAX_NUMBER:
            raise Misbehaved(f"The records of {user} have numbers that there cannot be.")
        with self._database.transaction() as connection:
            before = connection.execute("SELECT epoch FROM contacts WHERE user = ?", (user,)).fetchone()
            connection.execute(
                "UPDATE contacts SET version = max(version, ?2), epoch = max(epoch, ?3), mail_key = max(mail_key, ?4)"
                " WHERE user = ?1",
                (user, version, epoch, mail_key),
            )
        return before is not None and 0 < before[0] < epoch

    def was_online(self, user: str, at_ms: int) -> None:
        """They were there at this moment, as far as we can tell."""
        self._write("UPDATE contacts SET last_seen = max(ifnull(last_seen, 0), ?2) WHERE user = ?1", user, at_ms)

    def set_capability(self, user: str, capability: bytes) -> None:
        self._write("UPDATE contacts SET capability = ?2 WHERE user = ?1", user, capability)

    def gave(self, user: str, capability: bytes | None) -> None:
        self._write("UPDATE contacts SET given = ?2 WHERE user = ?1", user, capability)

    def set_draft(self, user: str, text: str) -> None:
        self._write("UPDATE contacts SET draft = ?2 WHERE user = ?1", user, text)

    def next_text(self, user: str, epoch: int, identifier: bytes) -> tuple[int, bytes]:
        """Count one text to this contact in our session `epoch`: its seq and the id of the one before."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT count, count_epoch, last_id FROM contacts WHERE user = ?", (user,)
            ).fetchone()
            count, prev = (row[0] + 1, row[2]) if row[1] == epoch else (1, b"")
            connection.execute(
                "UPDATE contacts SET count = ?, count_epoch = ?, last_id = ? WHERE user = ?",
                (count, epoch, identifier, user),
            )
        return sequence(epoch, count), bytes(prev)

    def _write(self, sql: str, *values: object) -> None:
        with self._database.transaction() as connection:
            connection.execute(sql, values)


def _contact(row: tuple[object, ...]) -> Contact:
    user, standing, fingerprint, offered, verified, *rest = row
    return Contact(user, standing, fingerprint, offered, bool(verified), *rest)  # type: ignore[arg-type]
