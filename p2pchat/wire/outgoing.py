"""Our own calls on one connection: so many at once, the others in a queue."""

from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat.errors import Busy, TryElsewhere
from p2pchat.wire.limits import Limits


@dataclass(slots=True)
class _Waiting:
    command: bytes
    box: amp.AmpBox
    answer: Deferred[amp.AmpBox] = field(default_factory=Deferred)


class Outgoing:
    """Sends calls in their order.

    A call that timed out counts as under way until its answer comes, because the other end still works on it.

    Args:
        limits: `calls_out` and `queued_calls` count.
        send: writes one call and gives its answer.
        gone: the error of a call after the connection was lost.
    """

    def __init__(
        self,
        limits: Limits,
        send: Callable[[bytes, amp.AmpBox], "Deferred[amp.AmpBox]"],
        gone: Callable[[], TryElsewhere],
    ) -> None:
        self._limits, self._send, self._gone = limits, send, gone
        self._queue: dict[int, _Waiting] = {}
        self._asked = self._sent = 0
        self._paused = self._ended = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self._sent or self._queue)

    def submit(self, command: bytes, box: amp.AmpBox) -> "Deferred[amp.AmpBox]":
        """Send a call, now or later; its answer.  Cancelling takes it out of the queue, or forgets its answer."""
        if self._ended:
            return fail(self._gone())
        if len(self._queue) >= self._limits.queued_calls:
            return fail(Busy("Too many calls wait for one connection. Try again in a moment."))
        self._asked += 1
        number = self._asked
        waiting = _Waiting(command, box, Deferred(lambda _: self._forget(number)))
        self._queue[number] = waiting
        self._go_on()
        return waiting.answer

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
        queue, self._queue = self._queue, {}
        for waiting in queue.values():
            waiting.answer.errback(self._gone())

    def _forget(self, number: int) -> None:
        self._queue.pop(number, None)

    def _go_on(self) -> None:
        while self._queue and self._sent < self._limits.calls_out and not self._paused:
            waiting = self._queue.pop(next(iter(self._queue)))
            self._sent += 1
            try:
                answer = self._send(waiting.command, waiting.box)
            except ConnectionLost:
                answer = fail(self._gone())
            answer.addBoth(self._answered, waiting)

    def _answered(self, result: amp.AmpBox | Failure, waiting: _Waiting) -> None:
        self._sent -= 1
        if isinstance(result, Failure) and not result.check(amp.AmpError):
            result = Failure(self._gone())
        if not waiting.answer.called:
            waiting.answer.callback(result)
        self._go_on()
