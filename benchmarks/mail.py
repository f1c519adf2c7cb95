"""Stored mail on a ring of five: from sealing to the acknowledgement of five copies, and fetched after login.

python -m benchmarks.mail [--seconds S] [--messages N] [--rounds N] [--syncs] [--json]

Five nodes are processes of their own on loopback.  "at a gateway": the measuring process speaks as alice's agent,
without a disk.  "from an outbox": alice's agent is a real one, asked over its control socket, and keeps history and
outbox on its disk.  Bob is away.  Then he comes and fetches: an agent without a disk, and a real one.  Processor time,
disk and packets are those of each message.  Prosody's offline messages, where it is installed (Debian `prosody`), are
measured in turn with those at a gateway, with as many under way.
"""

import argparse
import json
import secrets
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.threads import deferToThread

from benchmarks.costs import Meter, Syncs, rates
from benchmarks.presence import join
from benchmarks.prosody import Prosody
from benchmarks.spine import grown
from benchmarks.visitors import Names, Visitor, settle, together
from p2pchat.cli import running
from p2pchat.cli.demo_world import World
from p2pchat.client import commands
from p2pchat.crypto.authority import Authority
from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Address
from p2pchat.wire.connection import Link

NODES = 5
BYTES = 300
WIDTHS = (1, 64)
SEND_SECONDS = 60.0
COUNTED = 320
"""Messages for which syncs are counted."""

Send = Callable[[], Awaitable[object]]
Figures = dict[str, float]


class Mailing:
    """A ring, and both kinds of agents at it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = Names(Authority.open(world.authority, time.time()).ring, "visitor")
        self._came = 0
        self.written = 0
        """Messages that alice's agent has stored."""

    def pids(self) -> dict[str, list[int]]:
        """Of the meter's groups."""
        nodes = [each.process.pid for each in self._world.nodes]
        return {"nodes": nodes, "agents": [each.process.pid for each in self._world.agents.values()]}

    async def start(self) -> None:
        """Two pairs of people: visitors at the first nodes, agents at others."""
        reactor, nodes = self._world.reactor, self._world.nodes
        self.sender, self.receiver = await settle(
            reactor, self._names, [0, 1], Address.parse(nodes[0].ready[3]), self._take
        )
        self.receiver.close()
        self.alice = await join(self._world, "alice", 1)
        await join(self._world, "bob", 2)
        await self._world.stop_agent("bob")
        await self.at_gateway()
        await self.from_outbox()

    def _take(self, _: object) -> None:
        self._came += 1

    async def at_gateway(self) -> None:
        """One message by the visitor."""
        await self.sender.send(self.receiver.user, secrets.token_bytes(BYTES))

    async def from_outbox(self) -> None:
        """One message by alice's agent."""
        told = await self.alice.callRemote(
            commands.Send, to="bob", text=secrets.token_hex(BYTES // 2), wait="stored", timeout=SEND_SECONDS
        )
        if told["status"]:
            raise P2PChatError(str(told["reason"]))
        self.written += 1

    async def measure(self, send: Send, width: int, seconds: float) -> Figures:
        """So many lanes, each of which sends its next message when the last one was acknowledged."""
        taken: list[float] = []
        meter, began = Meter(self.pids()), time.perf_counter()

        async def lane() -> None:
            while time.perf_counter() - began < seconds:
                start = time.perf_counter()
                await send()
                taken.append(time.perf_counter() - start)

        await together(width, lane)
        whole = time.perf_counter() - began
        return rates(taken, whole) | meter.read(len(taken))

    async def syncs(self, send: Send, width: int) -> float:
        """Of all nodes, for each message."""
        counting, left = Syncs(self.pids()["nodes"]), iter(range(COUNTED))

        async def lane() -> None:
            for _ in left:
                await send()

        await together(width, lane)
        return counting.read() / COUNTED

    async def fill(self, send: Send, count: int) -> None:
        """Let so many messages more wait."""
        left = iter(range(count))

        async def lane() -> None:
            for _ in left:
                await send()

        await together(max(WIDTHS), lane)

    async def fetched_by_visitor(self) -> Figures:
        """Messages a second from the connection to the last acknowledgement."""
        visitor, nodes = Visitor(self._world.reactor, self.receiver.keys, "127.1.0.1", self._take), self._world.nodes
        meter, began, before = Meter(self.pids()), time.perf_counter(), self._came
        await visitor.connect(Address.parse(nodes[3].ready[3]))
        await visitor.fetch()
        whole, count = time.perf_counter() - began, self._came - before
        visitor.close()
        return {"per_second": count / whole, "messages": count} | meter.read(count)

    async def fetched_by_agent(self, count: int) -> Figures:
        """Messages a second from bob's agent being ready to the last one in its history."""
        nodes = self._world.nodes
        meter = Meter({"nodes": self.pids()["nodes"]})
        bob = await self._world.start_agent("bob", [each.ready[3] for each in (*nodes[3:], *nodes[:3])])
        began = time.perf_counter()
        await self._world.until(partial(_has, bob, count), "bob does not get his mail")
        return {"per_second": count / (time.perf_counter() - began), "messages": count} | meter.read(count)


async def _has(bob: Link, count: int) -> bool:
    chats = (await bob.callRemote(commands.Chats))["chats"]
    return bool(sum(each["unread"] for each in chats) >= count)


async def beside(mailing: Mailing, seconds: float, rounds: int) -> dict[str, Figures]:
    """Prosody and ours in turn, the most under way; medians of the rounds."""
    peer, told = Prosody(), dict[str, list[Figures]]()
    try:
        for _ in range(rounds):
            ours = await mailing.measure(mailing.at_gateway, max(WIDTHS), seconds)
            theirs = await deferToThread(peer.store, max(WIDTHS), seconds, BYTES)
            told.setdefault("at a gateway, in turn with Prosody", []).append(ours)
            told.setdefault("Prosody, offline", []).append(theirs)
        told["Prosody, fetched"] = [await deferToThread(peer.fetch)]
    finally:
        peer.close()
    return {
        case: {name: statistics.median(row[name] for row in rows) for name in rows[0]} for case, rows in told.items()
    }


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Every way at every width, then the fetches."""
    world = World(reactor)

    def tell(case: str, width: int | None, figures: Figures) -> None:
        row = {"case": case} | ({} if width is None else {"w": width}) | figures
        words = [f"{key} {value:.3f}" if isinstance(value, float) else str(value) for key, value in row.items()]
        print(json.dumps(row) if options.json else "   ".join(words), flush=True)

    try:
        world.create_ring()
        await world.start_nodes(NODES)
        await world.until(lambda: grown(world), "the slots do not grow")
        mailing = Mailing(world)
        await mailing.start()
        ways: dict[str, Send] = {"at a gateway": mailing.at_gateway, "from an outbox": mailing.from_outbox}
        for case, send in ways.items():
            for width in WIDTHS:
                tell(case, width, await mailing.measure(send, width, options.seconds))
            if options.syncs and Syncs.can_be_counted():
                tell(case, max(WIDTHS), {"syncs": await mailing.syncs(send, max(WIDTHS))})
        if Prosody.is_installed():
            for case, figures in (await beside(mailing, options.seconds, options.rounds)).items():
                tell(case, max(WIDTHS), figures)
        else:
            print("Prosody: skipped: not installed", file=sys.stderr)
        await mailing.fetched_by_visitor()
        await mailing.fill(mailing.at_gateway, options.messages)
        tell("fetched, without a disk", None, await mailing.fetched_by_visitor())
        await mailing.fill(mailing.from_outbox, options.messages - mailing.written)
        tell("fetched by an agent", None, await mailing.fetched_by_agent(mailing.written))
    finally:
        world.close()


def main() -> None:
    """Measure one ring and print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each row (10)")
    parser.add_argument("--messages", type=int, default=3000, help="that are fetched (3000)")
    parser.add_argument("--rounds", type=int, default=3, help="in turn with Prosody; medians are shown (3)")
    parser.add_argument("--syncs", action="store_true", help="count them as well, by strace")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


if __name__ == "__main__":
    main()
