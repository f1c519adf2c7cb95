"""What a session key signs: requests (heartbeat, fetch, …) and acknowledgements of mail.

A gateway passes them on, it cannot make them.
"""

import enum
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.encoding import DIGEST_BYTES, H, T, lv, number, sized, split, text, u64, untagged, user_name
from p2pchat.crypto.primitives import SIGNATURE_BYTES, ed25519_verify
from p2pchat.crypto.session import SessionRecord, require_same_session
from p2pchat.crypto.succession import leads_from
from p2pchat.errors import Misbehaved, NotLoggedIn

MAX_ACKNOWLEDGED = 1000
"""Envelope ids in one acknowledgement."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """One request of an agent's session.  The counter grows with each, also over restarts of the agent."""

    user: str
    epoch: int
    sequence: int
    counter: int
    command: str
    digest: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def create(cls, key: Ed25519PrivateKey, mine: SessionRecord, counter: int, command: str, arguments: bytes) -> Self:
        """Sign a request of the session `mine`.

        Args:
            command: the AMP command's name.
            arguments: its other arguments in an encoding that both sides make, such as LV after LV.
        """
        digest = H(arguments)
        statement = _request(mine.identity.ring, mine.user, mine.epoch, mine.sequence, counter, command, digest)
        return cls(mine.user, mine.epoch, mine.sequence, counter, command, digest, key.sign(statement))

    def encode(self, ring: bytes) -> bytes:
        """LV(T("request", …)) ‖ LV(signature)."""
        return lv(self._statement(ring)) + lv(self.signature)

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read a request without believing it."""
        statement, signature = split(encoded, 2)
        user, epoch, sequence, counter, command, digest = untagged(statement, "request", ring, 6)
        sized(signature, SIGNATURE_BYTES, "A signature")
        sized(digest, DIGEST_BYTES, "A hash")
        places = (number(epoch), number(sequence), number(counter))
        return cls(user_name(user), *places, text(command), digest, signature)

    def verify(self, record: SessionRecord, command: str, arguments: bytes) -> None:
        """Demand that the session of `record` asked exactly this.  The caller demands that `counter` grows.

        Raises:
            SessionReplaced: the request is of an epoch that is over.
            NotLoggedIn: it is of an epoch that `record` does not know yet.
            Misbehaved: it does not fit the command or is not signed by the session.
        """
        require_same_session(record, self.epoch)
        if self.epoch > record.epoch:
            raise NotLoggedIn("The node does not know this session yet; try again in a moment.")
        if (self.user, self.command, self.digest) != (record.user, command, H(arguments)):
            raise Misbehaved("A signed request does not fit what is asked.")
        ed25519_verify(record.public_key, self.signature, self._statement(record.identity.ring))

    def _statement(self, ring: bytes) -> bytes:
        return _request(ring, self.user, self.epoch, self.sequence, self.counter, self.command, self.digest)


class Reason(enum.StrEnum):
    """Why an envelope may leave the ring."""

    STORED = "stored"
    UNOPENABLE = "unopenable"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A session's statement that envelopes are on its disk (or will never open), with the session's own record.

    The record travels along because a member may not have accepted that epoch yet.
    """

    record: SessionRecord
    ids: tuple[bytes, ...]
    reason: Reason
    signature: bytes = field(repr=False)

    @classmethod
    def create(
        cls, key: Ed25519PrivateKey, mine: SessionRecord, ids: Sequence[bytes], reason: Reason = Reason.STORED
    ) -> Self:
        """Sign for up to `MAX_ACKNOWLEDGED` envelope ids (32 bytes each)."""
        if not 1 <= len(ids) <= MAX_ACKNOWLEDGED:
            raise ValueError(f"an acknowledgement names 1 to {MAX_ACKNOWLEDGED} envelopes")
        return cls(mine, tuple(ids), reason, key.sign(_ack(mine, ids, reason)))

    def encode(self) -> bytes:
        """LV(T("ack", …)) ‖ LV(signature) ‖ LV(session record): the `proof` of a removal."""
        return lv(_ack(self.record, self.ids, self.reason)) + lv(self.signature) + lv(self.record.encode())

    @classmethod
    def parse(
        cls, encoded: bytes, ring: bytes, read: Callable[[bytes, bytes], SessionRecord] = SessionRecord.parse
    ) -> Self:
        """Read and verify an acknowledgement by the record inside; Misbehaved if it proves nothing.

        Args:
            read: as `SessionRecord.parse`; whoever reads many of one session need not verify its record each time.
        """
        statement, signature, carried = split(encoded, 3)
        record = read(carried, ring)
        user, epoch, joined, reason = untagged(statement, "ack", ring, 4)
        ids = tuple(joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES))
        if user != record.user.encode() or number(epoch) != record.epoch:
            raise Misbehaved("An acknowledgement does not fit the session record in it.")
        if len(joined) % DIGEST_BYTES or not 1 <= len(ids) <= MAX_ACKNOWLEDGED:
            raise Misbehaved(f"An acknowledgement names 1 to {MAX_ACKNOWLEDGED} envelopes.")
        ed25519_verify(record.public_key, signature, statement)
        try:
            return cls(record, ids, Reason(text(reason)), signature)
        except ValueError:
            raise Misbehaved("An acknowledgement gives a reason that there is not.") from None


def check_acknowledgement(
    session: bytes | None,
    proof: bytes,
    ids: Collection[bytes],
    ring: bytes,
    parse: Callable[[bytes, bytes], Acknowledgement] = Acknowledgement.parse,
    read: Callable[[bytes, bytes], SessionRecord] = SessionRecord.parse,
) -> Reason:
    """Whether a member with the accepted session value `session` may mark `ids` as removed, and why they go.

    Args:
        parse, read: these, or ones that remember what they have verified.
    Raises:
        SessionReplaced: the proof is of an epoch lower than the accepted one.
        NotLoggedIn: this member has accepted no session at all.
        Misbehaved: it is another identity's or another key's, or does not name all of `ids`.
    """
    proven = parse(proof, ring)
    if not set(ids) <= set(proven.ids):
        raise Misbehaved("An acknowledgement does not name every envelope that is to be removed.")
    if session is None:
        raise NotLoggedIn("The node does not know this session yet; try again in a moment.")
    accepted = read(session, ring)
    fingerprint, carried = accepted.fingerprint, proven.record
    renewed = carried.epoch > accepted.epoch and leads_from(carried.successions, fingerprint)
    if accepted.user != carried.user or (fingerprint != carried.fingerprint and not renewed):
        raise Misbehaved("An acknowledgement is another person's.")
    require_same_session(accepted, proven.record.epoch)
    if proven.record.epoch == accepted.epoch and proven.record.public_key != accepted.public_key:
        raise Misbehaved("An acknowledgement is signed by another key than this session's.")
    return proven.reason


def _request(ring: bytes, user: str, epoch: int, sequence: int, counter: int, command: str, digest: bytes) -> bytes:
    places = (u64(epoch), u64(sequence), u64(counter))
    return T("request", ring, user.encode(), *places, command.encode(), digest)


def _ack(record: SessionRecord, ids: Sequence[bytes], reason: Reason) -> bytes:
    fields = (record.user.encode(), u64(record.epoch), b"".join(ids), reason.encode())
    return T("ack", record.identity.ring, *fields)
