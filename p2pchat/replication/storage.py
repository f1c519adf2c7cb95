"""A node's records on disk: all SQL of its one SQLite file.

Whoever opens the file with sqlite3 finds `users` (accounts that this node owns) and `backups` (those that it keeps
for another owner, with that node's identifier).  A damaged file is refused, never taken for an empty one.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.python.failure import Failure

from p2pchat.errors import Damaged, DiskFull, UserError
from p2pchat.identifiers import Identifier, from_bytes, name, to_bytes
from p2pchat.replication.configuration import SlotRecord
from p2pchat.replication.measures import Measures
from p2pchat.replication.packing import pack
from p2pchat.replication.register import Ballot, Register, decode_ballot, encode_ballot
from p2pchat.replication.schema import STEPS, VERSION, migrate
from p2pchat.replication.slots import DEFAULT_SLOTS, KIND_ACCOUNT, RegisterKey, slot_of
from p2pchat.replication.store import Store
from p2pchat.replication.transfers import ITEMS
from p2pchat.replication.tree import ALL_BUCKETS, Tree, Trees, bucket_of_item, bucket_of_point
from p2pchat.replication.uset import ItemState, StoredItem
from p2pchat.replication.view import SqliteReads, SqliteView

PRESENT = int(ItemState.PRESENT)
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=ON",
    "busy_timeout=10000",
    "wal_autocheckpoint=4000",  # pages: with 16 MB between two checkpoints, a page of an index is copied once for many
)
REFUSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT)

T = TypeVar("T")

NameAndVerifier = Callable[[bytes], tuple[str, str] | None]
"""Reads (canonical user name, bcrypt verifier) out of an account register's value; None when the account is closed."""


class SqliteStore(SqliteReads):
    """A Store; `commit` runs turns over it.  Used by one thread at a time."""

    def __init__(
        self,
        path: Path | str,
        me: Identifier,
        *,
        create: bool,
        slots: int = DEFAULT_SLOTS,
        name_and_verifier: NameAndVerifier = lambda account: None,
    ) -> None:
        """
        Args:
            create: whether the file may be missing; only at a node's very first start, because a node that lost its
                records must not take part under its old identity.
        Raises:
            Damaged: the file is missing or not what was written.
            UserError: it belongs to another node or ring.
        """
        self._path, self._slots, self._name_and_verifier = Path(path), slots, name_and_verifier
        self._records: dict[int, SlotRecord] | None = None
        self._floor: int | None = None
        self._trees = Trees()
        self._measures = Measures()
        if not create and str(path) != ":memory:" and not self._path.exists():
            raise Damaged(f"The database {path} is missing. A node that lost its records needs a new identity.")
        try:
            self._sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._open(me, create)
        except sqlite3.Error as error:
            raise self.translated(error) from error

    # -- opening, turns, closing

    def _open(self, me: Identifier, create: bool) -> None:
        for pragma in PRAGMAS:
            self._sql.execute(f"PRAGMA {pragma}")
        if self._sql.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise Damaged(
                f"The database {self._path} is damaged. It was left as it is; this node needs a new identity."
            )
        version = self._sql.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and create and not self._sql.execute("SELECT 1 FROM sqlite_master").fetchone():
            self._create(me)
        elif version == 0:
            raise Damaged(f"The database {self._path} is no p2pchat database.")
        migrate(self._sql, version or VERSION, self._path)
        self._check_owner(me)

    def _create(self, me: Identifier) -> None:
        rows = [("node", to_bytes(me).hex()), ("slots", str(self._slots)), ("boots", "0")]
        inserts = "".join(f"INSERT INTO meta VALUES ('{key}', '{value}');" for key, value in rows)
        self._sql.executescript(f"BEGIN IMMEDIATE; {''.join(STEPS)} {inserts} PRAGMA user_version = {VERSION}; COMMIT;")

    def _check_owner(self, me: Identifier) -> None:
        meta = dict(self._sql.execute("SELECT name, value FROM meta").fetchall())
        if meta.get("node") != to_bytes(me).hex():
            other = str(meta.get("node"))[:8]
            raise UserError(
                f"The database {self._path} belongs to node {other}, not to {name(me)}."
                " Give each node a folder of its own."
            )
        if meta.get("slots") != str(self._slots):
            raise UserError(f"The database {self._path} was made for {meta.get('slots')} slots, not {self._slots}.")

    def commit(self, turns: list[Callable[[Store], Any]]) -> list[Any]:
        """Run turns in one durable transaction; each result is what the turn returned, or the Failure it raised.

        Raises:
            DiskFull, Damaged: nothing of all this was done.
        """
        try:
            self._sql.execute("BEGIN IMMEDIATE")
            results = [self._one(turn) for turn in turns]
            self._sql.execute("COMMIT")
            self._trees.settled()
        except sqlite3.Error as error:
            self._roll_back()
            raise self.translated(error) from error
        except BaseException:
            self._roll_back()
            raise
        return results

    def _one(self, turn: Callable[[Store], Any]) -> Any:
        self._sql.execute("SAVEPOINT turn")
        try:
            result = turn(self)
        except (sqlite3.Error, Damaged):
            raise
        except Exception:
            result = Failure()
            self._forget()
            self._sql.execute("ROLLBACK TO turn")
        self._sql.execute("RELEASE turn")
        return result

    def _forget(self) -> None:
        """Nothing that was read before is known any more: writes are undone."""
        self._records = self._floor = None
        self._trees.undone()
        self._measures.clear()

    def _roll_back(self) -> None:
        self._forget()
        self._trees.settled()
        if self._sql.in_transaction:
            self._sql.execute("ROLLBACK")

    def translated(self, error: sqlite3.Error) -> Exception:
        """DiskFull or Damaged, where the error means that."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in REFUSING:
            return DiskFull(f"The disk of {self._path} refuses writes ({error}); nothing was changed.")
        if code in DAMAGED:
            return Damaged(f"The database {self._path} is damaged ({error}). It was left as it is.")
        return error

    def view(self) -> SqliteView:
        """Another way to the same file, for questions that wait for no turn."""
        return SqliteView(self._path)

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    # -- slots

    def slot(self, slot: int) -> SlotRecord | None:
        return self._all_slots().get(slot)

    def slots(self) -> list[SlotRecord]:
        records = self._all_slots()
        return [records[slot] for slot in sorted(records)]

    def put_slot(self, record: SlotRecord) -> None:
        row = (record.slot, record.configuration.epoch, record.state.name, pack(record))
        self._sql.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?)", row)
        self._all_slots()[record.slot] = record

    def _all_slots(self) -> dict[int, SlotRecord]:
        """The table in memory: every question looks at it.  Whatever undoes writes drops it."""
        if self._records is None:
            rows = self._sql.execute("SELECT slot, record FROM slots").fetchall()
            self._records = {slot: self._unpacked(SlotRecord, record) for slot, record in rows}
        return self._records

    # -- registers

    def put_register(self, key: RegisterKey, register: Register) -> None:
        point, slot = to_bytes(key.point), slot_of(key.point, self._slots)
        self._trees.touch(slot, bucket_of_point(key.point))
        ballots = encode_ballot(register.promised), encode_ballot(register.accepted)
        self._sql.execute(
            "INSERT INTO registers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (point, kind) DO UPDATE"
            " SET promised = excluded.promised, accepted = excluded.accepted, content = excluded.content",
            (point, key.kind, slot, *ballots, pack(register.content)),
        )
        if key.kind == KIND_ACCOUNT:
            self._put_account(point, slot, register.content.value)

    def _put_account(self, point: bytes, slot: int, value: bytes | None) -> None:
        named = None if value is None else self._name_and_verifier(value)
        if named is None:
            self._sql.execute("DELETE FROM accounts WHERE point = ?", (point,))
        else:
            self._sql.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)", (point, slot, *named))

    def ballots(
        self,
        first: Identifier,
        last: Identifier,
        after: RegisterKey | None,
        limit: int,
        buckets: bytes = ALL_BUCKETS,
    ) -> list[tuple[RegisterKey, Ballot]]:
        start = (to_bytes(first), -1) if after is None else (to_bytes(after.point), after.kind)
        rows = self._sql.execute(
            "SELECT point, kind, accepted FROM registers"
            " WHERE (point, kind) > (?, ?) AND point BETWEEN ? AND ? AND instr(?, substr(point, 32))"
            " ORDER BY point, kind LIMIT ?",
            (*start, to_bytes(first), to_bytes(last), buckets, limit),
        ).fetchall()
        return [(RegisterKey(from_bytes(point), kind), decode_ballot(accepted)) for point, kind, accepted in rows]

    # -- items

    def put_item(self, point: Identifier, item: StoredItem) -> None:
        key, slot = (to_bytes(point), item.id), slot_of(point, self._slots)
        self._trees.touch(slot, bucket_of_item(item.id))
        if self._measures.get(point) is not None:
            before = self._sql.execute("SELECT state, size FROM items WHERE point = ? AND id = ?", key).fetchone()
            self._note(point, item, before)
        row = item.state, item.pending, item.received, len(item.payload), item.meta, item.payload
        self._sql.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*key, slot, *row))

    def _note(self, point: Identifier, item: StoredItem, before: tuple[int, int] | None) -> None:
        """Measure anew, by the difference."""
        if before is not None and before[0] == ItemState.PRESENT:
            self._measures.add(point, -1, -before[1])
        if item.state is ItemState.PRESENT:
            self._measures.add(point, 1, len(item.payload))

    def mark_items(self, point: Identifier, ids: Sequence[bytes]) -> None:
        key = to_bytes(point)
        self._sql.executemany(
            "UPDATE items SET pending = 1 WHERE point = ? AND id = ? AND state = ? AND pending = 0",
            [(key, item_id, ItemState.PRESENT) for item_id in ids],
        )

    def bury_items(self, point: Identifier, ids: Sequence[bytes], reason: ItemState, now: int) -> None:
        key, slot = to_bytes(point), slot_of(point, self._slots)
        self._measures.forget(point)
        for item_id in ids:
            self._trees.touch(slot, bucket_of_item(item_id))
        self._sql.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, 0, ?, 0, x'', x'') ON CONFLICT (point, id) DO UPDATE"
            f" SET state = excluded.state, pending = 0, size = 0, meta = x'', payload = x'' WHERE state = {PRESENT}",
            [(key, item_id, slot, reason, now) for item_id in ids],
        )

    def items(
        self,
        first: Identifier,
        last: Identifier,
        after: tuple[Identifier, bytes] | None,
        limit: int,
        buckets: bytes = ALL_BUCKETS,
    ) -> list[tuple[Identifier, StoredItem]]:
        start = (to_bytes(first), b"") if after is None else (to_bytes(after[0]), after[1])
        rows = self._sql.execute(
            "SELECT point, id, state, received, meta, pending FROM items"
            " WHERE (point, id) > (?, ?) AND point BETWEEN ? AND ? AND instr(?, substr(id, 32))"
            " ORDER BY point, id LIMIT ?",
            (*start, to_bytes(first), to_bytes(last), buckets, limit),
        ).fetchall()
        return [
            (from_bytes(point), StoredItem(item_id, ItemState(state), received, b"", meta, bool(pending)))
            for point, item_id, state, received, meta, pending in rows
        ]

    def measure(self, point: Identifier) -> tuple[int, int]:
        if (known := self._measures.get(point)) is not None:
            return known
        count, size = self._sql.execute(
            "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM items WHERE slot = ? AND point = ? AND state = ?",
            (slot_of(point, self._slots), to_bytes(point), ItemState.PRESENT),
        ).fetchone()
        self._measures.put(point, count, size)
        return count, size

    def oldest(self, limit: int) -> list[tuple[Identifier, StoredItem]]:
        rows = self._sql.execute(
            "SELECT point, id, state, received FROM items ORDER BY received LIMIT ?", (limit,)
        ).fetchall()
        return [
            (from_bytes(point), StoredItem(item_id, ItemState(state), received))
            for point, item_id, state, received in rows
        ]

    def drop_items(self, ids: list[tuple[Identifier, bytes]]) -> None:
        rows = [(to_bytes(point), item_id) for point, item_id in ids]
        for point, item_id in ids:
            self._trees.touch(slot_of(point, self._slots), bucket_of_item(item_id))
            self._measures.forget(point)
        self._sql.executemany("DELETE FROM items WHERE point = ? AND id = ?", rows)

    # -- whole slots

    def tree(self, slot: int) -> tuple[Tree, bytes]:
        return self._trees.get(slot)

    def keep_tree(self, slot: int, tree: Tree) -> None:
        self._trees.keep(slot, tree)

    def clear(self, first: Identifier, last: Identifier) -> None:
        self._measures.clear()
        for slot in range(slot_of(first, self._slots), slot_of(last, self._slots) + 1):
            self._trees.forget(slot)
        for table in ("registers", "items", "accounts"):
            self._sql.execute(f"DELETE FROM {table} WHERE point BETWEEN ? AND ?", (to_bytes(first), to_bytes(last)))

    def settle(self, first: Identifier, last: Identifier) -> None:
        span = to_bytes(first), to_bytes(last)
        self._sql.execute(
            "UPDATE registers SET promised = accepted WHERE point BETWEEN ? AND ? AND promised <> accepted", span
        )
        self._sql.execute("UPDATE items SET pending = 0 WHERE point BETWEEN ? AND ? AND pending", span)

    def tally(self) -> list[tuple[int, int, int]]:
        return self._sql.execute(
            "SELECT slot, kind, COUNT(*) FROM registers WHERE kind <> ?1 GROUP BY slot, kind"
            " UNION ALL SELECT slot, ?1, COUNT(*) FROM accounts GROUP BY slot"
            " UNION ALL SELECT slot, ?2, COUNT(*) FROM items WHERE state = ?3 GROUP BY slot",
            (KIND_ACCOUNT, ITEMS, ItemState.PRESENT),
        ).fetchall()

    def put_owners(self, owners: dict[int, Identifier]) -> None:
        rows = [(slot, to_bytes(owner).hex()) for slot, owner in owners.items()]
        self._sql.executemany("INSERT OR REPLACE INTO owners VALUES (?, ?)", rows)

    def floor(self) -> int:
        if self._floor is None:
            row = self._sql.execute("SELECT value FROM meta WHERE name = 'floor'").fetchone()
            self._floor = 0 if row is None else int(row[0])
        return self._floor

    def put_floor(self, generation: int) -> None:
        self._sql.execute("INSERT OR REPLACE INTO meta VALUES ('floor', ?)", (str(generation),))
        self._floor = generation

    def boots(self) -> int:
        """How often this node has started."""
        return int(self._sql.execute("SELECT value FROM meta WHERE name = 'boots'").fetchone()[0])

    def next_boot(self) -> int:
        self._sql.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'boots'")
        return self.boots()
