"""One thread that writes a node's database, with one commit for many turns; a turn is durable before it is answered."""

import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from p2pchat.errors import Damaged, DiskFull, TryElsewhere
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store, View

T = TypeVar("T")

MAX_TURNS = 256
"""Turns in one transaction."""
MAX_WAITING = 20_000
"""Turns that wait for the writer; more are refused."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    turn: Callable[[Store], Any]
    done: Deferred[Any]


class Writer:
    """A Disk over a SqliteStore: turns run in a thread of their own, in order, and are durable when they fire."""

    def __init__(
        self,
        store: SqliteStore,
        call_from_thread: Callable[..., object],
        on_damaged: Callable[[Damaged], None] = lambda why: None,
    ) -> None:
        """
        Args:
            call_from_thread: runs a function in the reactor's thread.
            on_damaged: told once when the file turns out to be damaged; nothing works after that.
        """
        self._store, self._call_from_thread, self._on_damaged = store, call_from_thread, on_damaged
        self._view = store.view()
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._damaged: Damaged | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="p2pchat storage", daemon=True)
        self._thread.start()

    def run(self, turn: Callable[[Store], T]) -> Deferred[T]:
        """Fires with the turn's result once what it wrote is durable."""
        if self._damaged is not None:
            return fail(self._damaged)
        if self._closing:
            return fail(TryElsewhere("This node is stopping."))
        if self._waiting.qsize() >= MAX_WAITING:
            return fail(TryElsewhere("This node's disk is too slow for what is asked of it."))
        done: Deferred[T] = Deferred()
        self._waiting.put(_Waiting(turn, done))
        return done

    def look(self, question: Callable[[View], T]) -> T:
        """What it finds in what is durable, at once and in this thread."""
        if self._damaged is not None:
            raise self._damaged
        if self._closing:
            raise TryElsewhere("This node is stopping.")
        try:
            return self._view.look(question)
        except (sqlite3.Error, Damaged) as error:
            found = self._store.translated(error) if isinstance(error, sqlite3.Error) else error
            if isinstance(found, Damaged):
                self._damaged = found
                self._tell_damaged()
            raise found from error

    def close(self) -> None:
        """Finish the turns that were given, then close the file.  Blocks until then."""
        if not self._closing:
            self._closing = True
            self._view.close()
            self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        open_ = True
        while open_:
            batch: list[_Waiting] = []
            first = self._waiting.get()
            while first is not None:
                batch.append(first)
                if len(batch) == MAX_TURNS or self._waiting.empty():
                    break
                first = self._waiting.get()
            open_ = first is not None
            if batch:
                self._carry_out(batch)
        self._store.close()

    def _carry_out(self, batch: list[_Waiting]) -> None:
        results = self._commit(batch)
        self._call_from_thread(
            self._deliver, [(each.done, result) for each, result in zip(batch, results, strict=True)]
        )

    def _commit(self, batch: list[_Waiting]) -> list[Any]:
        """Results of a batch in one transaction; when the disk refuses that, of each turn in one of its own."""
        if self._damaged is not None:
            return [Failure(self._damaged)] * len(batch)
        try:
            return self._store.commit([each.turn for each in batch])
        except DiskFull as error:
            if len(batch) == 1:
                return [Failure(error)]
            return [result for each in batch for result in self._commit([each])]
        except Damaged as error:
            self._damaged = error
            return [Failure(error)] * len(batch)
        except Exception:  # the thread must outlive a mistake in one turn; whoever asked gets it
            return [Failure()] * len(batch)

    def _deliver(self, results: list[tuple[Deferred[Any], Any]]) -> None:
        self._tell_damaged()
        for done, result in results:
            if not done.called:
                done.callback(result)

    def _tell_damaged(self) -> None:
        if self._damaged is not None:
            told, self._on_damaged = self._on_damaged, lambda why: None
            told(self._damaged)


class InlineDisk:
    """A Disk without a thread: a turn is durable when `run` returns.  For tests, and tools that work on one file."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def run(self, turn: Callable[[Store], T]) -> Deferred[T]:
        """Fires at once."""
        done: Deferred[T] = Deferred()
        try:
            done.callback(self._store.commit([turn])[0])
        except (DiskFull, Damaged) as error:
            done.errback(error)
        return done

    def look(self, question: Callable[[View], T]) -> T:
        """All is durable at any time."""
        return question(self._store)
