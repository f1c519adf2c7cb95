"""A member's rules for handing records on: an inventory for who joins, copies of what is missing, and the start.

Whoever answers a pull has stopped serving the epoch before, on disk, before the answer leaves.
"""

from collections.abc import Callable, Sequence

from p2pchat.errors import Conflict, Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.acceptor import check_content
from p2pchat.replication.configuration import (
    Configuration,
    SlotRecord,
    State,
    activated,
    follows,
    generation_of,
    sealed,
)
from p2pchat.replication.digest import DEEP_MARKS, DIGEST_ROWS, slot_tree
from p2pchat.replication.ground import Added, Event, Ground, group_bytes, grouped
from p2pchat.replication.register import EMPTY, NO_BALLOT, Register, Versioned
from p2pchat.replication.requests import MAX_IDS, PAGE_BYTES
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.store import Store
from p2pchat.replication.transfers import (
    ITEMS,
    CopiedItem,
    CopiedRegister,
    CopyReply,
    CopyRequest,
    ItemName,
    ListedItem,
    ListedRegister,
    Missing,
    Position,
    PullReply,
    PullRequest,
    SlotTree,
)
from p2pchat.replication.tree import ALL_BUCKETS, EMPTY_ROOT, MARK_BYTES, Tree
from p2pchat.replication.uset import ItemState, StoredItem, check_item, united

SLOT_BYTES = 8
LISTED_BYTES = 96
ITEM_FRAME_BYTES = 128
CONTENT_FRAME_BYTES = 256
ROWS = 256
HELD = 10_000
"""Registers held in the range of a page that are looked at; those beyond are copied once more."""


class _Page:
    """A page of an inventory that fills up."""

    def __init__(self) -> None:
        self.full: list[int] = []
        self.old: list[int] = []
        self.others: list[tuple[int, Configuration]] = []
        self.registers: list[ListedRegister] = []
        self.items: list[ListedItem] = []
        self.trees: list[SlotTree] = []
        self._room = PAGE_BYTES

    def take(self, size: int) -> bool:
        """Whether something of that size still fits."""
        self._room -= size
        return self._room >= 0

    def reply(self, next_: Position | None) -> PullReply:
        """The finished page."""
        return PullReply(
            tuple(self.full),
            tuple(self.old),
            grouped(self.others),
            tuple(self.registers),
            tuple(self.items),
            next_,
            tuple(self.trees),
        )


class Inventory:
    """Answers pulls, and puts together what this node pulled from others.

    Args:
        judge: raises Misbehaved or Conflict when a content may not follow another, as for a proposer's message.
    """

    def __init__(self, ground: Ground, judge: Callable[[RegisterKey, Versioned, Versioned], None]) -> None:
        self._ground, self._judge = ground, judge

    # -- for others

    def digests(self, store: Store, slots: tuple[int, ...]) -> tuple[bytes, ...]:
        """What this node has of slots, in short."""
        return tuple(slot_tree(self._ground, store, slot)[0].root for slot in slots)

    def lacking(self, store: Store, trees: Sequence[SlotTree]) -> dict[int, bytes]:
        """By slot, the buckets in which a member has something that this node may lack."""
        for theirs in trees:
            self._ground.check_slots((theirs.slot,))
        return {
            theirs.slot: slot_tree(self._ground, store, theirs.slot)[0].lacking(Tree(theirs.marks)) for theirs in trees
        }

    def pull(self, store: Store, request: PullRequest, events: list[Event]) -> PullReply:
        """List records of the slots from a position on, each slot sealed before it is listed."""
        self._ground.check_slots(request.slots)
        page, after, read = _Page(), request.after, 0
        theirs = dict(zip(request.slots, request.digests, strict=False))
        buckets = dict(zip(request.slots, request.buckets, strict=False))
        for slot in request.slots:
            first, last = self._ground.span(slot)
            if after is not None and last < after.point:
                continue
            here = after if after is not None and Position(first, 0) != after and first <= after.point else None
            if read >= DIGEST_ROWS:
                return page.reply(Position(first, 0))
            record = self._ground.adopt(store, slot, request.configuration, events)
            if not page.take(SLOT_BYTES + (0 if record is None else group_bytes(record.newest))):
                return page.reply(here or Position(first, 0))
            standing = self._stand(store, record, request.configuration.epoch, events)
            if standing is None:
                if record is not None:
                    page.others.append((slot, record.newest))
                continue
            (page.full if standing is State.ACTIVE else page.old).append(slot)
            if here is None and slot in theirs:
                tree, cost = slot_tree(self._ground, store, slot)
                read += cost
                if tree.root == theirs[slot]:
                    continue
                if theirs[slot] != EMPTY_ROOT and len(tree.marks) >= DEEP_MARKS * MARK_BYTES:
                    if not page.take(SLOT_BYTES + len(tree.marks)):
                        return page.reply(Position(first, 0))
                    page.trees.append(SlotTree(slot, tree.marks))
                    continue
            stopped = self._list(store, slot, here, page, buckets.get(slot, ALL_BUCKETS))
            if stopped is not None:
                return page.reply(stopped)
        return page.reply(None)

    def _stand(self, store: Store, record: SlotRecord | None, epoch: int, events: list[Event]) -> State | None:
        """ACTIVE: has all of `epoch`; SEALED: has its own of the epoch before; None: neither, or it doubts."""
        standing = _standing(record, epoch) if record is not None and record.newest.epoch >= epoch else None
        if standing is State.SEALED and record is not None and record.state is State.ACTIVE:
            self._ground.put(store, sealed(record), events)
        return standing

    def _list(self, store: Store, slot: int, after: Position | None, page: _Page, buckets: bytes) -> Position | None:
        """Put the records of some buckets of a slot into the page; where it stopped, or None when all fitted."""
        first, last = self._ground.span(slot)
        where = after or Position(first, 0)
        if where.kind != ITEMS:
            start = RegisterKey(where.point, where.kind)
            while rows := store.ballots(first, last, start, ROWS, buckets):
                for key, accepted in rows:
                    if not page.take(LISTED_BYTES):
                        return Position(start.point, start.kind)
                    page.registers.append(ListedRegister(key, accepted))
                    start = key
            where = Position(first, ITEMS)
        begin = (where.point, where.id)
        while found := store.items(first, last, begin, ROWS, buckets):
            for point, item in found:
                if not page.take(LISTED_BYTES):
                    return Position(begin[0], ITEMS, begin[1])
                page.items.append(ListedItem(point, item.id, item.state, item.received))
                begin = (point, item.id)
        return None

    def copy(self, store: Store, request: CopyRequest) -> CopyReply:
        """Records by name, the first ones that fit into a page."""
        if len(request.registers) > MAX_IDS or len(request.items) > MAX_IDS:
            raise Misbehaved("A request for too many records was sent.")
        points = {key.point for key in request.registers} | {item.point for item in request.items}
        for slot in sorted({self._ground.slot_of(point) for point in points}):
            record = self._ground.record(store, slot)
            if _standing(record, request.configuration.epoch) is None:
                return CopyReply(gone=True)
            if record is not None and record.state is State.ACTIVE and record.configuration != request.configuration:
                return CopyReply(gone=True)
        registers, room = self._copied_registers(store, request.registers)
        items = self._copied_items(store, request.items, room, bool(registers))
        return CopyReply(registers, items)

    def _copied_registers(self, store: Store, keys: tuple[RegisterKey, ...]) -> tuple[tuple[CopiedRegister, ...], int]:
        room, copied = PAGE_BYTES, list[CopiedRegister]()
        for key in keys:
            held = store.register(key) or EMPTY
            room -= CONTENT_FRAME_BYTES + len(held.content.value or b"")
            if room < 0 and copied:
                break
            copied.append(CopiedRegister(key, held.accepted, held.content))
        return tuple(copied), room

    def _copied_items(
        self, store: Store, names: tuple[ItemName, ...], room: int, filled: bool
    ) -> tuple[CopiedItem, ...]:
        copied: list[CopiedItem] = []
        for each in names:
            held = store.item(each.point, each.id)
            if held is None:
                held = StoredItem(each.id, ItemState.UNKNOWN, 0)
            room -= ITEM_FRAME_BYTES + len(held.payload) + len(held.meta)
            if room < 0 and (copied or filled):
                break
            copied.append(CopiedItem(each.point, held))
        return tuple(copied)

    # -- for ourselves

    def missing(self, store: Store, configuration: Configuration, page: PullReply) -> Missing:
        """Take over the tombstones that a page lists; what else of it this node lacks."""
        learning = self._learning(store, configuration)
        registers: list[RegisterKey] = []
        if page.registers:
            first, last = page.registers[0].key.point, page.registers[-1].key.point
            held_ballots = dict(store.ballots(first, last, None, HELD))
            registers = [
                listed.key
                for listed in page.registers
                if learning(listed.key.point) and listed.accepted > held_ballots.get(listed.key, NO_BALLOT)
            ]
        items: list[ItemName] = []
        for listed in page.items:
            if not learning(listed.point):
                continue
            held = store.item(listed.point, listed.id)
            if listed.state.is_tombstone:
                tombstone = StoredItem(listed.id, listed.state, listed.received)
                check_item(tombstone)
                self._unite(store, listed.point, held, tombstone)
            elif held is None:
                items.append(ItemName(listed.point, listed.id))
        return Missing(tuple(registers), tuple(items))

    def merge(self, store: Store, configuration: Configuration, copies: CopyReply, events: list[Event]) -> None:
        """Keep copies that are newer than what this node has, where it still learns `configuration`.

        New items are told as those that somebody adds: who owned the slot before and owns it again must hear of them.

        Raises:
            Misbehaved: one of them is none that a sound member holds; such a source counts for nothing.
        """
        learning = self._learning(store, configuration)
        for each in copies.registers:
            self._check(configuration, each)
            held = store.register(each.key) or EMPTY
            if learning(each.key.point) and each.accepted > held.accepted:
                store.put_register(each.key, Register(each.accepted, each.accepted, each.content))
        for copied in copies.items:
            check_item(copied.item)
            if learning(copied.point) and copied.item.state is not ItemState.UNKNOWN:
                before = store.item(copied.point, copied.item.id)
                self._unite(store, copied.point, before, copied.item)
                if before is None and copied.item.state is ItemState.PRESENT:
                    events.append(Added(copied.point, (copied.item.id,)))

    def _check(self, configuration: Configuration, copied: CopiedRegister) -> None:
        """Each value must stand by itself.

        It is not compared with what another source holds: which of two values was chosen the ballots say, and one
        source could discredit the next.
        """
        if copied.accepted.epoch > configuration.epoch:
            raise Misbehaved("A register of a later epoch was sent as one of this.")
        check_content(copied.content)
        try:
            self._judge(copied.key, EMPTY.content, copied.content)
        except Conflict as error:
            raise Misbehaved(str(error)) from None

    def activate(self, store: Store, configuration: Configuration, slots: tuple[int, ...], events: list[Event]) -> None:
        """Begin to serve: everything chosen in the epoch before has been collected."""
        if generation_of(configuration.epoch) < store.floor():
            return
        for slot in slots:
            record = self._ground.record(store, slot)
            if record is not None and record.state is State.LEARN and record.configuration == configuration:
                store.settle(*self._ground.span(slot))
                self._ground.put(store, activated(record), events)

    def _unite(self, store: Store, point: Identifier, held: StoredItem | None, other: StoredItem) -> None:
        both = united(held, other)
        if both is not None:
            store.put_item(point, both)

    def _learning(self, store: Store, configuration: Configuration) -> "_Learning":
        return _Learning(self._ground, store, configuration)


class _Learning:
    """Whether this node learns the slot of a point in a configuration; asks the store once per slot."""

    def __init__(self, ground: Ground, store: Store, configuration: Configuration) -> None:
        self._ground, self._store, self._configuration = ground, store, configuration
        self._known: dict[int, bool] = {}

    def __call__(self, point: Identifier) -> bool:
        slot = self._ground.slot_of(point)
        if slot not in self._known:
            record = self._ground.record(self._store, slot)
            self._known[slot] = (
                record is not None and record.state is State.LEARN and record.configuration == self._configuration
            )
        return self._known[slot]


def _standing(record: SlotRecord | None, epoch: int) -> State | None:
    if record is None or record.state is State.RETIRED:
        return None
    own = record.configuration.epoch
    if own == epoch and record.state in (State.ACTIVE, State.SEALED):
        return State.ACTIVE
    if own == epoch and record.frozen:
        return State.SEALED
    if follows(epoch, own) and record.state in (State.ACTIVE, State.SEALED):
        return State.SEALED
    return None
