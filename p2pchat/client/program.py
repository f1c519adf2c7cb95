"""One agent as a process: home, sockets, discovery, the line that says ready, and an orderly end."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from p2pchat import __version__
from p2pchat.client import control
from p2pchat.client.agent import Agent
from p2pchat.client.arguments import JSONObject
from p2pchat.client.disk import ThreadedDisk
from p2pchat.client.door import Door
from p2pchat.client.gateway import several_rings
from p2pchat.client.home import Home
from p2pchat.client.safe import desktop, safe_of
from p2pchat.client.surroundings import Surroundings
from p2pchat.crypto.certificates import Certificate
from p2pchat.discovery.announcement import Heard
from p2pchat.discovery.interfaces import local_addresses
from p2pchat.discovery.service import DiscoveryService
from p2pchat.errors import P2PChatError, UserError
from p2pchat.identifiers import Address
from p2pchat.wire.endpoints import listening, reaching

PROGRAM = "p2pchat-client"
FIRST_LOOK_SECONDS = 1.5
"""How long a home without a ring listens before it takes the only ring that answered."""
FIND_SECONDS = 1.0
GOODBYE_SECONDS = 1.5
ADDRESSES_SECONDS = 5.0
"""Between two looks at this machine's addresses."""
ANY = Address("0.0.0.0", 0)
Result = TypeVar("Result")


class AgentService(Service):
    """The whole program; nothing happens before `startService`.

    Args:
        chosen: every option, as settings.resolve gives them.
        announce: prints a line and flushes it.
        failed: told why the program cannot go on; ends it with the error's exit status.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        chosen: dict[str, Any],
        path: Path,
        now: Callable[[], float],
        threads: int,
        announce: Callable[[str], None],
        failed: Callable[[P2PChatError], None],
    ) -> None:
        self._reactor, self._chosen, self._now = reactor, chosen, now
        self._announce, self._failed = announce, failed
        self._home = Home(path)
        self._spread = Random()
        self._pool = ThreadPool(0, threads, name="p2pchat keys")
        self._disk = ThreadedDisk(reactor.callFromThread, self._in_thread)
        self._discovery: DiscoveryService | None = None
        self._agent: Agent | None = None
        self._factory: control.ControlFactory | None = None
        self._socket: Any = None
        self._port: Any = None
        self._door = Door()
        self._starting: Deferred[None] | None = None
        self._told: list[Address] = []
        self._looking = LoopingCall(self._look_at_addresses)
        self._looking.clock = reactor

    # -- start

    def startService(self) -> None:
        super().startService()
        self._pool.start()
        self._starting = Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        try:
            if self._chosen["irc"] is not None:
                raise UserError("This version serves no IRC programs; start the agent without --irc.")
            self._home.lock()
            self._home.safe = safe_of(self._home.path, desktop())
            agent = self._agent = self._build()
            self._start_discovery()
            if agent.pin.ring is None and not self._chosen["server"]:
                await self._choose_ring()
            self._port = await self._listen()
            agent.startService()
            self._factory = control.ControlFactory(
                self._reactor, agent, self._connection, lambda: self._reactor.callLater(0.1, self._reactor.stop)
            )
            self._socket = await control.listen(self._reactor, self._home.prepare_socket(), self._factory)
            self._looking.start(ADDRESSES_SECONDS, now=False).addErrback(
                lambda why: self._log.failure("addresses are watched no more", why)
            )
            self._announce(f"{PROGRAM} ready: home {self._home.path} on {self._reached()}")
        except CancelledError:
            return
        except P2PChatError as error:
            self._failed(error)
        except Exception:
            self._log.failure("the agent could not start")
            self._failed(P2PChatError("An unforeseen error; the log has the cause."))

    def _build(self) -> Agent:
        around = Surroundings(
            self._reactor,
            self._now,
            self._spread,
            SystemRandom().randbytes,
            self._in_thread,
            reaching(self._reactor),
            self._find,
            self._disk,
        )
        agent = Agent(
            around,
            self._home,
            self._chosen["server"],
            not self._chosen["ask-password"],
            self._addresses,
            self._door,
            self._chosen["encrypt-history"],
        )
        given = self._chosen["ring-certificate"]
        if given is not None:
            agent.pin.take(_certificate(given))
        return agent

    def _in_thread(self, function: Callable[..., Result], *arguments: Any) -> "Deferred[Result]":
        return deferToThreadPool(self._reactor, self._pool, function, *arguments)

    # -- discovery

    def _start_discovery(self) -> None:
        if not self._chosen["no-multicast"]:
            self._discovery = DiscoveryService(
                self._reactor, self._reactor, self._spread, self._chosen["multicast"], self._interfaces
            )
            self._discovery.startService()

    async def _choose_ring(self) -> None:
        """A home without a ring takes the only one that answers; several are listed, and none is taken."""
        heard = await self._hear(FIRST_LOOK_SECONDS, None)
        rings = {each.ring for each in heard}
        if len(rings) > 1:
            raise several_rings(rings)

    async def _find(self) -> list[tuple[bytes, Address]]:
        ring = self._agent.pin.ring if self._agent is not None else None
        return [(each.ring, each.clients_address) for each in await self._hear(FIND_SECONDS, ring)]

    async def _hear(self, seconds: float, ring: bytes | None) -> list[Heard]:
        if self._discovery is None:
            return []
        enough = (lambda found: len(found) >= 3) if ring is not None else (lambda found: False)
        return await self._discovery.find(seconds, ring, enough)

    def _interfaces(self) -> Sequence[str]:
        return self._chosen["interface"] or local_addresses()

    # -- where other agents reach us

    async def _listen(self) -> Any:
        asked: Address = self._chosen["listen"] or ANY
        try:
            return await listening(self._reactor, asked).listen(self._door)
        except CannotListenError as error:
            reason = getattr(error.socketError, "strerror", None) or error.socketError
            raise UserError(
                f"Cannot listen on {asked} for other agents ({reason}). Give another --listen HOST:PORT."
            ) from error

    def _addresses(self) -> list[Address]:
        """All addresses of ours, the best first."""
        if self._port is None:
            return []
        host = self._port.getHost()
        if self._chosen["advertise"] is not None:
            return [Address(self._chosen["advertise"], host.port)]
        if host.host in ("0.0.0.0", "::"):
            return [Address(each, host.port) for each in self._interfaces()]
        return [Address(host.host, host.port)]

    def _look_at_addresses(self) -> None:
        """Our record has to follow when this machine moves to another network."""
        addresses = self._addresses()
        if self._told and addresses != self._told and self._agent is not None:
            self._log.info("addresses are now {addresses}", addresses=", ".join(map(str, addresses)))
            self._agent.gateway.stay_at(self._interfaces())
            if self._agent.active is not None:
                self._agent.active.own.moved()
        self._told = addresses

    def _reached(self) -> Address:
        return next(iter(self._addresses()), Address("127.0.0.1", self._port.getHost().port))

    def _connection(self) -> JSONObject:
        """The row about the agent itself."""
        agent = self._agent
        assert agent is not None  # the socket opens after the agent was built
        return {
            "user": agent.keyring.user,
            "state": agent.keyring.state,
            "home": str(self._home.path),
            "ring": agent.pin.shown if agent.pin.ring is not None else None,
            "node": agent.gateway.node,
            "connected": agent.gateway.link is not None,
            "nodes": [str(each) for each in agent.pin.nodes],
            "listen": str(self._reached()),
            "history": agent.history,
            "pid": os.getpid(),
            "version": __version__,
        }

    # -- stop

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        if self._looking.running:
            self._looking.stop()
        agent = self._agent
        if agent is not None and agent.running:
            await self._say_goodbye(agent)
            await maybeDeferred(agent.stopService)
        for port in (self._socket, self._port):
            if port is not None:
                await maybeDeferred(port.stopListening)
        for closing in (self._factory, self._door):
            if closing is not None:
                closing.close()
        if self._discovery is not None:
            await maybeDeferred(self._discovery.stopService)
        self._pool.stop()
        if agent is not None:
            agent.close()
        else:
            self._home.unlock()
        self._disk.stop()

    async def _say_goodbye(self, agent: Agent) -> None:
        leaving = Deferred.fromCoroutine(agent.leave())
        leaving.addTimeout(GOODBYE_SECONDS, self._reactor, lambda *_: None)
        try:
            await leaving
        except P2PChatError as error:
            self._log.debug("nobody heard our goodbye: {error}", error=str(error))


def _certificate(path: Path) -> Certificate:
    try:
        return Certificate.from_pem(path.read_text("ascii", "replace"))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
