"""What a set holds is counted once and kept up by every write; removals are written without reading."""

import sqlite3
from functools import partial
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.replication import measures
from p2pchat.replication.measures import Measures
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store
from p2pchat.replication.uset import ItemState, StoredItem
from p2pchat.simulation.disk import MemoryStore

ME = Identifier(7)
POINTS = (Identifier(1), Identifier(2))
KINDS = 8
GONE = ItemState.ACKNOWLEDGED


def write(store: Store, seed: int) -> None:
    """One write, drawn from a seed."""
    chance = Random(seed)
    point, number = chance.choice(POINTS), chance.randrange(KINDS)
    identifier, ids = bytes([number]) * 32, [bytes([each]) * 32 for each in chance.sample(range(KINDS), 3)]
    state = chance.choice((ItemState.PRESENT, GONE))
    item = StoredItem(identifier, state, seed, bytes(seed % 90) if state is ItemState.PRESENT else b"", b"m")
    writes = (
        lambda: store.put_item(point, item),
        lambda: store.mark_items(point, ids),
        lambda: store.bury_items(point, ids, chance.choice((GONE, ItemState.UNOPENABLE)), seed),
        lambda: store.drop_items([(point, each) for each in ids]),
        lambda: store.settle(point, point),
    )
    chance.choice((*writes, writes[0], writes[0]))()
    if seed % 61 == 0:
        store.clear(point, point)


def held(store: Store, point: Identifier) -> list[StoredItem | None]:
    return [store.item(point, bytes([number]) * 32) for number in range(KINDS)]


class StoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.store = SqliteStore(self.path, ME, create=True, slots=4)
        self.addCleanup(self.store.close)

    def counted(self, point: Identifier) -> tuple[int, int]:
        other = SqliteStore(self.path, ME, create=False, slots=4)
        try:
            return other.measure(point)
        finally:
            other.close()

    def test_any_row_of_writes_measures_as_a_count_does_and_leaves_what_a_dictionary_has(self) -> None:
        beside = MemoryStore(4)
        for seed in range(400):
            self.store.commit([partial(write, seed=seed)])
            write(beside, seed)
            for point in POINTS:
                self.assertEqual(self.store.measure(point), beside.measure(point), seed)
                self.assertEqual(held(self.store, point), held(beside, point), seed)
        for point in POINTS:
            self.assertEqual(self.store.measure(point), self.counted(point))

    def test_what_is_undone_is_not_counted(self) -> None:
        def fail(store: Store) -> None:
            store.put_item(POINTS[0], StoredItem(bytes(32), ItemState.PRESENT, 1, b"12"))
            raise ValueError("the turn fails")

        self.assertEqual(self.store.measure(POINTS[0]), (0, 0))
        self.store.commit([fail])
        self.assertEqual(self.store.measure(POINTS[0]), (0, 0))

    def test_a_buried_item_leaves_no_payload_on_the_disk(self) -> None:
        secret = b"the payload of an envelope"
        self.store.commit(
            [lambda store: store.put_item(POINTS[0], StoredItem(bytes(32), ItemState.PRESENT, 1, secret))]
        )
        self.store.commit([lambda store: store.bury_items(POINTS[0], [bytes(32)], GONE, 2)])
        self.assertEqual(self.store.item(POINTS[0], bytes(32)), StoredItem(bytes(32), GONE, 1))
        self.store._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.assertNotIn(secret, self.path.read_bytes())

    def test_sets_are_counted_by_the_index_alone(self) -> None:
        question = "SELECT COUNT(*), SUM(size) FROM items WHERE slot = 0 AND point = x'00' AND state = 1"
        shell = sqlite3.connect(self.path)
        self.addCleanup(shell.close)
        (plan,) = shell.execute(f"EXPLAIN QUERY PLAN {question}").fetchall()
        self.assertIn("COVERING INDEX", plan[-1])


class MeasuresTests(SynchronousTestCase):
    def test_only_so_many_sets_are_remembered(self) -> None:
        self.patch(measures, "MAX_SETS", 2)
        known = Measures()
        for point in range(3):
            known.put(Identifier(point), 1, point)
        self.assertEqual([known.get(Identifier(point)) for point in range(3)], [None, (1, 1), (1, 2)])

    def test_what_was_not_counted_is_not_kept_up(self) -> None:
        known = Measures()
        known.add(POINTS[0], 1, 5)
        self.assertIsNone(known.get(POINTS[0]))
