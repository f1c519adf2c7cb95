"""Sets that only grow: items, their tombstones, and pending removals, which do not count until a majority took them.

Source: Shapiro et al., "A comprehensive study of Convergent and Commutative Replicated Data Types", INRIA RR-7687, 4.2.
"""

from dataclasses import dataclass, field, replace
from enum import IntEnum

from p2pchat.errors import Misbehaved

ID_BYTES = 32
MAX_PAYLOAD_BYTES = 61_000
MAX_META_BYTES = 512
MAX_ITEMS = 10_000
MAX_SET_BYTES = 64 << 20
EXPIRY_SECONDS = 30 * 86_400
TOMBSTONE_SECONDS = EXPIRY_SECONDS + 86_400


@dataclass(frozen=True, slots=True)
class Item:
    """One element of a set: its id (the hash of what it is), its bytes, and what its sender notes beside it."""

    id: bytes
    payload: bytes = field(repr=False)
    meta: bytes = field(default=b"", repr=False)


class ItemState(IntEnum):
    """What is known of an id."""

    UNKNOWN = 0
    PRESENT = 1
    ACKNOWLEDGED = 2
    UNOPENABLE = 3

    @property
    def is_tombstone(self) -> bool:
        """Whether the item was removed; this outlives every copy of the item."""
        return self > ItemState.PRESENT


@dataclass(frozen=True, slots=True)
class StoredItem:
    """One member's copy; a tombstone has no payload any more."""

    id: bytes
    state: ItemState
    received: int
    """Seconds since 1970 at the first member that took it."""
    payload: bytes = field(default=b"", repr=False)
    meta: bytes = field(default=b"", repr=False)
    pending: bool = False

    def buried(self, state: ItemState) -> "StoredItem":
        """The tombstone of this item."""
        return StoredItem(self.id, state, self.received)

    def marked(self) -> "StoredItem":
        """With a removal that a majority has yet to take."""
        return replace(self, pending=True)


def check_item(item: Item | StoredItem) -> None:
    """Misbehaved for an item larger than any sound node sends."""
    if len(item.id) != ID_BYTES or len(item.payload) > MAX_PAYLOAD_BYTES or len(item.meta) > MAX_META_BYTES:
        raise Misbehaved("An item beyond its limits was sent.")


def united(held: StoredItem | None, other: StoredItem) -> StoredItem | None:
    """The union of two copies, or None when `held` already is it; a tombstone wins."""
    if held is None:
        return replace(other, pending=False)
    if other.state.is_tombstone and not held.state.is_tombstone:
        return held.buried(other.state)
    return None


def is_over(item: StoredItem, now: float) -> bool:
    """Whether this copy's time is over (30 days; a tombstone lives a day longer)."""
    return now - item.received > (TOMBSTONE_SECONDS if item.state.is_tombstone else EXPIRY_SECONDS)
