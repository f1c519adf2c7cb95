"""Contacts on disk: pins, standing, the highest records seen, counts of texts, drafts."""

from dataclasses import dataclass
from typing import NamedTuple

from p2pchat.chat.message import MAX_NUMBER, sequence
from p2pchat.chat.storage import Database
from p2pchat.errors import Misbehaved

CONTACT, REQUEST, BLOCKED, KNOWN = "contact", "request", "blocked", "known"
MAX_KNOWN = 1_000
"""Rows that are kept in memory."""
SEEN_MS = 1_000
"""How exactly we remember when somebody was there."""
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


class _Count(NamedTuple):
    """Texts to a contact in one session of ours, and the id of the last one."""

    texts: int
    epoch: int
    last_id: bytes


class ContactStore:
    """Rows of contacts; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Contact | None] = {}
        self._counts: dict[str, _Count] = {}
        database.when_ending(self._write_counts)
        for cache in (self._known, self._counts):
            database.when_undone(cache.clear)

    def get(self, user: str) -> Contact | None:
        """Who they are, from memory where they were asked for since their row was last written."""
        if user not in self._known:
            rows = self._database.query(f"SELECT {COLUMNS} FROM contacts WHERE user = ?", user)
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[user] = _contact(rows[0]) if rows else None
        return self._known[user]

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
        known = self.get(user)
        if known is not None and known.standing != KNOWN:
            return
        self._write(
            "INSERT INTO contacts (user, standing) VALUES (?1, ?2) ON CONFLICT (user) DO UPDATE SET standing = ?2"
            " WHERE standing = 'known'",
            user,
            standing,
        )

    def pin(self, user: str, fingerprint: bytes) -> None:
        """Pin, or accept a changed key; a new key is not verified."""
        known = self.get(user)
        if known is not None and known.fingerprint == fingerprint and known.offered is None:
            return
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
        before = self.get(user)
        if before is None:
            return False
        if version > before.version or epoch > before.epoch or mail_key > before.mail_key:
            self._write(
                "UPDATE contacts SET version = max(version, ?2), epoch = max(epoch, ?3), mail_key = max(mail_key, ?4)"
                " WHERE user = ?1",
                user,
                version,
                epoch,
                mail_key,
            )
        return 0 < before.epoch < epoch

    def was_online(self, user: str, at_ms: int) -> None:
        """They were there at this moment, as far as we can tell."""
        known = self.get(user)
        if known is not None and (known.last_seen is None or known.last_seen + SEEN_MS <= at_ms):
            with self._database.soon():
                self._write("UPDATE contacts SET last_seen = ?2 WHERE user = ?1", user, at_ms)

    def set_capability(self, user: str, capability: bytes) -> None:
        self._write("UPDATE contacts SET capability = ?2 WHERE user = ?1", user, capability)

    def gave(self, user: str, capability: bytes | None) -> None:
        self._write("UPDATE contacts SET given = ?2 WHERE user = ?1", user, capability)

    def set_draft(self, user: str, text: str) -> None:
        self._write("UPDATE contacts SET draft = ?2 WHERE user = ?1", user, text)

    def next_text(self, user: str, epoch: int, identifier: bytes) -> tuple[int, bytes]:
        """Count one text to this contact in our session `epoch`: its seq and the id of the one before."""
        with self._database.transaction():
            before = self._counts.get(user)
            if before is None:
                rows = self._database.query("SELECT count, count_epoch, last_id FROM contacts WHERE user = ?", user)
                before = _Count(*rows[0])  # type: ignore[arg-type]
            count, prev = (before.texts + 1, before.last_id) if before.epoch == epoch else (1, b"")
            self._counts[user] = _Count(count, epoch, identifier)
        return sequence(epoch, count), prev

    def _write_counts(self) -> None:
        """Before the transaction ends: once for all texts of a batch."""
        for user, (count, epoch, last_id) in self._counts.items():
            self._database.change(
                "UPDATE contacts SET count = ?, count_epoch = ?, last_id = ? WHERE user = ?",
                *(count, epoch, last_id, user),
            )
        self._counts.clear()

    def _write(self, sql: str, *values: object) -> None:
        self._known.pop(str(values[0]), None)
        with self._database.transaction() as connection:
            connection.execute(sql, values)


def _contact(row: tuple[object, ...]) -> Contact:
    user, standing, fingerprint, offered, verified, *rest = row
    return Contact(user, standing, fingerprint, offered, bool(verified), *rest)  # type: ignore[arg-type]
