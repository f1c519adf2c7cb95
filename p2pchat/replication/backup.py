"""A copy of a node's database, read again: its registers and the items of its sets, of whatever node and epoch."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from p2pchat.errors import Damaged, Misbehaved
from p2pchat.identifiers import Identifier, from_bytes
from p2pchat.replication.register import decode_content
from p2pchat.replication.schema import VERSION
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.uset import Item, ItemState


@dataclass(frozen=True, slots=True)
class Kept:
    """What a copy has at one point of the circle."""

    point: Identifier
    registers: tuple[tuple[RegisterKey, bytes], ...]
    """Those with a value, by kind, ascending."""
    items: tuple[bytes, ...]
    """Ids of the items that are present."""


class Backup:
    """An opened copy; nothing is written to it.

    Raises:
        Damaged: it is no such copy, or not whole.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._judged():
            self._sql = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            whole = self._sql.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
            version = self._sql.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise Damaged(f"{path} was written by a newer p2pchat; restore it with that one. Nothing was restored.")
        if not whole or version < 1:
            raise Damaged(f"{path} is no whole copy of a node's database. Nothing was restored.")

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def points(self) -> Iterator[Kept]:
        """Everything, in the order of the circle."""
        with self._judged():
            points = self._sql.execute(
                "SELECT point FROM registers UNION SELECT point FROM items ORDER BY 1"
            ).fetchall()
            for (point,) in points:
                rows = self._sql.execute("SELECT kind, content FROM registers WHERE point = ? ORDER BY kind", (point,))
                contents = [(RegisterKey(from_bytes(point), kind), decode_content(row)) for kind, row in rows]
                items = self._sql.execute(
                    "SELECT id FROM items WHERE point = ? AND state = ? ORDER BY id", (point, ItemState.PRESENT)
                )
                yield Kept(
                    from_bytes(point),
                    tuple((key, content.value) for key, content in contents if content.value is not None),
                    tuple(row[0] for row in items),
                )

    def item(self, point: Identifier, item_id: bytes) -> Item:
        """One item that is present."""
        with self._judged():
            row = self._sql.execute(
                "SELECT id, payload, meta FROM items WHERE point = ? AND id = ?", (point.to_bytes(32, "big"), item_id)
            ).fetchone()
            return Item(*row)

    @contextlib.contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, Misbehaved) as error:
            raise Damaged(f"{self._path} is no whole copy of a node's database ({error}).") from error
