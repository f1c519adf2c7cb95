"""Who holds a slot, since which change: configurations, and how one node's part in a slot goes on to the next epoch."""

from dataclasses import dataclass, replace
from enum import IntEnum

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.register import NO_BALLOT, Ballot

MAX_MEMBERS = 15
GENESIS_EPOCH = 1
NUMBER_BITS = 40
"""Low bits of an epoch: its number within the generation of the ring, which the high bits are."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The members of a slot in one epoch, ascending, and those of the epoch before (empty at genesis)."""

    epoch: int
    members: tuple[Identifier, ...]
    previous: tuple[Identifier, ...] = ()

    def __post_init__(self) -> None:
        for group in (self.members, self.previous):
            if len(group) > MAX_MEMBERS or list(group) != sorted(set(group)):
                raise Misbehaved("The members of a configuration are not an ascending list of at most 15 nodes.")
        if not self.members or self.epoch < GENESIS_EPOCH:
            raise Misbehaved("A configuration without members or epoch was sent.")

    def followed_by(self, members: tuple[Identifier, ...]) -> "Configuration":
        """The configuration of the next epoch."""
        return Configuration(self.epoch + 1, tuple(sorted(members)), self.members)


@dataclass(frozen=True, slots=True)
class Group:
    """Slots that have the same configuration."""

    configuration: Configuration
    slots: tuple[int, ...]


def first_epoch(generation: int) -> int:
    """The epoch with which a generation after the first (0) begins, as a signed plan says."""
    return generation << NUMBER_BITS


def generation_of(epoch: int) -> int:
    """The generation of the ring that an epoch belongs to."""
    return epoch >> NUMBER_BITS


def begins_generation(epoch: int) -> bool:
    """Whether an epoch was planned for survivors, and so follows whatever each of them has."""
    return epoch % (1 << NUMBER_BITS) == 0


def shown_epoch(epoch: int) -> str:
    """For people: the number, after its generation if that is not the first."""
    generation, number = divmod(epoch, 1 << NUMBER_BITS)
    return f"{generation}.{number}" if generation else str(number)


def follows(epoch: int, before: int) -> bool:
    """Whether records of the epoch `before` are what `epoch` begins with."""
    return before < epoch if begins_generation(epoch) else before == epoch - 1


def needed_sources(configuration: Configuration) -> int:
    """How many members of before it takes to know everything: a majority, or each survivor of a planned epoch."""
    before = len(configuration.previous)
    return before if begins_generation(configuration.epoch) else majority(before)


def majority(members: int) -> int:
    """How many of so many are more than half."""
    return members // 2 + 1


class State(IntEnum):
    """What a node may do for a slot."""

    LEARN = 1
    """Member of the epoch; collects what was chosen before, serves nothing yet."""
    ACTIVE = 2
    """Serves the epoch."""
    SEALED = 3
    """Has stopped serving its epoch for ever, keeps its records for those who come after."""
    RETIRED = 4
    """Holds no records; `configuration` is the newest one that it knows."""
    COPY = 5
    """No member: keeps a copy of what the only member has, which counts for nothing until that one is lost for ever."""


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """One node's durable part in one slot."""

    slot: int
    configuration: Configuration
    state: State
    frozen: bool = False
    """While LEARN: the records are this node's own of the epoch before, and count for one pull."""
    promised: Ballot = NO_BALLOT
    """In the decision about the next configuration."""
    accepted: Ballot = NO_BALLOT
    proposal: tuple[Identifier, ...] = ()
    """The members accepted under `accepted`; empty when none were."""
    successor: Configuration | None = None
    """A later configuration that was decided without this node."""

    @property
    def newest(self) -> Configuration:
        """The latest configuration that this node knows of."""
        return self.successor or self.configuration

    def serves(self, epoch: int) -> bool:
        """Whether registers and sets of `epoch` may be used here."""
        return self.state is State.ACTIVE and self.configuration.epoch == epoch

    def votes(self, epoch: int) -> bool:
        """Whether this node may take part in choosing the successor of `epoch`."""
        return self.state in (State.ACTIVE, State.SEALED) and self.configuration.epoch == epoch


class Keep(IntEnum):
    """What becomes of a slot's records when its configuration changes."""

    AS_THEY_ARE = 0
    CLEAR = 1
    SETTLE = 2
    """They are the start of the new epoch: promises and pending removals are dropped."""


def genesis(slot: int, founder: Identifier) -> SlotRecord:
    """What the founder holds before anything changed."""
    return SlotRecord(slot, Configuration(GENESIS_EPOCH, (founder,)), State.ACTIVE)


def adopted(
    record: SlotRecord | None, slot: int, decided: Configuration, me: Identifier
) -> tuple[SlotRecord | None, Keep]:
    """The record after hearing that `decided` is the slot's configuration, and what to do with the slot's records.

    An older or known configuration changes nothing.  A node that was no member and becomes none keeps no record.
    """
    if record is not None and decided.epoch <= record.newest.epoch:
        if decided.epoch == record.newest.epoch and decided.members != record.newest.members:
            raise Misbehaved(f"Slot {slot} has two configurations of epoch {decided.epoch}.")
        return record, Keep.AS_THEY_ARE
    if me in decided.members:
        return _joined(record, slot, decided, me)
    if record is None:
        return None, Keep.AS_THEY_ARE
    return _passed_over(record, decided, me)


def _joined(record: SlotRecord | None, slot: int, decided: Configuration, me: Identifier) -> tuple[SlotRecord, Keep]:
    if begins_generation(decided.epoch):
        frozen = record is not None and record.state is not State.RETIRED and me in decided.previous
    else:
        frozen = record is not None and record.votes(decided.epoch - 1)
    learning = SlotRecord(slot, decided, State.LEARN, frozen)
    if not frozen:
        # Records of whatever epoch are a source more: ballots decide, and the pull from a majority is still to come.
        has_some = record is not None and record.state is not State.RETIRED and not begins_generation(decided.epoch)
        keep = Keep.AS_THEY_ARE if has_some else Keep.CLEAR
        return (learning if decided.previous else activated(learning)), keep
    if needed_sources(decided) == 1:
        return activated(learning), Keep.SETTLE
    return learning, Keep.AS_THEY_ARE


def _passed_over(record: SlotRecord, decided: Configuration, me: Identifier) -> tuple[SlotRecord, Keep]:
    if begins_generation(decided.epoch) and record.state in (State.LEARN, State.COPY) and me in decided.previous:
        return replace(record, successor=decided, state=State.SEALED), Keep.AS_THEY_ARE
    if record.state in (State.ACTIVE, State.SEALED):
        directly = decided.epoch == record.configuration.epoch + 1
        state = record.state if directly else State.SEALED
        return replace(record, successor=decided, state=state), Keep.AS_THEY_ARE
    if record.state is State.RETIRED:
        return SlotRecord(record.slot, decided, State.RETIRED), Keep.AS_THEY_ARE
    # What is left counts for nothing any more; it is let go once those who came after are known to have everything.
    return SlotRecord(record.slot, record.configuration, State.COPY, successor=decided), Keep.AS_THEY_ARE


def voted_for(record: SlotRecord, decided: Configuration) -> bool:
    """Whether `decided` follows directly, with the members that this node accepted last."""
    own = record.configuration
    return decided.epoch == own.epoch + 1 and decided.previous == own.members and decided.members == record.proposal


def stands_against(record: SlotRecord, epoch: int, decided: Configuration) -> bool:
    """Whether this node, a member in `epoch`, knows of nothing that could have led from there to `decided`."""
    is_member = record.state in (State.ACTIVE, State.LEARN) and record.configuration.epoch == epoch
    is_untouched = record.successor is None and (not record.proposal or decided.epoch == epoch + 1)
    return is_member and is_untouched and not voted_for(record, decided)


def sealed(record: SlotRecord) -> SlotRecord:
    """The record after this node stopped serving its epoch."""
    return replace(record, state=State.SEALED)


def activated(record: SlotRecord) -> SlotRecord:
    """The record once everything chosen before has been collected."""
    return replace(record, state=State.ACTIVE, frozen=False)


def retired(record: SlotRecord) -> SlotRecord:
    """The record once the later members hold everything."""
    return SlotRecord(record.slot, record.newest, State.RETIRED)
