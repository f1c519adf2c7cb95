"""A network in memory for tests: ports, endpoints and pumps, TLS included."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.test.iosim import FakeAddress, FakeTransport, IOPump
from zope.interface import implementer

from p2pchat.identifiers import Address
from p2pchat.wire.connection import Link

MAX_ROUNDS = 2000


class HostAddress(FakeAddress):
    """The address of one end, with a host."""

    def __init__(self, host: str) -> None:
        self.host = host


class MemoryNetwork:
    """Connects endpoints with the factories that listen, and moves bytes when told to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ports: dict[Address, Any] = {}
        self.pumps: list[IOPump] = []
        self.dialled: list[Address] = []
        self.silent: set[Address] = set()

    def reach(self, address: Address) -> "MemoryEndpoint":
        """An endpoint for this address."""
        return MemoryEndpoint(self, address)

    def flush(self, seconds: float = 0.0) -> None:
        """Let time pass, and move all bytes until nothing moves."""
        if seconds:
            self.clock.advance(seconds)
        for _ in range(MAX_ROUNDS):
            self.clock.advance(0)
            moved = [pump.pump(advanceClock=False) for pump in list(self.pumps)]
            if not any(moved):
                return
        raise AssertionError("the network does not come to rest")

    def connect(self, server: Any, client: Any, host: str = "127.0.0.1") -> IOPump:
        """Put two protocols at the ends of a new connection."""
        ours = FakeTransport(server, True, HostAddress(host), HostAddress("127.0.0.9"))
        theirs = FakeTransport(client, False, HostAddress("127.0.0.9"), HostAddress(host))
        server.makeConnection(ours)
        client.makeConnection(theirs)
        pump = IOPump(client, server, theirs, ours, False, clock=self.clock)
        self.pumps.append(pump)
        return pump

    def cut(self, pump: IOPump) -> None:
        """Break a connection as a killed process does."""
        pump.clientIO.disconnecting = True
        self.flush()

    def pair(self, server: Callable[[], Link], client: Callable[[], Link]) -> tuple[Link, Link]:
        """Two connected links without TLS."""
        first, second = server(), client()
        self.connect(first, second)
        self.flush()
        return first, second


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """Reaches one address of a MemoryNetwork."""

    def __init__(self, network: MemoryNetwork, address: Address) -> None:
        self._network, self._address = network, address

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Refused where nobody listens; never answered where the address is silent."""
        self._network.dialled.append(self._address)
        if self._address in self._network.silent:
            return Deferred()
        factory = self._network.ports.get(self._address)
        server = factory.buildProtocol(HostAddress("127.0.0.9")) if factory is not None else None
        if server is None:
            return fail(Refused())
        client = protocolFactory.buildProtocol(HostAddress(self._address.host))
        self._network.connect(server, client, self._address.host)
        return succeed(client)
