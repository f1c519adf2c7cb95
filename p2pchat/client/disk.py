"""The thread in which an agent's history is synced: one thing after the other, with little ceremony."""

import queue
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from p2pchat.chat.syncing import sync_file


class ThreadedDisk:
    """A Disk that the reactor never waits for, but where somebody asks for it.

    Args:
        call_from_thread: runs a function in the reactor's thread.
        slowly: runs a function in one of the other threads.
    """

    def __init__(self, call_from_thread: Callable[..., object], slowly: Callable[..., "Deferred[Any]"]) -> None:
        self._call_from_thread, self._slowly = call_from_thread, slowly
        self._waiting: queue.SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def sync(self, file: int) -> None:
        """Wait for the disk."""
        sync_file(file)

    def beside(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """Run it in the thread; a pool of threads costs several times as much for each."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="p2pchat disk", daemon=True)
            self._thread.start()
        done: Deferred[Any] = Deferred()
        self._waiting.put((function, done))
        return done

    def slowly(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """Run it in one of the other threads."""
        return self._slowly(function)

    def stop(self) -> None:
        """End once what was given is done; blocks until then."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _work(self) -> None:
        while (given := self._waiting.get()) is not None:
            function, done = given
            try:
                result = function()
            except Exception:  # the thread must outlive a mistake; whoever asked gets it
                result = Failure()
            self._call_from_thread(done.callback, result)
