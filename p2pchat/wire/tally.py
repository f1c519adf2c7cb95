"""Counts of the calls on all links of a program: how many of each command, how they ended, how long they took."""

from collections import Counter
from typing import Any

from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat.counting import SECONDS, Histogram

DONE = "ok"
MAX_COMMANDS = 200
"""Names of commands that are told apart; nobody makes us remember more by inventing them."""
MAX_OUTCOMES = 64
"""The same for how calls end: the other end chooses an error's code."""
MAX_OUTCOME_CHARACTERS = 40
UNKNOWN = b"unknown"
"""Stands for any command that nothing here answers, so that those which exist keep their names."""


class Tally:
    """Numbers of calls; one for a whole program.

    Attributes:
        served: calls that others made, by command and outcome (`ok`, or an error's code in lower case).
        seconds: how long we took to answer, by command.
        sent, received: bytes of answers, by command: ours, and others' to us.
        asked: calls that we made, by command and outcome.
    """

    def __init__(self) -> None:
        self.served: Counter[tuple[str, str]] = Counter()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.seconds: dict[str, Histogram] = {}
        self._outcomes: set[str] = set()

    def answered(self, command: bytes, how: str, size: int, seconds: float) -> None:
        """We answered a call: its outcome, and the bytes of the values and their names."""
        name = self._name(command)
        self.served[name, how] += 1
        self.seconds[name].observe(seconds)
        self.sent[name] += size

    def heard(self, command: bytes, result: Any) -> None:
        """A call of ours was answered so, or failed."""
        name = self._name(command)
        how = outcome(result)
        if how not in self._outcomes:
            if len(self._outcomes) >= MAX_OUTCOMES or len(how) > MAX_OUTCOME_CHARACTERS:
                how = "other"
            self._outcomes.add(how)
        self.asked[name, how] += 1
        self.received[name] += size(result)

    def note(self, result: Any, command: bytes) -> Any:
        """As `heard`, on the way of the answer to whoever waits for it."""
        self.heard(command, result)
        return result

    def _name(self, command: bytes) -> str:
        name = command.decode("ascii", "replace")
        if name not in self.seconds:
            if len(self.seconds) >= MAX_COMMANDS:
                name = "other"
            self.seconds.setdefault(name, Histogram(SECONDS))
        return name


def outcome(result: Any) -> str:
    """How a call ended, in one word."""
    if not isinstance(result, Failure):
        return DONE
    error = result.value
    if isinstance(error, amp.RemoteAmpError):
        return coded(error.errorCode)
    code = getattr(error, "code", None)
    return code.decode("ascii").lower() if isinstance(code, bytes) else "lost"


def coded(code: bytes) -> str:
    """The outcome that an error code stands for."""
    return str(code, "ascii", "replace").lower()


def size(result: Any) -> int:
    """Bytes of an answer's values and their names, as they travel; a refusal counts as nothing."""
    if not isinstance(result, dict):
        return 0
    return sum(len(key) + len(value) + 4 for key, value in result.items() if not key.startswith(b"_"))
