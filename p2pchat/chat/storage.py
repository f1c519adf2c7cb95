"""The agent's database: its schema, opening, and short transactions.

History, outbox, contacts and traces live in one SQLite file of the home, so that one transaction can take a message in,
note that it was seen and queue its receipt.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from p2pchat.chat import encryption
from p2pchat.errors import Damaged, DiskFull

STEPS = (
    """
    CREATE TABLE messages (
        row         INTEGER PRIMARY KEY,
        chat        TEXT NOT NULL,     -- canonical name of the other person
        author      TEXT NOT NULL,     -- canonical name of who wrote it
        id          BLOB NOT NULL,     -- 16 bytes, random
        seq         INTEGER NOT NULL,  -- author's session epoch * 2**32 + count
        prev        BLOB NOT NULL,     -- id of the author's text before, or empty
        text        TEXT NOT NULL,
        sent_ms     INTEGER NOT NULL,  -- milliseconds since 1970, by the author's clock
        received_ms INTEGER,           -- by our clock; of our own: when it was delivered
        state       TEXT NOT NULL,     -- queued, stored, delivered, read, failed; of the others': received, read
        copies      INTEGER NOT NULL,  -- on the ring, when it was stored
        epoch       INTEGER NOT NULL DEFAULT 0,  -- of our own: recipient's session that acknowledged it
        place       INTEGER NOT NULL,  -- order in the chat, about milliseconds since 1970
        UNIQUE (chat, author, id)
    ) STRICT;
    CREATE INDEX messages_order ON messages (chat, place, seq);
    CREATE INDEX messages_author ON messages (chat, author, seq);
    CREATE INDEX messages_id ON messages (id);
    CREATE INDEX messages_unread ON messages (chat, place) WHERE state = 'received';
    CREATE VIRTUAL TABLE words USING fts5 (text, content='messages', content_rowid='row', tokenize='trigram');
    CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN
        INSERT INTO words (rowid, text) VALUES (new.row, new.text);
    END;
    CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.row, old.text);
    END;
    CREATE TABLE outbox (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        contact     TEXT NOT NULL,
        id          BLOB NOT NULL,
        frame       BLOB NOT NULL,     -- F, the same at each attempt
        type        INTEGER NOT NULL,
        attempts    INTEGER NOT NULL DEFAULT 0,
        UNIQUE (contact, id)
    ) STRICT;
    CREATE TABLE seen (
        fingerprint BLOB NOT NULL,     -- 32 bytes, of the author
        id          BLOB NOT NULL,
        digest      BLOB NOT NULL,     -- SHA-256 of F
        PRIMARY KEY (fingerprint, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE contacts (
        user        TEXT PRIMARY KEY,
        standing    TEXT NOT NULL,     -- contact, request, blocked, known
        fingerprint BLOB,              -- the pin, 32 bytes
        offered     BLOB,              -- another fingerprint that the ring has now; NULL while all is well
        verified    INTEGER NOT NULL DEFAULT 0,
        version     INTEGER NOT NULL DEFAULT 0,  -- highest account version seen
        epoch       INTEGER NOT NULL DEFAULT 0,  -- highest session epoch seen
        mail_key    INTEGER NOT NULL DEFAULT 0,  -- highest mail key number seen
        capability  BLOB,              -- theirs: opens their addresses
        given       BLOB,              -- our capability that they were told last
        count       INTEGER NOT NULL DEFAULT 0,  -- our texts to them in session `count_epoch`
        count_epoch INTEGER NOT NULL DEFAULT 0,
        last_id     BLOB NOT NULL DEFAULT x'',   -- our last text to them in that session
        draft       TEXT NOT NULL DEFAULT '',
        last_seen   INTEGER            -- milliseconds since 1970: when this home last knew them online
    ) STRICT;
    CREATE TABLE traces (
        row         INTEGER PRIMARY KEY,
        id          BLOB NOT NULL,
        at_ms       INTEGER NOT NULL,
        step        TEXT NOT NULL      -- a JSON object
    ) STRICT;
    CREATE INDEX traces_id ON traces (id);
    CREATE TABLE settings (
        name        TEXT PRIMARY KEY,
        value       TEXT NOT NULL
    ) STRICT;
    """,
    """
    ALTER TABLE messages ADD COLUMN envelope BLOB;  -- of our own: id of the envelope that was stored, 32 bytes
    CREATE INDEX messages_stored ON messages (row) WHERE state = 'stored';
    """,
    """
    CREATE TABLE replies (
        author      TEXT NOT NULL,     -- canonical name of who wrote the reply
        id          BLOB NOT NULL,     -- of the reply, which may still be under way
        quoted      BLOB NOT NULL,     -- id of the message that it answers
        PRIMARY KEY (author, id)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE contacts ADD COLUMN former BLOB;  -- the pin before its owner renewed it; NULL once digits were compared
    """,
    """
    CREATE TABLE handed (
        id          BLOB PRIMARY KEY,  -- of a page of a hand-over that the next home has not confirmed yet
        frame       BLOB NOT NULL,     -- F, the same at each attempt
        envelope    BLOB               -- id of the envelope that was stored, 32 bytes; NULL while it waits
    ) STRICT;
    """,
    """
    CREATE TABLE early (
        number      INTEGER PRIMARY KEY,
        chat        TEXT NOT NULL,     -- whose receipt it is
        id          BLOB NOT NULL,     -- of a message of ours that is not here (yet: another home hands it over)
        state       TEXT NOT NULL,     -- delivered or read
        epoch       INTEGER NOT NULL,  -- of their session
        UNIQUE (chat, id, state)
    ) STRICT;
    """,
    """
    ALTER TABLE seen ADD COLUMN day INTEGER NOT NULL DEFAULT 0;     -- since 1970: when it came; 0: not noted
    ALTER TABLE replies ADD COLUMN day INTEGER NOT NULL DEFAULT 0;  -- the same
    CREATE INDEX seen_day ON seen (day);
    CREATE INDEX replies_day ON replies (day);
    """,
)
"""Step n brings a database from user_version n to n + 1."""

SYNCHRONOUS = "FULL"
"""Every transaction is on disk when it ends; tests that restart often write to a disk that cannot fail."""


@contextmanager
def sorted_errors(driver: Any) -> Iterator[None]:
    """SQLite's errors as ours: a full disk is no damage.  `driver`: sqlite3, or the library that stands for it."""
    try:
        yield
    except driver.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
            raise DiskFull(f"The agent's disk refuses to write ({error}). Free some space and try again.") from error
        raise


class Database:
    """One connection; all work happens in the thread that opened it."""

    def __init__(self, path: Path | str, key: bytes | None = None) -> None:
        """Open or create; Damaged names the file when it is no database of ours.

        Args:
            key: 32 bytes of an encrypted database; None for a plain one.
        """
        self.path = str(path)
        self._driver: Any = sqlite3 if key is None else encryption.library()
        try:
            with sorted_errors(self._driver):
                if self.path != ":memory:":
                    # SQLite gives the files beside it the same mode.
                    os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
                self._connection: sqlite3.Connection = (
                    sqlite3.connect(self.path, isolation_level=None)
                    if key is None
                    else encryption.connect(self.path, key)
                )
                self._prepare()
        except (self._driver.DatabaseError, UnicodeDecodeError, OSError) as error:
            raise Damaged(
                f"The history in {self.path} cannot be read ({error}). It was left as it is: move it away to start"
                " with an empty one, or put a backup in its place."
            ) from error
        self._depth = 0

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", f"synchronous = {SYNCHRONOUS}", "secure_delete = ON", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(STEPS):
            raise Damaged(f"{self.path} was written by a newer p2pchat; install that one, or use another --home.")
        for number in range(version, len(STEPS)):
            self._connection.executescript(f"BEGIN; {STEPS[number]} PRAGMA user_version = {number + 1}; COMMIT;")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable when the outermost one ends."""
        with sorted_errors(self._driver):
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._connection
            except BaseException:
                self._depth -= 1
                if self._depth == 0 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """All rows; the caller limits them."""
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Write back and release the file."""
        self._connection.close()


class Settings:
    """Named values of this home, as text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str, default: str) -> str:
        rows = self._database.query("SELECT value FROM settings WHERE name = ?", name)
        return str(rows[0][0]) if rows else default

    def put(self, name: str, value: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
