"""The agent's database: opening, and short transactions.

History, outbox, contacts and traces live in one SQLite file of the home, so that one transaction can take a message in,
note that it was seen and queue its receipt.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.chat import encryption
from p2pchat.chat.schema import STEPS
from p2pchat.chat.syncing import Disk, Log, PlainDisk
from p2pchat.errors import Damaged, DiskFull

CHECKPOINT_ROWS = 2_000
"""Changed rows after which the log is written back into the database, beside the reactor."""
LOG_PAGES = 4_000
"""Of 4 KiB; a log that is longer is written back to its end, so that it begins anew."""


@contextmanager
def sorted_errors(driver: Any) -> Iterator[None]:
    """SQLite's errors as ours.  `driver`: sqlite3, or the library that stands for it."""
    try:
        yield
    except driver.OperationalError as error:
        raise _sorted(error) from error


def _sorted(error: Any) -> Exception:
    """A full disk is no damage."""
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
        return DiskFull(f"The agent's disk refuses to write ({error}). Free some space and try again.")
    return error  # type: ignore[no-any-return]


class Transaction:
    """What `with` enters: the outermost one begins and commits.  No generator, because a message enters a dozen."""

    __slots__ = ("_begin", "_connection", "_end")

    def __init__(
        self,
        connection: sqlite3.Connection,
        begin: Callable[[], None],
        end: Callable[[BaseException | None], None],
    ) -> None:
        self._connection, self._begin, self._end = connection, begin, end

    def __enter__(self) -> sqlite3.Connection:
        self._begin()
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._end(error)


class Database:
    """One connection; all work happens in the thread that opened it, but for syncs and for writing the log back.

    Args:
        key: 32 bytes of an encrypted database; None for a plain one.
        disk: how and where the log is synced, and written back.
    """

    _logger = Logger()

    def __init__(self, path: Path | str, key: bytes | None = None, disk: Disk | None = None) -> None:
        """Open or create; Damaged names the file when it is no database of ours."""
        self.path = str(path)
        self._key, self._disk = key, disk or PlainDisk()
        self._driver: Any = sqlite3 if key is None else encryption.library()
        self._depth = 0
        self._ending: list[Callable[[], None]] = []
        self._undone: list[Callable[[], None]] = []
        self._lock, self._closed = threading.Lock(), False
        self._second: sqlite3.Connection | None = None
        self._changed = self._written_back = 0
        self._writing_back = False
        try:
            with sorted_errors(self._driver):
                if self.path != ":memory:":
                    # SQLite gives the files beside it the same mode.
                    os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
                self._connection = self._connect()
                self._prepare()
                self._log = Log(self.path, self._disk) if self.path != ":memory:" else None
        except (self._driver.DatabaseError, UnicodeDecodeError, OSError) as error:
            raise Damaged(
                f"The history in {self.path} cannot be read ({error}). It was left as it is: move it away to start"
                " with an empty one, or put a backup in its place."
            ) from error
        self._now = Transaction(self._connection, self._begin, self._end_now)
        self._soon = Transaction(self._connection, self._begin, self._end)

    def _connect(self) -> sqlite3.Connection:
        """The only place where the file is opened."""
        connection: sqlite3.Connection = (
            sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            if self._key is None
            else encryption.connect(self.path, self._key)
        )
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _prepare(self) -> None:
        # What an earlier life could not sync may only look as if it were on disk: so it is written once more.
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(STEPS):
            raise Damaged(f"{self.path} was written by a newer p2pchat; install that one, or use another --home.")
        for number in range(version, len(STEPS)):
            self._connection.executescript(f"BEGIN; {STEPS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
        # Written each time, so that the log exists.
        self._connection.executescript(f"BEGIN IMMEDIATE; PRAGMA user_version = {len(STEPS)}; COMMIT;")
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")

    # -- transactions

    def transaction(self) -> Transaction:
        """All or nothing, durable when the outermost one ends (unless that is `soon`)."""
        return self._now

    def soon(self) -> Transaction:
        """All or nothing; durable once `synced` fires, which whoever promises something waits for."""
        return self._soon

    def _begin(self) -> None:
        if self._depth == 0:
            with sorted_errors(self._driver):
                self._connection.execute("BEGIN IMMEDIATE")
        self._depth += 1

    def _end_now(self, error: BaseException | None) -> None:
        self._end(error)
        if self._depth == 0:
            self.sync()

    def _end(self, error: BaseException | None) -> None:
        self._depth -= 1
        if self._depth > 0:
            return
        if error is None:
            self._commit()
            return
        self._undo()
        if isinstance(error, self._driver.OperationalError) and (ours := _sorted(error)) is not error:
            raise ours from error

    def _commit(self) -> None:
        try:
            self._depth = 1
            for tell in self._ending:
                tell()
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._undo()
            raise _sorted(error) if isinstance(error, self._driver.OperationalError) else error from None
        finally:
            self._depth = 0
        if self._log is None:
            return
        self._log.committed()
        before, self._changed = self._changed, self._connection.total_changes
        changed = self._changed
        # Only if this commit wrote something, and nothing but `_write_back` writes it back until that is done: where
        # two connections write back what is there already, while a commit begins the log anew, SQLite before 3.51.3 may
        # take that commit for written back as well, and lose it (sqlite.org/wal.html, "The WAL-Reset Bug").
        is_due = changed - self._written_back >= CHECKPOINT_ROWS and changed > before and not self._writing_back
        if is_due and not self._log.is_broken:
            self._written_back, self._writing_back = changed, True
            self._disk.slowly(self._write_back).addBoth(self._wrote_back)

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._changed = self._connection.total_changes
        for tell in self._undone:
            tell()

    def when_ending(self, tell: Callable[[], None]) -> None:
        """Call this before each commit: what was gathered in memory is written."""
        self._ending.append(tell)

    def change(self, sql: str, *values: object) -> None:
        """Write inside a transaction that has begun."""
        self._connection.execute(sql, values)

    def when_undone(self, tell: Callable[[], None]) -> None:
        """Call this after each transaction that came to nothing: what was remembered of it is wrong."""
        self._undone.append(tell)

    def synced(self) -> "Deferred[None]":
        """Fires once all that was committed so far is durable; DiskFull when the disk refuses."""
        return self._log.synced() if self._log is not None else succeed(None)

    def sync(self) -> None:
        """Wait until all that was committed is durable; DiskFull when the disk refuses."""
        if self._log is not None:
            self._log.sync()

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """All rows; the caller limits them."""
        return self._connection.execute(sql, values).fetchall()

    # -- the log is written back

    def _write_back(self) -> tuple[int, int]:
        """In another thread: the pages of the log, and how many of them are in the database now."""
        with self._lock:
            if self._closed:
                return 0, 0
            if self._second is None:
                self._second = self._connect()
            _, pages, done = self._second.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            return pages, done

    def _wrote_back(self, result: Any) -> None:
        self._writing_back = False
        if isinstance(result, Failure):
            self._logger.warn("the log could not be written back: {error}", error=result.getErrorMessage())
        elif not self._closed and result[0] > max(LOG_PAGES, result[1]):
            # Commits went on meanwhile, so it would grow for ever; little of it is left to write.
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Write back and release the file."""
        with self._lock:
            self._closed = True
            if self._second is not None:
                self._second.close()
        if self._log is not None:
            self._log.close()
        self._connection.close()


class Settings:
    """Named values of this home, as text."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, str | None] = {}
        database.when_undone(self._known.clear)

    def get(self, name: str, default: str) -> str:
        if name not in self._known:
            rows = self._database.query("SELECT value FROM settings WHERE name = ?", name)
            self._known[name] = str(rows[0][0]) if rows else None
        found = self._known[name]
        return default if found is None else found

    def put(self, name: str, value: str) -> None:
        self._known.pop(name, None)
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
