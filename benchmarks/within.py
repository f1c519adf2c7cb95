"""A ring of five: four nodes are processes of their own, the fifth runs here, where its services are asked."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.task import deferLater

from p2pchat.cli.demo_world import World
from p2pchat.errors import TimedOut
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.slots import RegisterKey
from p2pchat.server.node import NodeService
from p2pchat.server.plugin import Options, makeService

NODES = 5
KIND = 200
"""Of the benchmark's registers: no account, so that values may be anything."""
STEP_SECONDS = 90.0
LOOK_SECONDS = 0.05
SPREAD = 0x9E3779B97F4A7C15 << 192
"""A step that spreads points evenly over the circle."""


def key(number: int) -> RegisterKey:
    """The register with this number; neighbours in number lie far apart."""
    return RegisterKey(Identifier(number * SPREAD % CIRCLE), KIND)


class RingOfFive:
    """`world` has the four processes; `service` is the fifth node's way to the records."""

    def __init__(self, reactor: Any) -> None:
        self.reactor, self.world = reactor, World(reactor)
        self._node: NodeService | None = None

    @property
    def service(self) -> ReplicationService:
        """Of the node that runs here."""
        if self._node is None or self._node.parts is None:
            raise TimedOut("the node of the measuring process is not there yet")
        return self._node.parts.replication

    async def start(self) -> None:
        """Returns when every slot has five members."""
        self.world.create_ring()
        await self.world.start_nodes(NODES - 1)
        options = Options()
        folder = self.world.folder / "within"
        words = ["--data", str(folder), "--no-multicast", "--authority", str(self.world.authority)]
        addresses = ["--ring", f"127.0.0.{NODES}:0", "--clients", f"127.0.0.{NODES}:0"]
        options.parseOptions([*words, *addresses, "--join", self.world.nodes[0].ready[2]])
        whole = makeService(options, self.reactor)
        self._node = next(each for each in whole if isinstance(each, NodeService))
        self._node.startService()
        await self.until(self._is_grown, "the slots do not grow")

    async def _is_grown(self) -> bool:
        if self._node is None or self._node.parts is None:
            return False
        rows = await self.world.rows(self.world.nodes[0])
        grown = all(row.members_least == row.members_wanted == NODES for row in rows) and len(rows) == NODES
        return grown and (await self.service.status()).moving == 0

    async def until(self, look: Callable[[], Awaitable[bool]], otherwise: str, seconds: float = STEP_SECONDS) -> float:
        """Look again and again; how many seconds that took."""
        began = self.reactor.seconds()
        while not await look():
            if self.reactor.seconds() - began > seconds:
                raise TimedOut(f"{otherwise} (waited {seconds:g} s)")
            await deferLater(self.reactor, LOOK_SECONDS)
        return float(self.reactor.seconds() - began)

    async def put(self, number: int, value: bytes, operation: bytes, timeout: float = 10.0) -> None:
        """Write a register, whatever it holds."""
        await self.service.change(key(number), partial(_replaced, value), operation, timeout)

    async def close(self) -> None:
        """End every node."""
        if self._node is not None:
            await self._node.stopService()
        self.world.close()


def _replaced(value: bytes, old: bytes | None) -> bytes:
    return value
