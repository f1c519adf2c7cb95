"""When a node looks after the ring: a tick, stabilizations that slow down while nothing changes, news told soon."""

from collections.abc import Callable
from random import Random

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pchat.chord.pace import Pace

TICK_SECONDS = 1.0
"""Between two looks at the nodes that we watch."""
BUSY_SECONDS, SLOWING = 0.3, 1.25
"""Between two stabilizations after a change; each pause is longer than the one before it."""
SOON_SECONDS = 0.05
AGAIN_SECONDS = 0.2


class Rounds:
    """Timers of one node; nothing runs before `start` or after `stop`.

    Args:
        pace: of the ring as it is now.
        is_ready: whether we are on the ring; else only ticks come.
        is_settled: whether stabilizing may come to its longest pause at once.
        look: called in each tick, with its number.
        stabilize: one round of it.
        spread: compares node tables.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        chance: Random,
        pace: Callable[[], Pace],
        is_ready: Callable[[], bool],
        is_settled: Callable[[], bool],
        look: Callable[[int], None],
        stabilize: Callable[[], None],
        spread: Callable[[], None],
    ) -> None:
        self._clock, self._chance, self._pace = clock, chance, pace
        self._is_ready, self._is_settled = is_ready, is_settled
        self._look, self._stabilize, self._spread = look, stabilize, spread
        self._running, self._ticks, self._pause = False, 0, BUSY_SECONDS
        self._next_tick: IDelayedCall | None = None
        self._next_round: IDelayedCall | None = None
        self._next_spread: IDelayedCall | None = None

    def start(self) -> None:
        self._running = True
        self._next_tick = self._clock.callLater(TICK_SECONDS * self._chance.random(), self._on_tick)

    def stop(self) -> None:
        self._running = False
        for timer in (self._next_tick, self._next_round, self._next_spread):
            if timer is not None and timer.active():
                timer.cancel()

    def again(self) -> None:
        """Stabilize again after a short pause."""
        self._stabilize_within(AGAIN_SECONDS)

    def disturbed(self, later: float = 0.0) -> None:
        """Something changed: look at everything soon (and so many seconds later), and often for a while."""
        self._pause = BUSY_SECONDS
        self._stabilize_within(SOON_SECONDS, later)
        self.spread_soon()

    def spread_soon(self) -> None:
        """There is news: compare node tables soon."""
        if self._running and (self._next_spread is None or not self._next_spread.active()):
            pause = self._chance.uniform(0.2, 1.0) * self._pace().soon
            self._next_spread = self._clock.callLater(pause, self._on_spread)

    def _stabilize_within(self, seconds: float, later: float = 0.0) -> None:
        """Stabilize within so many seconds (and so much later), or earlier if that is due anyway."""
        if not self._running:
            return
        pause = later + self._chance.uniform(0.2, 1.0) * seconds
        if self._next_round is None or not self._next_round.active():
            self._next_round = self._clock.callLater(pause, self._on_round)
        elif self._next_round.getTime() - self._clock.seconds() > pause:
            self._next_round.reset(pause)

    def _on_round(self) -> None:
        if not self._is_ready():
            return
        self._next_round = self._clock.callLater(self._pause * self._chance.uniform(0.8, 1.2), self._on_round)
        quiet = self._pace().quiet
        self._pause = quiet if self._is_settled() else min(self._pause * SLOWING, quiet)
        self._stabilize()

    def _on_tick(self) -> None:
        self._next_tick = self._clock.callLater(TICK_SECONDS * self._chance.uniform(0.9, 1.1), self._on_tick)
        self._ticks += 1
        try:
            self._look(self._ticks)
        except Exception:
            self._log.failure("one round of upkeep failed")

    def _on_spread(self) -> None:
        if self._is_ready():
            self._spread()
