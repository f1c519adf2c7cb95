"""How long the other end of a connection may say nothing: looks at it, questions without an answer."""

from enum import Enum, auto

from p2pchat.wire.limits import Limits


class Verdict(Enum):
    """What to do now."""

    WAIT = auto()
    ASK = auto()  # whether it is there
    GIVE_UP = auto()


class Silence:
    """Of one connection; `ping_seconds` lie between two looks.

    Looks are counted and not seconds: a process that was stopped for a while must not blame the others.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._looks = self._unanswered = 0

    def broken(self) -> None:
        """The other end said something."""
        self._looks = self._unanswered = 0

    def look(self, resting: bool) -> Verdict:
        """Look once more; `resting`: nothing is under way, and nobody minds to find out late that the other is gone."""
        looks, self._looks = self._looks, self._looks + 1
        if self._unanswered >= self._limits.silent_pings:
            return Verdict.GIVE_UP
        if not looks or (resting and not self._unanswered and looks < self._rest):
            return Verdict.WAIT
        self._unanswered += 1
        return Verdict.ASK

    @property
    def _rest(self) -> float:
        seconds = self._limits.ping_seconds
        return 0.0 if seconds is None else self._limits.quiet_seconds / seconds
