"""Records on a ring of five: reads, compare-and-sets and mailbox adds, one at a time and 64 at once.

python -m benchmarks.records [--seconds S] [--json]

Four nodes are processes of their own on loopback, the fifth is the measuring process; each write is on three disks
before it counts.  To create a register takes two round trips, to change it at the same node one.
"""

import argparse
import json
import secrets
import statistics
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

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


def main() -> None:
    """Measure one ring and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each row (10)")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Every kind of operation at every width."""
    ring = MeasuredRing(reactor)
    try:
        await ring.start()
        workload, numbers = Workload(ring), Numbers()
        for number in range(2 * REGISTERS):  # each twice: from then on its next ballot is promised ahead
            await workload.change(number)
        for name, operate in workload.kinds().items():
            for width in WIDTHS:
                row = {"operation": name, "w": width, **await measure(ring, operate, width, numbers, options.seconds)}
                if options.json:
                    print(json.dumps(row), flush=True)
                else:
                    print(
                        f"{name:<16} w {width:<3} {row['per_second']:8.0f} /s   p50 {row['p50_ms']:7.2f} ms"
                        f"   p99 {row['p99_ms']:7.2f} ms   failed {row['failed']}",
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


async def measure(
    ring: MeasuredRing, operate: Operation, width: int, numbers: Numbers, seconds: float
) -> dict[str, float]:
    """So many lanes, each of which begins its next operation when the last one ended."""
    clock = ring.reactor
    taken: list[float] = []
    failed: list[P2PChatError] = []
    began = clock.seconds()

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
    cuts = statistics.quantiles(taken, n=100) if len(taken) > 1 else [float("nan")] * 99
    return {
        "per_second": len(taken) / whole,
        "p50_ms": 1000 * cuts[49],
        "p99_ms": 1000 * cuts[98],
        "failed": len(failed),
    }


if __name__ == "__main__":
    main()
