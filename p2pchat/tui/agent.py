"""The screen's link to the agent: asks, hears events, and comes back when the agent was restarted."""

from collections.abc import Awaitable, Callable
from random import SystemRandom
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat import request
from p2pchat.client import commands
from p2pchat.errors import P2PChatError, RingUnknown, TimedOut, TryElsewhere, UserError
from p2pchat.wire.connection import Link
from p2pchat.wire.faults import error_of

RETRY_SECONDS = 1.0
"""Between two tries to reach an agent that is gone."""

ANSWER_SECONDS = 60.0
"""Longest wait for an answer; a login with its hashing needs a few seconds."""

Connect = Callable[[amp.CommandLocator], Awaitable[Link]]
"""Opens a link to the agent, starting one if need be; what the agent calls is answered by the locator."""


class _Events(amp.CommandLocator):
    """Takes what the agent pushes."""

    def __init__(self, happened: Callable[[dict[str, Any]], None]) -> None:
        self._happened = happened

    @commands.Happened.responder
    def happened(self, event: dict[str, Any]) -> dict[str, Any]:
        self._happened(event)
        return {}


class AgentLink:
    """Keeps one link to the agent open while it runs.

    Args:
        happened: takes each event that the agent pushes.
        changed: told True when the link stands and follows events, False when it was lost, with the reason.
        hopeless: told why the very first link cannot be opened, where trying again would change nothing.
    """

    _log = Logger()

    def __init__(
        self,
        connect: Connect,
        clock: IReactorTime,
        happened: Callable[[dict[str, Any]], None],
        changed: Callable[[bool, str], None],
        hopeless: Callable[[P2PChatError], None],
    ) -> None:
        self._connect, self._clock, self._happened, self._changed = connect, clock, happened, changed
        self._hopeless, self._opened = hopeless, False
        self._link: Link | None = None
        self._running = False
        self._retry: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._running = True
        Deferred.fromCoroutine(self._open())

    def stop(self) -> None:
        """Close the link for good."""
        self._running = False
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        if self._link is not None:
            self._link.close()

    async def ask(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """Put a command to the agent; TryElsewhere while no agent runs."""
        if self._link is None:
            raise TryElsewhere("The agent does not run at the moment. It is being started again.")
        request.begin(SystemRandom())
        answer: Deferred[dict[str, Any]] = self._link.callRemote(command, **arguments)
        answer.addTimeout(ANSWER_SECONDS, self._clock, _out_of_time)
        try:
            return await answer
        except (ConnectionClosed, ConnectionLost, ConnectionDone):
            raise TryElsewhere("The agent has ended in the middle. Try again in a moment.") from None
        except amp.UnhandledCommand:
            raise TryElsewhere(f"The agent does not know {command.__name__}; it may run an older program.") from None
        except amp.RemoteAmpError as error:
            raise error_of(command, error.errorCode, str(error.description)) from None

    async def _open(self) -> None:
        try:
            link = await self._connect(_Events(self._happened))
            if not self._running:
                link.close()
                return
            self._link = link
            link.when_lost(self._lost)
            await self.ask(commands.Follow)
        except (RingUnknown, UserError) as error:
            self._failed(str(error))
            if not self._opened:
                self._running = False
                self._hopeless(error)
        except P2PChatError as error:
            self._failed(str(error))
        except Exception:
            self._log.failure("the link to the agent could not be opened")
            self._failed("The agent cannot be reached; the log of the screen says why.")
        else:
            self._opened = True
            self._changed(True, "")

    def _failed(self, reason: str) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
        if self._running:
            self._changed(False, reason)
            self._again()

    def _again(self) -> None:
        if self._running and (self._retry is None or not self._retry.active()):
            self._retry = self._clock.callLater(RETRY_SECONDS, lambda: Deferred.fromCoroutine(self._open()))

    def _lost(self, link: Link) -> None:
        if link is self._link:
            self._failed("The agent has ended; it is being started again.")


def _out_of_time(result: Any, seconds: float) -> Any:
    raise TimedOut(f"The agent gave no answer within {seconds:g} seconds; it goes on in the background.")
