"""Whole nodes and whole agents in one thread: every service, TLS and all, on a virtual clock and network.

Only what touches the machine is replaced: sockets (`streams.py`), a node's disk (`disk.py`), threads (slow functions
take no time), key pairs (made once for all runs) and what hashing a password costs.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, fail, succeed

from p2pchat.chord.table import NodeTable
from p2pchat.client.agent import Agent
from p2pchat.client.commands import MAX_PAGE_ROWS
from p2pchat.client.conversations import Conversations
from p2pchat.client.door import Door
from p2pchat.client.home import Home
from p2pchat.client.people import People
from p2pchat.client.surroundings import Surroundings
from p2pchat.client.ways import Ways
from p2pchat.crypto.credentials import Costs
from p2pchat.crypto.identity import Identity
from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Address
from p2pchat.server.eviction import check
from p2pchat.server.leaving import DrainedNodes
from p2pchat.server.parts import Parts
from p2pchat.server.place import Place
from p2pchat.simulation.clock import HeapClock, NodeClock
from p2pchat.simulation.disk import MemoryDisk, MemoryStore
from p2pchat.simulation.historydisk import HistoryDisk
from p2pchat.simulation.papers import MADE_AT, Papers, address
from p2pchat.simulation.streams import Streams
from p2pchat.wire.evictions import EvictionList
from p2pchat.wire.listener import clients_port, ring_port

Result = TypeVar("Result")
SLOTS, REPLICAS = 16, 4
REPAIR_AFTER_SECONDS = 3.0
CHEAPEST = Costs(bcrypt=4)
"""What hashing costs here: an agent accepts nothing cheaper of Argon2id."""
AGENT_PORT = 7500


class Machine:
    """A place for a node: what lies on its disk outlives its programs."""

    def __init__(self, number: int) -> None:
        self.number, self.sequence = number, 0
        self.host_name = address(number).host
        self.store = MemoryStore(SLOTS)
        self.files: dict[str, bytes] = {}
        self.life: NodeLife | None = None


class NodeLife:
    """A node's program between its start and its end."""

    def __init__(self, town: "Town", machine: Machine) -> None:
        machine.sequence += 1
        self.address = address(machine.number)
        self.clock = NodeClock(town.clock)
        self.host = town.streams.start(self.address.host)
        chance = town.stream(f"node/{machine.number}/{machine.sequence}")
        self.disk = MemoryDisk(machine.store, town.clock, chance)
        admission = town.papers.admission(machine.number, REPLICAS, SLOTS)
        files, keep = machine.files, machine.files.__setitem__
        evictions = EvictionList(lambda: admission.root, town.now, lambda kept: keep("evictions", kept))
        table = NodeTable(lambda record: check(record, admission.root, town.now(), evictions))
        table.load(files.get("nodes", b""), self.clock.seconds())
        record = town.papers.record(machine.number, machine.sequence)
        place = Place(
            admission,
            record,
            table,
            evictions,
            self.disk,
            town.folder / f"node{machine.number}",
            REPAIR_AFTER_SECONDS,
            self.clock,
            town.now,
            chance,
            self.host.reach,
            at_once,
            town.failures.append,
            DrainedNodes(files.get("drained", b""), lambda kept: keep("drained", kept)),
            files.get("plan", b""),
            lambda kept: keep("plan", kept),
            lambda: None,
        )
        self.parts = parts = Parts(place)
        self.host.ports[record.ring_address.port] = ring_port(parts.nodes_standing, parts.ring, parts.links)
        self.host.ports[record.clients_address.port] = clients_port(parts.agents_standing, parts.ring)
        for each in (parts.chord, parts.replication, parts.heartbeat):
            each.startService()
        others = [address(other.number) for other in town.machines if other is not machine]
        town.begin(self._join(others))

    async def _join(self, others: list[Address]) -> None:
        await self.parts.chord.join(others)
        self.parts.clock.start()


class Person:
    """Somebody's agent: its home outlives its programs."""

    def __init__(self, town: "Town", user: str, number: int) -> None:
        self.town, self.user, self.host_name = town, user, f"192.0.2.{number}"
        self.path = town.folder / f"{user}{number}"
        self.lives = 0
        self.agent: Agent | None = None
        self.events: list[dict[str, Any]] = []

    def start(self) -> None:
        """Start the agent on its home."""
        town = self.town
        self.lives += 1
        self.clock = NodeClock(town.clock)
        host = town.streams.start(self.host_name)
        chance = town.stream(f"{self.path.name}/{self.lives}")
        self.disk = HistoryDisk(self.clock, town.stream(f"{self.path.name}/{self.lives}/disk"))
        door, home = Door(), Home(self.path, sync=lambda _: None)
        host.ports[AGENT_PORT] = door
        home.lock()
        around = Surroundings(
            self.clock,
            town.now,
            chance,
            chance.randbytes,
            at_once,
            host.reach,
            lambda: nobody_by_multicast(),
            self.disk,
        )
        reached = [Address(self.host_name, AGENT_PORT)]
        servers = [Address(address(each.number).host, 7402) for each in town.machines]
        chance.shuffle(servers)
        self.agent = agent = Agent(around, home, servers, True, lambda: reached, door, costs=CHEAPEST)
        agent.followers.listen(self.events.append)
        self.ways, people = Ways(agent), People(agent)
        self.talk = Conversations(agent, people)
        agent.startService()

    def kill(self, silent: bool = False) -> None:
        """The program ends between two instructions; what it had written stays, or, if silent, what it had synced."""
        agent, self.agent = self.agent, None
        if agent is None:
            return
        self.clock.stop()
        self.town.streams.kill(self.host_name, silent)
        self.town.ended.append(agent)
        agent.gateway._changed = lambda _: None  # told when its coroutine is collected, long after the end
        lost = self.disk.power_cut(self.path) if silent else None
        agent.close()
        if lost is not None:
            lost()

    @property
    def state(self) -> str:
        """Of the session, as `p2pchat session` says."""
        return str(self.agent.session_row()["state"]) if self.agent is not None else "down"

    def rows(self, user: str) -> list[dict[str, Any]]:
        """The history with somebody, the oldest first; nothing is marked as read by it."""
        return self.talk.history(user, MAX_PAGE_ROWS, None, None, False)[0]


class Town:
    """Nodes and people of one run; each purpose draws from its own stream of chance.

    Args:
        folder: for the homes of agents, empty.
    """

    def __init__(self, seed: object, nodes: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder
        self.papers = town_papers()
        self.clock = HeapClock()
        self.streams = Streams(self.clock, self.stream("network"))
        self.failures: list[Any] = []
        self.ended: list[Any] = []
        self.machines = [Machine(number) for number in range(1, nodes + 1)]
        self.people: list[Person] = []

    def stream(self, purpose: str) -> Random:
        """A source of chance that depends on seed and purpose only."""
        return Random(f"{self.seed}/{purpose}")

    def now(self) -> float:
        """Seconds since 1970."""
        return MADE_AT + self.clock.seconds()

    def begin(self, work: Any) -> "Deferred[Any]":
        """Let something run that only the end of its program can end; other errors show in `failures`."""
        return Deferred.fromCoroutine(work).addErrback(self.failures.append)

    def start_node(self, number: int) -> None:
        """Start the node of a machine unless it runs."""
        machine = self.machines[number]
        if machine.life is None:
            machine.life = NodeLife(self, machine)

    def kill_node(self, number: int, silent: bool = False) -> None:
        """A node's program ends between two instructions; what its disk had not synced is gone."""
        machine = self.machines[number]
        life, machine.life = machine.life, None
        if life is not None:
            machine.files["nodes"] = life.parts.chord.table.dump()
            life.clock.stop()
            life.disk.crash()
            self.streams.kill(life.address.host, silent)
            self.ended.append(life)

    def lives(self) -> list[NodeLife]:
        """The nodes that run."""
        return [machine.life for machine in self.machines if machine.life is not None]

    def end(self) -> None:
        """Let go of every file."""
        for person in self.people:
            person.kill()


def at_once(function: Callable[..., Result], *arguments: Any) -> "Deferred[Result]":
    """Stands for a thread, in no time; key pairs are those of earlier runs."""
    if function == Identity.generate:
        return succeed(cast(Result, key_pairs(*arguments)))
    try:
        return succeed(function(*arguments))
    except P2PChatError as error:
        return fail(error)


@lru_cache
def key_pairs(user: str, ring: bytes) -> Identity:
    """Somebody's two RSA pairs, which take half a second to make."""
    return Identity.generate(user, ring)


@lru_cache
def town_papers() -> Papers:
    """One ring for all runs, so that key pairs fit it."""
    return Papers("town")


async def nobody_by_multicast() -> list[Any]:
    """No node is heard: each agent was told where they are."""
    return []
