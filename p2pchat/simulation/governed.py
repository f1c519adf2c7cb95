"""A small ring in memory with an authority: nodes have certificates, and hear one after the other who is evicted."""

from collections.abc import Callable
from functools import partial

from twisted.protocols import amp

from p2pchat.crypto.evictions import Evictions
from p2pchat.errors import Damaged
from p2pchat.identifiers import Identifier, name
from p2pchat.replication.formats import Formats
from p2pchat.replication.service import ReplicationService
from p2pchat.simulation.authority import Planned, SimulatedAuthority, ring_papers
from p2pchat.simulation.belonging import PUBLIC, Belonging
from p2pchat.simulation.clock import NodeClock
from p2pchat.simulation.disk import MemoryStore
from p2pchat.simulation.world import EPOCH_SECONDS, Life, Machine, Scene, World
from p2pchat.wire.bulletins import Kind
from p2pchat.wire.connection import Call

Stores = dict[Identifier, MemoryStore]


class GovernedWorld(World):
    """Everything of one run; an ordinary world unless the scene has an authority."""

    def __init__(self, seed: int, scene: Scene, formats: Formats) -> None:
        self.authority: SimulatedAuthority | None = None
        self.on_planned: list[Callable[[Planned, Stores], None]] = []
        """Told of each plan by which the ring goes on, and of what the survivors had when it was signed."""
        self.replaced: Callable[[int], None] = lambda number: None
        """Told of a machine whose node was evicted: another one may start there."""
        self._signed: dict[int, tuple[Planned, Stores]] = {}
        self._parts: dict[Identifier, Belonging] = {}
        if scene.authority:
            self.authority = SimulatedAuthority(ring_papers(), self.chance_of(seed, "certificates"))
            self.authority.signed = self._keep
        super().__init__(seed, scene, formats)
        if scene.authority:
            self.network.judge = self

    def identity(self) -> Identifier:
        return super().identity() if self.authority is None else self.authority.admit()

    def belonging(
        self, machine: Machine, service: ReplicationService, call: Call, clock: NodeClock
    ) -> Belonging | None:
        if self.authority is None:
            return None
        self._parts[machine.node] = part = Belonging(
            machine.node,
            self.authority,
            machine.files,
            service,
            call,
            clock,
            self.stream(f"belonging/{machine.node}/{machine.lives}"),
            partial(self.time_at, machine),
            self.scene.slots,
            self.scene.replicas,
            self._learned,
            partial(self._expel, machine.node),
        )
        return part

    def life(self, number: int) -> Life | None:
        """None for a node that finds at its start that it is evicted: another one takes its machine.

        And for one whose clock is so wrong that it takes what the authority signed for invalid.
        """
        machine = self.machines[number]
        if self._is_expelled(machine):
            self._expel(machine.node)
            return None
        try:
            return super().life(number)
        except Damaged:
            self.network.note("no start", number)
            return None

    def may_lose(self, node: Identifier) -> bool:
        """As for any world, and no eviction is news to a node that is up."""
        number = 0 if self.authority is None else self.authority.newest.number
        return all(part.evictions.number >= number for part in self._living().values()) and super().may_lose(node)

    def behind(self) -> list[str]:
        """Which nodes have not heard who is evicted, and how the ring goes on; or are evicted and go on themselves."""
        if self.authority is None:
            return []
        parts = self._living()
        newest, plan = self.authority.newest.number, max((part.plan.number for part in parts.values()), default=0)
        return [
            f"{name(node)} has list {part.evictions.number} of {newest} and plan {part.plan.number} of {plan}"
            for node, part in parts.items()
            if (part.evictions.number, part.plan.number) != (newest, plan) or part.is_evicted
        ]

    # -- evictions

    def evict(self, number: int, tell: Life) -> bool:
        """Sign that a machine's node is out, and tell one node; whether it was done, as `lose_disk` says.

        Not through a node whose clock is so wrong that it takes the authority's own certificate for invalid.
        """
        node, part = self.machines[number].node, tell.belonging
        if self.authority is None or part is None or tell.node == node or not part.admits(tell.node):
            return False
        if not self.may_lose(node):
            return False
        self.lost.add(node)
        named = self.authority.named(node)
        signed = self.authority.evict_entries([(named.role, named.serial)], part.evictions.known, tell.time.now())
        part.bulletins.learn(Kind.EVICTIONS, signed.encoded)
        return True

    def _expel(self, node: Identifier) -> None:
        """A node has learned that it is out: its program ends, and another node may take the machine."""
        for number, machine in enumerate(self.machines):
            if machine.node == node:
                self.network.note("expel", number)
                self.give_away(number)
                self.replaced(number)

    def _is_expelled(self, machine: Machine) -> bool:
        if self.authority is None or not (kept := machine.files.get("evictions")):
            return False
        known = Evictions.parse(kept, self.authority.root, EPOCH_SECONDS)
        return known.evicts(self.authority.certificate(machine.node))

    def _living(self) -> dict[Identifier, Belonging]:
        return {life.node: life.belonging for life in self.living() if life.belonging is not None}

    def admits(self, node: Identifier, other: Identifier, command: type[amp.Command]) -> bool:
        """As `network.Judge`: each node judges by what it knows itself; some answers are for anybody."""
        return node == other or command in PUBLIC or self._parts[node].admits(other)

    def refused(self, node: Identifier, by: Identifier) -> None:
        """As `network.Judge`."""
        self._parts[node].refused(by)

    # -- lost majorities

    def _keep(self, planned: Planned) -> None:
        """A plan was signed: whatever counts of what was before is on these disks now, and none of them serves it."""
        stores = {machine.node: machine.store.copy() for machine in self.machines}
        self._signed[planned.generation] = planned, stores

    def _learned(self, generation: int) -> None:
        """A node has heard of a plan: from now on it holds."""
        if (found := self._signed.pop(generation, None)) is not None:
            for told in self.on_planned:
                told(*found)
