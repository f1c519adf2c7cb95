"""Group commit: what comes within one turn of the reactor is written in one transaction, then all of it is answered."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.errors import TryElsewhere

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Collects items, and works them off together as soon as this turn of the reactor is over.

    Args:
        work: does what all items ask, in their order, and gives the result, or the error, of each; what it raises is
            the error of all.
        most: items after which it does not wait for the end of the turn.
        settled: fires once what was done may be told, or fails for all.
    """

    def __init__(
        self,
        clock: IReactorTime,
        work: Callable[[list[Item]], Sequence[Result | Exception]],
        most: int,
        settled: Callable[[], "Deferred[None]"] = lambda: succeed(None),
    ) -> None:
        self._clock, self._work, self._most, self._settled = clock, work, most, settled
        self._items: list[Item] = []
        self._waiting: list[Deferred[Result]] = []
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def add(self, item: Item) -> "Deferred[Result]":
        """Its result, once it and all that came with it is done."""
        if self._stopped:
            return fail(TryElsewhere("This agent is stopping."))
        done: Deferred[Result] = Deferred()
        self._items.append(item)
        self._waiting.append(done)
        if len(self._items) >= self._most:
            self.flush()
        elif self._timer is None:
            self._timer = self._clock.callLater(0, self.flush)
        return done

    def flush(self) -> None:
        """Do now what waits."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        items, waiting = self._items, self._waiting
        self._items, self._waiting = [], []
        if not items:
            return
        try:
            results = self._work(items)
        except Exception as error:
            _tell(waiting, [error] * len(items))
            return
        settled = self._settled()
        settled.addCallbacks(lambda _: _tell(waiting, results), lambda why: _tell(waiting, [why.value] * len(items)))

    def stop(self) -> None:
        """Do what waits, and take nothing more."""
        self._stopped = True
        self.flush()

    def start(self) -> None:
        """Take items again."""
        self._stopped = False


def _tell(waiting: "list[Deferred[Result]]", results: Sequence[Result | Exception]) -> None:
    for done, result in zip(waiting, results, strict=True):
        if done.called:
            continue
        if isinstance(result, Exception):
            done.errback(result)
        else:
            done.callback(result)
