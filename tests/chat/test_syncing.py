"""What is durable when: one sync for all commits before it, none promised after one that failed."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.storage import CHECKPOINT_ROWS, LOG_PAGES, Database, Settings
from p2pchat.errors import DiskFull

Given = list[tuple[Deferred[Any], Callable[[], Any]]]


class SlowDisk:
    """Does something only when it is told to, and may break."""

    def __init__(self) -> None:
        self.syncs: list[int] = []
        self.broken = False
        self.waiting: Given = []
        self.slow: Given = []

    def sync(self, file: int) -> None:
        self.syncs.append(os.fstat(file).st_size)
        if self.broken:
            raise OSError("the disk is gone")

    def beside(self, function: Callable[[], Any]) -> "Deferred[Any]":
        return self._later(self.waiting, function)

    def slowly(self, function: Callable[[], Any]) -> "Deferred[Any]":
        return self._later(self.slow, function)

    def _later(self, waiting: Given, function: Callable[[], Any]) -> "Deferred[Any]":
        done: Deferred[Any] = Deferred()
        waiting.append((done, function))
        return done

    def go_on(self, waiting: Given | None = None) -> None:
        """Do the first thing that waits."""
        done, function = (self.waiting if waiting is None else waiting).pop(0)
        execute(function).addBoth(done.callback)


class SyncingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path, self.disk = Path(self.mktemp()), SlowDisk()
        self.database = Database(self.path, disk=self.disk)
        self.assertEqual(len(self.disk.syncs), 1)
        self.disk.syncs.clear()
        self.addCleanup(self.database.close)
        self.settings = Settings(self.database)

    def write(self, name: str) -> "Deferred[None]":
        with self.database.soon():
            self.settings.put(name, "1")
        return self.database.synced()

    def test_commits_go_on_while_a_sync_is_under_way_and_the_next_one_covers_them_all(self) -> None:
        first, second, third = (self.write(name) for name in "abc")
        self.assertEqual((self.disk.syncs, len(self.disk.waiting)), ([], 1))
        self.disk.go_on()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.disk.go_on()
        self.successResultOf(second)
        self.successResultOf(third)
        self.assertEqual(len(self.disk.syncs), 2)
        self.successResultOf(self.database.synced())

    def test_a_transaction_that_is_not_soon_is_durable_when_it_ends_and_so_is_all_before_it(self) -> None:
        waiting = self.write("a")
        self.settings.put("b", "1")
        self.assertEqual(len(self.disk.syncs), 1)
        self.successResultOf(self.database.synced())
        self.disk.go_on()
        self.successResultOf(waiting)

    def test_the_outermost_transaction_decides(self) -> None:
        with self.database.transaction():
            self.write("a")
        self.assertEqual(len(self.disk.syncs), 1)
        with self.database.soon():
            self.settings.put("b", "1")
        self.assertEqual(len(self.disk.syncs), 1)

    def test_after_a_sync_that_failed_nothing_is_called_durable(self) -> None:
        waiting, later = self.write("a"), self.write("b")
        self.disk.broken = True
        self.disk.go_on()
        self.failureResultOf(waiting, DiskFull)
        self.failureResultOf(later, DiskFull)
        self.disk.broken = False
        self.failureResultOf(self.write("c"), DiskFull)
        self.assertRaises(DiskFull, self.settings.put, "d", "1")

    def test_a_sync_that_failed_in_its_thread_counts_before_the_reactor_hears_of_it(self) -> None:
        """A system reports a lost write once: the next sync of the same file succeeds."""
        waiting = self.write("a")
        done, function = self.disk.waiting.pop()
        self.disk.broken = True
        failed = execute(function)
        self.disk.broken = False
        self.assertRaises(DiskFull, self.settings.put, "b", "1")
        self.assertRaises(DiskFull, self.database.sync)
        failed.addBoth(done.callback)
        self.failureResultOf(waiting, DiskFull)

    def test_closing_on_a_disk_that_refuses_closes_all_and_calls_nothing_durable(self) -> None:
        waiting = self.write("a")
        self.disk.broken = True
        self.database.close()
        self.disk.broken = False
        self.disk.go_on()
        self.failureResultOf(waiting, DiskFull)
        self.assertRaises(sqlite3.ProgrammingError, self.database.query, "SELECT 1")

    def test_whoever_gave_up_does_not_disturb_the_others(self) -> None:
        gone, kept = self.write("a"), self.database.synced()
        gone.cancel()
        self.failureResultOf(gone)
        self.disk.go_on()
        self.successResultOf(kept)

    def test_closing_makes_all_durable_also_while_a_sync_waits_for_its_thread(self) -> None:
        waiting = self.write("a")
        self.database.close()
        self.assertEqual(len(self.disk.syncs), 1)
        self.disk.go_on()
        self.successResultOf(waiting)
        again = Database(self.path)
        self.addCleanup(again.close)
        self.assertEqual(Settings(again).get("a", "0"), "1")

    def test_what_the_log_holds_when_it_is_synced_is_there_after_a_power_cut(self) -> None:
        """The files as they were at the sync: what was promised is there, and no half transaction."""
        before = self.write("a")
        self.disk.go_on()
        self.successResultOf(before)
        log = Path(f"{self.path}-wal")
        kept = self.path.read_bytes(), log.read_bytes()
        self.write("b")
        torn = log.read_bytes()[: len(kept[1]) + 1000]
        for name, content in (("synced", kept[1]), ("torn", torn)):
            copy = Path(self.mktemp())
            copy.write_bytes(kept[0])
            Path(f"{copy}-wal").write_bytes(content)
            found = Database(copy)
            self.assertEqual([Settings(found).get(each, "0") for each in "ab"], ["1", "0"], name)
            found.close()

    def test_what_an_earlier_life_left_in_the_log_is_written_anew(self) -> None:
        """A sync that failed is forgotten by the system, and what it could not write looks as if it were on disk."""
        self.write("a")
        copy = Path(self.mktemp())
        shutil.copy(self.path, copy)
        shutil.copy(f"{self.path}-wal", f"{copy}-wal")
        again = Database(copy)
        self.addCleanup(again.close)
        alone = Path(self.mktemp())
        shutil.copy(copy, alone)
        found = Database(alone)
        self.addCleanup(found.close)
        self.assertEqual(Settings(found).get("a", "0"), "1")

    def test_the_log_is_not_written_back_after_a_sync_that_failed(self) -> None:
        waiting = self.write("a")
        self.disk.broken = True
        self.disk.go_on()
        self.failureResultOf(waiting, DiskFull)
        with self.database.soon() as connection:
            connection.executemany(
                "INSERT INTO settings VALUES (?, 'x')", [(f"{number}",) for number in range(CHECKPOINT_ROWS)]
            )
        self.assertEqual(self.disk.slow, [])

    def fill(self) -> None:
        """As many rows as make it time to write the log back."""
        with self.database.soon() as connection:
            rows = [(f"{number}",) for number in range(CHECKPOINT_ROWS)]
            connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, 'x')", rows)

    def test_the_other_connection_never_writes_a_log_back_that_is_written_back_already(self) -> None:
        """What it does then could meet a commit that begins the log anew: SQLite before 3.51.3 loses commits there."""
        self.fill()
        self.fill()
        self.assertEqual(len(self.disk.slow), 1)
        self.disk.go_on(self.disk.slow)
        with self.database.soon() as connection:
            connection.execute("DELETE FROM settings WHERE name = 'nobody'")
        self.assertEqual(self.disk.slow, [])
        with contextlib.suppress(KeyError), self.database.soon() as connection:
            connection.execute("DELETE FROM settings")
            raise KeyError
        with self.database.soon():
            pass
        self.assertEqual(self.disk.slow, [])
        self.write("a")
        self.assertEqual(len(self.disk.slow), 1)

    def test_nobody_else_writes_the_log_back_while_the_other_connection_is_to_do_it(self) -> None:
        rows = [(f"{number}", "x" * 4000) for number in range(5 * LOG_PAGES)]
        before = self.path.stat().st_size
        with self.database.soon() as connection:
            connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)
        self.assertEqual(len(self.disk.slow), 1)
        self.write("a")
        self.assertEqual(self.path.stat().st_size, before)
        self.disk.go_on(self.disk.slow)
        self.assertGreater(self.path.stat().st_size, 4 * LOG_PAGES * 4000)

    def test_the_log_is_written_back_beside_the_reactor_and_does_not_grow_for_ever(self) -> None:
        log, rows = Path(f"{self.path}-wal"), [(f"{number}", "x" * 3000) for number in range(CHECKPOINT_ROWS)]
        for _ in range(6):
            with self.database.soon() as connection:
                connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)
            while self.disk.slow:
                self.disk.go_on(self.disk.slow)
        self.assertLess(log.stat().st_size, 2 * LOG_PAGES * 4096)
        copy = self.mktemp()
        shutil.copy(self.path, copy)
        alone = Database(copy)
        self.addCleanup(alone.close)
        self.assertEqual(Settings(alone).get("0", ""), "x" * 3000)


class RememberedTests(SynchronousTestCase):
    """What is kept in memory follows the disk."""

    def test_a_transaction_that_comes_to_nothing_is_forgotten(self) -> None:
        database = Database(":memory:")
        self.addCleanup(database.close)
        settings = Settings(database)
        settings.put("a", "1")
        with self.assertRaises(ZeroDivisionError), database.soon():
            settings.put("a", "2")
            self.assertEqual(settings.get("a", ""), "2")
            raise ZeroDivisionError
        self.assertEqual(settings.get("a", ""), "1")

    def test_what_is_gathered_is_written_before_the_commit_and_its_failure_undoes_all(self) -> None:
        database = Database(":memory:")
        self.addCleanup(database.close)
        settings, gathered = Settings(database), list[str]()

        def write() -> None:
            for each in gathered:
                settings.put(each, "1")

        database.when_ending(write)
        with database.soon():
            gathered.append("a")
        self.assertEqual(settings.get("a", "0"), "1")
        gathered.append(None)  # type: ignore[arg-type]
        with self.assertRaises(Exception), database.soon():  # noqa: B017
            settings.put("b", "1")
        gathered.clear()
        self.assertEqual(settings.get("b", "0"), "0")
        settings.put("c", "1")
        self.assertEqual(settings.get("c", "0"), "1")
