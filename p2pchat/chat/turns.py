"""Long work in pieces: one in each turn of the reactor, so that what a piece caused leaves before the next begins."""

from collections import deque

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime


class Turns:
    """Lets the first one go on at once, and those who come in the same turn one by one, each in a later turn."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._taken = False
        self._waiting: deque[Deferred[None]] = deque()

    def next(self) -> "Deferred[None]":
        """Fires when it is the caller's turn."""
        if self._taken:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            return waiting
        self._taken = True
        self._clock.callLater(0, self._go_on)
        return succeed(None)

    def _go_on(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.called:
                self._clock.callLater(0, self._go_on)
                waiting.callback(None)
                return
        self._taken = False
