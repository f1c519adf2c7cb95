"""The keys of the person whom this home serves: in RAM, and on disk unless the person wants to be asked.

`keys/identity`, `keys/session`, one file for each mail key, and `keys/former` while mail for the identity before a
renewal may come; `session.json` says what the session is, without keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.client.home import Home
from p2pchat.crypto.account import Account
from p2pchat.crypto.encoding import lv, number, split, u64
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Damaged, Misbehaved, NotLoggedIn, SessionReplaced

STATE = "session.json"
FOLDER = "keys"
FORMER = f"{FOLDER}/former"
IDENTITY, SESSION, MAIL = f"{FOLDER}/identity", f"{FOLDER}/session", f"{FOLDER}/mail-"
COUNTERS = "keys/counter"
COUNTERS_RESERVED = 10_000
"""Requests between two writes of the counter."""

NONE, ACTIVE, REPLACED, LOCKED = "none", "active", "replaced", "locked"


@dataclass(frozen=True, slots=True)
class MailPrivate:
    """One mail key of ours; `made_ms` is when this home made or took it over."""

    number: int
    key_id: bytes
    made_ms: int
    private: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Former:
    """The identity before a renewal, as long as mail may come that was sealed to it: under keys below `until`."""

    identity: Identity
    until: int


@dataclass(frozen=True, slots=True)
class Keys:
    """All that a session needs to act."""

    identity: Identity
    session_key: Ed25519PrivateKey = field(repr=False)
    record: SessionRecord
    escrow_public: bytes = field(repr=False)
    account_version: int
    mail: tuple[MailPrivate, ...] = ()
    former: Former | None = None

    @property
    def user(self) -> str:
        return self.identity.user

    def mail_private(self, key_id: bytes) -> bytes | None:
        """The private half that opens envelopes under `key_id`."""
        return next((each.private for each in self.mail if each.key_id == key_id), None)


class Keyring:
    """What this home holds.  `keep` is false with --ask-password: then no key is ever written."""

    def __init__(self, home: Home, keep: bool) -> None:
        self._home, self._keep = home, keep
        self._keys: Keys | None = None
        self._state: dict[str, Any] = home.read_json(STATE)
        self._counter = 0
        self._reserved = 0
        self.expects: Callable[[bytes], bool] = lambda _: False
        """Whether a session with this key is one that this home has begun itself (a renewal in doubt)."""

    def load(self, ring: bytes | None) -> None:
        """Take the keys of an active session from disk; where none may be kept, those of former times go."""
        if not self._keep:
            self._erase()
            return
        if self._state.get("state") not in (ACTIVE, REPLACED) or ring is None:
            return
        identity, session = self._home.read_secret(IDENTITY), self._home.read_secret(SESSION)
        if identity is None or session is None:
            return
        try:
            sign, seal, escrow_public, version = split(identity, 4)
            key, record = split(session, 2)
            own = Identity.load(self._state["user"], ring, sign, seal)
            standing = SessionRecord.parse(record, ring)
            if standing.identity != own.public:
                return  # the process ended between two files of a renewal: locked, until the next login
            self._keys = Keys(
                own,
                Ed25519PrivateKey.from_private_bytes(key),
                standing,
                escrow_public,
                number(version),
                tuple(self._read_mail(each) for each in self._home.names(FOLDER) if each.startswith("mail-")),
                self._read_former(ring),
            )
            self._seal_plain(self._keys)
        except (Misbehaved, ValueError, KeyError) as error:
            raise Damaged(
                f"The keys in {self._home.path / FOLDER} cannot be read ({error}). Restore them, or move"
                f" {self._home.path / STATE} away and log in again."
            ) from error

    # -- what stands

    @property
    def state(self) -> str:
        """none, active, replaced or locked."""
        state = str(self._state.get("state", NONE))
        return LOCKED if state == ACTIVE and self._keys is None else state

    @property
    def user(self) -> str | None:
        """Whose home this is, also after a replacement; None when nobody is logged in."""
        return self._state.get("user")

    @property
    def epoch(self) -> int | None:
        return self._state.get("epoch")

    @property
    def fingerprint(self) -> str | None:
        return self._state.get("fingerprint")

    @property
    def replaced(self) -> dict[str, Any] | None:
        """By what: epoch, at, node; `deleted` where it was the account's end, signed by itself."""
        return self._state.get("replaced")

    @property
    def maybe(self) -> Keys | None:
        """The keys, if the session is active and open."""
        return self._keys if self.state == ACTIVE else None

    @property
    def keys(self) -> Keys:
        """The keys of an active session; NotLoggedIn says why there are none."""
        if self.state == REPLACED:
            by = self.replaced or {}
            if by.get("deleted"):
                raise NotLoggedIn(f"The account {self.user} was deleted. This home keeps its history.")
            raise SessionReplaced(
                f"{self.user} logged in elsewhere (session {by.get('epoch')}, at node {by.get('node')})."
                f" This home keeps its history; to write from here, take the account back: p2pchat login {self.user}"
            )
        if self._keys is None or self.state != ACTIVE:
            raise NotLoggedIn(
                f"The agent is locked; unlock it: p2pchat login {self.user}"
                if self.state == LOCKED
                else "Nobody is logged in here; use p2pchat login USER, or p2pchat register USER."
            )
        return self._keys

    # -- changes, each durable on return

    def enter(self, keys: Keys) -> None:
        """A new session: keys first, then the state that says so."""
        self._keys = keys
        if self._keep:
            if keys.former is not None:
                self._write_former(keys.former)
            self._write_identity(keys)
            for each in keys.mail:
                self._write_mail(each)
            self._write_session(keys)
        self._write_state(
            {
                "user": keys.user,
                "state": ACTIVE,
                "epoch": keys.record.epoch,
                "fingerprint": keys.identity.fingerprint.hex(),
            }
        )

    def move(self, record: SessionRecord) -> None:
        """Our session's next record, before it goes out."""
        self._keys = replace(self.keys, record=record)
        if self._keep:
            self._write_session(self._keys)

    def add_mail_key(self, key: MailPrivate) -> None:
        """A new mail key, before its public half goes out."""
        kept = [each for each in self.keys.mail if each.key_id != key.key_id]
        self._keys = replace(self.keys, mail=(*kept, key))
        if self._keep:
            self._write_mail(key)

    def keep_mail_keys(self, key_ids: set[bytes]) -> list[bytes]:
        """Erase all other mail keys for good; the ids of those that went."""
        gone = [each for each in self.keys.mail if each.key_id not in key_ids]
        self._keys = replace(self.keys, mail=tuple(each for each in self.keys.mail if each.key_id in key_ids))
        for each in gone:
            self._home.remove(_mail_file(each))
        former = self._keys.former
        if former is not None and not any(each.number < former.until for each in self._keys.mail):
            self._keys = replace(self._keys, former=None)
            self._home.remove(FORMER)
        return [each.key_id for each in gone]

    def new_password(self, account: Account) -> None:
        """The account's next version: other keys in escrow, so a new mail key has to follow."""
        escrow_public, version = account.credentials.escrow_public, account.public.version
        self._keys = replace(self.keys, escrow_public=escrow_public, account_version=version)
        if self._keep:
            self._write_identity(self._keys)
        self.want_rotation(True)

    @property
    def rotation_wanted(self) -> bool:
        """Whether a new mail key is due at once."""
        return bool(self._state.get("rotation"))

    def want_rotation(self, wanted: bool) -> None:
        """Remember over restarts that a new mail key is due at once, or no longer."""
        if wanted != self.rotation_wanted:
            self._write_state({**self._state, "rotation": wanted})

    def replace(self, by: dict[str, Any]) -> None:
        """The session is over because of a later one; stays so over restarts.

        Identity and session key stay for the hand-over, until `hand_over_ended`; the mail keys are the next session's.
        """
        if self._keys is not None:
            self.keep_mail_keys(set())
        self._write_state({**self._state, "state": REPLACED, "replaced": by})

    @property
    def identity(self) -> Identity | None:
        """The account's, as long as it is in this home: also after a replacement, until everything was handed over."""
        return self._keys.identity if self._keys is not None else None

    @property
    def leaving(self) -> Keys | None:
        """The keys of a replaced session that has still something to hand over."""
        return self._keys if self.state == REPLACED else None

    def leaving_keys(self) -> Keys:
        """The same, where there are some."""
        if self.leaving is None:
            raise NotLoggedIn("Nothing is left to hand over.")
        return self.leaving

    def hand_over_ended(self, progress: dict[str, Any]) -> None:
        """Everything was handed over, or will never be: a replaced session's keys go."""
        if self.state == REPLACED:
            self._write_state({**self._state, "handover": progress})
            self._erase()

    @property
    def handed_over(self) -> dict[str, Any] | None:
        """How a hand-over ended, for as long as the history that says so as well cannot be opened."""
        return self._state.get("handover")

    def leave(self) -> None:
        """Log out: keys and state go."""
        self._write_state({})
        self._erase()

    def next_counter(self, now_ms: int) -> int:
        """For signed requests: grows with each, also over restarts and a clock that goes back."""
        if not self._reserved:
            kept = self._home.read(COUNTERS)
            self._counter = max(now_ms, number(kept) if kept and len(kept) == 8 else 0)
        self._counter += 1
        if self._counter >= self._reserved:
            self._reserved = self._counter + COUNTERS_RESERVED
            self._home.write(COUNTERS, u64(self._reserved))
        return self._counter

    # -- files

    def _erase(self) -> None:
        self._keys = None
        for each in self._home.names(FOLDER):
            if f"{FOLDER}/{each}" != COUNTERS:
                self._home.remove(f"{FOLDER}/{each}")

    def _write_state(self, state: dict[str, Any]) -> None:
        self._home.write_json(STATE, state)
        self._state = state

    def _write_identity(self, keys: Keys) -> None:
        own = keys.identity
        parts = (own.pkcs8_sign, own.pkcs8_seal, keys.escrow_public, u64(keys.account_version))
        self._home.write_secret(IDENTITY, b"".join(map(lv, parts)))

    def _write_session(self, keys: Keys) -> None:
        self._home.write_secret(SESSION, lv(keys.session_key.private_bytes_raw()) + lv(keys.record.encode()))

    def _write_mail(self, key: MailPrivate) -> None:
        parts = (u64(key.number), key.key_id, u64(key.made_ms), key.private)
        self._home.write_secret(_mail_file(key), b"".join(map(lv, parts)))

    def _seal_plain(self, keys: Keys) -> None:
        """Write again what lies here from a time without a keyring."""
        if self._home.safe.seals and not self._home.sealed(IDENTITY):
            if keys.former is not None:
                self._write_former(keys.former)
            for each in keys.mail:
                self._write_mail(each)
            self._write_session(keys)
            self._write_identity(keys)

    def _write_former(self, former: Former) -> None:
        parts = (former.identity.pkcs8_sign, former.identity.pkcs8_seal, u64(former.until))
        self._home.write_secret(FORMER, b"".join(map(lv, parts)))

    def _read_former(self, ring: bytes) -> Former | None:
        content = self._home.read_secret(FORMER)
        if content is None:
            return None
        sign, seal, until = split(content, 3)
        return Former(Identity.load(self._state["user"], ring, sign, seal), number(until))

    def _read_mail(self, name: str) -> MailPrivate:
        counted, key_id, made, private = split(self._home.read_secret(f"{FOLDER}/{name}") or b"", 4)
        return MailPrivate(number(counted), key_id, number(made), private)


def _mail_file(key: MailPrivate) -> str:
    """Two attempts at one number have two keys, until the ring says which of them counts."""
    return f"{MAIL}{key.number}-{key.key_id[:4].hex()}"
