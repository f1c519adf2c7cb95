"""A small ring in memory: nodes with the real replication service, which crash, restart and lose their disks."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat.errors import UnknownOutcome
from p2pchat.identifiers import BITS, Identifier, distance
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.formats import Formats
from p2pchat.replication.locator import ReplicationLocator
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.settings import Settings
from p2pchat.server.clocks import RingClock
from p2pchat.server.commands import AskClock
from p2pchat.simulation.belonging import Belonging
from p2pchat.simulation.clock import HeapClock, NodeClock
from p2pchat.simulation.disk import MemoryDisk, MemoryStore
from p2pchat.simulation.network import Host, Network
from p2pchat.wire.connection import Call

T = TypeVar("T")
EPOCH_SECONDS = 1_700_000_000.0
"""Seconds since 1970 when a run begins."""
NOTICE_SECONDS = 1.0
"""How old a node's picture of who is alive may be."""
SYNC_SECONDS, SLOW_SYNC_SECONDS = 0.004, 0.8
"""The longest that a sync takes, on a sound disk and on a slow one."""
SLOW_DISKS = 0.07
"""Share of the disks that are slow."""
FALSE_SUSPICION = 0.03
"""Chance that such a picture has a living node as dead."""
TWO_NODES, COMPARING = 0.1, 0.35
"""Shares of the runs with two nodes, and of those (among them) in which members compare all the time."""
AUTHORITY = 0.5
"""Share of the runs in which an authority evicts nodes, and clocks are apart."""


@dataclass(frozen=True, slots=True)
class Scene:
    """How a run begins.

    Attributes:
        nodes: machines; slots, replicas, repair_after, compare_every: as in `Settings`.
        members: how many nodes hold every slot at the start; 1 is a ring that was just founded.
        durable: no disk is ever lost.
        coded: whether every value is encoded and decoded on its way (slower).
        careful: whether members vote for sound members only; else for any, so that members change more wildly.
        authority: whether nodes have certificates, and hear of evictions and plans.
    """

    nodes: int = 5
    slots: int = 2
    replicas: int = 4
    repair_after: float = 3.0
    members: int = 1
    durable: bool = True
    compare_every: float = 2.0
    coded: bool = False
    careful: bool = False
    authority: bool = False

    @property
    def shrinks(self) -> bool:
        """Whether a slot may be given to a single member: only where all disks last, as its disk is all there is."""
        return self.durable and not self.authority

    @property
    def has_single_members(self) -> bool:
        """Whether a slot may have a single member at some time."""
        return self.members == 1 or self.shrinks


def varied(scene: Scene, chance: Random) -> Scene:
    """Some runs have two nodes only; in some, members compare what they hold all the time, in the others hardly ever.

    Hardly ever, because what comparisons mend would hide where the protocol itself is broken.
    """
    kind = chance.random()
    if kind < TWO_NODES:
        scene = replace(scene, nodes=2, members=1)
    authority = chance.random() < AUTHORITY
    return replace(scene, compare_every=0.05 if kind < COMPARING else 60.0, authority=authority)


class Life:
    """A node between its start and its crash."""

    def __init__(self, world: "World", machine: "Machine", chance: Random) -> None:
        self.node, self.world, self._chance = machine.node, world, chance
        self.clock = NodeClock(world.clock)
        self.host = Host(machine.node, self._locators)
        self.disk = MemoryDisk(machine.store, world.clock, chance, machine.sync_seconds)
        self.disk.watch = self._watch
        self._asked: list[Deferred[Any]] = []
        self._seen: tuple[float, frozenset[Identifier]] = (-1.0, frozenset())
        scene, call = world.scene, world.network.call_from(self.host)
        self.time = RingClock(
            self.clock,
            partial(world.time_at, machine),
            lambda: sorted(self._live() - {self.node}),
            partial(_clock_of, call),
        )
        self.service = ReplicationService(
            machine.node,
            self.disk,
            call,
            self.clock,
            chance,
            Settings(
                scene.slots,
                scene.replicas,
                scene.repair_after,
                machine.founder,
                scene.compare_every,
                is_careful=scene.careful,
            ),
            world.formats_of(machine.node),
            self.wanted,
            self.is_live,
            self.time.now,
        )
        self.belonging = world.belonging(machine, self.service, call, self.clock)

    def start(self) -> None:
        """Begin."""
        self.service.startService()
        if self.belonging is not None:
            self.belonging.start()
            self.time.start()

    def _locators(self, caller: Identifier) -> list[amp.CommandLocator]:
        others = [] if self.belonging is None else self.belonging.locators(caller)
        return [ReplicationLocator(self.service, caller), *others]

    def _watch(self, state: str, moment: str) -> None:
        if self.world.network.strike is not None:
            self.world.network.strike(self.node, state, moment)

    def ask(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Let the node do something for a client; UnknownOutcome if it crashes over it."""
        answer: Deferred[T] = Deferred()

        def done(result: T | Failure) -> None:
            if not answer.called:
                answer.callback(result)

        Deferred.fromCoroutine(work).addBoth(done)
        if not answer.called:
            self._asked.append(answer)
        return answer

    def end(self) -> None:
        """The crash: nothing of this life goes on, and clients lose their connection."""
        self.clock.stop()
        self.disk.crash()
        for answer in self._asked:
            if not answer.called:
                answer.errback(UnknownOutcome("The node crashed."))

    def wanted(self, point: Identifier, count: int) -> list[Identifier]:
        """What chord would answer: the first nodes clockwise that this node believes alive."""
        return sorted(self._live(), key=lambda node: distance(point, node))[:count]

    def is_live(self, node: Identifier) -> bool:
        """Whether this node believes that one alive; it may be wrong both ways."""
        return node in self._live()

    def _live(self) -> frozenset[Identifier]:
        now = self.world.clock.seconds()
        if self._seen[0] < now:
            hears, is_out = self.world.network.hears, self._is_out
            others = [machine.node for machine in self.world.machines if machine.node != self.node]
            live = [
                other
                for other in others
                if hears(other, self.node)
                and hears(self.node, other)
                and self._chance.random() >= FALSE_SUSPICION
                and not is_out(other)
            ]
            self._seen = (now + NOTICE_SECONDS, frozenset((*live, self.node)))
        return self._seen[1]

    def _is_out(self, node: Identifier) -> bool:
        return self.belonging is not None and self.belonging.is_out(node)


async def _clock_of(call: Call, node: Identifier) -> float:
    return float((await call(node, AskClock))["now"]) / 1000


class Machine:
    """A place for a node: its disk outlives crashes, its identity lives as long as its disk."""

    def __init__(self, node: Identifier, store: MemoryStore, founder: bool, sync_seconds: float = SYNC_SECONDS) -> None:
        self.node, self.store, self.founder, self.sync_seconds = node, store, founder, sync_seconds
        self.life: Life | None = None
        self.lives = 0
        self.files: dict[str, bytes] = {}
        """Documents that the node keeps beside its database."""
        self.ahead = 0.0
        """Seconds by which its clock is wrong."""


class World:
    """Everything of one run; each purpose draws from its own stream of chance, so that none shifts another."""

    def __init__(self, seed: int, scene: Scene, formats: Formats) -> None:
        self.seed, self.scene = seed, scene
        self.formats_of: Callable[[Identifier], Formats] = lambda node: formats
        """The judges of one node; where clocks matter, each has its own."""
        self.clock = HeapClock()
        self.network = Network(self.clock, self.stream("network"), scene.coded)
        self._identities = self.stream("identities")
        self.lost: set[Identifier] = set()
        self.kills: list[str] = []
        """Named points at which nodes were killed: a command, and whether it had arrived or was answered."""
        self.machines = [self._machine(founder=number == 0) for number in range(scene.nodes)]
        disks = self.stream("disks")
        for machine in self.machines:
            if disks.random() < SLOW_DISKS:
                machine.sync_seconds = SLOW_SYNC_SECONDS
        if scene.members > 1:
            self._place(scene.members)

    @staticmethod
    def chance_of(seed: int, purpose: str) -> Random:
        """A source of chance that depends on seed and purpose only."""
        return Random(f"{seed}/{purpose}")

    def stream(self, purpose: str) -> Random:
        """The same for this run."""
        return self.chance_of(self.seed, purpose)

    def living(self) -> list[Life]:
        """The nodes that are up."""
        return [machine.life for machine in self.machines if machine.life is not None]

    def start(self, number: int) -> None:
        """Start the node of a machine unless it runs."""
        machine = self.machines[number]
        if machine.life is not None:
            return
        machine.lives += 1
        if (life := self.life(number)) is None:
            return
        machine.life = life
        self.network.note("start", number)
        self.network.attach(life.host)
        life.start()

    def life(self, number: int) -> Life | None:
        """A new life of the node of a machine; None where it ends before it begins."""
        machine = self.machines[number]
        return Life(self, machine, self.stream(f"life/{number}/{machine.lives}"))

    def belonging(
        self, machine: Machine, service: ReplicationService, call: Call, clock: NodeClock
    ) -> Belonging | None:
        """What a node knows of who belongs to the ring; here everybody does, always."""
        return None

    def behind(self) -> list[str]:
        """Which nodes have not heard yet what all must hear of."""
        return []

    def time_at(self, machine: Machine) -> float:
        """What a machine's clock says, in seconds since 1970."""
        return EPOCH_SECONDS + self.clock.seconds() + machine.ahead

    def crash(self, number: int) -> None:
        """Stop a machine between two instructions."""
        life = self.machines[number].life
        if life is None:
            return
        self.machines[number].life = None
        self.network.note("crash", number)
        self.network.detach(life.node)
        life.end()

    def lose_disk(self, number: int) -> bool:
        """Crash and come back as another node, unless that could lose data for good; whether it was done.

        What the ring promises ends where more than a minority of a configuration's disks is gone.
        """
        if not self.may_lose(self.machines[number].node):
            return False
        self.give_away(number)
        return True

    def give_away(self, number: int) -> None:
        """The disk of a machine is gone for good; another node will start there."""
        self.crash(number)
        machine = self.machines[number]
        self.lost.add(machine.node)
        self.machines[number] = self._machine(founder=False)
        self.machines[number].lives, self.machines[number].ahead = machine.lives, machine.ahead

    def may_lose(self, node: Identifier) -> bool:
        """Whether every configuration keeps a majority of disks, and every newest one is whole."""
        return self.keeps_majorities(node) and all(self._is_whole(slot) for slot in range(self.scene.slots))

    def keeps_majorities(self, node: Identifier) -> bool:
        """Whether less than half of each configuration, decided or proposed, is lost if this disk is lost as well.

        What a node is about to propose counts: the members may agree on it after the loss.
        """
        lost = self.lost | {node}
        groups = [
            members
            for machine in self.machines
            for record in machine.store.slots()
            for members in (record.newest.members, record.proposal)
            if members and record.newest == self.newest(record.slot)
        ]
        groups += [members for life in self.living() for members in life.service.movement.electing]
        founder = not all(self.newest(slot) for slot in range(self.scene.slots))
        return not founder and all(2 * len(lost.intersection(members)) < len(members) for members in groups)

    def newest(self, slot: int) -> Configuration | None:
        """The latest configuration of a slot that stands on any disk; None before the first change."""
        found = [record.newest for machine in self.machines if (record := machine.store.slot(slot)) is not None]
        return max(found, key=lambda each: each.epoch, default=None)

    def _is_whole(self, slot: int) -> bool:
        """Whether every member whose disk is left serves the newest configuration."""
        newest = self.newest(slot)
        serving = {
            machine.node
            for machine in self.machines
            if newest is not None and (record := machine.store.slot(slot)) is not None and record.serves(newest.epoch)
        }
        return newest is not None and set(newest.members) <= serving | self.lost

    def _machine(self, founder: bool) -> Machine:
        return Machine(self.identity(), MemoryStore(self.scene.slots), founder)

    def identity(self) -> Identifier:
        """Of a node that there was not before."""
        return Identifier(self._identities.getrandbits(BITS))

    def _place(self, members: int) -> None:
        """Let the first machines hold every slot in epoch 2, as if the ring had grown before the run."""
        founder = self.machines[0]
        holders = self.machines[:members]
        nodes = tuple(sorted(machine.node for machine in holders))
        for slot in range(self.scene.slots):
            configuration = Configuration(2, nodes, (founder.node,))
            for machine in holders:
                machine.store.put_slot(SlotRecord(slot, configuration, State.ACTIVE))
        for machine in self.machines:
            machine.store.forget_marks()
