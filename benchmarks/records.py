"""Records on rings of several sizes: reads, compare-and-sets and mailbox adds, one at a time and 64 at once.

python -m benchmarks.records [--nodes N,N,…] [--seconds S] [--json]

All nodes but one are processes of their own on loopback, that one is the measuring process; each write is on a majority
of the members' disks before it counts.  To create a register takes two round trips, to change it at the same node one.
Processor time is that of all nodes for each operation, without what they spend at rest.
"""

import argparse
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from benchmarks.costs import cpu_ms, rates
from benchmarks.within import MeasuredRing, key
from p2pchat.cli import running
from p2pchat.errors import P2PChatError
from p2pchat.replication.uset import Item

VALUE_BYTES = 300
REGISTERS = 500
"""Prepared ones, each of an account of its own."""
WIDTHS = (1, 64)

Operation = Callable[[int], Awaitable[object]]


class Workload:
    """The four kinds of operations, each given a number of its own."""

    def __init__(self, ring: MeasuredRing) -> None:
        self._ring = ring

    async def read(self, number: int) -> None:
        """A linearizable read of a register that exists."""
        await self._ring.service.read(key(number % REGISTERS))

    async def create(self, number: int) -> None:
        """Create a register that nobody has."""
        await self._ring.put(1_000_000 + number, secrets.token_bytes(VALUE_BYTES), secrets.token_bytes(16))

    async def change(self, number: int) -> None:
        """Compare and set, over the value that stands."""
        value, operation = secrets.token_bytes(VALUE_BYTES), secrets.token_bytes(16)
        await self._ring.put(number % REGISTERS, value, operation)

    async def add(self, number: int) -> None:
        """One message into a mailbox."""
        item = Item(secrets.token_bytes(32), secrets.token_bytes(VALUE_BYTES))
        await self._ring.service.add(key(number % REGISTERS).point, b"", [item])

    def kinds(self) -> dict[str, Operation]:
        """By name, in the order of the table."""
        return {"read": self.read, "create": self.create, "compare-and-set": self.change, "mailbox add": self.add}


def sizes(text: str) -> list[int]:
    """Numbers between commas."""
    return [int(each) for each in text.split(",")]


def main() -> None:
    """Measure one ring and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=sizes, default=[5], help="of each ring, such as 3,5,10 (5)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each row (10)")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Rings of every size, one after the other."""
    for nodes in options.nodes:
        await measure_ring(options, reactor, nodes)


async def measure_ring(options: argparse.Namespace, reactor: Any, nodes: int) -> None:
    """Every kind of operation at every width."""
    ring = MeasuredRing(reactor, nodes)
    try:
        await ring.start()
        workload, numbers = Workload(ring), Numbers()
        for number in range(2 * REGISTERS):  # each twice: from then on its next ballot is promised ahead
            await workload.change(number)
        resting = await at_rest(ring, options.seconds)
        for name, operate in workload.kinds().items():
            for width in WIDTHS:
                figures = await measure(ring, operate, width, numbers, options.seconds, resting)
                row = {"operation": name, "nodes": f"{nodes} nodes", "w": width, **figures}
                if options.json:
                    print(json.dumps(row), flush=True)
                else:
                    print(
                        f"{nodes:3} nodes   {name:<16} w {width:<3} {row['per_second']:8.0f} /s"
                        f"   p50 {row['p50_ms']:7.2f} ms   p99 {row['p99_ms']:7.2f} ms"
                        f"   processor {row['cpu_ms']:6.2f} ms   failed {row['failed']}",
                        flush=True,
                    )
    finally:
        await ring.close()


class Numbers:
    """1, 2, 3 …"""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """The next one."""
        self._last += 1
        return self._last


def spent(ring: MeasuredRing) -> float:
    """Processor time of all nodes so far, in milliseconds."""
    return sum(cpu_ms(pid) for pid in (os.getpid(), *(each.process.pid for each in ring.world.nodes)))


async def at_rest(ring: MeasuredRing, seconds: float) -> float:
    """Milliseconds of processor time that all nodes spend in a second while nobody asks them anything."""
    before = spent(ring)
    await deferLater(ring.reactor, seconds)
    return (spent(ring) - before) / seconds


async def measure(
    ring: MeasuredRing, operate: Operation, width: int, numbers: Numbers, seconds: float, resting: float
) -> dict[str, float]:
    """So many lanes, each of which begins its next operation when the last one ended."""
    clock = ring.reactor
    taken: list[float] = []
    failed: list[P2PChatError] = []
    began, before = clock.seconds(), spent(ring)

    async def lane() -> None:
        while clock.seconds() - began < seconds:
            start = clock.seconds()
            try:
                await operate(numbers.next())
            except P2PChatError as error:
                failed.append(error)
            else:
                taken.append(clock.seconds() - start)

    await DeferredList([Deferred.fromCoroutine(lane()) for _ in range(width)], fireOnOneErrback=True)
    whole = clock.seconds() - began
    return {
        **rates(taken, whole),
        "cpu_ms": (spent(ring) - before - resting * whole) / max(1, len(taken)),
        "failed": len(failed),
    }


if __name__ == "__main__":
    main()
