"""The calls of the other end of one connection: so many at once, each answered as soon as its responder is done.

A responder that never waits is answered without a Deferred, one that waits gets one at its first wait.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from types import CoroutineType, coroutine
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat import request
from p2pchat.errors import Busy, InternalError, Misbehaved
from p2pchat.wire.codec import Codec, answer, refusal
from p2pchat.wire.faults import MAX_ERROR_CHARACTERS, check_size
from p2pchat.wire.limits import Limits
from p2pchat.wire.locators import Locators
from p2pchat.wire.tally import DONE, UNKNOWN, Tally, coded

MAX_LOGGED_FAULTS = 10
"""Tracebacks that one connection can put into our log."""


class Serving:
    """Answers calls; no error that a responder did not foresee reaches the connection.

    Args:
        link: who asks, as logs name it.
        clock: for the time that a responder may take.
        limits: `calls_in` and `answer_seconds` count.
        locators: what answers.
        write: writes one box; raises ConnectionLost.
        tally: counts what is answered.
    """

    _log = Logger()

    def __init__(
        self,
        link: object,
        clock: IReactorTime,
        limits: Limits,
        locators: Locators,
        write: Callable[[bytes], None],
        tally: Tally | None,
    ) -> None:
        self._link, self._clock, self._limits, self._locators = link, clock, limits, locators
        self._write, self._tally = write, tally
        self.running = 0
        """Calls that wait for their responders."""
        self._faults = self._served = 0
        self._waiting: dict[int, tuple[float, Deferred[Any]]] = {}
        """By number, in the order in which their time ends: (when it ends, what is waited for)."""
        self._timer: IDelayedCall | None = None

    def serve(self, name: bytes, tag: bytes, box: amp.AmpBox) -> None:
        """Answer the call of this command and number, now or later."""
        copy_context().run(self._serve, name, tag, box)

    def _serve(self, name: bytes, tag: bytes, box: amp.AmpBox) -> None:
        request.resume(box)
        found = self._locators.find(name)
        asked = _Asked(name if found else UNKNOWN, tag, self._clock.seconds(), request.current())
        if self.running >= self._limits.calls_in:
            self._refuse(asked, amp.RemoteAmpError(Busy.code, "Too many calls are under way on this connection."))
            return
        if found is None:
            unknown = f"Unhandled Command: {name!r}"
            self._refuse(asked, amp.RemoteAmpError(amp.UNHANDLED_ERROR_CODE, unknown))
            return
        codec, respond = found
        try:
            arguments = codec.arguments.read(box, self._link)
        except Exception as error:
            self._refuse(asked, error)
            return
        self.running += 1
        try:
            result = _begun(respond(**arguments))
        except Exception as error:
            self.running -= 1
            self._refuse(asked, error, codec)
            return
        if isinstance(result, Deferred):
            self._wait(asked, codec, result)
        else:
            self.running -= 1
            self._answer(asked, codec, result)

    # -- responders that wait

    def _wait(self, asked: "_Asked", codec: Codec, result: "Deferred[Any]") -> None:
        self._served += 1
        number = self._served
        if not result.called and (seconds := self._limits.answer_seconds) is not None:
            self._waiting[number] = (self._clock.seconds() + seconds, result)
            if self._timer is None:
                self._timer = self._clock.callLater(seconds, self._end_late)

        def done(outcome: Any) -> None:
            self.running -= 1
            if self._waiting.pop(number, None) is not None and not self._waiting and self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if isinstance(outcome, Failure):
                self._refuse(asked, outcome.value, codec, outcome)
            else:
                self._answer(asked, codec, outcome)

        result.addBoth(done)

    def _end_late(self) -> None:
        """Give up what took too long; all may take the same time, so the first in the line is the next."""
        self._timer = None
        now = self._clock.seconds()
        for number, (until, result) in list(self._waiting.items()):
            if until > now:
                break
            self._waiting.pop(number, None)
            result.cancel()
        if self._waiting and self._timer is None:
            until, _ = next(iter(self._waiting.values()))
            self._timer = self._clock.callLater(max(0.0, until - now), self._end_late)

    # -- what goes back

    def _answer(self, asked: "_Asked", codec: Codec, values: Any) -> None:
        try:
            written = codec.response.write(values, self._link)
            check_size(len(written), self._limits)
        except Exception as error:
            self._refuse(asked, error)
        else:
            self._send(asked, answer(asked.tag, written), DONE, len(written))

    def _refuse(
        self, asked: "_Asked", error: BaseException | None, codec: Codec | None = None, failure: Failure | None = None
    ) -> None:
        """Make of each error one that leaves the connection open; those that `codec` declares keep their codes."""
        code = codec.code_of(error) if codec is not None else None
        if code is not None:
            said = str(error)
        elif isinstance(error, amp.RemoteAmpError):
            code, said = error.errorCode, str(error.description)
        elif isinstance(error, Misbehaved):
            code, said = error.code, str(error)
            self._log.warn("{link} sent a bad {command!r}: {error}", link=self._link, command=asked.name, error=said)
        elif isinstance(error, CancelledError):
            code, said = InternalError.code, "The call took too long and was given up."
            self._log.warn("{command!r} of {link} took too long", link=self._link, command=asked.name)
        else:
            code, said = InternalError.code, "The node failed in a way that it did not foresee; its log has the cause."
            self._faults += 1
            if self._faults <= MAX_LOGGED_FAULTS:
                why = failure or Failure(error)
                self._log.failure("{command!r} of {link} failed", why, link=self._link, command=asked.name)
        self._send(asked, refusal(asked.tag, code, said[:MAX_ERROR_CHARACTERS]), coded(code), 0)

    def _send(self, asked: "_Asked", encoded: bytes, how: str, size: int) -> None:
        """Write an answer, count the call, and name it where every call is logged."""
        with suppress(ConnectionLost):  # whoever asked has gone; the call was served all the same
            self._write(encoded)
        identity = asked.identity
        if self._tally is None and not identity:
            return
        seconds = self._clock.seconds() - asked.began
        if self._tally is not None:
            self._tally.answered(asked.name, how, size, seconds)
        if identity:
            self._log.debug(
                "{command} of {link}: {outcome} after {milliseconds} ms",
                command=asked.name.decode("ascii", "replace"),
                link=self._link,
                outcome=how,
                milliseconds=round(seconds * 1000, 1),
                request=identity,
            )


class _Asked(NamedTuple):
    """One call of the other end."""

    name: bytes
    tag: bytes
    began: float
    identity: str
    """Of the request that it is made for."""


def _begun(result: Any) -> Any:
    """What a responder gives: the values of its answer, or a Deferred of them; of a coroutine that waits, its end."""
    if not isinstance(result, CoroutineType):
        return result
    try:
        awaited = result.send(None)
    except StopIteration as end:
        return end.value
    return Deferred.fromCoroutine(_rest(result, awaited))


@coroutine
def _rest(started: Coroutine[Any, Any, Any], awaited: Awaitable[Any]) -> Generator[Any, Any, Any]:
    """What is left of a coroutine that waits for `awaited`; its result."""
    while True:
        step: Callable[[Any], Any] = started.send
        try:
            given = yield awaited
        except BaseException as error:
            step, given = started.throw, error
        try:
            awaited = step(given)
        except StopIteration as end:
            return end.value
