"""Connections of bytes on a virtual clock, so that whole nodes and agents meet as over TCP, with TLS on top.

Bytes arrive in order and once, as TCP sees to it; what a bad network does is that they come late, that a connection
stalls (loss, until the network is mended), that it breaks, or that a host is silent.
"""

from collections import deque
from collections.abc import Callable, Iterable
from hashlib import blake2b, shake_256
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IConsumer, IPushProducer, IStreamClientEndpoint, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pchat.identifiers import Address
from p2pchat.simulation.clock import HeapClock

LEAST_SECONDS, MOST_SECONDS = 0.0005, 0.005
"""Delay of a piece of bytes, one way."""
SECRET_BYTES = 32


class Host:
    """One life of one program at an address: what it listens on, and its connections."""

    def __init__(self, streams: "Streams", name: str) -> None:
        self.streams, self.name, self.alive = streams, name, True
        self.ports: dict[int, Any] = {}
        self.ends: list[End] = []

    def reach(self, address: Address) -> "Endpoint":
        """An endpoint for this address, as `wire.dialer.Reach`."""
        return Endpoint(self, address)


class Streams:
    """Carries bytes between the hosts that are up; `digest` is a hash over when something went from whom to whom.

    Attributes:
        slow: how many more seconds each piece takes to or from a host, by its name.
    """

    def __init__(self, clock: HeapClock, chance: Random) -> None:
        self.clock, self._chance = clock, chance
        self.slow: dict[str, float] = {}
        self.pieces = 0
        self._hosts: dict[str, Host] = {}
        self._sides: dict[str, int] = {}
        self._stalled: list[tuple[End, Callable[[], None]]] = []
        self._hash = blake2b(digest_size=16)
        self._gone: list[Host] = []

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def note(self, *what: object) -> None:
        """Put an event into the log's hash."""
        self._hash.update(repr((round(self.clock.seconds(), 9), *what)).encode())

    # -- hosts

    def start(self, name: str) -> Host:
        """A program starts at the address `name`; connections of an earlier life there answer with a reset."""
        host = self._hosts[name] = Host(self, name)
        return host

    def kill(self, name: str, silent: bool = False) -> None:
        """The program at `name` ends between two instructions.

        Args:
            silent: as when the power goes: nobody hears of it until somebody asks what has started there since.
        """
        host = self._hosts.pop(name)
        host.alive = False
        # Kept until the end of the run: what is collected in the middle could run at another place each time.
        self._gone.append(host)
        for end in host.ends:
            end.state = "dead"
            if not silent:
                self.carry(end, end.other.reset)

    def host(self, name: str) -> Host | None:
        return self._hosts.get(name)

    # -- what the network does

    def partition(self, sides: Iterable[Iterable[str]]) -> None:
        """Only hosts of one side hear each other; what is written across stalls."""
        self._sides = {name: number for number, side in enumerate(sides) for name in side}

    def mend(self) -> None:
        """No sides and no slow hosts any more; what stalled goes on."""
        self._sides, self.slow = {}, {}
        stalled, self._stalled = self._stalled, []
        for end, arrive in stalled:
            self.carry(end, arrive)

    def hears(self, source: str, target: str) -> bool:
        return self._sides.get(source) == self._sides.get(target)

    def delay(self, source: str, target: str) -> float:
        """Seconds for one piece on its way, drawn."""
        slow = self.slow.get(source, 0.0) + self.slow.get(target, 0.0)
        return LEAST_SECONDS + self._chance.random() * (MOST_SECONDS - LEAST_SECONDS + slow)

    def carry(self, end: "End", arrive: Callable[[], None]) -> None:
        """Let something that `end` sent arrive, after everything that it sent before."""
        source, target = end.host.name, end.other.host.name
        if not self.hears(source, target):
            self._stalled.append((end, arrive))
            return
        self.pieces += 1
        self.note(source, target)
        end.arrived = max(end.arrived, self.clock.seconds() + self.delay(source, target))
        self.clock.at(end.arrived, arrive)

    def draw(self) -> bytes:
        """A secret for the two ends of a new connection."""
        return self._chance.randbytes(SECRET_BYTES)

    def later(self, source: str, target: str, function: Callable[[], None]) -> None:
        """Run `function` once a packet could have got from source to target; never, if it cannot."""
        if self.hears(source, target):
            self.clock.at(self.clock.seconds() + self.delay(source, target), function)


@implementer(ITransport, IConsumer, IPushProducer)
class End:
    """The transport of one side of a connection.

    `state` is open, closing (nothing more is written), closed, or dead (the program ended).
    """

    other: "End"

    def __init__(self, host: Host, protocol: Any) -> None:
        self.host, self.protocol, self.state = host, protocol, "open"
        self.arrived = 0.0
        self._paused = False
        self._waiting: deque[bytes] = deque()
        host.ends.append(self)

    @property
    def disconnecting(self) -> bool:
        return self.state == "closing"

    def begin(self) -> None:
        """Tell the protocol that it is connected."""
        self.protocol.makeConnection(self)

    # -- as a transport

    def write(self, data: bytes) -> None:
        if self.state == "open" and data:
            self.host.streams.carry(self, lambda: self.other.take(bytes(data)))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        if self.state == "open":
            self.state = "closing"
            self.host.streams.carry(self, self.other.finished)
            self.host.streams.clock.at(self.host.streams.clock.seconds(), self._lost, ConnectionDone())

    def abortConnection(self) -> None:
        if self.state in ("open", "closing"):
            self.state = "closing"
            self.host.streams.carry(self, self.other.reset)
            self.host.streams.clock.at(self.host.streams.clock.seconds(), self._lost, ConnectionAborted())

    def getPeer(self) -> Any:
        return Address(self.other.host.name, 0)

    def getHost(self) -> Any:
        return Address(self.host.name, 0)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Nothing is ever too much for this transport."""

    def unregisterProducer(self) -> None:
        """See registerProducer."""

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        while self._waiting and not self._paused and self.state == "open":
            self.protocol.dataReceived(self._waiting.popleft())

    def stopProducing(self) -> None:
        self.loseConnection()

    # -- what arrives

    def take(self, data: bytes) -> None:
        """Bytes of the other end; a program that has ended answers with a reset if another runs in its place."""
        if self.state == "dead" and self.host.streams.host(self.host.name) is not None:
            self.host.streams.carry(self, self.other.reset)
        elif self.state == "open":
            self._waiting.append(data)
            if not self._paused:
                self.resumeProducing()

    def finished(self) -> None:
        """The other end closed."""
        if self.state == "open":
            self.state = "closing"
            self._lost(ConnectionDone())

    def reset(self) -> None:
        """The other end is gone."""
        if self.state in ("open", "closing"):
            self._lost(ConnectionLost())

    def _lost(self, why: Exception) -> None:
        if self.state in ("open", "closing"):
            self.state = "closed"
            self.host.ends.remove(self)
            self.protocol.connectionLost(Failure(why))


class Drawn:
    """TLS as a link sees it, except that the secret which its ends share comes from the run's seed.

    Links are put in order by it; all else that TLS draws (OpenSSL takes no seed) changes neither lengths nor times.
    """

    def __init__(self, protocol: Any, secret: bytes) -> None:
        self._of_tls, self._secret = protocol.getHandle, secret

    def __call__(self) -> "Drawn":
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of_tls(), name)

    def export_keying_material(self, label: bytes, length: int) -> bytes:
        """As of pyOpenSSL's Connection."""
        return shake_256(self._secret + label).digest(length)


@implementer(IStreamClientEndpoint)
class Endpoint:
    """Reaches one address from one host."""

    def __init__(self, host: Host, address: Address) -> None:
        self._host, self._address = host, address

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Refused where a machine runs nothing at that port; no answer at all where nothing is or nothing gets to."""
        streams, here, there = self._host.streams, self._host.name, self._address.host
        answer: Deferred[Any] = Deferred()
        if not self._host.alive:
            return fail(Refused())

        def arrived() -> None:
            if streams.host(there) is not None:
                streams.later(there, here, answered)

        def answered() -> None:
            target = streams.host(there)
            if answer.called or not self._host.alive or target is None:
                return
            port = target.ports.get(self._address.port)
            accepted = None if port is None else port.buildProtocol(Address(here, 0))
            if accepted is None:
                answer.errback(Refused())
                return
            server = End(target, accepted)
            client = End(self._host, protocolFactory.buildProtocol(self._address))
            client.other, server.other = server, client
            secret = streams.draw()
            for end in (server, client):
                end.protocol.getHandle = Drawn(end.protocol, secret)
            server.begin()
            client.begin()
            answer.callback(client.protocol)

        streams.later(here, there, arrived)
        return answer
