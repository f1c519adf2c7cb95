"""Others' calls on one connection: no more than so many at once, each within its time, each answered."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat import request
from p2pchat.errors import Busy, InternalError, Misbehaved
from p2pchat.wire.faults import MAX_ERROR_CHARACTERS, check_fits
from p2pchat.wire.limits import Limits
from p2pchat.wire.tally import Tally, outcome

MAX_LOGGED_FAULTS = 10
"""Tracebacks that one connection can put into our log."""


class Serving:
    """Answers calls by whatever dispatches them.

    Args:
        link: who asks, as logs name it.
        tally: counts what is answered.
    """

    _log = Logger()

    def __init__(self, link: object, clock: IReactorTime, limits: Limits, tally: Tally | None) -> None:
        self._link, self._clock, self._limits, self._tally = link, clock, limits, tally
        self.running = self._faults = 0

    def serve(
        self, box: amp.AmpBox, dispatch: Callable[[amp.AmpBox], "Deferred[amp.AmpBox]"]
    ) -> "Deferred[amp.AmpBox]":
        """Answer one call, as soon as its responder is done; no more than `calls_in` at once."""
        return copy_context().run(self._serve, box, dispatch)

    def _serve(
        self, box: amp.AmpBox, dispatch: Callable[[amp.AmpBox], "Deferred[amp.AmpBox]"]
    ) -> "Deferred[amp.AmpBox]":
        request.resume(box)
        command, began = box[amp.COMMAND], self._clock.seconds()
        if self.running >= self._limits.calls_in:
            served: Deferred[amp.AmpBox] = fail(
                amp.RemoteAmpError(Busy.code, "Too many calls are under way on this connection.")
            )
            return served.addBoth(self._told, command, request.current(), began)
        self.running += 1
        served = dispatch(box)
        if not served.called and self._limits.answer_seconds is not None:
            limit = self._clock.callLater(self._limits.answer_seconds, served.cancel)
            served.addBoth(self._in_time, limit)
        served.addBoth(self._finished)
        served.addCallback(check_fits, self._limits).addErrback(self._undeclared, command)
        return served.addBoth(self._told, command, request.current(), began)

    def _in_time(self, result: Any, limit: IDelayedCall) -> Any:
        if limit.active():
            limit.cancel()
        return result

    def _finished(self, result: Any) -> Any:
        self.running -= 1
        return result

    def _told(self, result: Any, command: bytes, identity: str, began: float) -> Any:
        """Count the call, and name it where every call is logged."""
        seconds = self._clock.seconds() - began
        if self._tally is not None:
            self._tally.answered(command, result, seconds)
        if identity:
            self._log.debug(
                "{command} of {link}: {outcome} after {milliseconds} ms",
                command=command.decode("ascii", "replace"),
                link=self._link,
                outcome=outcome(result),
                milliseconds=round(seconds * 1000, 1),
                request=identity,
            )
        return result

    def _undeclared(self, failure: Failure, command: bytes) -> Failure:
        """Make of each error one that leaves the connection open."""
        error = failure.value
        if isinstance(error, amp.RemoteAmpError):
            code, said = error.errorCode, str(error.description)
        elif isinstance(error, Misbehaved):
            code, said = error.code, str(error)
            self._log.warn("{link} sent a bad {command!r}: {error}", link=self._link, command=command, error=said)
        elif isinstance(error, CancelledError):
            code, said = InternalError.code, "The call took too long and was given up."
            self._log.warn("{command!r} of {link} took too long", link=self._link, command=command)
        else:
            code, said = InternalError.code, "The node failed in a way that it did not foresee; its log has the cause."
            self._faults += 1
            if self._faults <= MAX_LOGGED_FAULTS:
                self._log.failure("{command!r} of {link} failed", failure, link=self._link, command=command)
        return Failure(amp.RemoteAmpError(code, said[:MAX_ERROR_CHARACTERS]))
