"""The session record: which agent speaks for a user now, signed by identity and by the session's own key.

record = LV(body) ‖ LV(PSS) ‖ LV(Ed25519) ‖ LV(SPKI_sign) ‖ LV(SPKI_seal) [‖ LV(renewals)].  The identity's keys travel
along, so that a record proves itself against a fingerprint; readers compare that with their pin.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.encoding import (
    DIGEST_BYTES,
    NO_PREVIOUS,
    H,
    T,
    lv,
    number,
    sized,
    split,
    split_between,
    text,
    u64,
    untagged,
    user_name,
)
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.primitives import (
    ED25519_BYTES,
    GCM_NONCE_BYTES,
    RSA_BYTES,
    Chance,
    ed25519_verify,
    gcm_open,
    gcm_seal,
    kdf,
)
from p2pchat.crypto.succession import Link, check_reopened, encode_all, leads_from, parse_all
from p2pchat.errors import Conflict, Misbehaved, SessionReplaced
from p2pchat.identifiers import Address, Identifier, from_bytes, to_bytes

MAX_SESSION_BYTES = 12_000
MAX_ADDRESSES = 16
CAPABILITY_BYTES = 16


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """The value of a session register: read, and verified by its own keys."""

    identity: PublicIdentity
    epoch: int
    sequence: int
    previous: bytes
    public_key: bytes
    node: Identifier | None
    address_box: bytes = field(repr=False)
    time: int
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    possession: bytes = field(repr=False)
    successions: tuple[Link, ...] = field(default=(), repr=False)

    @classmethod
    def create(
        cls,
        identity: Identity,
        key: Ed25519PrivateKey,
        node: Identifier | None,
        address_box: bytes,
        time: int,
        after: "SessionRecord | None",
        log_in: bool,
        successions: tuple[Link, ...] | None = None,
    ) -> Self:
        """Sign the record that follows `after`.

        Args:
            key: new for each login, the same within an epoch.
            node: the gateway; None says "logged out".
            address_box: `seal_addresses` for `next_place(after, log_in)`, or b"".
            time: milliseconds since 1970, for display only.
            after: the register's value now.
            log_in: True begins a new epoch, False continues ours.
            successions: renewals of the identity; None for those of `after`.
        """
        epoch, sequence = next_place(after, log_in)
        previous = NO_PREVIOUS if after is None else after.digest
        public = identity.public
        body = T(
            "session",
            public.ring,
            public.user.encode(),
            public.fingerprint,
            u64(epoch),
            u64(sequence),
            previous,
            key.public_key().public_bytes_raw(),
            b"" if node is None else to_bytes(node),
            address_box,
            u64(time),
        )
        raw, signature, possession = key.public_key().public_bytes_raw(), identity.sign(body), key.sign(body)
        if successions is None:
            successions = after.successions if after is not None and after.identity == public else ()
        return cls(
            *(public, epoch, sequence, previous, raw, node, address_box, time, body, signature, possession),
            successions,
        )

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read a record and verify both signatures; whose fingerprint it is, the caller compares.

        Raises:
            Misbehaved: wrong form or signature.
        """
        if len(encoded) > MAX_SESSION_BYTES:
            raise Misbehaved(f"A session record has more than {MAX_SESSION_BYTES} bytes.")
        body, signature, possession, sign, seal, *renewals = split_between(encoded, 5, 6)
        user, fingerprint, epoch, sequence, previous, key, node, box, time = untagged(body, "session", ring, 9)
        identity = PublicIdentity(user_name(user), ring, sign, seal)
        identity.check()
        if fingerprint != identity.fingerprint:
            raise Misbehaved("A session record carries other keys than its fingerprint says.")
        identity.verify(sized(signature, RSA_BYTES, "A signature"), body)
        ed25519_verify(sized(key, ED25519_BYTES, "A session key"), possession, body)
        return cls(
            identity,
            number(epoch),
            number(sequence),
            sized(previous, DIGEST_BYTES, "The hash of the record before"),
            key,
            from_bytes(sized(node, 32, "A node id")) if node else None,
            box,
            number(time),
            body,
            signature,
            possession,
            parse_all(renewals[0], identity) if renewals else (),
        )

    def encode(self) -> bytes:
        """The register value."""
        keys = (self.identity.spki_sign, self.identity.spki_seal)
        renewals = (encode_all(self.successions),) if self.successions else ()
        return b"".join(lv(each) for each in (self.body, self.signature, self.possession, *keys, *renewals))

    @property
    def user(self) -> str:
        """Canonical name."""
        return self.identity.user

    @property
    def fingerprint(self) -> bytes:
        """32 bytes."""
        return self.identity.fingerprint

    @property
    def place(self) -> tuple[int, int]:
        """(epoch, sequence): the higher record wins."""
        return self.epoch, self.sequence

    @property
    def digest(self) -> bytes:
        """`prev` of the next record."""
        return H(self.body)


def next_place(after: SessionRecord | None, log_in: bool) -> tuple[int, int]:
    """(epoch, sequence) of the record that follows: (1, 0) at first, (e + 1, 0) by a login, else (e, s + 1)."""
    if after is None:
        return 1, 0
    return (after.epoch + 1, 0) if log_in else (after.epoch, after.sequence + 1)


def epoch_of(value: bytes | None, ring: bytes) -> int:
    """The fence of a session register's accepted value, which was verified when it was accepted; 0 for none."""
    if value is None:
        return 0
    body = split_between(value, 5, 6)[0]
    return number(untagged(body, "session", ring, 9)[2])


def user_of(value: bytes, ring: bytes) -> str:
    """Whose record it says it is, unverified."""
    return user_name(untagged(split_between(value, 5, 6)[0], "session", ring, 9)[0])


def belongs(value: bytes, ring: bytes, fingerprint: bytes, links: Sequence[Link]) -> bool:
    """Whether a record is of the identity with that fingerprint and those links to it, or of one before or after it."""
    record = SessionRecord.parse(value, ring)
    before = record.fingerprint == fingerprint or leads_from(links, record.fingerprint)
    return before or leads_from(record.successions, fingerprint)


def replaced_by(mine: SessionRecord, found: SessionRecord) -> bool:
    """Whether `found`, read and verified, proves that our session is over.

    It does with a higher epoch, or with a sequence or key in our epoch that we did not make.  No node's word does.
    """
    if found.user != mine.user or not _same_person(mine, found):
        return False
    if found.epoch != mine.epoch:
        return found.epoch > mine.epoch
    if found.public_key != mine.public_key or found.sequence > mine.sequence:
        return True
    return found.sequence == mine.sequence and found.body != mine.body


def validate_successor(old: bytes | None, new: bytes, ring: bytes) -> None:
    """Whether a member may accept `new` after `old`: (e, s + 1), or (e + 1, 0), naming the record before.

    Further ahead (this member missed some) it must be signed by the same identity.

    Raises:
        Misbehaved: `new` proves nothing, is another identity's, or another key's within the epoch.
        Conflict: it is not newer, or was made from another record.
    """
    if new == old:
        return
    record = SessionRecord.parse(new, ring)
    if old is None:
        return
    before = SessionRecord.parse(old, ring)
    if record.user != before.user or not _same_person(before, record):
        raise Misbehaved("A session register is given another identity's record.")
    if record.place <= before.place:
        raise Conflict("The session was changed meanwhile; read it again.")
    if record.epoch == before.epoch and (record.public_key, record.identity) != (before.public_key, before.identity):
        raise Misbehaved("A session record has another key in the same epoch.")
    one_step = record.place in (next_place(before, log_in=False), next_place(before, log_in=True))
    if one_step and record.previous != before.digest:
        raise Conflict("The session was changed meanwhile; read it again.")


def check_times(old: bytes | None, new: bytes, ring: bytes, now_ms: int | None) -> None:
    """Misbehaved while the name that a proposed record takes is closed; see account.check_times."""
    known = () if old is None else SessionRecord.parse(old, ring).successions
    check_reopened(known, SessionRecord.parse(new, ring).successions, now_ms)


def _same_person(before: SessionRecord, record: SessionRecord) -> bool:
    """The same identity, or one that it named as its successor or, having deleted its account, gave way to."""
    return record.fingerprint == before.fingerprint or leads_from(record.successions, before.fingerprint)


def seal_addresses(
    addresses: Sequence[Address],
    capability: bytes,
    user: str,
    ring: bytes,
    place: tuple[int, int],
    chance: Chance = os.urandom,
) -> bytes:
    """The agent's own addresses, for whoever has the 16-byte capability (it travels inside sealed messages)."""
    nonce = chance(GCM_NONCE_BYTES)
    plain = lv(b"".join(lv(str(each).encode()) for each in addresses[:MAX_ADDRESSES]))
    return nonce + gcm_seal(_box_key(capability, user, ring), nonce, plain, _box_aad(user, ring, place))


def open_addresses(record: SessionRecord, capability: bytes) -> list[Address]:
    """The addresses in a record; CannotOpen if the capability is no longer (or never was) the right one."""
    user, ring = record.user, record.identity.ring
    nonce, sealed = record.address_box[:GCM_NONCE_BYTES], record.address_box[GCM_NONCE_BYTES:]
    plain = gcm_open(_box_key(capability, user, ring), nonce, sealed, _box_aad(user, ring, record.place))
    (listed,) = split(plain, 1)
    try:
        return [Address.parse(text(each)) for each in split(listed)[:MAX_ADDRESSES]]
    except ValueError:
        raise Misbehaved("A session record has an address that is none.") from None


def _box_key(capability: bytes, user: str, ring: bytes) -> bytes:
    sized(capability, CAPABILITY_BYTES, "A capability")
    return kdf(capability, None, T("addresses", ring, user.encode()), 32)


def _box_aad(user: str, ring: bytes, place: tuple[int, int]) -> bytes:
    return T("address box", ring, user.encode(), u64(place[0]), u64(place[1]))


def require_same_session(record: SessionRecord, epoch: int) -> None:
    """SessionReplaced if a caller of `epoch` speaks for a session that is over."""
    if epoch < record.epoch:
        raise SessionReplaced("This session was replaced by a later login elsewhere.")
