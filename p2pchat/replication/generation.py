"""How a ring goes on that lost majorities: what survivors report, and the plan of the next generation.

An epoch is a generation (high bits) and a number.  The first epoch of a generation, number 0, follows whatever was
before; its members start from all that its `previous` members, the survivors, have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from p2pchat.identifiers import Identifier, distance
from p2pchat.replication.configuration import MAX_MEMBERS, Configuration, Group, State, first_epoch, majority
from p2pchat.replication.plan import target_size
from p2pchat.replication.slots import end_of


@dataclass(frozen=True, slots=True)
class Held:
    """Slots in which a node stands alike: the newest configuration it knows, and whose records it has."""

    newest: Configuration
    own: int
    """The epoch that its records belong to."""
    state: State
    slots: tuple[int, ...]

    @property
    def has_records(self) -> bool:
        """Whether it keeps anything."""
        return self.state is not State.RETIRED

    @property
    def is_complete(self) -> bool:
        """Whether it has everything that was chosen before the newest epoch that it knows."""
        return self.state in (State.ACTIVE, State.SEALED) and self.own == self.newest.epoch


@dataclass(frozen=True, slots=True)
class Report:
    """What one survivor has."""

    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The first configurations of a generation, for every slot."""

    generation: int
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Losses:
    """What a plan may cost.

    Attributes:
        empty: slots of which no survivor has anything.
        doubtful: slots whose last changes may be lost, or undone in part, because less than a majority survived.
    """

    empty: tuple[int, ...]
    doubtful: tuple[int, ...]


@dataclass(slots=True)
class _Slot:
    newest: Configuration | None
    complete: list[Identifier]
    others: list[Identifier]

    def sources(self) -> tuple[Identifier, ...]:
        """Who has what the next epoch begins with: complete survivors, or else everybody who has something."""
        return tuple(sorted((self.complete or self.others)[:MAX_MEMBERS]))


def planned(reports: Mapping[Identifier, Report], slots: int, replicas: int, generation: int) -> tuple[Plan, Losses]:
    """The plan for these survivors, and what it may cost."""
    survivors = sorted(reports)
    groups: dict[Configuration, list[int]] = {}
    empty: list[int] = []
    doubtful: list[int] = []
    for slot, known in enumerate(_by_slot(reports, slots)):
        sources = known.sources()
        members = _members(slot, slots, survivors, replicas)
        groups.setdefault(Configuration(first_epoch(generation), members, sources), []).append(slot)
        if not sources:
            empty.append(slot)
        elif known.newest is None or len(known.complete) < majority(len(known.newest.members)):
            doubtful.append(slot)
    plan = Plan(generation, tuple(Group(each, tuple(those)) for each, those in groups.items()))
    return plan, Losses(tuple(empty), tuple(doubtful))


def _members(slot: int, slots: int, survivors: Sequence[Identifier], replicas: int) -> tuple[Identifier, ...]:
    """As many as a ring of that size wants, clockwise from the slot's end; of two survivors both."""
    size = len(survivors) if len(survivors) < 3 and replicas else target_size(len(survivors), replicas)
    end = end_of(slot, slots)
    return tuple(sorted(sorted(survivors, key=lambda node: distance(end, node))[:size]))


def _by_slot(reports: Mapping[Identifier, Report], slots: int) -> list[_Slot]:
    newest: list[Configuration | None] = [None] * slots
    parts: list[list[tuple[Identifier, Held]]] = [[] for _ in range(slots)]
    for node, report in sorted(reports.items()):
        for held in report.held:
            for slot in held.slots:
                known = newest[slot]
                if known is None or held.newest.epoch > known.epoch:
                    newest[slot] = held.newest
                if held.has_records:
                    parts[slot].append((node, held))
    return [_Slot(known, *_divided(known, those)) for known, those in zip(newest, parts, strict=True)]


def _divided(
    newest: Configuration | None, parts: Iterable[tuple[Identifier, Held]]
) -> tuple[list[Identifier], list[Identifier]]:
    complete: list[Identifier] = []
    others: list[tuple[int, Identifier]] = []
    for node, held in parts:
        if newest is not None and held.is_complete and held.own == newest.epoch:
            complete.append(node)
        else:
            others.append((-held.own, node))
    return complete, [node for _, node in sorted(others)]


def named_nodes(reports: Mapping[Identifier, Report]) -> set[Identifier]:
    """Every node that is a member of the newest configurations that somebody reports."""
    return {member for report in reports.values() for held in report.held for member in held.newest.members}
