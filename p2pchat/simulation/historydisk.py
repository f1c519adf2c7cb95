"""An agent's disk in virtual time: syncs take some milliseconds, and a power cut takes what was not synced."""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorTime

SLOWEST_SECONDS = 0.01
TORN = 0.5
"""Chance that some of what was not synced is on the disk after a power cut, perhaps in the middle of a transaction."""


class HistoryDisk:
    """The disk under one life of an agent.  SQLite's log only grows there: it is never written back."""

    def __init__(self, clock: IReactorTime, chance: Random) -> None:
        self._clock, self._chance = clock, chance
        self._synced: dict[int, int] = {}
        """By the number of the file: bytes that a power cut leaves."""

    def sync(self, file: int) -> None:
        """What was written so far is safe."""
        found = os.fstat(file)
        self._synced[found.st_ino] = found.st_size

    def beside(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """In some milliseconds, one after the other."""
        done: Deferred[Any] = Deferred()
        self._clock.callLater(self._chance.random() * SLOWEST_SECONDS, lambda: execute(function).chainDeferred(done))
        return done

    def slowly(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """Never."""
        return Deferred()

    def power_cut(self, folder: Path) -> Callable[[], None]:
        """What is left of the histories in a folder; call it, once they are closed, to put that there."""
        left: dict[Path, bytes] = {}
        for log in folder.glob("*.sqlite-wal"):
            database = log.with_name(log.name.removesuffix("-wal"))
            written, number = log.read_bytes(), log.stat().st_ino
            end = self._synced.get(number, 0)
            if self._chance.random() < TORN:
                end = self._chance.randint(min(end, len(written)), len(written))
            left[database], left[log] = database.read_bytes(), written[:end]

        def put_back() -> None:
            for path, content in left.items():
                path.write_bytes(content)

        return put_back
