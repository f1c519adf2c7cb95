"""Brings the full-text index forward while nobody writes: some messages, then the reactor's turn."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pchat.errors import P2PChatError

QUIET_SECONDS = 0.5
"""Without a message, after which nobody is thought to wait for the disk."""


class Indexing:
    """Waits for a pause.

    Args:
        bring_forward: indexes some messages; whether there are more.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, bring_forward: Callable[[], bool]) -> None:
        self._clock, self._bring_forward = clock, bring_forward
        self._timer: IDelayedCall | None = None
        self._last = 0.0
        self._running = False

    def start(self) -> None:
        """Also index what an earlier life left."""
        self._running = True
        self.written()

    def stop(self) -> None:
        """Leave no timer behind; the next search does what is left."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def written(self) -> None:
        """There may be something to index, half a second after the last one."""
        self._last = self._clock.seconds()
        if self._running and self._timer is None:
            self._timer = self._clock.callLater(QUIET_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        left = self._last + QUIET_SECONDS - self._clock.seconds()
        if left > 0:
            self._timer = self._clock.callLater(left, self._look)
            return
        try:
            more = self._bring_forward()
        except P2PChatError as error:
            self._log.warn("the index of the history waits: {error}", error=str(error))
            return
        if more:
            self._timer = self._clock.callLater(0, self._look)
