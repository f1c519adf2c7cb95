"""One seed's run of names: clients create, change and read registers under faults, and the history is checked."""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from p2pchat.errors import Conflict, Misbehaved, Moving, NameTaken, NoQuorum, UnknownOutcome
from p2pchat.identifiers import BITS, Identifier
from p2pchat.replication.formats import Formats
from p2pchat.replication.register import EMPTY, OPERATIONS_KEPT
from p2pchat.replication.results import Changed
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey, slot_of
from p2pchat.simulation import endings, report
from p2pchat.simulation.authority import Planned
from p2pchat.simulation.chaos import AUTHORITY_POINTS, POINTS, Chaos
from p2pchat.simulation.clients import Clients
from p2pchat.simulation.disk import MemoryStore
from p2pchat.simulation.endings import Clock, Clocks
from p2pchat.simulation.faults import Limits, Plan, draw
from p2pchat.simulation.governed import GovernedWorld
from p2pchat.simulation.linearizability import NEVER, Operation, Value, Verdict, check
from p2pchat.simulation.report import Outcome
from p2pchat.simulation.world import Scene, varied

SECONDS = 5.0
"""How long faults last."""
MAX_OPERATIONS = 14
RETRIES = 3


@dataclass(frozen=True, slots=True)
class Held:
    """A register's value as this experiment writes it: who wrote it, over what, and how many came before."""

    writer: bytes
    over: bytes
    number: int

    def encode(self) -> bytes:
        return b"%s|%s|%d" % (self.writer, self.over, self.number)


def decode(value: bytes) -> Held:
    """Back from `Held.encode`."""
    writer, over, number = value.split(b"|")
    return Held(writer, over, int(number))


def validate(old: Value, new: bytes) -> None:
    """As account and session records are judged: one step on must chain to the value before it."""
    after = decode(new)
    if old is None or old == new:
        return
    before = decode(old)
    if after.number < before.number or (after.number == before.number + 1 and after.over != before.writer):
        raise Misbehaved("A value that does not follow was sent.")


class Change(Protocol):
    """One change of a register; `writer` is its operation id."""

    @property
    def writer(self) -> bytes: ...

    def decide(self, old: Value) -> Value:
        """What becomes of a value; the same value if it is refused."""

    def judge(self, old: Value, now: float) -> Value:
        """As `decide`, by a gateway whose clock says `now`; a refusal is NameTaken or Conflict."""


@dataclass(frozen=True, slots=True)
class Write:
    """Create a name if nobody has it, or replace the record of one that somebody has."""

    writer: bytes
    creates: bool

    def decide(self, old: Value) -> Value:
        """What becomes of a value; the same value if it is refused."""
        if (old is None) != self.creates:
            return old
        before = Held(b"", b"", 0) if old is None else decode(old)
        return Held(self.writer, before.writer, before.number + 1).encode()

    def judge(self, old: Value, _now: float) -> Value:
        """As accounts do it: a refusal is an exception."""
        if old is not None and self.creates:
            raise NameTaken("This name is taken.")
        if old is None and not self.creates:
            raise Conflict("Nobody has this name.")
        return self.decide(old)

    def __str__(self) -> str:
        return f"{'create' if self.creates else 'swap'} {self.writer.decode()}"


def keep(old: Value) -> Value:
    """Reading changes nothing."""
    return old


class Names:
    """The clients of one run and what they were told."""

    def __init__(
        self,
        clients: Clients,
        keys: list[RegisterKey],
        chance: Random,
        truth: Clock = lambda: 0.0,
        clocks: Clocks | None = None,
    ) -> None:
        """
        Args:
            truth: the time.
            clocks: what the nodes believe that it is, where names end and are taken again.
        """
        self._clients, self._keys, self._chance, self._truth, self._clocks = clients, keys, chance, truth, clocks
        self._early: list[str] = []
        self.histories: dict[RegisterKey, dict[int, Operation]] = {key: {} for key in keys}
        self.refused: list[str] = []
        self.begun: dict[RegisterKey, list[tuple[int, Value]]] = {key: [(0, None)] for key in keys}
        """When each register began, and with what: anew where a plan said that something may be lost."""
        self.versions: dict[tuple[RegisterKey, Value], set[int]] = {}

    async def operate(self, number: int) -> None:
        """One operation of a random kind on a random name."""
        key, kind = self._chance.choice(self._keys), self._chance.random()
        if kind < 0.3:
            await self.read(key)
        elif self._clocks is not None:
            await self.change(key, endings.drawn(number, self._truth(), self._chance))
        else:
            await self.change(key, Write(b"w%d" % number, creates=kind < 0.65))

    async def read(self, key: RegisterKey) -> bool:
        """A read; whether it succeeded."""
        return await self.value(key) is not None

    async def value(self, key: RegisterKey) -> tuple[Value] | None:
        """What a read sees; None if it failed."""
        called = self._clients.tick()
        try:
            read = await self._clients.ask(lambda service: service.read(key))
        except (NoQuorum, Moving, UnknownOutcome):
            return None
        self.versions.setdefault((key, read.value), set()).add(read.version)
        self._look(read.value)
        self.histories[key][called] = Operation(called, self._clients.tick(), keep, read.value, "read")
        return (read.value,)

    async def read_all(self) -> bool:
        """Whether every name could be read."""
        return all([await self.read(key) for key in self._keys])

    async def change(self, key: RegisterKey, write: Change) -> bool | None:
        """After an unknown outcome a write is often repeated elsewhere, under the same operation id.

        True: it is done; False: it certainly is not; None: nobody knows.
        """
        called = self._clients.tick()
        history = self.histories[key]
        history[called] = operation = Operation(called, NEVER, write.decide, None, str(write))
        certain = True
        for _ in range(RETRIES):
            try:
                seen, told, done = await self._attempt(key, write)
            except (NoQuorum, Moving):
                if certain:
                    del history[called]
                    self.refused.append(f"{write} called {called} was certainly not done")
                return False if certain else None
            except Misbehaved:
                # The members refuse what this gateway's clock let pass; an earlier try may still be done.
                return None
            except UnknownOutcome:
                certain = False
                if self._chance.random() < 0.3:
                    return None
                continue
            if not (done or certain) and len(history) > OPERATIONS_KEPT:
                return None  # an earlier try may have been done, and be forgotten by now
            decide = operation.decide if done else keep  # it may be refused because of the time
            history[called] = replace(operation, decide=decide, returned=self._clients.tick(), seen=seen, told=told)
            return done
        return None

    async def _attempt(self, key: RegisterKey, write: Change) -> tuple[Value, bool, bool]:
        """One call; the old value that it was decided on, whether that is known, and whether it was not refused."""
        seen: list[Value] = [None]

        async def change(service: ReplicationService, node: Identifier) -> Changed:
            clock = self._truth if self._clocks is None else self._clocks.of(node)

            def judge(old: Value) -> Value:
                seen[0] = old
                return write.judge(old, clock())

            return await service.change(key, judge, write.writer)

        try:
            changed = await self._clients.ask_node(change)
        except (NameTaken, Conflict):
            return seen[0], True, False
        self.versions.setdefault((key, changed.value), set()).add(changed.version)
        self._look(changed.value)
        return seen[0], not changed.repeated, True

    def _look(self, value: Value) -> None:
        if self._clocks is not None and endings.too_early(value, self._truth()):
            self._early.append(f"at {self._truth():.2f} a name is seen that is still closed: {value!r}")

    def planned(self, planned: Planned, stores: dict[Identifier, MemoryStore], slots: int) -> None:
        """The ring goes on in another generation.

        Only where the plan says so a register may begin with less than was acknowledged; then with what its sources
        have under the highest ballot, and nothing else.
        """
        for key in self._keys:
            slot = slot_of(key.point, slots)
            if planned.is_in_doubt(slot):
                sources = [stores[node] for node in planned.sources(slot)]
                held = [register for store in sources if (register := store.register(key)) is not None]
                newest = max(held, key=lambda each: each.accepted, default=EMPTY)
                self.begun[key].append((self._clients.tick(), newest.content.value))

    def violations(self) -> list[str]:
        """What no order of the operations explains, and what came too early."""
        found = list(self._early)
        for key, history in self.histories.items():
            if not all(
                check(part, value) is not Verdict.VIOLATION for value, part in parts(history.values(), self.begun[key])
            ):
                lines = [*map(describe, history.values()), *self.refused, f"begun {self.begun[key]}"]
                found.append(f"name {key.point % 1000}: not linearizable\n  " + "\n  ".join(lines))
        for (key, value), versions in self.versions.items():
            if len(versions) > 1:
                found.append(f"name {key.point % 1000}: {value!r} was shown as versions {sorted(versions)}")
        return found


def parts(history: Iterable[Operation], begun: list[tuple[int, Value]]) -> Iterator[tuple[Value, list[Operation]]]:
    """The operations between two beginnings of a register, each with what it began with.

    Whoever asked before a beginning and was answered after it may have been served on either side, or on both: a write
    is possible in each, and the answer counts in neither.
    """
    operations = list(history)
    for (start, value), (end, _) in zip(begun, [*begun[1:], (NEVER, None)], strict=True):
        part = []
        for each in operations:
            if each.called >= end or each.returned < start:
                continue
            is_whole = each.called >= start and each.returned < end
            if is_whole or (end == NEVER and each.called >= start):
                part.append(each)
            elif each.decide is not keep:
                part.append(replace(each, returned=NEVER, fits=None))
        yield value, part


def describe(operation: Operation) -> str:
    """For people."""
    if operation.fits is not None:
        return f"{operation.label} called {operation.called} returned {operation.returned}"
    if not operation.known:
        return f"{operation.label} called {operation.called}, outcome unknown"
    seeing = f"on {operation.seen!r}" if operation.told else "before, in an earlier try"
    return f"{operation.label} called {operation.called} returned {operation.returned} {seeing}"


def scene_of(chance: Random) -> Scene:
    """How a run of this seed begins."""
    nodes = chance.choice((5, 6, 7))
    return Scene(
        nodes=nodes,
        slots=chance.choice((1, 2)),
        replicas=chance.choice((2, 2, 4)),
        repair_after=chance.choice((0.5, 2.0)),
        members=chance.choice((1, 3, 3, 3, 5)),
        durable=chance.random() < 0.7,
    )


def limits_of(scene: Scene, points: tuple[str, ...], majorities: bool) -> Limits:
    """How rough a run of this scene may be."""
    disks = 0 if scene.durable else 3
    evictions = 2 * scene.authority
    more = AUTHORITY_POINTS if scene.authority and points else ()
    return Limits(8, disks, 0.5, 5, scene.slots, (*points, *more), evictions, majorities)


def simulate(seed: int, plan: Plan | None = None) -> Outcome:
    """Run one seed; with a plan of one's own, to find the fault that matters."""
    chance = Random(f"{seed}/workload")
    world = GovernedWorld(
        seed, varied(scene_of(chance), Random(f"{seed}/variant")), Formats(validators={KIND_ACCOUNT: validate})
    )
    # A few survivors may be outvoted by the one whose clock is wrong.
    has_endings = Random(f"{seed}/endings").random() < endings.SHARE
    limits = limits_of(world.scene, POINTS, majorities=not has_endings)
    plan = plan or draw(world.stream("faults"), world.scene.nodes, SECONDS, limits)
    chaos = Chaos(world, plan)
    clients = Clients(world)
    keys = [RegisterKey(Identifier(chance.getrandbits(BITS)), KIND_ACCOUNT) for _ in range(chance.choice((1, 1, 2)))]
    clocks = None
    if has_endings:
        nodes = [machine.node for machine in world.machines]
        told = Clocks(seed, world.clock.seconds, nodes, outvoted=not world.scene.has_single_members)
        clocks, world.formats_of = told, lambda node: endings.formats(told.of(node))
    names = Names(clients, keys, chance, world.clock.seconds, clocks)
    world.on_planned.append(lambda planned, stores: names.planned(planned, stores, world.scene.slots))
    count = chance.randint(6, MAX_OPERATIONS)
    clients.plan(chance, count, plan, names.operate)
    story = clients.run(chaos, names.read_all, SECONDS) + names.violations()
    return Outcome(seed, len(story), 0, count, world.network.digest, tuple(story), tuple(world.kills))


def rows(options: argparse.Namespace) -> Iterator[dict[str, int]]:
    """For `p2pchat simulate names`."""
    return report.rows(simulate, options)
