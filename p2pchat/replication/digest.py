"""A member's rules for comparing: digests of slots, taking over what another one holds, and copies beside one member.

A register is taken over as if the proposer's own message had come late, by the acceptor's rule; so a comparison can do
nothing that a slow network could not.  Pending removals are in no digest.
"""

from collections.abc import Sequence

from p2pchat.errors import Conflict, Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.acceptor import Acceptor, check_content
from p2pchat.replication.configuration import Configuration, SlotRecord, State, generation_of, retired
from p2pchat.replication.ground import Added, Changed, Event, Ground
from p2pchat.replication.register import EMPTY, NO_BALLOT, Ballot, Register
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.store import Store
from p2pchat.replication.transfers import (
    CopiedItem,
    CopiedRegister,
    DigestReply,
    DigestRequest,
    ItemName,
    MirrorReply,
    MirrorRequest,
    Missing,
    PullReply,
    SlotDigest,
)
from p2pchat.replication.tree import Buckets, Tree
from p2pchat.replication.uset import ItemState, StoredItem, check_item, is_over, united

DIGEST_ROWS = 5_000
"""Records that one turn reads for digests; it finishes the slot in which it passes them."""
SCAN_ROWS = 100
"""What it costs at most to find the records of some buckets, in records that are read."""
ROWS = 1_000
DEEP_MARKS = 64
"""Of a slot with fewer buckets in use, listing all is as cheap as comparing buckets."""


def slot_tree(ground: Ground, store: Store, slot: int) -> tuple[Tree, int]:
    """A slot's tree, and what that cost, in records: nothing when nothing was written since the last time."""
    kept, stale = store.tree(slot)
    if not stale:
        return kept, 0
    first, last = ground.span(slot)
    buckets, rows = Buckets(), 0
    after: RegisterKey | None = None
    while page := store.ballots(first, last, after, ROWS, stale):
        for key, accepted in page:
            # A register that was only promised holds nothing yet.
            if accepted != NO_BALLOT:
                buckets.add_register(key, accepted)
            after = key
        rows += len(page)
    begin: tuple[Identifier, bytes] | None = None
    while items := store.items(first, last, begin, ROWS, stale):
        for point, item in items:
            buckets.add_item(point, item)
            begin = (point, item.id)
        rows += len(items)
    tree = kept.renewed(stale, buckets.digests())
    store.keep_tree(slot, tree)
    return tree, rows + (SCAN_ROWS if kept.marks else 0)


class Comparer:
    """Answers about what this node holds, and makes good what it lacks.

    Args:
        acceptor: judges what is taken over as a proposer's message.
    """

    def __init__(self, ground: Ground, acceptor: Acceptor) -> None:
        self._ground, self._acceptor = ground, acceptor

    # -- digests

    def digests(self, store: Store, request: DigestRequest) -> DigestReply:
        """Digests of the first slots that were asked for, of as many as one turn may read."""
        self._ground.check_slots(request.slots)
        found: list[SlotDigest] = []
        read = 0
        for slot in request.slots:
            record = self._ground.record(store, slot)
            if record is None or not record.serves(request.epoch):
                found.append(SlotDigest(slot, b""))
                continue
            tree, cost = slot_tree(self._ground, store, slot)
            found.append(SlotDigest(slot, tree.root))
            read += cost
            if read >= DIGEST_ROWS:
                break
        return DigestReply(tuple(found))

    def differing(self, store: Store, configuration: Configuration, others: Sequence[SlotDigest]) -> tuple[int, ...]:
        """Of these slots, those that this node keeps in the same epoch, and has otherwise."""
        return tuple(
            other.slot
            for other in others
            if other.digest
            and other.slot < self._ground.slots
            and keeps(self._ground.record(store, other.slot), configuration)
            and slot_tree(self._ground, store, other.slot)[0].root != other.digest
        )

    # -- taking over

    def lacking(
        self, store: Store, configuration: Configuration, page: PullReply, now: float, events: list[Event]
    ) -> Missing:
        """Take over the tombstones that a page of a member lists; what else of it this node lacks."""
        kept = {slot for slot in page.full if keeps(self._ground.record(store, slot), configuration)}
        registers: list[RegisterKey] = []
        for register in page.registers:
            if self._ground.slot_of(register.key.point) in kept:
                held = store.register(register.key) or EMPTY
                if takes(held, register.accepted):
                    registers.append(register.key)
        items: list[ItemName] = []
        for item in page.items:
            if self._ground.slot_of(item.point) not in kept:
                continue
            listed = StoredItem(item.id, item.state, item.received)
            if item.state.is_tombstone:
                self._mend_item(store, CopiedItem(item.point, listed), now, events)
            elif store.item(item.point, item.id) is None and not is_over(listed, now):
                items.append(ItemName(item.point, item.id))
        return Missing(tuple(registers), tuple(items))

    def mend(
        self,
        store: Store,
        configuration: Configuration,
        registers: Sequence[CopiedRegister],
        items: Sequence[CopiedItem],
        now: float,
        events: list[Event],
    ) -> bool:
        """Take over records of other members, where this node keeps their slot in that epoch; whether it does."""
        points = {each.key.point for each in registers} | {each.point for each in items}
        slots = {self._ground.slot_of(point) for point in points}
        if not all(keeps(self._ground.record(store, slot), configuration) for slot in slots):
            return False
        for register in registers:
            self._mend_register(store, configuration, register, events)
        for each in items:
            self._mend_item(store, each, now, events)
        return True

    def _mend_register(
        self, store: Store, configuration: Configuration, copied: CopiedRegister, events: list[Event]
    ) -> None:
        if copied.accepted.epoch > configuration.epoch:
            raise Misbehaved("A register of a later epoch was sent as one of this.")
        check_content(copied.content)
        held = store.register(copied.key) or EMPTY
        if not takes(held, copied.accepted):
            return
        try:
            self._acceptor.judge(copied.key, held.content, copied.content)
            self._acceptor.check_owner(store, copied.key, copied.content)
        except (Misbehaved, Conflict):
            return
        store.put_register(copied.key, Register(copied.accepted, copied.accepted, copied.content))
        if copied.content.value != held.content.value:
            events.append(Changed(copied.key, copied.content.value))

    def _mend_item(self, store: Store, copied: CopiedItem, now: float, events: list[Event]) -> None:
        check_item(copied.item)
        if copied.item.state is ItemState.UNKNOWN or is_over(copied.item, now):
            return
        both = united(store.item(copied.point, copied.item.id), copied.item)
        if both is None:
            return
        store.put_item(copied.point, both)
        if both.state is ItemState.PRESENT:
            events.append(Added(copied.point, (both.id,)))

    # -- copies beside the only member

    def mirror(
        self, store: Store, caller: Identifier, request: MirrorRequest, now: float, events: list[Event]
    ) -> MirrorReply:
        """Keep what the only member of a slot has just written."""
        if request.configuration.members != (caller,):
            raise Misbehaved("A copy was sent by a node that is not the only member.")
        points = [each.key.point for each in request.registers] + [each.point for each in request.items]
        for point in points:
            record = self._ground.record(store, self._ground.slot_of(point))
            if record is None or record.state is not State.COPY:
                return MirrorReply(False)
        return MirrorReply(self.mend(store, request.configuration, request.registers, request.items, now, events))

    def follow(self, store: Store, wishes: Sequence[tuple[int, Configuration]], events: list[Event]) -> None:
        """Begin to keep copies of slots that have one member, where this node keeps nothing yet."""
        for slot, configuration in wishes:
            record = self._ground.record(store, slot)
            if record is not None and (record.state is not State.RETIRED or record.newest != configuration):
                continue
            if generation_of(configuration.epoch) >= store.floor():
                store.clear(*self._ground.span(slot))
                self._ground.put(store, SlotRecord(slot, configuration, State.COPY), events)

    def passed_over(
        self, store: Store, configuration: Configuration, slots: Sequence[int], events: list[Event]
    ) -> tuple[int, ...]:
        """Hear of a configuration; the slots in which this node has records of an epoch before it."""
        for slot in slots:
            self._ground.adopt(store, slot, configuration, events)
        return tuple(slot for slot in slots if self._is_passed(store, slot, configuration))

    def stay(
        self, store: Store, configuration: Configuration, slots: Sequence[int], now: float, events: list[Event]
    ) -> None:
        """Where a majority of the later members serves, keep this node's own records as a copy.

        Without items whose time is over: it may have been away for longer than their tombstones live.
        """
        for slot in slots:
            if self._is_passed(store, slot, configuration) and generation_of(configuration.epoch) >= store.floor():
                store.settle(*self._ground.span(slot))
                self.drop_over(store, (slot,), now)
                self._ground.put(store, SlotRecord(slot, configuration, State.COPY), events)

    def drop_over(self, store: Store, slots: Sequence[int], now: float) -> None:
        """Forget items whose time is over: the tombstones that others had of them may be gone by now."""
        for slot in slots:
            first, last = self._ground.span(slot)
            begin: tuple[Identifier, bytes] | None = None
            while items := store.items(first, last, begin, ROWS):
                begin = (items[-1][0], items[-1][1].id)
                store.drop_items([(point, item.id) for point, item in items if is_over(item, now)])

    def _is_passed(self, store: Store, slot: int, configuration: Configuration) -> bool:
        record = self._ground.record(store, slot)
        return record is not None and record.successor == configuration

    def let_go(self, store: Store, slots: Sequence[int], events: list[Event]) -> None:
        """Forget copies."""
        for slot in slots:
            record = self._ground.record(store, slot)
            if record is not None and record.state is State.COPY:
                store.clear(*self._ground.span(slot))
                self._ground.put(store, retired(record), events)


def takes(held: Register, accepted: Ballot) -> bool:
    """Whether what was accepted elsewhere under that ballot is accepted here too, and is news."""
    return accepted > held.accepted and accepted >= held.promised


def keeps(record: SlotRecord | None, configuration: Configuration) -> bool:
    """Whether a node holds a slot's records in exactly this configuration, all of them or as a copy."""
    return (
        record is not None
        and record.state in (State.ACTIVE, State.COPY)
        and record.successor is None
        and record.configuration == configuration
    )
