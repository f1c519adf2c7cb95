"""The tables of a node's database, as numbered steps: forwards only, each wholly or not at all."""

import sqlite3
from pathlib import Path

from p2pchat.errors import UserError

STEPS = (
    """
    CREATE TABLE meta (
        name  TEXT PRIMARY KEY,  -- node (hex identifier), slots, boots, floor (lowest generation, once there was one)
        value TEXT NOT NULL
    ) STRICT;
    CREATE TABLE slots (
        slot   INTEGER PRIMARY KEY,
        epoch  INTEGER NOT NULL,  -- of the configuration that the node's records belong to
        state  TEXT NOT NULL,     -- LEARN, ACTIVE, SEALED, RETIRED or COPY
        record BLOB NOT NULL      -- the packed SlotRecord
    ) STRICT;
    CREATE TABLE registers (
        point    BLOB NOT NULL,     -- 32 bytes, big-endian: BLOB order is ring order
        kind     INTEGER NOT NULL,  -- 1 account, 2 session, 3 mail key
        slot     INTEGER NOT NULL,
        promised BLOB NOT NULL,     -- ballot (epoch, counter, node), 48 bytes: BLOB order is ballot order
        accepted BLOB NOT NULL,     -- ballot under which `content` was accepted
        content  BLOB NOT NULL,     -- the packed Versioned, at most 60 300 bytes
        PRIMARY KEY (point, kind)
    ) STRICT;
    CREATE INDEX registers_by_slot ON registers (slot, kind);
    CREATE TABLE items (
        point    BLOB NOT NULL,     -- 32 bytes: whose mailbox
        id       BLOB NOT NULL,     -- 32 bytes: the envelope's hash
        slot     INTEGER NOT NULL,
        state    INTEGER NOT NULL,  -- 1 present, 2 acknowledged, 3 unopenable (both: removed)
        pending  INTEGER NOT NULL,  -- 1: a removal that a majority has yet to take
        received INTEGER NOT NULL,  -- seconds since 1970
        size     INTEGER NOT NULL,  -- bytes of the payload
        meta     BLOB NOT NULL,
        payload  BLOB NOT NULL,
        PRIMARY KEY (point, id)
    ) STRICT;
    CREATE INDEX items_by_size ON items (slot, point, state, size);
    CREATE INDEX items_by_time ON items (received);
    CREATE TABLE accounts (
        point    BLOB PRIMARY KEY,
        slot     INTEGER NOT NULL,
        name     TEXT NOT NULL,     -- canonical user name
        verifier TEXT NOT NULL      -- bcrypt of the authentication key
    ) STRICT;
    CREATE TABLE owners (
        slot  INTEGER PRIMARY KEY,
        owner TEXT NOT NULL         -- identifier, 64 hex digits
    ) STRICT;
    CREATE VIEW users AS
        SELECT name, verifier, lower(hex(point)) AS identifier, slot FROM accounts JOIN owners USING (slot)
        WHERE owner = (SELECT value FROM meta WHERE meta.name = 'node') ORDER BY accounts.name;
    CREATE VIEW backups AS
        SELECT name, owner, verifier, lower(hex(point)) AS identifier, slot FROM accounts JOIN owners USING (slot)
        WHERE owner <> (SELECT value FROM meta WHERE meta.name = 'node') ORDER BY accounts.name;
    """,
    """
    CREATE INDEX items_present ON items (point, received) WHERE state = 1;  -- for /metrics: depth and age of mailboxes
    """,
    """
    DROP INDEX items_present;  -- items_by_size tells the depth as well: each index costs every message a page on disk
    DROP INDEX items_by_time;
    CREATE INDEX items_by_age ON items (received, state);  -- for expiry, and for /metrics
    """,
)
"""Step n brings a database from PRAGMA user_version n to n + 1; a step that was released is never changed."""
VERSION = len(STEPS)


def migrate(connection: sqlite3.Connection, version: int, path: Path) -> None:
    """Bring a database of `version`, 1 or more, to that of this program.

    A node may be stopped at any moment: a step is one transaction, and what was done is not done again.

    Raises:
        UserError: a newer program wrote it.
    """
    if version > VERSION:
        raise UserError(
            f"The database {path} was written by a newer p2pchat (version {version}, this program knows {VERSION})."
            " Install the newer program again: there is no way back."
        )
    for number in range(version, VERSION):
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {STEPS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
