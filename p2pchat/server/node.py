"""A node's life: admission, ports, services in order, the ready line, and an orderly end."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from p2pchat.chord.status import NodeState
from p2pchat.chord.table import NodeTable
from p2pchat.crypto.admission import Admission
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.discovery.announcement import Heard
from p2pchat.discovery.interfaces import local_addresses
from p2pchat.discovery.service import DiscoveryService
from p2pchat.errors import Misbehaved, P2PChatError
from p2pchat.identifiers import Address, name
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.writer import Writer
from p2pchat.server.admin import open_socket
from p2pchat.server.admitting import admitted
from p2pchat.server.eviction import check, evicted
from p2pchat.server.folder import DataFolder
from p2pchat.server.formats import name_and_verifier
from p2pchat.server.leaving import DrainedNodes
from p2pchat.server.monitoring import monitored
from p2pchat.server.parts import Parts
from p2pchat.server.place import Place
from p2pchat.server.ports import Entrance, bound, dialable, listen
from p2pchat.server.rollback import RENEW_SECONDS, Memory, check_boots
from p2pchat.wire.dialer import dial_node
from p2pchat.wire.endpoints import reaching
from p2pchat.wire.evictions import EvictionList
from p2pchat.wire.listener import clients_port, ring_port

PROGRAM = "p2pchat-server"
SAVE_SECONDS = 5.0
ADDRESS_SECONDS = 5.0
WAITING_SECONDS = 10.0
SEARCH_SECONDS = 2.0
LEAVE_SECONDS = 2.0
FINISH_SECONDS = 1.0
"""How long calls that are under way may take to end when the node stops."""
TABLE_FILE = "nodes"
EVICTIONS_FILE = "evictions"
DRAINED_FILE = "drained"
PLAN_FILE = "plan"


class NodeService(Service):
    """One node of a ring, while it runs.

    Args:
        chosen: the program's options.
        folder: where it keeps everything.
        now: this machine's clock, seconds since 1970.
        threads: how many passwords are hashed at once.
        announce: prints the ready line.
        failed: told why the node cannot go on.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        chosen: dict[str, Any],
        folder: Path,
        now: Callable[[], float],
        chance: Random,
        threads: int,
        announce: Callable[[str], None],
        failed: Callable[[P2PChatError], None],
    ) -> None:
        self._reactor, self._chosen, self._path = reactor, chosen, folder
        self._now, self._chance, self._announce, self._failed = now, chance, announce, failed
        self._pool = ThreadPool(0, threads, name="p2pchat passwords")
        self._folder: DataFolder | None = None
        self._discovery: DiscoveryService | None = None
        self._writer: Writer | None = None
        self._parts: Parts | None = None
        self._ports: list[Any] = []
        self._for_nodes, self._for_agents = Entrance(), Entrance()
        self._loops: list[LoopingCall] = []
        self._heard: Heard | None = None
        self._saved = b""
        self._renew_at = reactor.seconds() + RENEW_SECONDS
        self._here: frozenset[str] = frozenset()
        self._starting: Deferred[None] | None = None

    @property
    def parts(self) -> Parts | None:
        """The services of which the node is made; None until it is admitted."""
        return self._parts

    # -- start

    def startService(self) -> None:
        """Begin; what prevents the node from running is told to `failed`."""
        super().startService()
        self._pool.start()
        self._starting = Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        try:
            self._folder = DataFolder.open(self._path)
            self._start_discovery()
            admission = await admitted(self._folder, self._chosen, self._rings, self._now())
            parts = self._parts = self._build(admission, self._folder)
            await self._remembered(parts, admission)
            self._open(parts)
            await self._serve(parts, self._folder)
            await self._join(parts, admission)
        except CancelledError:
            return
        except P2PChatError as error:
            self._failed(error)
        except Exception:
            self._log.failure("the node could not start")
            self._failed(P2PChatError("An unforeseen error; the log has the cause."))

    def _start_discovery(self) -> None:
        if self._chosen["no-multicast"]:
            return
        self._discovery = DiscoveryService(
            self._reactor,
            self._reactor,
            self._chance,
            self._chosen["multicast"],
            self._interfaces,
            lambda: self._heard,
            self._hear,
        )
        self._discovery.startService()

    def _interfaces(self) -> Sequence[str]:
        return self._chosen["interface"] or local_addresses()

    async def _rings(self, seconds: float) -> list[str]:
        """Rings that answer to multicast, described."""
        if self._discovery is None:
            return []
        found = await self._discovery.find(seconds)
        return sorted({f"the ring {each.ring[:4].hex()} ({each.name})" for each in found})

    def _build(self, admission: Admission, folder: DataFolder) -> Parts:
        """Open the database, listen, and construct the services; nobody is let in yet."""
        first = not folder.read("sequence")
        store = SqliteStore(
            folder.database,
            admission.identifier,
            create=first,
            slots=admission.description.slots,
            name_and_verifier=partial(name_and_verifier, admission.ring),
        )
        check_boots(store, folder)
        self._writer = Writer(store, self._reactor.callFromThread, self._failed)
        evictions = self._evictions(admission, folder)
        table = NodeTable(lambda record: check(record, admission.root, self._now(), evictions))
        self._load_table(table, folder)
        self._ports.append(listen(self._reactor, self._chosen["ring"], self._for_nodes, "other nodes"))
        self._ports.append(listen(self._reactor, self._chosen["clients"], self._for_agents, "agents"))
        place = Place(
            admission,
            self._record(admission, folder),
            table,
            evictions,
            self._writer,
            folder.database,
            self._chosen["repair-after"],
            self._reactor,
            self._now,
            self._chance,
            reaching(self._reactor),
            lambda slow, *arguments: deferToThreadPool(self._reactor, self._pool, slow, *arguments),
            self._failed,
            DrainedNodes(folder.read(DRAINED_FILE), partial(folder.write, DRAINED_FILE)),
            folder.read(PLAN_FILE),
            partial(folder.write, PLAN_FILE),
            self._reactor.stop,
        )
        return Parts(place)

    async def _remembered(self, parts: Parts, admission: Admission) -> None:
        """Ask others what they remember of us, before we answer anybody."""
        mute = replace(parts.nodes_standing, locators=lambda _: (), heard=lambda *_: None)
        reach = reaching(self._reactor)
        memory = Memory(
            parts.record,
            admission.root,
            parts.chord.table,
            lambda address: dial_node(reach(address), mute),
            self._reactor,
        )
        await memory.check(self._chosen["join"], self._chance, self._now())

    def _open(self, parts: Parts) -> None:
        """Let others in."""
        self._for_nodes.behind = ring_port(parts.nodes_standing, parts.ring, parts.links)
        self._for_agents.behind = clients_port(parts.agents_standing, parts.ring)

    def _evictions(self, admission: Admission, folder: DataFolder) -> EvictionList:
        """The list on disk; NotAdmitted when this node is on it."""
        evictions = EvictionList(lambda: admission.root, self._now, partial(folder.write, EVICTIONS_FILE))
        evictions.load(folder.read(EVICTIONS_FILE), str(folder.path / EVICTIONS_FILE))
        if evictions.evicts(admission.certificate) or evictions.evicts(admission.issuer):
            raise evicted()
        return evictions

    def _addresses(self) -> tuple[Address, Address]:
        """Ring and clients address as others can dial them."""
        ring, clients = (dialable(bound(port), self._chosen["advertise"], self._interfaces) for port in self._ports[:2])
        return ring, clients

    def _record(self, admission: Admission, folder: DataFolder) -> NodeRecord:
        return NodeRecord.create(
            admission.key, admission.certificate, admission.issuer, folder.next_sequence(), *self._addresses()
        )

    def _load_table(self, table: NodeTable, folder: DataFolder) -> None:
        """A table that cannot be read costs nothing but seeds."""
        self._saved = folder.read(TABLE_FILE)
        try:
            table.load(self._saved, self._reactor.seconds())
        except Misbehaved as error:
            self._log.warn("the node table on disk is damaged and left out: {error}", error=str(error))

    async def _serve(self, parts: Parts, folder: DataFolder) -> None:
        """Start the services, lowest first."""
        for each in (parts.chord, parts.replication, parts.heartbeat):
            each.startService()
        parts.lag.start()
        self._ports.append(await open_socket(self._reactor, folder.socket, parts.admin))
        if self._chosen["metrics"] is not None:
            page = monitored(parts, self._reactor.seconds)
            self._ports.append(listen(self._reactor, self._chosen["metrics"], page, "metrics"))

    async def _join(self, parts: Parts, admission: Admission) -> None:
        """Become a member of the ring, and say so."""
        self._heard = Heard(
            parts.ring, admission.description.name, parts.record.ring_address, parts.record.clients_address
        )
        if self._discovery is not None:
            searching = Deferred.fromCoroutine(self._search(parts))
            searching.addErrback(lambda why: self._log.failure("the search for nodes failed", why))
        waiting = LoopingCall(self._say_for_whom, admission)
        self._loop(waiting, WAITING_SECONDS, now=False)
        await parts.chord.join(self._chosen["join"])
        waiting.stop()
        parts.clock.start()
        self._here = frozenset(self._interfaces())
        self._loop(LoopingCall(self._save_table), SAVE_SECONDS, now=True)
        self._loop(LoopingCall(self._watch_addresses, admission), ADDRESS_SECONDS, now=False)
        self._announce(
            f"{PROGRAM} ready: node {name(parts.me)} ring {parts.ring[:4].hex()}"
            f" on {parts.record.ring_address} clients {parts.record.clients_address}"
        )

    async def _search(self, parts: Parts) -> None:
        """Ask by multicast until we are on the ring; after that others' announcements are enough."""
        while self.running and self._discovery is not None and parts.chord.state is NodeState.JOINING:
            for each in await self._discovery.find(SEARCH_SECONDS, parts.ring, bool):
                self._hear(each)
            await self._pause(SEARCH_SECONDS)

    async def _pause(self, seconds: float) -> None:
        waited: Deferred[None] = Deferred()
        self._reactor.callLater(seconds, waited.callback, None)
        await waited

    def _hear(self, heard: Heard) -> None:
        if self._parts is not None and heard.ring == self._parts.ring:
            self._parts.chord.hear(heard.ring_address)

    def _say_for_whom(self, admission: Admission) -> None:
        founder = "a node of the ring" if admission.founder is None else f"node {name(admission.founder.node)}"
        self._log.warn(
            "waiting for {founder} or any other member; is it running, and is its address known here (--join)?",
            founder=founder,
        )

    def _loop(self, loop: LoopingCall, seconds: float, now: bool) -> None:
        loop.clock = self._reactor
        self._loops.append(loop)
        loop.start(seconds, now=now).addErrback(lambda why: self._log.failure("a task of the node stopped", why))

    # -- while it runs

    def _save_table(self) -> None:
        if self._parts is None or self._folder is None:
            return
        dumped = self._parts.chord.table.dump()
        if dumped == self._saved:
            return
        try:
            self._folder.write(TABLE_FILE, dumped)
            self._saved = dumped
        except P2PChatError as error:
            self._log.warn("the node table is not on disk: {error}", error=str(error))

    def _watch_addresses(self, admission: Admission) -> None:
        """Sign a new address record when this machine's address changed, and now and then anyway (rollback.py)."""
        parts, folder = self._parts, self._folder
        if parts is None or folder is None:
            return
        before, self._here = self._here, frozenset(self._interfaces())
        parts.links.leave(before - self._here)
        moved = self._addresses() != (parts.record.ring_address, parts.record.clients_address)
        if not moved and self._reactor.seconds() < self._renew_at:
            return
        self._renew_at = self._reactor.seconds() + RENEW_SECONDS
        try:
            parts.record = self._record(admission, folder)
        except P2PChatError as error:
            self._log.warn("a new address could not be signed: {error}", error=str(error))
            return
        if not moved:
            parts.chord.readdress(parts.record)
            return
        self._log.info("this node is at {address} now", address=str(parts.record.ring_address))
        self._heard = Heard(
            parts.ring, admission.description.name, parts.record.ring_address, parts.record.clients_address
        )
        parts.chord.readdress(parts.record)
        if self._discovery is not None:
            self._discovery.announce()

    # -- end

    def stopService(self) -> "Deferred[None]":
        """Tell the neighbours, finish what is being written, let go of everything."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        for loop in self._loops:
            if loop.running:
                loop.stop()
        parts = self._parts
        if parts is not None:
            parts.clock.stop()
            parts.lag.stop()
            if parts.chord.state is NodeState.READY:
                await self._within(LEAVE_SECONDS, parts.chord.leave())
            await parts.links.quiet(FINISH_SECONDS)
            for each in (parts.heartbeat, parts.replication, parts.chord):
                await ensure(each.stopService())
            self._save_table()
        for port in self._ports:
            if port is not None:
                await ensure(port.stopListening())
        if self._discovery is not None:
            await ensure(self._discovery.stopService())
        self._for_agents.close()
        self._for_nodes.close()
        if parts is not None:
            parts.call.stop()
        await self._let_go()

    async def _let_go(self) -> None:
        """Threads and files, last."""
        if self._writer is not None:
            await deferToThreadPool(self._reactor, self._pool, self._writer.close)
        self._pool.stop()
        if self._folder is not None:
            self._folder.close()

    async def _within(self, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        leaving = Deferred.fromCoroutine(work)
        leaving.addTimeout(seconds, self._reactor, lambda *_: None)
        try:
            await leaving
        except P2PChatError as error:
            self._log.info("not every neighbour was told that we leave: {error}", error=str(error))


async def ensure(stopping: "Deferred[Any] | None") -> None:
    """Wait for whatever takes its time to stop."""
    if stopping is not None:
        await stopping
