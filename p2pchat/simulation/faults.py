"""Schedules of faults: what breaks when, drawn from one stream of chance before a run begins.

A schedule never depends on what the nodes do, so it can be cut short to find the fault that matters.
"""

from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from p2pchat.simulation.network import Weather

DAY_SECONDS = 86_400.0
MAJORITIES = 1 / 3
"""Share of the runs in which the disks of many nodes are lost at once, of those in which that may be."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A node stops at once; what it had not synced is gone.  It comes back after `away` seconds."""

    node: int
    away: float


@dataclass(frozen=True, slots=True)
class CrashInside:
    """As `Crash`, but at a moment inside the protocol: before or after the node handles its next message."""

    node: int
    away: float
    answered: bool


@dataclass(frozen=True, slots=True)
class CrashAt:
    """As `Crash`, of whichever node next comes to a named point: "Pull arrived", or "Pull answered" (and not sent)."""

    point: str
    away: float


@dataclass(frozen=True, slots=True)
class RestartAll:
    """Every node stops at once; each comes back within `away` seconds."""

    away: float


@dataclass(frozen=True, slots=True)
class LoseDisk:
    """A node stops and its disk is gone; a new node takes its machine after `away` seconds."""

    node: int
    away: float


@dataclass(frozen=True, slots=True)
class Partition:
    """The nodes fall into groups that do not hear each other, for `lasting` seconds."""

    groups: tuple[tuple[int, ...], ...]
    lasting: float


@dataclass(frozen=True, slots=True)
class CutOneWay:
    """Nothing arrives from source at target, for `lasting` seconds."""

    source: int
    target: int
    lasting: float


@dataclass(frozen=True, slots=True)
class Deaf:
    """Nothing arrives at a node, for `lasting` seconds."""

    node: int
    lasting: float


@dataclass(frozen=True, slots=True)
class Reshuffle:
    """`drivers` nodes try at once to give a slot to random members, each to others."""

    slot: int
    drivers: int


@dataclass(frozen=True, slots=True)
class Evict:
    """The authority signs that a node is out, and tells one other node; a new one takes its machine in the end."""

    node: int
    away: float


@dataclass(frozen=True, slots=True)
class LoseMajority:
    """The disks of so many machines are gone at once; the operator gives their nodes up after `waiting` seconds."""

    nodes: tuple[int, ...]
    away: float
    waiting: float


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A machine's clock is wrong by `seconds`, for `lasting` seconds."""

    node: int
    seconds: float
    lasting: float


Fault: TypeAlias = (
    Crash
    | CrashInside
    | CrashAt
    | RestartAll
    | LoseDisk
    | Partition
    | CutOneWay
    | Deaf
    | Reshuffle
    | Evict
    | LoseMajority
    | ClockJump
)


@dataclass(frozen=True, slots=True)
class Timed:
    """A fault and when it strikes, in seconds since the start."""

    when: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that goes wrong in one run; nothing does after `until` seconds."""

    weather: Weather
    faults: tuple[Timed, ...]
    until: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How rough a run may be.

    Attributes:
        faults: at most so many.
        disks: at most so many disks are lost; a minority of every configuration, or data may be lost for good.
        disk_gap: seconds between two lost disks, in which the members can be replaced.
        reshuffles: at most so many slots get random members; slots: how many there are.
        points: named points of the protocol; in half of the runs nodes are killed at one or two of them.
        evictions: at most so many nodes are evicted; where there may be any, clocks go wrong as well.
        majorities: whether the disks of a majority may be lost at once; in a third of the runs they are.
    """

    faults: int = 5
    disks: int = 0
    disk_gap: float = 20.0
    reshuffles: int = 0
    slots: int = 1
    points: tuple[str, ...] = ()
    evictions: int = 0
    majorities: bool = False


def draw(chance: Random, nodes: int, seconds: float, limits: Limits) -> Plan:
    """A plan for `nodes` nodes (numbered from 0) over `seconds` seconds."""
    weather = _draw_weather(chance)
    makers = (_crash, _crash_inside, _crash_inside, _partition, _cut, _cut, _deaf, _deaf, _restart_all)
    timed = [
        Timed(chance.uniform(0, seconds), chance.choice(makers)(chance, nodes, seconds))
        for _ in range(chance.randint(0, limits.faults))
    ]
    last = -limits.disk_gap
    for _ in range(limits.disks):
        when = chance.uniform(0, seconds)
        if when - last >= limits.disk_gap and chance.random() < 0.7:
            timed.append(Timed(when, LoseDisk(chance.randrange(nodes), chance.uniform(0, seconds / 4))))
            last = when
    timed += [
        Timed(chance.uniform(0, seconds), Reshuffle(chance.randrange(limits.slots), chance.choice((1, 1, 2, 3))))
        for _ in range(chance.randint(0, limits.reshuffles))
    ]
    if limits.points and chance.random() < 0.5:
        for _ in range(chance.randint(1, 2)):
            point = chance.choice(limits.points)
            timed.append(Timed(chance.uniform(0, seconds / 2), CrashAt(point, chance.uniform(0, seconds / 4))))
    if limits.evictions:
        timed += _draw_authority(chance, nodes, seconds, limits)
    return Plan(weather, tuple(sorted(timed, key=lambda each: each.when)), seconds)


def _draw_authority(chance: Random, nodes: int, seconds: float, limits: Limits) -> list[Timed]:
    """Evictions, clocks that are apart, and majorities lost for ever."""
    timed = [
        Timed(chance.uniform(0, seconds), Evict(chance.randrange(nodes), chance.uniform(0, seconds / 4)))
        for _ in range(chance.randint(0 if limits.majorities else 1, limits.evictions))
    ]
    for _ in range(chance.randint(0, 2)):
        apart = chance.choice((-1, 1)) * chance.choice((30.0, 600.0, 3 * DAY_SECONDS, 40 * DAY_SECONDS))
        jump = ClockJump(chance.randrange(nodes), apart, chance.uniform(0, seconds))
        timed.append(Timed(chance.uniform(0, seconds), jump))
    if limits.majorities and chance.random() < MAJORITIES:
        lost = tuple(sorted(chance.sample(range(nodes), chance.randint(1, nodes - 1))))
        away, waiting = chance.uniform(0, seconds / 4), chance.uniform(0.1, seconds / 2)
        timed.append(Timed(chance.uniform(0, seconds / 2), LoseMajority(lost, away, waiting)))
    return timed


def _draw_weather(chance: Random) -> Weather:
    """Fair in a third of the runs: then the faults alone decide."""
    if chance.random() < 1 / 3:
        return Weather()
    return Weather(
        most=chance.choice((0.02, 0.2, 1.0)),
        loss=chance.choice((0.0, 0.05, 0.2, 0.3)),
        duplication=chance.choice((0.0, 0.1, 0.3)),
        lag=chance.choice((0.0, 0.05, 0.2)),
        lagging=chance.choice((0.5, 3.0)),
    )


def _crash(chance: Random, nodes: int, seconds: float) -> Fault:
    return Crash(chance.randrange(nodes), chance.uniform(0, seconds / 2))


def _crash_inside(chance: Random, nodes: int, seconds: float) -> Fault:
    return CrashInside(chance.randrange(nodes), chance.uniform(0, seconds / 2), chance.random() < 0.5)


def _restart_all(chance: Random, nodes: int, seconds: float) -> Fault:
    return RestartAll(chance.uniform(0, seconds / 4))


def _cut(chance: Random, nodes: int, seconds: float) -> Fault:
    source, target = chance.sample(range(nodes), 2)
    return CutOneWay(source, target, chance.uniform(0, seconds / 2))


def _deaf(chance: Random, nodes: int, seconds: float) -> Fault:
    """Nothing reaches one node, though it is heard."""
    return Deaf(chance.randrange(nodes), chance.uniform(0, seconds / 2))


def _partition(chance: Random, nodes: int, seconds: float) -> Fault:
    """Two or three sides of random size."""
    sides = chance.choice((2, 2, 3))
    of = [chance.randrange(sides) for _ in range(nodes)]
    groups = tuple(tuple(node for node in range(nodes) if of[node] == side) for side in range(sides))
    return Partition(groups, chance.uniform(seconds / 10, seconds / 2))
