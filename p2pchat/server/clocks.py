"""The ring's time: the median of what this node and those that it is connected with believe."""

from collections.abc import Awaitable, Callable
from statistics import median

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Identifier

COMPARE_SECONDS = 60.0
MAX_COMPARED = 32
"""Nodes whose clocks are asked in one turn."""
WARN_SECONDS = 300.0


class RingClock:
    """Seconds since 1970, as most nodes that we are connected with see it; expiry is judged by this alone.

    Args:
        now: this machine's own clock, seconds since 1970.
        nodes: those that we are connected with.
        ask: the clock of one node, in seconds since 1970.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        nodes: Callable[[], list[Identifier]],
        ask: Callable[[Identifier], Awaitable[float]],
    ) -> None:
        self._clock, self._own, self._nodes, self._ask = clock, now, nodes, ask
        self.offset = 0.0
        self.others, self.compared = 0.0, 0
        """By how many seconds the median of the other nodes' clocks is ahead of ours, and how many were asked."""
        self._warned = False
        self._loop = LoopingCall(self.compare)
        self._loop.clock = clock

    def start(self) -> None:
        """Compare now, and once a minute."""
        self._loop.start(COMPARE_SECONDS).addErrback(lambda why: self._log.failure("clocks are not compared", why))

    def stop(self) -> None:
        """Compare no more."""
        if self._loop.running:
            self._loop.stop()

    def now(self) -> float:
        """Seconds since 1970, by the median of the ring."""
        return self._own() + self.offset

    def judging_ms(self) -> int | None:
        """Milliseconds since 1970, by the median; None while this machine's own clock is too far off to judge by."""
        return None if abs(self.others) > WARN_SECONDS else int(self.now() * 1000)

    async def compare(self) -> None:
        """Ask the others, and warn once when this machine's clock is far off."""
        asked = [Deferred.fromCoroutine(self._offset(node)) for node in self._nodes()[:MAX_COMPARED]]
        offsets = [offset for each in asked if (offset := await each) is not None]
        self.offset = median([0.0, *offsets]) if offsets else 0.0
        off = self.others = median(offsets) if offsets else 0.0
        self.compared = len(offsets)
        if abs(off) <= WARN_SECONDS:
            self._warned = False
        elif not self._warned:
            self._warned = True
            self._log.warn(
                "The clock of this machine is {seconds} s {way} the other nodes'.  Set it (NTP); until then nothing "
                "expires here by it.",
                seconds=round(abs(off)),
                way="behind" if off > 0 else "ahead of",
            )

    async def _offset(self, node: Identifier) -> float | None:
        before = self._own()
        try:
            theirs = await self._ask(node)
        except P2PChatError:
            return None
        return theirs - (before + self._own()) / 2
