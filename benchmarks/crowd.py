"""Many agents at one node: memory for each at rest, and what a message takes when all of them write.

python -m benchmarks.crowd [--agents N,N,…] [--seconds S] [--json]

A ring of five, each node a process of its own on loopback.  The measuring process speaks as all the agents, without
disks; all are connected with one node, beat every five seconds, and each writes to another one every ten seconds, by
the mailbox: sealed, five synced copies, pushed, fetched, opened and acknowledged.  A message counts from its sealing
until it is open at the other agent.
"""

import argparse
import json
import secrets
import statistics
import time
from functools import partial
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from benchmarks.costs import Meter, memory_kib
from benchmarks.spine import NODES, grown
from benchmarks.visitors import Names, Visitor, settle, together
from p2pchat.chat.receiving import Incoming
from p2pchat.cli import running
from p2pchat.cli.demo_world import World
from p2pchat.crypto.authority import Authority
from p2pchat.errors import P2PChatError
from p2pchat.heartbeat.commands import BEAT_SECONDS
from p2pchat.identifiers import Address

BYTES = 300
EVERY_SECONDS = 10.0
GRACE_SECONDS = 15.0
"""For the last messages; what has not come by then is lost."""
REST_SECONDS = 2 * BEAT_SECONDS
LANES = 16


class Crowd:
    """All agents of one node."""

    def __init__(self, world: World) -> None:
        self._world, self._reactor = world, world.reactor
        self._names = Names(Authority.open(world.authority, time.time()).ring, "crowd")
        self.agents: list[Visitor] = []
        self._sent: dict[bytes, float] = {}
        self.taken: list[float] = []
        self.stored: list[float] = []
        self.errors: list[str] = []

    async def grow(self, count: int) -> None:
        """So many agents in all, connected and seen."""
        address = Address.parse(self._world.nodes[0].ready[3])
        numbers = range(len(self.agents), count)
        newcomers = await settle(self._reactor, self._names, numbers, address, self._came)
        for number, agent in enumerate(newcomers):
            agent.stay(BEAT_SECONDS * number / len(newcomers))
        self.agents += newcomers
        await deferLater(self._reactor, REST_SECONDS)

    def memory(self) -> int:
        """Of their node, in KiB."""
        return memory_kib(self._world.nodes[0].process.pid)

    def _came(self, message: Incoming) -> None:
        began = self._sent.pop(message.id, None)
        if began is not None:
            self.taken.append(time.perf_counter() - began)

    async def greet(self) -> None:
        """Each agent writes once to the one it will go on writing to, which makes the expensive headers."""
        waiting = iter(range(len(self.agents)))

        async def lane() -> None:
            for number in waiting:
                await self._write(number)

        await together(LANES, lane)
        await deferLater(self._reactor, BEAT_SECONDS)
        for list_ in (self.taken, self.stored):
            list_.clear()

    async def _write(self, number: int) -> None:
        sender, receiver = self.agents[number], self.agents[number ^ 1]
        began = time.perf_counter()
        try:
            await sender.send(receiver.user, secrets.token_bytes(BYTES), self._note)
        except P2PChatError as error:
            self.errors.append(str(error))
        else:
            self.stored.append(time.perf_counter() - began)

    def _note(self, identifier: bytes) -> None:
        self._sent[identifier] = time.perf_counter()

    async def write(self, seconds: float) -> dict[str, float]:
        """Every agent writes every ten seconds, each at a moment of its own."""
        chance, count = Random(1), len(self.agents)
        rounds = max(1, round(seconds / EVERY_SECONDS))
        pids = [each.process.pid for each in self._world.nodes]
        meter = Meter({"gateway": pids[:1], "other nodes": pids[1:]})
        for number in range(count):
            for turn in range(rounds):
                at = EVERY_SECONDS * (turn + chance.random())
                self._reactor.callLater(at, lambda number=number: Deferred.fromCoroutine(self._write(number)))
        await deferLater(self._reactor, EVERY_SECONDS * rounds)
        spent = meter.read(count * rounds)
        until = time.perf_counter() + GRACE_SECONDS
        while self._sent and time.perf_counter() < until:
            await deferLater(self._reactor, 0.1)
        cuts, kept = statistics.quantiles(self.taken, n=100), statistics.quantiles(self.stored, n=100)
        return {
            "messages": len(self.taken),
            "lost": len(self._sent),
            "failed": len(self.errors) + sum(len(each.failures) for each in self.agents),
            "there p50, ms": 1000 * cuts[49],
            "there p99, ms": 1000 * cuts[98],
            "stored p50, ms": 1000 * kept[49],
            "stored p99, ms": 1000 * kept[98],
            **spent,
        }

    def close(self) -> None:
        """All hang up."""
        for agent in self.agents:
            agent.close()


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Grow the crowd step by step, then let all write."""
    world = World(reactor)

    def tell(case: str, figures: dict[str, float]) -> None:
        row = {"case": case, **figures}
        words = [f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()]
        print(json.dumps(row) if options.json else "   ".join(words), flush=True)

    try:
        world.create_ring()
        await world.start_nodes(NODES)
        await world.until(lambda: grown(world), "the slots do not grow")
        crowd = Crowd(world)
        first = 0
        for count in options.agents:
            await crowd.grow(count)
            memory, first = crowd.memory(), first or crowd.memory()
            each = (memory - first) / max(1, count - options.agents[0])
            tell(f"{count} agents at rest", {"node, MiB": memory / 1024, "for each further agent, KiB": each})
        await crowd.greet()
        tell(f"{len(crowd.agents)} agents write", await crowd.write(options.seconds))
        crowd.close()
    finally:
        world.close()


def counts(text: str) -> list[int]:
    """Even numbers, ascending."""
    return sorted(int(each) + int(each) % 2 for each in text.split(","))


def main() -> None:
    """Measure one ring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--agents", type=counts, default=[2, 500, 2000], help="at one node, one after the other (2,500,2000)"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="in which all write (30)")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


if __name__ == "__main__":
    main()
