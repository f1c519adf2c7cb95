"""Records of made-up people, as their agents make them."""

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.credentials import Enrolled, change_password, register
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.session import SessionRecord
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.identifiers import Identifier
from tests.crypto.keys import CHEAP, Drawn, identity, session_key

PASSWORD = b"correct horse battery staple"
GATEWAY = Identifier(5)
OPERATION = b"operation-number"
RECOVERY = RecoveryKey(bytes(32))


class Person:
    """Somebody with an identity, an account and a first mail key."""

    def __init__(self, user: str, who: Identity | None = None) -> None:
        self.user = user
        self.identity = who or identity(user)
        self.enrolled: Enrolled = enrolled(self.identity)
        self.mail_private = Drawn(1)(96)
        self.keys = MailKeys(self._mail_key(1))
        self.session_key = session_key(1)
        self.session = self.log_in(None, self.session_key)

    @property
    def account(self) -> bytes:
        """Value of the account register."""
        return self.enrolled.account.encode()

    @property
    def auth(self) -> bytes:
        """What proves the password."""
        return self.enrolled.stretched.auth

    def log_in(self, after: SessionRecord | None, key: Ed25519PrivateKey, node: Identifier = GATEWAY) -> SessionRecord:
        """The record of a login."""
        return SessionRecord.create(self.identity, key, node, b"", 1_700_000_000_000, after, True)

    def next_key(self) -> MailKeys:
        """The register after a rotation."""
        return self.keys.rotated(self._mail_key(2))

    def renewed(self) -> Enrolled:
        """The account under another password."""
        return change_password(self.identity, b"another long password", self.enrolled.account, CHEAP, Drawn(3))

    def _mail_key(self, number: int) -> MailKeyRecord:
        escrow = self.enrolled.account.credentials.escrow_public
        return MailKeyRecord.create(self.identity, 1, number, self.mail_private, escrow)


@lru_cache
def enrolled(who: Identity) -> Enrolled:
    """Version 1 of an account with the usual password."""
    return register(who, PASSWORD, RECOVERY, CHEAP, Drawn(2))


@lru_cache
def person(user: str) -> Person:
    """alice, bob, carol or mallory."""
    return Person(user)
