"""Makes commits durable beside the reactor: one sync of the log for all that was committed before it began."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from p2pchat.errors import DiskFull

sync_file: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
"""Blocks until what was written into a file is durable."""


class Disk(Protocol):
    """How a log is made durable, and where that is waited for."""

    def sync(self, file: int) -> None:
        """Make the file of a descriptor durable; blocks, OSError when the disk refuses."""

    def beside(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """Run a function where the reactor does not wait for it, one after the other; its result."""

    def slowly(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """The same for what may take longer, and delays nobody."""


class PlainDisk:
    """A disk without a thread: whoever syncs waits.

    Args:
        sync: nothing for a disk that cannot fail, as in tests that restart often.
    """

    def __init__(self, sync: Callable[[int], None] = sync_file) -> None:
        self._sync = sync

    def sync(self, file: int) -> None:
        """At once."""
        self._sync(file)

    def beside(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """At once."""
        try:
            return succeed(function())
        except Exception:
            return fail(Failure())

    slowly = beside


class Log:
    """The write-ahead log beside a SQLite file, and how much of it is surely on disk.

    SQLite with `synchronous = NORMAL` writes each commit into the log and does not wait for the disk; a commit is
    durable once the log was synced after it.  Commits go on while a sync is under way; the next one covers them all.

    Args:
        path: of the database; its log exists.
    """

    def __init__(self, path: str, disk: Disk) -> None:
        self._disk = disk
        self._file = os.open(f"{path}-wal", os.O_RDONLY)
        self._lock = threading.Lock()
        self._committed = self._durable = 0
        self._under_way = self._closed = False
        self._failed: OSError | None = None
        self._broken: DiskFull | None = None
        self._waiting: list[tuple[int, Deferred[None]]] = []
        # What an earlier life wrote and did not sync counts from here on.
        disk.sync(self._file)
        sync_folder(Path(path).resolve().parent)

    def committed(self) -> None:
        """A transaction was committed."""
        self._committed += 1

    @property
    def durable(self) -> bool:
        """Whether all that was committed is on disk."""
        return self._durable >= self._committed and self._broken is None

    @property
    def is_broken(self) -> bool:
        """Whether a sync failed, after which what it holds is not to be trusted before the next start."""
        return self._failed is not None

    def synced(self) -> "Deferred[None]":
        """Fires once all that was committed so far is durable; DiskFull when the disk refuses."""
        if self.durable:
            return succeed(None)
        if self._broken is not None:
            return fail(self._broken)
        waiting: Deferred[None] = Deferred()
        self._waiting.append((self._committed, waiting))
        if not self._under_way:
            self._begin()
        return waiting

    def sync(self) -> None:
        """Wait until all that was committed is durable; DiskFull when the disk refuses."""
        if self.durable:
            return
        if self._broken is None:
            upto = self._committed
            try:
                self._write_out()
            except OSError as error:
                self._breaks(str(error))
            else:
                self._durable = upto
        if self._broken is not None:
            raise self._broken

    def close(self) -> None:
        """Wait for the sync that is under way, and let go of the file; the database was not closed before.

        Whoever still waits is told whether the last sync succeeded.
        """
        with contextlib.suppress(OSError):
            self._write_out()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._file)

    def _begin(self) -> None:
        self._under_way = True
        self._disk.beside(self._write_out).addBoth(self._ended, self._committed)

    def _write_out(self) -> None:
        """In either thread.  A system tells of what it could not write once, so a later sync proves nothing."""
        with self._lock:
            if self._failed is not None:
                raise self._failed
            if self._closed:
                return
            try:
                self._disk.sync(self._file)
            except OSError as error:
                self._failed = error
                raise

    def _ended(self, result: Any, upto: int) -> None:
        self._under_way = False
        if isinstance(result, Failure):
            self._breaks(result.getErrorMessage())
        else:
            self._durable = max(self._durable, upto)
        ready = [each for number, each in self._waiting if number <= self._durable or self._broken is not None]
        self._waiting = self._waiting[len(ready) :]
        if self._waiting:
            self._begin()
        for each in ready:
            if each.called:
                continue
            if self._broken is not None:
                each.errback(self._broken)
            else:
                each.callback(None)

    def _breaks(self, error: str) -> None:
        """After a sync that failed nobody knows what is on disk, so nothing more is called durable."""
        self._broken = DiskFull(f"The agent's disk refuses to write ({error}). Mend it, then start the agent again.")


def sync_folder(folder: Path, sync: Callable[[int], None] = os.fsync) -> None:
    """Make the names in a folder durable as well; blocks, OSError when the disk refuses."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
