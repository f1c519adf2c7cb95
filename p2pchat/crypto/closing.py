"""How an account ends: its identity signs when, and after 30 days somebody else may have the name.

record = LV(statement) ‖ LV(PSS by the identity) ‖ LV(SPKI_sign) ‖ LV(SPKI_seal).  It is the private part of the
account's last version, and travels in the records of whoever has the name next, as renewals of an identity do.
"""

from dataclasses import dataclass, field
from typing import Self

from p2pchat.crypto.encoding import PROTOCOL, T, lv, number, sized, split, u64, untagged, user_name
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.primitives import RSA_BYTES
from p2pchat.errors import Misbehaved

LABEL = "closing"
CLOSED_MS = 30 * 24 * 3600 * 1000
"""How long a name stays closed."""
CLOCKS_MS = 10 * 60 * 1000
"""How far the clocks of two sound nodes are apart: each is 5 minutes off at most, or judges nothing."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of one account: read, and verified by the keys of its identity."""

    before: PublicIdentity
    version: int
    """Of the account's last version, which this ends."""
    at: int
    """Milliseconds since 1970."""
    statement: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def create(cls, identity: Identity, version: int, at: int) -> Self:
        """Sign that the account ends with that version, at a time in milliseconds since 1970."""
        who = identity.public
        statement = T(LABEL, who.ring, who.user.encode(), who.fingerprint, u64(version), u64(at))
        return cls(who, version, at, statement, identity.sign(statement))

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read and verify one; whose account it was, the caller compares.

        Raises:
            Misbehaved: wrong form, keys or signature.
        """
        statement, signature, sign, seal = split(encoded, 4)
        user, fingerprint, version, at = untagged(statement, LABEL, ring, 4)
        identity = PublicIdentity(user_name(user), ring, sign, seal)
        identity.check()
        if fingerprint != identity.fingerprint:
            raise Misbehaved("The end of an account carries other keys than its fingerprint says.")
        identity.verify(sized(signature, RSA_BYTES, "A signature"), statement)
        return cls(identity, number(version), number(at), statement, signature)

    def encode(self) -> bytes:
        """As it travels."""
        parts = (self.statement, self.signature, self.before.spki_sign, self.before.spki_seal)
        return b"".join(map(lv, parts))

    @property
    def reopens_at(self) -> int:
        """Milliseconds since 1970 from which a member accepts another owner of the name."""
        return self.at + CLOSED_MS


def is_closing(record: bytes, ring: bytes) -> bool:
    """Whether a record claims to be the end of an account, as its label says; nothing is verified."""
    return record[4:].startswith(T(LABEL, ring))


def mentions_closing(value: bytes) -> bool:
    """Whether a register value may hold the end of an account, so that it is worth reading: false is certain."""
    return lv(PROTOCOL + LABEL.encode("ascii")) in value
