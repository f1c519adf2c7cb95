"""A virtual clock on a heap, exact to the call, and clocks of nodes that stop when their node crashes.

`twisted.internet.task.Clock` sorts its whole list for every new call, and a big `advance` shows its end time to every
call on the way; both are wrong for thousands of timers.  Here time moves from one call to the next.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeAlias

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

Entry: TypeAlias = tuple[float, int, Callable[..., object], tuple[Any, ...]]


@implementer(IDelayedCall)
class Timer:
    """One delayed call of a `HeapClock`."""

    __slots__ = ("_arguments", "_clock", "_function", "_keywords", "_state", "_when")

    def __init__(
        self,
        clock: "HeapClock",
        when: float,
        function: Callable[..., object],
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
    ) -> None:
        self._clock, self._when, self._function = clock, when, function
        self._arguments, self._keywords = arguments, keywords
        self._state = "waiting"

    def getTime(self) -> float:
        return self._when

    def active(self) -> bool:
        return self._state == "waiting"

    def cancel(self) -> None:
        self._demand_waiting()
        self._state = "cancelled"
        self._function, self._arguments, self._keywords = _nothing, (), {}

    def reset(self, secondsFromNow: float) -> None:
        self._demand_waiting()
        self._move(self._clock.seconds() + secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        self._demand_waiting()
        self._move(self._when + secondsLater)

    def fire(self, when: float) -> None:
        """Run if this is still the time that counts: `reset` leaves the older entry in the heap."""
        if self._state == "waiting" and when == self._when:
            self._state = "called"
            self._function(*self._arguments, **self._keywords)

    def _move(self, when: float) -> None:
        if when != self._when:
            self._when = when
            self._clock.at(when, self.fire, when)

    def _demand_waiting(self) -> None:
        if self._state == "called":
            raise AlreadyCalled
        if self._state == "cancelled":
            raise AlreadyCancelled


@implementer(IReactorTime)
class HeapClock:
    """Virtual seconds since the start of a run; equal times run in the order of scheduling."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sequence = 0
        self._heap: list[Entry] = []

    def seconds(self) -> float:
        return self._now

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any, **kwargs: Any) -> Timer:  # noqa: A002
        if delay < 0:
            raise ValueError(f"a call cannot be {-delay} seconds late before it is made")
        timer = Timer(self, self._now + delay, callable, args, kwargs)
        self.at(timer.getTime(), timer.fire, timer.getTime())
        return timer

    def getDelayedCalls(self) -> list[Timer]:
        found = {id(owner): owner for entry in self._heap if isinstance(owner := _owner(entry[2]), Timer)}
        return [timer for timer in found.values() if timer.active()]

    def at(self, when: float, function: Callable[..., object], *arguments: Any) -> None:
        """Schedule a bare call that nobody can cancel: a fifth of the price of `callLater`."""
        self._sequence += 1
        heappush(self._heap, (when, self._sequence, function, arguments))

    def step(self) -> bool:
        """Run the next call at exactly its time; False when nothing is left."""
        if not self._heap:
            return False
        when, _, function, arguments = heappop(self._heap)
        self._now = max(self._now, when)
        function(*arguments)
        return True

    def run_until(self, end: float) -> None:
        """Run every call that is due until `end`, then stand at `end`."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            self.step()
        self._now = max(self._now, end)

    def advance(self, seconds: float) -> None:
        """As `task.Clock.advance`, but each call sees its own time."""
        self.run_until(self._now + seconds)

    def run_while(self, condition: Callable[[], bool], limit: float) -> bool:
        """Run calls as long as the condition holds, `limit` seconds at most; True if it ended in time."""
        end = self._now + limit
        heap = self._heap
        while condition():
            if not heap or heap[0][0] > end:
                self._now = max(self._now, end)
                return not condition()
            self.step()
        return True


@implementer(IReactorTime)
class NodeClock:
    """The clock of one life of a node: after `stop` nothing that was scheduled on it ever runs."""

    def __init__(self, clock: HeapClock) -> None:
        self._clock = clock
        self._running = True

    def seconds(self) -> float:
        return self._clock.seconds()

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any, **kwargs: Any) -> Timer:  # noqa: A002
        return self._clock.callLater(delay, self._run, callable, args, kwargs)

    def getDelayedCalls(self) -> list[Timer]:
        return self._clock.getDelayedCalls()

    def stop(self) -> None:
        """The node has crashed."""
        self._running = False

    def _run(self, function: Callable[..., object], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        if self._running:
            function(*arguments, **keywords)


def _nothing() -> None:
    """What a cancelled timer would call."""


def _owner(function: Callable[..., object]) -> object:
    return getattr(function, "__self__", None)
