"""Lets the faults of a plan strike a world at their times, and mends everything at the end."""

from typing import assert_never

from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Identifier
from p2pchat.replication.commands import COMMANDS
from p2pchat.simulation.faults import (
    Crash,
    CrashAt,
    CrashInside,
    CutOneWay,
    Deaf,
    Fault,
    LoseDisk,
    Partition,
    Plan,
    Reshuffle,
    RestartAll,
)
from p2pchat.simulation.network import Weather
from p2pchat.simulation.world import Life, World

DRIVERS_SECONDS = 2.0
"""Within so long several drivers begin, so that some come upon what another one has half done."""
POINTS = tuple(f"{command.__name__} {moment}" for command in COMMANDS.values() for moment in ("arrived", "answered"))
"""Every place between two messages of the protocol: before a request is handled, and when its answer is durable."""


class Chaos:
    """Carries out one plan; `over` once everything has been mended."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.over = False
        self._world, self._plan = world, plan
        self._doomed: dict[Identifier, tuple[int, CrashInside]] = {}
        self._awaited: dict[str, CrashAt] = {}
        world.network.weather = plan.weather
        world.network.watch = self._watch
        for each in plan.faults:
            world.clock.at(each.when, self._strike, each.fault)
        world.clock.at(plan.until, self._mend)

    def _strike(self, fault: Fault) -> None:
        if self.over:
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
            case _:
                assert_never(fault)

    def _crash(self, number: int, away: float) -> None:
        self._world.crash(number)
        self._after(away, number)

    def _after(self, away: float, number: int) -> None:
        self._world.clock.at(self._world.clock.seconds() + away, self._world.start, number)

    def _reshuffle(self, slot: int, drivers: int) -> None:
        """A size of 1 only where disks last: the one member's disk would be all that there is."""
        world = self._world
        chance = world.stream(f"reshuffle/{world.clock.seconds()}")
        nodes = [machine.node for machine in world.machines]
        sizes = (1, 3, 3, 5) if world.scene.durable else (3, 3, 5)
        living = world.living()
        for life in chance.sample(living, min(drivers, len(living))):
            members = chance.sample(nodes, min(len(nodes), chance.choice(sizes)))
            when = world.clock.seconds() + chance.uniform(0, DRIVERS_SECONDS) * (drivers > 1)
            world.clock.at(when, self._propose, life, slot, members)

    def _propose(self, life: Life, slot: int, members: list[Identifier]) -> None:
        # A disk may have been lost since these members were drawn.
        lost = self._world.lost.intersection(members)
        if life.host.alive and not self.over and 2 * len(lost) < len(members):
            life.ask(life.service.propose(slot, members)).addErrback(_ignored)

    def _watch(self, node: Identifier, command: type[amp.Command], moment: str) -> None:
        """Crash a doomed node as a message arrives, or when its answer is durable but not yet sent."""
        if node in self._doomed:
            number, fault = self._doomed[node]
            if (moment == "answered") == fault.answered:
                del self._doomed[node]
                if self._world.machines[number].node == node:
                    self._kill(number, f"{command.__name__} {moment}", fault.away)
        if self._awaited and (awaited := self._awaited.pop(f"{command.__name__} {moment}", None)) is not None:
            for number, machine in enumerate(self._world.machines):
                if machine.node == node:
                    self._kill(number, awaited.point, awaited.away)

    def _kill(self, number: int, point: str, away: float) -> None:
        if self._world.machines[number].life is not None:
            self._world.kills.append(point)
            self._crash(number, away)

    def _mend(self) -> None:
        """No faults any more: from now on everything must end well."""
        self.over = True
        self._doomed.clear()
        self._awaited.clear()
        world = self._world
        world.network.note("mend")
        world.network.weather = Weather()
        world.network.mend()
        for number in range(len(world.machines)):
            world.start(number)


def _ignored(failure: Failure) -> None:
    """The crash of a node that proposed members is its own matter."""
    failure.trap(P2PChatError)
