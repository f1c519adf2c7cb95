"""Writers that change accounts again and again, and remember how long each change took to succeed."""

import secrets
from random import Random

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from benchmarks.within import MeasuredRing, key
from p2pchat.errors import P2PChatError
from p2pchat.replication.slots import DEFAULT_SLOTS, slot_of

PAUSE_SECONDS = 0.5
TRY_SECONDS = 3.0
VALUE_BYTES = 300


class Writer:
    """Changes one register about twice a second, and tries again when that fails."""

    def __init__(self, ring: MeasuredRing, number: int) -> None:
        self._ring, self.number = ring, number
        self._chance = Random(number)
        self.gaps: list[tuple[float, float]] = []
        """(when it began, seconds until it had succeeded)"""
        self.failed: list[float] = []
        """When tries failed."""
        self.over = False

    @property
    def slot(self) -> int:
        """Where its register lies."""
        return slot_of(key(self.number).point, DEFAULT_SLOTS)

    async def create(self) -> None:
        """Write the register for the first time."""
        operation = secrets.token_bytes(16)
        while not await self._try(operation):
            pass
        self.failed.clear()

    async def run(self) -> None:
        """Until `over`."""
        clock = self._ring.reactor
        while not self.over:
            began, operation = clock.seconds(), secrets.token_bytes(16)
            while not await self._try(operation) and not self.over:
                pass
            self.gaps.append((began, clock.seconds() - began))
            await deferLater(clock, PAUSE_SECONDS * (0.5 + self._chance.random()))

    async def _try(self, operation: bytes) -> bool:
        try:
            await self._ring.put(self.number, secrets.token_bytes(VALUE_BYTES), operation, TRY_SECONDS)
        except P2PChatError:
            self.failed.append(self._ring.reactor.seconds())
            return False
        return True


class Writers:
    """So many at once."""

    def __init__(self, ring: MeasuredRing, count: int) -> None:
        self._ring = ring
        self.each = [Writer(ring, number) for number in range(count)]
        self._work: Deferred[list[tuple[bool, None]]] | None = None

    async def start(self) -> None:
        """Create the registers, and begin to change them."""
        for writer in self.each:
            await writer.create()
        self._work = DeferredList([Deferred.fromCoroutine(each.run()) for each in self.each], fireOnOneErrback=True)

    async def stop(self) -> None:
        """End them, and wait until they have ended."""
        for writer in self.each:
            writer.over = True
        if self._work is not None:
            await self._work

    def waits(self, begin: float, end: float) -> list[float]:
        """Seconds of the changes that were under way in that time."""
        return [gap for each in self.each for began, gap in each.gaps if began + gap >= begin and began <= end]

    def failures(self, begin: float, end: float) -> int:
        """Tries that failed in that time."""
        return sum(begin <= at <= end for each in self.each for at in each.failed)

    def longest(self, begin: float, end: float) -> list[float]:
        """By slot, the longest change that was under way in that time."""
        found: dict[int, float] = {}
        for writer in self.each:
            for began, gap in writer.gaps:
                if began + gap >= begin and began <= end:
                    found[writer.slot] = max(found.get(writer.slot, 0.0), gap)
        return list(found.values())
