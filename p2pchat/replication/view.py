"""What is durable in a node's database, seen beside the thread that writes it: questions wait for no transaction.

SQLite's write-ahead log makes that sound: its readers see a transaction only after it was synced, and each look, a
transaction of its own, sees one moment.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from p2pchat.errors import Damaged, Misbehaved
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.replication.configuration import SlotRecord
from p2pchat.replication.packing import unpack
from p2pchat.replication.register import Register, Versioned, decode_ballot
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.store import View
from p2pchat.replication.uset import ItemState, StoredItem

T = TypeVar("T")


class SqliteReads:
    """What both a store and a view of one file read of a single account."""

    _path: Path
    _sql: sqlite3.Connection

    def register(self, key: RegisterKey) -> Register | None:
        row = self._sql.execute(
            "SELECT promised, accepted, content FROM registers WHERE point = ? AND kind = ?",
            (to_bytes(key.point), key.kind),
        ).fetchone()
        return (
            Register(decode_ballot(row[0]), decode_ballot(row[1]), self._unpacked(Versioned, row[2])) if row else None
        )

    def item(self, point: Identifier, item_id: bytes) -> StoredItem | None:
        row = self._sql.execute(
            "SELECT id, state, received, payload, meta, pending FROM items WHERE point = ? AND id = ?",
            (to_bytes(point), item_id),
        ).fetchone()
        return StoredItem(row[0], ItemState(row[1]), row[2], row[3], row[4], bool(row[5])) if row else None

    def known(self, point: Identifier, after: bytes, limit: int) -> list[tuple[bytes, ItemState]]:
        rows = self._sql.execute(
            "SELECT id, state FROM items WHERE point = ? AND id > ? ORDER BY id LIMIT ?",
            (to_bytes(point), after, limit),
        ).fetchall()
        return [(item_id, ItemState(state)) for item_id, state in rows]

    def _unpacked(self, kind: type[T], encoded: bytes) -> T:
        try:
            return unpack(kind, encoded)
        except Misbehaved as error:
            raise Damaged(f"The database {self._path} holds a record that this program did not write.") from error


class SqliteView(SqliteReads):
    """A View; `look` runs a question over it.  Used by one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        uri = f"{path.absolute().as_uri()}?mode=ro"
        self._sql = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        self._records: dict[int, tuple[bytes, SlotRecord]] = {}
        """What was read before, with the bytes that it was made of."""

    def look(self, question: Callable[[View], T]) -> T:
        """What it returns, of one moment."""
        self._sql.execute("BEGIN")
        try:
            return question(self)
        finally:
            self._sql.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def slot(self, slot: int) -> SlotRecord | None:
        row: Any = self._sql.execute("SELECT record FROM slots WHERE slot = ?", (slot,)).fetchone()
        if row is None:
            return None
        known = self._records.get(slot)
        if known is None or known[0] != row[0]:
            known = self._records[slot] = row[0], self._unpacked(SlotRecord, row[0])
        return known[1]
