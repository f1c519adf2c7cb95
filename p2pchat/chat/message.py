"""What two people send each other: types of messages, and the bodies of those that no person reads.

A message is crypto's frame F: id, seq, prev, type, time of sending, body.  Texts form one row per pair of people: `seq`
is the sender's session epoch and its count of texts to this contact, `prev` the id of the text before (empty for the
first of a session).  Everything else stands outside that row, with seq 0 and an empty prev.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from p2pchat.crypto.envelope import Message
from p2pchat.errors import Misbehaved

ID_BYTES = 16
CAPABILITY_BYTES = 16
MAX_TEXT_BYTES = 48 * 1024
MAX_NUMBER = 2**63 - 1
"""Of a session or a text, as the database holds it."""
MAX_RECEIPT_IDS = 500
COUNT_BITS = 32
"""Of a seq: the higher 32 bits are the session epoch, the lower ones count."""


class Type(IntEnum):
    """The u8 type of a message; a program keeps quiet about types that it does not know."""

    TEXT = 1
    RECEIPT = 2
    CAPABILITY = 3
    MISSING = 4
    DIAL = 5
    HANDOVER = 6
    REPLY = 7


class Mark(IntEnum):
    """What a receipt says about its ids."""

    DELIVERED = 1
    READ = 2


def sequence(epoch: int, count: int) -> int:
    """The seq of the `count`-th text of session `epoch`: higher means later, also across homes."""
    return epoch << COUNT_BITS | count


def epoch_of(seq: int) -> int:
    """The session epoch in which a text was written."""
    return seq >> COUNT_BITS


def frame(identifier: bytes, seq: int, prev: bytes, kind: Type, sent_ms: int, body: bytes) -> bytes:
    """F, as it stays for all attempts."""
    return Message(identifier, seq, prev or None, kind, sent_ms, body).encode()


@dataclass(frozen=True, slots=True)
class Receipt:
    """`ids` are on the disk of (or were read in) the receiver's session `epoch`."""

    mark: Mark
    epoch: int
    ids: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        return bytes([self.mark]) + self.epoch.to_bytes(8, "big") + b"".join(self.ids)

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Read a body; Misbehaved when it is none."""
        if len(body) < 9 or body[0] not in tuple(Mark):
            raise Misbehaved("a receipt has no mark that we know")
        epoch = int.from_bytes(body[1:9], "big")
        if epoch > MAX_NUMBER:
            raise Misbehaved("a receipt names a session that there cannot be")
        return cls(Mark(body[0]), epoch, read_ids(body[9:]))


@dataclass(frozen=True, slots=True)
class Reply:
    """The text `id` of the same author answers the message `quoted`; it goes before that text.

    A message of its own, so that programs that know nothing of replies show the text all the same.  Whatever stands
    behind the two ids is for later programs.
    """

    id: bytes
    quoted: bytes

    def to_bytes(self) -> bytes:
        return self.id + self.quoted

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Read a body; Misbehaved when it is none."""
        if len(body) < 2 * ID_BYTES:
            raise Misbehaved("a reply names no two messages")
        return cls(body[:ID_BYTES], body[ID_BYTES : 2 * ID_BYTES])


def write_ids(ids: list[bytes]) -> bytes:
    """The body of a MISSING message: the ids asked for."""
    return b"".join(ids)


def read_ids(body: bytes) -> tuple[bytes, ...]:
    """Ids side by side, MAX_RECEIPT_IDS at most."""
    if len(body) % ID_BYTES or len(body) > MAX_RECEIPT_IDS * ID_BYTES:
        raise Misbehaved("a list of message ids has a wrong length")
    return tuple(body[start : start + ID_BYTES] for start in range(0, len(body), ID_BYTES))


@dataclass(frozen=True, slots=True)
class Line:
    """One message as history keeps it.  `place` orders a chat: its arrival here, about milliseconds since 1970.

    `reply_to` is the id of the message that this one answers, or empty.
    """

    chat: str
    author: str
    id: bytes
    seq: int
    prev: bytes
    text: str
    sent_ms: int
    received_ms: int | None
    state: str
    copies: int = 0
    place: int = 0
    row: int = 0
    reply_to: bytes = b""


STATES = ("queued", "stored", "delivered", "read")


def reaches(state: str, wait: str) -> bool:
    """Whether a message in `state` satisfies who waits for `wait`."""
    return state in STATES and STATES.index(state) >= STATES.index(wait)
