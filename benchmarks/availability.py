"""Two of five nodes die at once: for how long a slot does not answer, and how long until all is repaired.

python -m benchmarks.availability [--runs N] [--accounts N] [--json]

Four nodes are processes of their own on loopback, two of them are killed (SIGKILL); the fifth is the measuring process.
Accounts are prepared as records.  Each has a writer that changes it about twice a second and tries again when that
fails: for so long a slot did not answer, from the beginning of a change to its success.
"""

import argparse
import json
import secrets
import statistics
from functools import partial
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from benchmarks.within import MeasuredRing, key
from p2pchat.cli import running
from p2pchat.errors import P2PChatError
from p2pchat.replication.configuration import State
from p2pchat.replication.slots import DEFAULT_SLOTS, slot_of

VICTIMS = 2
PAUSE_SECONDS = 0.5
TRY_SECONDS = 3.0
BEFORE_SECONDS = 5.0
REPAIR_SECONDS = 120.0
VALUE_BYTES = 300


def main() -> None:
    """Measure several rings, each of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="rings to measure (3)")
    parser.add_argument("--accounts", type=int, default=200, help="prepared accounts (200)")
    parser.add_argument("--json", action="store_true", help="one JSON object a ring")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Every ring, and the figures of all of them."""
    rows = []
    for number in range(options.runs):
        ring = MeasuredRing(reactor)
        try:
            await ring.start()
            rows.append(await measure(ring, options.accounts, Random(number)))
        finally:
            await ring.close()
        if options.json:
            print(json.dumps(rows[-1]), flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:<36} {statistics.median(values):8.2f}   {min(values):.2f} .. {max(values):.2f}")


class Writer:
    """Changes one account again and again; remembers how long each change took to succeed."""

    def __init__(self, ring: MeasuredRing, number: int) -> None:
        self._ring, self.number = ring, number
        self.gaps: list[tuple[float, float]] = []
        """(when it began, seconds until it had succeeded)"""
        self.over = False

    async def run(self) -> None:
        """Until `over`."""
        clock = self._ring.reactor
        while not self.over:
            began, operation = clock.seconds(), secrets.token_bytes(16)
            while not await self._try(operation) and not self.over:
                pass
            self.gaps.append((began, clock.seconds() - began))
            await deferLater(clock, PAUSE_SECONDS * (0.5 + secrets.randbelow(100) / 100))

    async def _try(self, operation: bytes) -> bool:
        try:
            await self._ring.put(self.number, secrets.token_bytes(VALUE_BYTES), operation, TRY_SECONDS)
        except P2PChatError:
            return False
        return True


async def measure(ring: MeasuredRing, accounts: int, chance: Random) -> dict[str, float]:
    """One ring: prepare, kill, and watch until every slot has only living members."""
    clock = ring.reactor
    for number in range(accounts):
        await ring.put(number, secrets.token_bytes(VALUE_BYTES), secrets.token_bytes(16))
    writers = [Writer(ring, number) for number in range(accounts)]
    work = DeferredList([Deferred.fromCoroutine(each.run()) for each in writers], fireOnOneErrback=True)
    await deferLater(clock, BEFORE_SECONDS)
    before = max(gap for each in writers for _, gap in each.gaps)
    killed = clock.seconds()
    ring.world.kill(*chance.sample(ring.world.nodes, VICTIMS))

    async def repaired() -> bool:
        status, records = await ring.service.status(), ring.service.movement.records.values()
        left = len(ring.world.nodes) + 1
        whole = all(len(each.newest.members) == left for each in records if each.state is not State.RETIRED)
        return whole and status.moving == 0 and status.deficit == 0

    repair = await ring.until(repaired, "the ring does not heal", REPAIR_SECONDS)
    for each in writers:
        each.over = True
    await work
    longest: dict[int, float] = {}
    for each in writers:
        slot = slot_of(key(each.number).point, DEFAULT_SLOTS)
        gap = max(gap for began, gap in each.gaps if began + gap >= killed)
        longest[slot] = max(longest.get(slot, 0.0), gap)
    return {
        "slots watched": len(longest),
        "longest change before the kill, s": before,
        "a slot did not answer, median, s": statistics.median(longest.values()),
        "a slot did not answer, longest, s": max(longest.values()),
        "repaired after the kill, s": repair,
    }


if __name__ == "__main__":
    main()
