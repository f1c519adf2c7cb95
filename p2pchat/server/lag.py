"""How late the reactor is: what takes long in one turn delays everything else by as much."""

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.counting import SECONDS, Histogram

LOOK_SECONDS = 0.5


class Lag:
    """Asks to be called twice a second and notes by how much later that happened.

    Attributes:
        seconds: every lateness.
        last: the newest.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock, self.seconds, self.last = clock, Histogram(SECONDS), 0.0
        self._due = 0.0
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock

    def start(self) -> None:
        """Look from now on."""
        self._due = self._clock.seconds() + LOOK_SECONDS
        self._loop.start(LOOK_SECONDS, now=False).addErrback(lambda why: self._log.failure("lag is not measured", why))

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()

    def _look(self) -> None:
        """The loop skips the calls that it missed, so the next one is due at the next multiple."""
        now = self._clock.seconds()
        self.last = max(0.0, now - self._due)
        self.seconds.observe(self.last)
        self._due += LOOK_SECONDS * (1 + int(self.last / LOOK_SECONDS))
