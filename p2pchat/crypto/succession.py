"""How an identity was renewed: its successor, named and signed by the identity before.

record = LV(statement) ‖ LV(PSS by the identity before) ‖ LV(SPKI_sign before) ‖ LV(SPKI_seal before).  Account, session
and mail key carry the last few of them, so that a member or a contact who knows an older identity can follow.  Where an
account was deleted and its name given to somebody else, the end of that account (closing.py) stands among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from p2pchat.crypto.closing import Closing, is_closing
from p2pchat.crypto.encoding import DIGEST_BYTES, T, lv, number, sized, split, u64, untagged, user_name
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.primitives import RSA_BYTES
from p2pchat.errors import Misbehaved

MAX_SUCCESSIONS = 3
"""Records that travel along; who missed more renewals sees another identity, and has to compare digits."""
MAX_SUCCESSION_BYTES = 1_600


@dataclass(frozen=True, slots=True)
class Succession:
    """One renewal: read, and verified by the keys of the identity before."""

    before: PublicIdentity
    fingerprint: bytes
    """Of the identity after."""
    version: int
    """Of the account that begins with the identity after."""
    statement: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def create(cls, before: Identity, after: PublicIdentity, version: int) -> Self:
        """Name `after` as what follows `before`, from that version of the account on."""
        who = before.public
        fields = (who.user.encode(), who.fingerprint, after.fingerprint, u64(version))
        statement = T("succession", who.ring, *fields)
        return cls(who, after.fingerprint, version, statement, before.sign(statement))

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read and verify one renewal; whom it leads to, the caller compares.

        Raises:
            Misbehaved: wrong form, keys or signature.
        """
        statement, signature, sign, seal = split(encoded, 4)
        user, before, after, version = untagged(statement, "succession", ring, 4)
        identity = PublicIdentity(user_name(user), ring, sign, seal)
        identity.check()
        if before != identity.fingerprint:
            raise Misbehaved("The renewal of an identity carries other keys than its fingerprint says.")
        identity.verify(sized(signature, RSA_BYTES, "A signature"), statement)
        return cls(identity, sized(after, DIGEST_BYTES, "A fingerprint"), number(version), statement, signature)

    def encode(self) -> bytes:
        """As it travels."""
        parts = (self.statement, self.signature, self.before.spki_sign, self.before.spki_seal)
        return b"".join(map(lv, parts))


Link = Succession | Closing
"""One change of the identity behind a name: renewed by itself, or somebody else's after the account was deleted."""


def encode_all(successions: Sequence[Link]) -> bytes:
    """LV(record) ‖ …, the oldest first; empty for the first identity of a name."""
    return b"".join(lv(each.encode()) for each in successions)


def parse_all(encoded: bytes, identity: PublicIdentity) -> tuple[Link, ...]:
    """Read renewals that end in `identity`, each by the identity that the one before it names or gives way to.

    Raises:
        Misbehaved: one of them proves nothing, or they do not lead from one to the next.
    """
    if len(encoded) > MAX_SUCCESSIONS * MAX_SUCCESSION_BYTES:
        raise Misbehaved("A record carries too many renewals of its identity.")
    found = tuple(_parse(each, identity.ring) for each in split(encoded))
    if len(found) > MAX_SUCCESSIONS:
        raise Misbehaved("A record carries too many renewals of its identity.")
    after = identity.fingerprint
    version = None
    for each in reversed(found):
        leads = isinstance(each, Closing) or each.fingerprint == after
        if each.before.user != identity.user or not leads or each.before.fingerprint == after:
            raise Misbehaved("The renewals of an identity do not lead to it.")
        if version is not None and each.version >= version:
            raise Misbehaved("The renewals of an identity are not in their order.")
        after, version = each.before.fingerprint, each.version
    return found


def leads_from(successions: Sequence[Link], fingerprint: bytes) -> bool:
    """Whether the identity with that fingerprint made room, itself or through its successors, for what these end in."""
    return any(each.before.fingerprint == fingerprint for each in successions)


def renewed_from(successions: Sequence[Link], fingerprint: bytes) -> bool:
    """Whether it is the same person still: no account was deleted since the identity with that fingerprint."""
    places = [place for place, each in enumerate(successions) if each.before.fingerprint == fingerprint]
    return bool(places) and not any(isinstance(each, Closing) for each in successions[places[0] :])


def continued(successions: Sequence[Link], new: Link) -> tuple[Link, ...]:
    """The renewals after one more."""
    return (*successions, new)[-MAX_SUCCESSIONS:]


def check_reopened(known: Sequence[Link], successions: Sequence[Link], now_ms: int | None) -> None:
    """Misbehaved while a name is closed that these records take, beyond what `known` ones took before.

    Args:
        now_ms: milliseconds since 1970; None where this member's clock is not to be relied on.
    """
    for each in successions:
        if isinstance(each, Closing) and each not in known and (now_ms is None or now_ms < each.reopens_at):
            raise Misbehaved("A name is taken that was given up less than 30 days ago.")


def _parse(encoded: bytes, ring: bytes) -> Link:
    return Closing.parse(encoded, ring) if is_closing(encoded, ring) else Succession.parse(encoded, ring)
