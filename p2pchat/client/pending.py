"""What a home has begun and not finished, with all that the next attempt needs, so that it is the very same one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.client.home import Home
from p2pchat.client.keyring import Keys, MailPrivate
from p2pchat.crypto.account import Account
from p2pchat.crypto.encoding import lv, number, split, u64
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Damaged, Misbehaved

REGISTRATION, RENEWAL = "registration.pending", "renewal.pending"
"""Files of a home."""


class Attempt(Protocol):
    """What can lie in a file."""

    def encode(self) -> bytes: ...


T = TypeVar("T", bound=Attempt)


class Pending(Generic[T]):
    """Keeps an attempt that this home has begun: on disk, or in RAM where no key may be on disk.

    Args:
        file: its name in the home.
        parse: reads what `encode` wrote, in this ring; Misbehaved or ValueError for a wrong form.
    """

    def __init__(self, home: Home, keep: bool, file: str, parse: Callable[[bytes, bytes], T]) -> None:
        self._home, self._keep, self._file, self._parse = home, keep, file, parse
        self._kept: T | None = None

    def read(self, ring: bytes) -> T | None:
        """What was begun in this ring, if anything."""
        content = self._home.read_secret(self._file) if self._keep else None
        if content is None:
            return self._kept
        try:
            return self._parse(content, ring)
        except (Misbehaved, ValueError) as error:
            path = self._home.path / self._file
            raise Damaged(f"{path} cannot be read ({error}). Move it away to begin anew.") from error

    def write(self, attempt: T) -> None:
        """Durable on return, where keys may be on disk."""
        self._kept = attempt
        if self._keep:
            self._home.write_secret(self._file, attempt.encode())

    def remove(self) -> None:
        """Nothing is pending any more."""
        self._kept = None
        self._home.remove(self._file)


@dataclass(frozen=True, slots=True)
class Registration:
    """One attempt to register; `operation` names it on the ring."""

    account: Account
    keys: Keys
    mail_keys: MailKeys
    recovery_key: str = field(repr=False)
    operation: bytes

    def encode(self) -> bytes:
        """As it lies in the home."""
        keys = self.keys
        (mail,) = keys.mail
        parts = (
            self.account.encode(),
            keys.identity.pkcs8_sign,
            keys.identity.pkcs8_seal,
            keys.session_key.private_bytes_raw(),
            keys.record.encode(),
            mail.private,
            u64(mail.made_ms),
            self.mail_keys.encode(),
            self.recovery_key.encode(),
            self.operation,
        )
        return b"".join(map(lv, parts))

    @classmethod
    def parse(cls, content: bytes, ring: bytes) -> Self:
        """Read one of this ring; Misbehaved for a wrong form."""
        account_value, sign, seal, session, record, private, made, mail_value, recovery, operation = split(content, 10)
        account, mail_keys = Account.parse(account_value, ring), MailKeys.parse(mail_value, ring)
        keys = Keys(
            Identity.load(account.public.user, ring, sign, seal),
            Ed25519PrivateKey.from_private_bytes(session),
            SessionRecord.parse(record, ring),
            account.credentials.escrow_public,
            account.public.version,
            (MailPrivate(mail_keys.current.number, mail_keys.current.key_id, number(made), private),),
        )
        return cls(account, keys, mail_keys, recovery.decode(), operation)
