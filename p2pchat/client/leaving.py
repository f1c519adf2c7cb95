"""Takes fetched envelopes off the ring while more are fetched: one request at a time, for all that came meanwhile."""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred

from p2pchat.crypto.proofs import Reason
from p2pchat.errors import P2PChatError
from p2pchat.mailbox.commands import MAX_IDS


class Leaving:
    """The envelopes of one fetch.

    Args:
        acknowledge: up to 500 ids for one reason.
    """

    def __init__(self, acknowledge: Callable[[list[bytes], Reason], Awaitable[None]]) -> None:
        self._acknowledge = acknowledge
        self._waiting: dict[Reason, list[bytes]] = {reason: [] for reason in Reason}
        self._under_way: Deferred[None] | None = None
        self._error: P2PChatError | None = None

    def add(self, ids: list[bytes], reason: Reason) -> None:
        """These may go, now or with the next request.

        Raises:
            P2PChatError: a request before failed; the envelopes stay on the ring.
        """
        self._check()
        self._waiting[reason] += ids
        if self._under_way is None and any(self._waiting.values()):
            self._under_way = Deferred.fromCoroutine(self._go_on())

    async def finish(self) -> None:
        """Wait until all have left; raises as `add`."""
        if self._under_way is not None:
            await self._under_way
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def _go_on(self) -> None:
        try:
            while (reason := next((each for each, ids in self._waiting.items() if ids), None)) is not None:
                ids, self._waiting[reason] = self._waiting[reason][:MAX_IDS], self._waiting[reason][MAX_IDS:]
                await self._acknowledge(ids, reason)
        except P2PChatError as error:  # it is the fetch's, which looks for it
            self._error = error
        self._under_way = None
