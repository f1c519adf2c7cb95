"""Lets the faults of a plan strike a world at their times, and mends everything at the end."""

from typing import assert_never

from twisted.python.failure import Failure

from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Identifier
from p2pchat.replication.commands import COMMANDS, CollectItems, ListItems, LookAtItems, ReadRegister
from p2pchat.replication.configuration import State
from p2pchat.server.commands import AskKnown, SealSlots
from p2pchat.simulation.faults import (
    ClockJump,
    Crash,
    CrashAt,
    CrashInside,
    CutOneWay,
    Deaf,
    Evict,
    Fault,
    LoseDisk,
    LoseMajority,
    Partition,
    Plan,
    Reshuffle,
    RestartAll,
)
from p2pchat.simulation.governed import GovernedWorld
from p2pchat.simulation.network import Weather
from p2pchat.simulation.operator import Operator
from p2pchat.simulation.world import Life
from p2pchat.wire.bulletins import AskBulletin, TellNumbers

DRIVERS_SECONDS = 2.0
"""Within so long several drivers begin, so that some come upon what another one has half done."""
MOMENTS = ("arrived", "written", "answered", "heard")
POINTS = (
    *(f"{command.__name__} {moment}" for command in COMMANDS.values() for moment in MOMENTS),
    *(f"{state.name} {moment}" for state in State for moment in ("written", "synced")),
)
"""Every named point of the protocol, at which a node may die.

Of each command: before it is handled, when its turn is done and not durable, when its answer is durable and not sent,
and, at who asked, as the answer comes.  Of each state of a slot: when it is written and not durable, and when it is.
"""
UNREACHED = tuple(f"{command.__name__} written" for command in (ReadRegister, ListItems, CollectItems, LookAtItems))
"""Those of POINTS that no node comes to: a question is answered beside the writer, and writes nothing."""
AUTHORITY_POINTS = tuple(
    f"{command.__name__} {moment}"
    for command in (TellNumbers, AskBulletin, AskKnown, SealSlots)
    for moment in ("arrived", "answered", "heard")
)
"""The same of what spreads evictions and plans."""
EVICT_AGAIN_SECONDS = 0.4
LATE_SECONDS = 7.0
"""For so long after all was mended a node may still die at a named point that was not come to before: records are
given up by then, and copies let go."""


class Chaos:
    """Carries out one plan."""

    def __init__(self, world: GovernedWorld, plan: Plan) -> None:
        self.mended = False
        self._world, self._plan = world, plan
        self._doomed: dict[Identifier, tuple[int, CrashInside]] = {}
        self._awaited: dict[str, CrashAt] = {}
        self.operator = Operator(world)
        world.network.weather = plan.weather
        world.network.strike = self._look_at
        world.replaced = self._replaced
        self._away: dict[int, float] = {}
        """Of machines whose node was evicted: after how many seconds another one starts there."""
        for each in plan.faults:
            world.clock.at(each.when, self._strike, each.fault)
        world.clock.at(plan.until, self._mend)

    @property
    def over(self) -> bool:
        """Whether everything has been mended, and nobody will die any more."""
        return self.mended and not self._awaited

    def _strike(self, fault: Fault) -> None:
        if self.mended:
            return
        world = self._world
        world.network.note(repr(fault))
        match fault:
            case Crash(node, away):
                self._crash(node, away)
            case CrashInside(node, _, _):
                self._doomed[world.machines[node].node] = (node, fault)
            case CrashAt(point, _):
                self._awaited[point] = fault
            case RestartAll(away):
                chance = world.stream(f"restart/{world.clock.seconds()}")
                for number in range(len(world.machines)):
                    self._crash(number, chance.uniform(0, away))
            case LoseDisk(node, away):
                if world.lose_disk(node):
                    self._after(away, node)
            case Partition(groups, lasting):
                world.network.partition([[world.machines[number].node for number in group] for group in groups])
                world.clock.at(world.clock.seconds() + lasting, world.network.mend)
            case CutOneWay(source, target, lasting):
                world.network.cut(world.machines[source].node, world.machines[target].node)
                world.clock.at(world.clock.seconds() + lasting, world.network.mend)
            case Deaf(node, lasting):
                for machine in world.machines:
                    world.network.cut(machine.node, world.machines[node].node)
                world.clock.at(world.clock.seconds() + lasting, world.network.mend)
            case Reshuffle(slot, drivers):
                self._reshuffle(slot, drivers)
            case Evict(node, away):
                self._evict(node, away)
            case LoseMajority(nodes, away, waiting):
                self._lose(nodes, away, waiting)
            case ClockJump(node, seconds, lasting):
                world.machines[node].ahead = seconds
                world.clock.at(world.clock.seconds() + lasting, self._set_clock, node)
            case _:
                assert_never(fault)

    def _evict(self, number: int, away: float) -> None:
        """As soon as that can lose nothing: an operator looks whether the ring has healed."""
        world = self._world
        living = [] if self.mended else world.living()
        if living and world.evict(number, world.stream(f"evict/{world.clock.seconds()}").choice(living)):
            self._away[number] = away
        elif living:
            world.clock.at(world.clock.seconds() + EVICT_AGAIN_SECONDS, self._evict, number, away)

    def _lose(self, nodes: tuple[int, ...], away: float, waiting: float) -> None:
        for number in nodes:
            self._world.give_away(number)
            self._after(away, number)
        self._world.clock.at(self._world.clock.seconds() + waiting, self.operator.give_up)

    def _replaced(self, number: int) -> None:
        self._after(self._away.pop(number, 0.0), number)

    def _set_clock(self, number: int) -> None:
        self._world.machines[number].ahead = 0.0

    def _crash(self, number: int, away: float) -> None:
        self._world.crash(number)
        self._after(away, number)

    def _after(self, away: float, number: int) -> None:
        self._world.clock.at(self._world.clock.seconds() + away, self._world.start, number)

    def _reshuffle(self, slot: int, drivers: int) -> None:
        world = self._world
        chance = world.stream(f"reshuffle/{world.clock.seconds()}")
        nodes = [machine.node for machine in world.machines]
        sizes = (1, 3, 3, 5) if world.scene.shrinks else (3, 3, 5)
        living = world.living()
        for life in chance.sample(living, min(drivers, len(living))):
            members = chance.sample(nodes, min(len(nodes), chance.choice(sizes)))
            when = world.clock.seconds() + chance.uniform(0, DRIVERS_SECONDS) * (drivers > 1)
            world.clock.at(when, self._propose, life, slot, members)

    def _propose(self, life: Life, slot: int, members: list[Identifier]) -> None:
        # A disk may have been lost since these members were drawn.
        lost = self._world.lost.intersection(members)
        if life.host.alive and not self.mended and 2 * len(lost) < len(members):
            life.ask(life.service.propose(slot, members)).addErrback(_ignored)

    def _look_at(self, node: Identifier, what: str, moment: str) -> None:
        """Crash a doomed node as a message arrives, or when its answer is durable but not yet sent."""
        if node in self._doomed:
            number, fault = self._doomed[node]
            if moment == ("answered" if fault.answered else "arrived"):
                del self._doomed[node]
                if self._world.machines[number].node == node:
                    self._kill(number, f"{what} {moment}", fault.away)
        if self._awaited and (awaited := self._awaited.pop(f"{what} {moment}", None)) is not None:
            for number, machine in enumerate(self._world.machines):
                if machine.node == node:
                    self._kill(number, awaited.point, awaited.away)

    def _kill(self, number: int, point: str, away: float) -> None:
        if self._world.machines[number].life is not None:
            self._world.kills.append(point)
            self._crash(number, away)

    def _mend(self) -> None:
        """No faults any more, or one last crash: from now on everything must end well."""
        self.mended = True
        self._doomed.clear()
        world = self._world
        world.clock.at(world.clock.seconds() + LATE_SECONDS, self._awaited.clear)
        world.network.note("mend")
        world.network.weather = Weather()
        world.network.mend()
        for number in range(len(world.machines)):
            self._set_clock(number)
            world.start(number)


def _ignored(failure: Failure) -> None:
    """The crash of a node that proposed members is its own matter."""
    failure.trap(P2PChatError)
