"""A node's disk in memory: what was not yet synced when the node crashed is gone, as on a real one."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import SlotRecord, State
from p2pchat.replication.register import Ballot, Register
from p2pchat.replication.slots import RegisterKey, slot_of
from p2pchat.replication.store import Store, View
from p2pchat.replication.transfers import ITEMS
from p2pchat.replication.tree import ALL_BUCKETS, Tree, Trees, bucket_of_item, bucket_of_point
from p2pchat.replication.uset import ItemState, StoredItem
from p2pchat.simulation.clock import HeapClock

T = TypeVar("T")
TORN = 0.5
"""Chance that some of the turns that were not synced are on the disk after a crash."""
ABSENT: Any = object()
"""In the list of undone writes: the entry did not exist."""


class MemoryStore:
    """One node's records as dictionaries, with a list of what to write to undo the last writes."""

    def __init__(self, slots: int) -> None:
        self._count = slots
        self._slots: dict[int, SlotRecord] = {}
        self._registers: dict[RegisterKey, Register] = {}
        self._items: dict[tuple[Identifier, bytes], StoredItem] = {}
        self._counters: dict[str, int] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._trees = Trees()
        self.states: list[State] = []
        """Of slots that were written since somebody emptied this list."""

    def mark(self) -> int:
        """A point in time to go back to."""
        return len(self._undo)

    def undo(self, mark: int) -> None:
        """Go back to `mark`."""
        while len(self._undo) > mark:
            table, key, before = self._undo.pop()
            self._touch(table, key)
            _set(table, key, before)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Meanwhile it is as before all that is not durable yet."""
        again = [(table, key, table.get(key, ABSENT)) for table, key, _ in self._undo]
        for table, key, before in reversed(self._undo):
            _set(table, key, before)
        try:
            yield
        finally:
            for table, key, after in again:
                _set(table, key, after)

    def forget_marks(self) -> None:
        """Everything so far is durable."""
        self._undo.clear()
        self._trees.settled()

    def copy(self) -> "MemoryStore":
        """An image of the disk, to be put back later."""
        other = MemoryStore(self._count)
        other._slots, other._registers = dict(self._slots), dict(self._registers)
        other._items, other._counters = dict(self._items), dict(self._counters)
        return other

    def slot(self, slot: int) -> SlotRecord | None:
        return self._slots.get(slot)

    def slots(self) -> list[SlotRecord]:
        return [self._slots[slot] for slot in sorted(self._slots)]

    def put_slot(self, record: SlotRecord) -> None:
        self._write(self._slots, record.slot, record)
        self.states.append(record.state)

    def register(self, key: RegisterKey) -> Register | None:
        return self._registers.get(key)

    def put_register(self, key: RegisterKey, register: Register) -> None:
        self._write(self._registers, key, register)

    def ballots(
        self,
        first: Identifier,
        last: Identifier,
        after: RegisterKey | None,
        limit: int,
        buckets: bytes = ALL_BUCKETS,
    ) -> list[tuple[RegisterKey, Ballot]]:
        keys = [
            key
            for key in self._registers
            if first <= key.point <= last and (after is None or key > after) and bucket_of_point(key.point) in buckets
        ]
        return [(key, self._registers[key].accepted) for key in sorted(keys)[:limit]]

    def item(self, point: Identifier, item_id: bytes) -> StoredItem | None:
        return self._items.get((point, item_id))

    def put_item(self, point: Identifier, item: StoredItem) -> None:
        self._write(self._items, (point, item.id), item)

    def mark_items(self, point: Identifier, ids: Sequence[bytes]) -> None:
        for held in filter(None, (self.item(point, item_id) for item_id in ids)):
            if held.state is ItemState.PRESENT and not held.pending:
                self.put_item(point, held.marked())

    def bury_items(self, point: Identifier, ids: Sequence[bytes], reason: ItemState, now: int) -> None:
        for item_id in ids:
            held = self.item(point, item_id) or StoredItem(item_id, ItemState.PRESENT, now)
            if not held.state.is_tombstone:
                self.put_item(point, held.buried(reason))

    def items(
        self,
        first: Identifier,
        last: Identifier,
        after: tuple[Identifier, bytes] | None,
        limit: int,
        buckets: bytes = ALL_BUCKETS,
    ) -> list[tuple[Identifier, StoredItem]]:
        keys = [
            key
            for key in self._items
            if first <= key[0] <= last and (after is None or key > after) and bucket_of_item(key[1]) in buckets
        ]
        return [(key[0], _without_payload(self._items[key])) for key in sorted(keys)[:limit]]

    def known(self, point: Identifier, after: bytes, limit: int) -> list[tuple[bytes, ItemState]]:
        return [(item.id, item.state) for _, item in self.items(point, point, (point, after), limit)]

    def measure(self, point: Identifier) -> tuple[int, int]:
        present = [item for (owner, _), item in self._items.items() if owner == point and not item.state.is_tombstone]
        return len(present), sum(len(item.payload) for item in present)

    def oldest(self, limit: int) -> list[tuple[Identifier, StoredItem]]:
        found = sorted(self._items.items(), key=lambda each: (each[1].received, each[0]))
        return [(point, _without_payload(item)) for (point, _), item in found[:limit]]

    def drop_items(self, ids: list[tuple[Identifier, bytes]]) -> None:
        for key in ids:
            self._remove(self._items, key)

    def clear(self, first: Identifier, last: Identifier) -> None:
        for register in [key for key in self._registers if first <= key.point <= last]:
            self._remove(self._registers, register)
        for item in [key for key in self._items if first <= key[0] <= last]:
            self._remove(self._items, item)

    def tree(self, slot: int) -> tuple[Tree, bytes]:
        return self._trees.get(slot)

    def keep_tree(self, slot: int, tree: Tree) -> None:
        self._trees.keep(slot, tree)

    def settle(self, first: Identifier, last: Identifier) -> None:
        for key, register in list(self._registers.items()):
            if first <= key.point <= last and register.promised != register.accepted:
                self.put_register(key, Register(register.accepted, register.accepted, register.content))
        for (point, _), item in list(self._items.items()):
            if first <= point <= last and item.pending:
                self.put_item(point, StoredItem(item.id, item.state, item.received, item.payload, item.meta))

    def tally(self) -> list[tuple[int, int, int]]:
        found = Counter((slot_of(key.point, self._count), key.kind) for key in self._registers)
        found.update(
            (slot_of(point, self._count), ITEMS)
            for (point, _), item in self._items.items()
            if not item.state.is_tombstone
        )
        return [(slot, kind, count) for (slot, kind), count in sorted(found.items())]

    def put_owners(self, owners: dict[int, Identifier]) -> None:
        """Nobody looks into this file."""

    def floor(self) -> int:
        return self._counters.get("floor", 0)

    def put_floor(self, generation: int) -> None:
        self._write(self._counters, "floor", generation)

    def next_boot(self) -> int:
        boot = self._counters.get("boot", 0) + 1
        self._write(self._counters, "boot", boot)
        return boot

    def _touch(self, table: dict[Any, Any], key: Any) -> None:
        """Note in which bucket of which slot an entry is written, or undone."""
        if table is self._registers:
            self._trees.touch(slot_of(key.point, self._count), bucket_of_point(key.point))
        elif table is self._items:
            self._trees.touch(slot_of(key[0], self._count), bucket_of_item(key[1]))

    def _write(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._touch(table, key)
        self._undo.append((table, key, table.get(key, ABSENT)))
        table[key] = value

    def _remove(self, table: dict[Any, Any], key: Any) -> None:
        if key in table:
            self._touch(table, key)
            self._undo.append((table, key, table.pop(key)))


class MemoryDisk:
    """Runs the turns of one life of a node; `store` is what survives the life."""

    def __init__(self, store: MemoryStore, clock: HeapClock, chance: Random, slowest: float = 0.004) -> None:
        """`slowest`: seconds that a sync takes at most."""
        self._store, self._clock, self._chance, self._slowest = store, clock, chance, slowest
        self.watch: Callable[[str, str], None] | None = None
        """Told of each state of a slot that was "written" and is not durable yet, and when it is "synced"."""
        self._unsynced: list[State] = []
        self._waiting: list[tuple[Deferred[Any], Any]] = []
        self._marks: list[int] = []
        self._alive = True

    def run(self, turn: Callable[[Store], T]) -> Deferred[T]:
        """Each turn sees those before it at once; its answer waits for the sync after it, even if it only read."""
        done: Deferred[T] = Deferred()
        if not self._alive:
            return done
        mark = self._store.mark()
        self._marks.append(mark)
        result: T | Failure
        try:
            result = turn(self._store)
        except Exception:
            self._store.undo(mark)
            result = Failure()
        if not self._waiting:
            self._clock.at(self._clock.seconds() + self._chance.random() * self._slowest, self._sync)
        self._waiting.append((done, result))
        states, self._store.states = self._store.states, []
        self._unsynced += states
        self._tell(states, "written")
        return done

    def _tell(self, states: list[State], moment: str) -> None:
        for state in states:
            if self.watch is not None and self._alive:
                self.watch(state.name, moment)

    def look(self, question: Callable[[View], T]) -> T:
        """Turns that were not synced are not in what it finds."""
        if not self._alive:
            raise TryElsewhere("This node is stopping.")
        with self._store.undone():
            return question(self._store)

    def crash(self) -> None:
        """The power fails: no turn of this life ever runs again, and unsynced turns vanish, or the last of them.

        A whole turn may have reached the disk although nobody was told; half of one never does.
        """
        self._alive = False
        self._waiting.clear()
        survives = bool(self._marks) and self._chance.random() < TORN
        self._store.undo(self._chance.choice(self._marks) if survives else 0)
        self._marks.clear()

    def _sync(self) -> None:
        if not self._alive:
            return
        self._store.forget_marks()
        self._marks.clear()
        states, self._unsynced = self._unsynced, []
        self._tell(states, "synced")
        ready, self._waiting = self._waiting, []
        for done, result in ready:
            if self._alive:
                done.callback(result)


def _set(table: dict[Any, Any], key: Any, value: Any) -> None:
    if value is ABSENT:
        table.pop(key, None)
    else:
        table[key] = value


def _without_payload(item: StoredItem) -> StoredItem:
    return StoredItem(item.id, item.state, item.received, b"", item.meta, item.pending)
