"""Our own calls on one connection: so many at once, the others in a queue, each with its time limit."""

from collections.abc import Callable
from math import inf
from typing import Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols import amp

from p2pchat.errors import Busy, TryElsewhere
from p2pchat.wire.codec import question
from p2pchat.wire.limits import Limits

LOOK_SECONDS = 0.01
"""Time limits that end within this time are looked at together."""


class Asked(Protocol):
    """Who is asked."""

    def gone(self) -> TryElsewhere:
        """The error of a call once the connection is lost."""


class _Call:
    """One call; `encoded` until it is sent, `answer` until nobody waits for it any more."""

    __slots__ = ("answer", "command", "deadline", "encoded", "seconds")

    def __init__(
        self, encoded: bytes, answer: "Deferred[amp.AmpBox]", command: type[amp.Command], seconds: float
    ) -> None:
        self.encoded, self.command, self.seconds = encoded, command, seconds
        self.answer: Deferred[amp.AmpBox] | None = answer
        self.deadline = inf


class Outgoing:
    """Sends calls in their order.

    A call that timed out counts as under way until its answer comes, because the other end still works on it.
    One timer serves all time limits.

    Args:
        clock: for time limits.
        limits: `calls_out` and `queued_calls` count.
        write: writes one box; raises ConnectionLost.
        link: who is asked, and what it says once it is lost.
    """

    def __init__(self, clock: IReactorTime, limits: Limits, write: Callable[[bytes], None], link: Asked) -> None:
        self._clock, self._limits, self._write, self._link = clock, limits, write, link
        self._queue: dict[bytes, _Call] = {}
        self._under_way: dict[bytes, _Call] = {}
        self._pings: set[bytes] = set()
        self._asked = 0
        self._paused = self._ended = False
        self._timer: IDelayedCall | None = None
        self._look_at = inf

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self._under_way or self._queue)

    def submit(
        self, named: bytes, values: bytes, seconds: float = inf, command: type[amp.Command] = amp.Command
    ) -> "Deferred[amp.AmpBox]":
        """Send a call, now or later; its answer.  Cancelling takes it out of the queue, or forgets its answer.

        Args:
            named: the pair with the command's name.
            values: the pairs of its arguments.
            seconds: until it fails with TryElsewhere, the time in the queue included.
            command: named in the text of that error.
        """
        if self._ended:
            return fail(self._link.gone())
        if len(self._queue) >= self._limits.queued_calls:
            return fail(Busy("Too many calls wait for one connection. Try again in a moment."))
        self._asked += 1
        tag = b"%x" % self._asked
        answer: Deferred[amp.AmpBox] = Deferred(lambda _: self._forget(tag))
        asked = _Call(question(tag, named, values), answer, command, seconds)
        if seconds < inf:
            now = self._clock.seconds()
            asked.deadline = now + seconds
            if asked.deadline < self._look_at:
                self._look(asked.deadline, now)
        if self._queue or self._paused or len(self._under_way) >= self._limits.calls_out:
            self._queue[tag] = asked
        else:
            self._send(tag, asked)
        return answer

    def ping(self, named: bytes) -> None:
        """Send a call outside of all limits, whose answer means nothing."""
        self._asked += 1
        tag = b"%x" % self._asked
        self._pings.add(tag)
        self._write(question(tag, named, b""))

    def answered(self, tag: bytes, answer: amp.AmpBox | Exception) -> None:
        """The answer to the call with this tag has come; KeyError where nobody asked that."""
        if tag in self._pings:
            self._pings.remove(tag)
            return
        waiting = self._under_way.pop(tag).answer
        if waiting is not None:
            if isinstance(answer, Exception):
                waiting.errback(answer)
            else:
                waiting.callback(answer)
        if self._queue:
            self._go_on()

    def pause(self) -> None:
        """Let calls wait until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Send what waited."""
        self._paused = False
        self._go_on()

    def end(self) -> None:
        """Take no more calls, and fail those that wait; those under way get their answers still."""
        self._ended = True
        self._fail(self._queue)

    def lost(self) -> None:
        """The connection is gone: fail all."""
        self.end()
        self._fail(self._under_way)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, calls: dict[bytes, _Call]) -> None:
        failing = list(calls.values())
        calls.clear()
        for each in failing:
            if each.answer is not None and not each.answer.called:
                each.answer.errback(self._link.gone())

    def _forget(self, tag: bytes) -> None:
        if self._queue.pop(tag, None) is None and (asked := self._under_way.get(tag)) is not None:
            asked.answer = None

    def _send(self, tag: bytes, asked: _Call) -> None:
        self._under_way[tag] = asked
        encoded, asked.encoded = asked.encoded, b""
        try:
            self._write(encoded)
        except ConnectionLost:
            if self._under_way.pop(tag, None) is not None and asked.answer is not None:
                asked.answer.errback(self._link.gone())

    def _go_on(self) -> None:
        while self._queue and len(self._under_way) < self._limits.calls_out and not self._paused:
            tag = next(iter(self._queue))
            self._send(tag, self._queue.pop(tag))

    # -- time limits

    def _look(self, at: float, now: float) -> None:
        """Look for calls that took too long, at this time."""
        if self._timer is not None:
            self._timer.cancel()
        self._look_at = at
        self._timer = self._clock.callLater(max(0.0, at - now), self._end_late)

    def _end_late(self) -> None:
        self._timer, self._look_at = None, inf
        now, waiting = self._clock.seconds(), [*self._queue.items(), *self._under_way.items()]
        late = [(tag, each) for tag, each in waiting if each.deadline <= now]
        for tag, each in late:
            if (answer := each.answer) is not None and not answer.called:
                self._forget(tag)
                why = f"{self._link} did not answer {each.command.__name__} within {each.seconds:g} s."
                answer.errback(TryElsewhere(why))
        left = [each.deadline for each in (*self._queue.values(), *self._under_way.values()) if each.answer is not None]
        if left and (at := min(left)) < self._look_at:
            self._look(max(at, now + LOOK_SECONDS), now)
