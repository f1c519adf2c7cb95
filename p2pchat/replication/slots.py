"""The circle cut into equal slots, and the names of the registers in them.

How many slots there are is fixed when a ring is created; bounds never move and slots never merge.
"""

from dataclasses import dataclass

from p2pchat.identifiers import BITS, CIRCLE, Arc, Identifier

DEFAULT_SLOTS = 1024
MAX_SLOTS = 65_536

KIND_ACCOUNT = 1
KIND_SESSION = 2
KIND_MAILKEY = 3


@dataclass(frozen=True, slots=True, order=True)
class RegisterKey:
    """Names one register: the account's identifier, and which of its records."""

    point: Identifier
    kind: int


def slot_of(point: Identifier, slots: int) -> int:
    """The slot that holds `point`, 0 <= slot < slots."""
    return (point * slots) >> BITS


def first_of(slot: int, slots: int) -> Identifier:
    """The lowest point of a slot."""
    return Identifier(-(-slot * CIRCLE // slots))


def end_of(slot: int, slots: int) -> Identifier:
    """The highest point of a slot; its wanted members are the live nodes clockwise from here."""
    return Identifier(-(-(slot + 1) * CIRCLE // slots) - 1)


def ending_in(arc: Arc, slots: int) -> list[int]:
    """The slots whose highest point lies in `arc`, ascending: they are its end's, if nobody else is on it."""
    return [slot for slot in range(slots) if end_of(slot, slots) in arc]
