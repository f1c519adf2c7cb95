"""Screens and programs that follow the agent: each gets every event, in order; who does not listen is cut off."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from p2pchat.client.arguments import JSONObject
from p2pchat.client.commands import Happened
from p2pchat.errors import P2PChatError
from p2pchat.wire.connection import Link, call

MAX_UNHEARD = 1000
"""Events under way to one follower; a suspended screen that misses more has to connect anew."""
HEAR_SECONDS = 3600.0


class Followers:
    """Links of the control socket that asked for events."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._unheard: dict[Link, int] = {}
        self._hearing: list[Callable[[JSONObject], object]] = []

    @property
    def wanted(self) -> bool:
        """Whether anybody hears what is told."""
        return bool(self._unheard or self._hearing)

    def listen(self, hear: Callable[[JSONObject], object]) -> None:
        """Tell this part of the program everything from now on."""
        self._hearing.append(hear)

    def add(self, link: Link) -> None:
        """Tell this link everything from now on."""
        if link not in self._unheard:
            self._unheard[link] = 0
            link.when_lost(self._forget)

    def tell(self, event: JSONObject) -> None:
        """Push one event to all."""
        for hear in self._hearing:
            hear(event)
        for link in list(self._unheard):
            if self._unheard[link] >= MAX_UNHEARD:
                link.abort("It does not take the events that it asked for.")
                continue
            self._unheard[link] += 1
            heard = Deferred.fromCoroutine(call(link, self._clock, Happened, timeout=HEAR_SECONDS, event=event))
            heard.addBoth(self._heard, link)

    def _forget(self, link: Link) -> None:
        self._unheard.pop(link, None)

    def _heard(self, result: Any, link: Link) -> Any:
        if link in self._unheard:
            self._unheard[link] -= 1
        if isinstance(result, dict):
            return None
        if result.check(P2PChatError):
            return None
        return result
