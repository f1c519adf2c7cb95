"""A ring of real nodes: the last one runs here, where its services are asked, the others in processes of their own."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.task import deferLater

from p2pchat.cli.demo_world import World
from p2pchat.crypto.authority import Authority
from p2pchat.errors import TimedOut
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.slots import RegisterKey
from p2pchat.server.node import NodeService
from p2pchat.server.plugin import Options, makeService

NODES = 5
WITHIN = 100
"""The last part of this process's own address."""
KIND = 200
"""Of the benchmark's registers: no account, so that values may be anything."""
STEP_SECONDS = 90.0
LOOK_SECONDS = 0.25
"""Between two looks at the whole ring, which make each node count its records: that takes 20 ms of a full one."""
SPREAD = 0x9E3779B97F4A7C15 << 192
"""A step that spreads points evenly over the circle."""


def key(number: int) -> RegisterKey:
    """The register with this number; neighbours in number lie far apart."""
    return RegisterKey(Identifier(number * SPREAD % CIRCLE), KIND)


class MeasuredRing:
    """`world` has the processes; `service` is the way of the node that runs here to the records."""

    def __init__(self, reactor: Any, nodes: int = NODES) -> None:
        self.reactor, self.world, self._nodes = reactor, World(reactor), nodes
        self._node: NodeService | None = None

    @property
    def identifier(self) -> bytes:
        """The ring's."""
        return Authority.open(self.world.authority, time.time()).ring

    @property
    def service(self) -> ReplicationService:
        """Of the node that runs here."""
        if self._node is None or self._node.parts is None:
            raise TimedOut("the node of the measuring process is not there yet")
        return self._node.parts.replication

    @property
    def clients(self) -> str:
        """Where agents find the node that runs here."""
        if self._node is None or self._node.parts is None:
            raise TimedOut("the node of the measuring process is not there yet")
        return str(self._node.parts.record.clients_address)

    async def start(self) -> None:
        """Returns when every slot has all nodes as members."""
        self.world.create_ring()
        await self.world.start_nodes(self._nodes - 1)
        await self.run_within("within")
        await self.until(partial(self.is_grown, min(self._nodes, NODES)), "the slots do not grow")

    async def start_with(self, second: "MeasuredRing") -> None:
        """As `start`, but the last two nodes run here: the other one is the way of `second`, whose world is ours."""
        self.world.create_ring()
        await self.world.start_nodes(self._nodes - 2)
        second.world.close()
        second.world = self.world
        await self.run_within("within")
        await second.run_within("beside")
        await self.until(partial(self.is_grown, min(self._nodes, NODES)), "the slots do not grow")

    async def run_within(self, name: str) -> None:
        """Start the node that runs here, with a folder of its own; returns when it has met the others."""
        options = Options()
        self.folder = self.world.folder / name
        words = ["--data", str(self.folder), "--no-multicast", "--authority", str(self.world.authority)]
        addresses = ["--ring", f"127.0.0.{WITHIN}:0", "--clients", f"127.0.0.{WITHIN}:0"]
        options.parseOptions([*words, *addresses, "--join", self.world.nodes[0].ready[2]])
        whole = makeService(options, self.reactor)
        self._node = next(each for each in whole if isinstance(each, NodeService))
        self._node.startService()

        async def begun() -> bool:
            return self._node is not None and self._node.parts is not None

        await self.until(begun, "the node of the measuring process does not start")

    async def leave(self) -> None:
        """Hand everything that the node has that runs here to the others, and end it."""

        async def empty() -> bool:
            return await self.service.drain() == 0

        await self.until(empty, "the slots are not handed over")
        if self._node is not None:
            await self._node.stopService()
            self._node = None

    async def is_grown(self, members: int) -> bool:
        """Whether every slot has so many members, and nothing moves."""
        if self._node is None or self._node.parts is None:
            return False
        rows = [row for row in await self.world.rows(self.world.nodes[0]) if row.state == "ready" and row.slots]
        grown = len(rows) >= members and all(row.members_least == row.members_wanted == members for row in rows)
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

    async def end_within(self) -> None:
        """End the node that runs here."""
        if self._node is not None:
            await self._node.stopService()

    async def close(self) -> None:
        """End every node."""
        await self.end_within()
        self.world.close()


def _replaced(value: bytes, old: bytes | None) -> bytes:
    return value
