"""A registration that is not finished: all that its next attempt needs, so that it is the very same one."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.client.home import Home
from p2pchat.client.keyring import Keys, MailPrivate
from p2pchat.crypto.account import Account
from p2pchat.crypto.encoding import lv, number, split, u64
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Damaged, Misbehaved

FILE = "registration.pending"


@dataclass(frozen=True, slots=True)
class Registration:
    """One attempt; `operation` names it on the ring."""

    account: Account
    keys: Keys
    mail_keys: MailKeys
    recovery_key: str = field(repr=False)
    operation: bytes


class PendingRegistration:
    """Keeps the registration that this home has begun: on disk, or in RAM where no key may be on disk."""

    def __init__(self, home: Home, keep: bool) -> None:
        self._home, self._keep = home, keep
        self._kept: Registration | None = None

    def read(self, ring: bytes) -> Registration | None:
        """What was begun in this ring, if anything."""
        content = self._home.read_secret(FILE) if self._keep else None
        if content is None:
            return self._kept
        try:
            return _read(content, ring)
        except (Misbehaved, ValueError) as error:
            raise Damaged(f"{self._home.path / FILE} cannot be read ({error}). Move it away to begin anew.") from error

    def write(self, registration: Registration) -> None:
        """Durable on return, where keys may be on disk."""
        self._kept = registration
        if self._keep:
            self._home.write_secret(FILE, _written(registration))

    def remove(self) -> None:
        """Nothing is pending any more."""
        self._kept = None
        self._home.remove(FILE)


def _written(registration: Registration) -> bytes:
    keys = registration.keys
    (mail,) = keys.mail
    parts = (
        registration.account.encode(),
        keys.identity.pkcs8_sign,
        keys.identity.pkcs8_seal,
        keys.session_key.private_bytes_raw(),
        keys.record.encode(),
        mail.private,
        u64(mail.made_ms),
        registration.mail_keys.encode(),
        registration.recovery_key.encode(),
        registration.operation,
    )
    return b"".join(map(lv, parts))


def _read(content: bytes, ring: bytes) -> Registration:
    account_value, sign, seal, session, record, private, made, mail_value, recovery, operation = split(content, 10)
    account, mail_keys = Account.parse(account_value, ring), MailKeys.parse(mail_value, ring)
    keys = Keys(
        Identity.load(account.public.user, ring, sign, seal),
        Ed25519PrivateKey.from_private_bytes(session),
        SessionRecord.parse(record, ring),
        account.credentials.escrow_public,
        account.public.version,
        (MailPrivate(1, mail_keys.current.key_id, number(made), private),),
    )
    return Registration(account, keys, mail_keys, recovery.decode(), operation)
