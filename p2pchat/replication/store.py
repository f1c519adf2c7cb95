"""What a member needs of a disk: a small store of records, and turns that are durable before they are answered."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import SlotRecord
from p2pchat.replication.register import Ballot, Register
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.tree import ALL_BUCKETS, Tree
from p2pchat.replication.uset import ItemState, StoredItem

T = TypeVar("T")


class View(Protocol):
    """What is durable of one node's records, at one moment."""

    def slot(self, slot: int) -> SlotRecord | None:
        """What is on disk for a slot; None before its first change."""

    def register(self, key: RegisterKey) -> Register | None:
        """One register, or None."""

    def item(self, point: Identifier, item_id: bytes) -> StoredItem | None:
        """One item or tombstone of the set at `point`, or None."""

    def known(self, point: Identifier, after: bytes, limit: int) -> list[tuple[bytes, ItemState]]:
        """Ids after `after` of the set at `point`, ascending, at most `limit`, and their states."""


class Store(View, Protocol):
    """One node's records.  Synchronous; used only inside a turn; all changes of a turn become durable or none."""

    def slots(self) -> list[SlotRecord]:
        """All that are on disk, ascending."""

    def put_slot(self, record: SlotRecord) -> None:
        """Write one."""

    def put_register(self, key: RegisterKey, register: Register) -> None:
        """Write one."""

    def ballots(
        self,
        first: Identifier,
        last: Identifier,
        after: RegisterKey | None,
        limit: int,
        buckets: bytes = ALL_BUCKETS,
    ) -> list[tuple[RegisterKey, Ballot]]:
        """Registers with first <= point <= last and key > after, ascending by key, at most `limit`, as accepted.

        `buckets`: only of these buckets of their slot's tree.
        """

    def put_item(self, point: Identifier, item: StoredItem) -> None:
        """Write one."""

    def mark_items(self, point: Identifier, ids: Sequence[bytes]) -> None:
        """Of those of these that are present, a removal is pending."""

    def bury_items(self, point: Identifier, ids: Sequence[bytes], reason: ItemState, now: int) -> None:
        """Tombstones for these, also for those that were never here (received `now`); tombstones stay as they are."""

    def items(
        self,
        first: Identifier,
        last: Identifier,
        after: tuple[Identifier, bytes] | None,
        limit: int,
        buckets: bytes = ALL_BUCKETS,
    ) -> list[tuple[Identifier, StoredItem]]:
        """Items with first <= point <= last and (point, id) > after, ascending, at most `limit`, without payloads.

        `buckets`: only of these buckets of their slot's tree.
        """

    def measure(self, point: Identifier) -> tuple[int, int]:
        """How many items are present in the set at `point`, and their payloads' bytes."""

    def oldest(self, limit: int) -> list[tuple[Identifier, StoredItem]]:
        """At most `limit` items of any set, those received first, without payloads."""

    def drop_items(self, ids: list[tuple[Identifier, bytes]]) -> None:
        """Forget items wholly (their time is over)."""

    def clear(self, first: Identifier, last: Identifier) -> None:
        """Forget every register and item with first <= point <= last."""

    def tree(self, slot: int) -> tuple[Tree, bytes]:
        """What `keep_tree` was given for a slot, and the buckets that were written since: all, where it was not."""

    def keep_tree(self, slot: int, tree: Tree) -> None:
        """Remember the tree of what a slot holds now."""

    def settle(self, first: Identifier, last: Identifier) -> None:
        """For the same range: promised := accepted in every register, and no removal is pending."""

    def tally(self) -> list[tuple[int, int, int]]:
        """(slot, kind of register or ITEMS, how many there are), for slots that hold any; items are those present."""

    def put_owners(self, owners: dict[int, Identifier]) -> None:
        """For people who look into the file: which node owns each of these slots now."""

    def floor(self) -> int:
        """The lowest generation in which this node takes part; those before are over."""

    def put_floor(self, generation: int) -> None:
        """Take part in no earlier generation, for ever."""

    def next_boot(self) -> int:
        """Count one more start of this node, and say which one it is, 1 or more."""


class Disk(Protocol):
    """Runs turns over the store, one after the other."""

    def run(self, turn: Callable[[Store], T]) -> Deferred[T]:
        """Fires with what `turn` returned once all that it wrote is durable; what it raises undoes its writes.

        Raises:
            DiskFull: nothing was changed.
            Damaged: the file is not what was written; every later turn fails alike.
        """

    def look(self, question: Callable[[View], T]) -> T:
        """What `question` finds in what is durable now: turns that `run` has not answered yet are not in it.

        Raises:
            Damaged, TryElsewhere: nothing can be read.
        """
