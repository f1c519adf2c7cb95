"""What every rule of a member stands on: who it is, its slots, and their records in the store."""

from collections.abc import Iterable
from dataclasses import dataclass

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import (
    Configuration,
    Group,
    Keep,
    SlotRecord,
    adopted,
    generation_of,
    genesis,
    voted_for,
)
from p2pchat.replication.formats import Formats
from p2pchat.replication.register import Ballot
from p2pchat.replication.requests import BULK_SLOTS
from p2pchat.replication.slots import RegisterKey, end_of, first_of, slot_of
from p2pchat.replication.store import Store, View


@dataclass(frozen=True, slots=True)
class Changed:
    """Event: this member accepted a value."""

    key: RegisterKey
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Added:
    """Event: this member kept new items."""

    point: Identifier
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """Event: this node's part in a slot is another one now."""

    record: SlotRecord


Event = Changed | Added | Moved


@dataclass(frozen=True, slots=True)
class Ground:
    """One node's place in all slots.

    Attributes:
        founder: whether it holds every slot that has no record yet.
    """

    me: Identifier
    slots: int
    founder: bool
    formats: Formats

    def slot_of(self, point: Identifier) -> int:
        """The slot that holds a point."""
        return slot_of(point, self.slots)

    def span(self, slot: int) -> tuple[Identifier, Identifier]:
        """The lowest and the highest point of a slot."""
        return first_of(slot, self.slots), end_of(slot, self.slots)

    def record(self, store: View, slot: int) -> SlotRecord | None:
        """This node's part in a slot; None when it has none and knows nothing of it."""
        found = store.slot(slot)
        if found is None and self.founder:
            return genesis(slot, self.me)
        return found

    def adopt(
        self, store: Store, slot: int, decided: Configuration, events: list[Event], is_sure: bool = False
    ) -> SlotRecord | None:
        """Hear that a configuration was decided; the record afterwards.

        Nothing changes on one node's word: this node goes on when it voted for those members itself, or when it
        `is_sure`, because it asked around (doubts.py) or an authority signed it.
        """
        before = self.record(store, slot)
        if not self._is_of_this_time(store, before, decided):
            return before
        if not is_sure and (before is None or not voted_for(before, decided)) and self._is_news(before, decided):
            return before
        after, keep = adopted(before, slot, decided, self.me)
        if after is None or after == before:
            return after
        if keep is Keep.CLEAR:
            store.clear(*self.span(slot))
        elif keep is Keep.SETTLE:
            store.settle(*self.span(slot))
        self.put(store, after, events)
        return after

    def _is_of_this_time(self, store: Store, record: SlotRecord | None, decided: Configuration) -> bool:
        """Whether a configuration is of no generation that is over, or of one whose signed plan is not here."""
        own = store.floor() if record is None else max(store.floor(), generation_of(record.newest.epoch))
        return store.floor() <= generation_of(decided.epoch) <= own

    def _is_news(self, record: SlotRecord | None, decided: Configuration) -> bool:
        return record is None or decided.epoch > record.newest.epoch

    def put(self, store: Store, record: SlotRecord, events: list[Event]) -> None:
        """Write a record and tell of it."""
        store.put_slot(record)
        events.append(Moved(record))

    def check_slots(self, slots: tuple[int, ...]) -> None:
        """Refuse a list of slots that no sound node sends."""
        if len(slots) > BULK_SLOTS or any(slot >= self.slots for slot in slots):
            raise Misbehaved("A request about too many slots, or about slots that this ring does not have, was sent.")


def check_ballot(ballot: Ballot, caller: Identifier, epoch: int) -> None:
    """A node makes ballots in its own name only."""
    if ballot.node != caller or ballot.epoch != epoch:
        raise Misbehaved("A ballot in another node's name or of another epoch was sent.")


def grouped(known: Iterable[tuple[int, Configuration]]) -> tuple[Group, ...]:
    """Slots put together by their configuration."""
    groups: dict[Configuration, list[int]] = {}
    for slot, configuration in known:
        groups.setdefault(configuration, []).append(slot)
    return tuple(Group(configuration, tuple(slots)) for configuration, slots in groups.items())


def group_bytes(configuration: Configuration) -> int:
    """About how many bytes a group with one slot takes in a page."""
    return 32 * (len(configuration.members) + len(configuration.previous)) + 32
