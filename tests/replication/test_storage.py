"""The database on a real disk: durable, never taken for another one, never an empty acceptor."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Damaged, DiskFull, UserError
from p2pchat.identifiers import CIRCLE, Identifier, to_bytes
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.register import Ballot, Register, Versioned
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_SESSION, RegisterKey
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store
from p2pchat.replication.tree import ALL_BUCKETS, Tree
from p2pchat.replication.uset import ItemState, StoredItem

ME, OTHER = Identifier(1 << 250), Identifier(1 << 251)
POINT = Identifier(CIRCLE // 8)
ACCOUNT = RegisterKey(POINT, KIND_ACCOUNT)
ITEM = StoredItem(b"i" * 32, ItemState.PRESENT, 12, b"payload", b"meta")


def named(account: bytes) -> tuple[str, str] | None:
    """Accounts of these tests are `name:verifier`; an empty one is closed."""
    if not account:
        return None
    name, verifier = account.decode().split(":")
    return name, verifier


def register(value: bytes | None, counter: int = 1, promised: int | None = None) -> Register:
    ballot = Ballot(1, counter, ME)
    return Register(Ballot(1, promised or counter, OTHER), ballot, Versioned(1, (b"m" * 16,), value))


class StoreCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "node.db"

    def open(self, me: Identifier = ME, create: bool = True, slots: int = 4) -> SqliteStore:
        store = SqliteStore(self.path, me, create=create, slots=slots, name_and_verifier=named)
        self.addCleanup(store.close)
        return store

    def write(self, store: SqliteStore, *turns: Any) -> list[Any]:
        return store.commit(list(turns))


class DurabilityTests(StoreCase):
    def test_everything_is_there_after_a_kill(self) -> None:
        """The file is opened a second time while the first is still open, as after a crash: no close, no checkpoint."""
        record = SlotRecord(2, Configuration(2, (ME, OTHER), (ME,)), State.LEARN, frozen=True)
        item = StoredItem(b"i" * 32, ItemState.PRESENT, 12, b"payload", b"meta", pending=True)
        store = self.open()
        self.write(
            store,
            lambda store: store.put_slot(record),
            lambda store: store.put_register(ACCOUNT, register(b"ann:$2b$")),
            lambda store: store.put_item(POINT, item),
        )
        again = self.open(create=False)
        self.assertEqual(again.slots(), [record])
        self.assertEqual(again.register(ACCOUNT), register(b"ann:$2b$"))
        self.assertEqual(again.item(POINT, item.id), item)

    def test_a_turn_that_fails_undoes_only_itself(self) -> None:
        def fail(store: Any) -> None:
            store.put_slot(SlotRecord(1, Configuration(1, (ME,)), State.ACTIVE))
            raise ValueError("no")

        store = self.open()
        put = SlotRecord(0, Configuration(1, (ME,)), State.ACTIVE)
        results = self.write(store, lambda store: store.put_slot(put), fail, lambda store: len(store.slots()))
        self.assertIsInstance(results[1].value, ValueError)
        self.assertEqual(results[2], 1)
        self.assertEqual(store.slots(), [put])
        self.assertEqual(self.open().slots(), [put])

    def test_each_start_has_its_own_number(self) -> None:
        self.assertEqual(self.write(self.open(), lambda store: store.next_boot()), [1])
        self.assertEqual(self.write(self.open(), lambda store: store.next_boot()), [2])


class RefusalTests(StoreCase):
    def test_a_missing_file_is_no_empty_member(self) -> None:
        self.assertRaises(Damaged, self.open, create=False)
        self.assertFalse(self.path.exists())

    def test_an_emptied_file_is_no_empty_member(self) -> None:
        self.open().close()
        self.path.write_bytes(b"")
        self.assertRaises(Damaged, self.open, create=False)

    def test_another_nodes_database_is_refused_by_name(self) -> None:
        self.open().close()
        error = self.assertRaises(UserError, self.open, OTHER)
        self.assertIn(to_bytes(ME).hex()[:8], str(error))

    def test_another_number_of_slots_is_refused(self) -> None:
        self.open().close()
        self.assertRaises(UserError, self.open, slots=8)

    def test_another_program_s_database_is_refused(self) -> None:
        other = sqlite3.connect(self.path)
        other.execute("CREATE TABLE something (x)")
        other.close()
        self.assertRaises(Damaged, self.open)

    def test_a_damaged_file_is_refused_and_left_alone(self) -> None:
        store = self.open()
        self.write(store, lambda store: [store.put_item(POINT, item(number)) for number in range(200)])
        store.close()
        content = bytearray(self.path.read_bytes())
        for place in range(4096, len(content)):
            content[place] ^= 0x5A
        for damaged in (bytes(content), b"no database at all" * 1000, bytes(self.path.stat().st_size)):
            self.path.write_bytes(damaged)
            self.assertRaises(Damaged, self.open, create=False)
            self.assertEqual(self.path.read_bytes(), damaged)

    def test_a_record_that_nobody_wrote_is_damage(self) -> None:
        store = self.open()
        self.write(store, lambda store: store.put_register(ACCOUNT, register(b"ann:x")))
        other = sqlite3.connect(self.path)
        other.execute("UPDATE registers SET content = x'00'")
        other.commit()
        other.close()
        self.assertRaises(Damaged, self.write, store, lambda store: store.register(ACCOUNT))

    def test_a_full_disk_refuses_and_recovers(self) -> None:
        store = self.open()
        limit = store._sql.execute("PRAGMA page_count").fetchone()[0] + 8
        store._sql.execute(f"PRAGMA max_page_count={limit}")
        kept = item(1)
        self.write(store, lambda store: store.put_item(POINT, kept))
        big = StoredItem(b"b" * 32, ItemState.PRESENT, 1, bytes(60_000))
        self.assertRaises(DiskFull, self.write, store, lambda store: store.put_item(POINT, big))
        self.assertEqual(self.write(store, lambda store: store.item(POINT, kept.id)), [kept])
        store._sql.execute("PRAGMA max_page_count=1000000")
        self.write(store, lambda store: store.put_item(POINT, big))
        self.assertEqual(self.open().item(POINT, big.id), big)


def item(number: int, state: ItemState = ItemState.PRESENT) -> StoredItem:
    return StoredItem(number.to_bytes(32, "big"), state, number, b"p" * number)


class TreeTests(SynchronousTestCase):
    """A bucket is stale after every write that could change it, and after every write that is undone."""

    def setUp(self) -> None:
        self.store = SqliteStore(":memory:", ME, create=True, slots=4)
        self.store.commit(
            [lambda store: store.put_register(ACCOUNT, register(None)), lambda store: store.put_item(POINT, ITEM)]
        )
        self.tree = Tree(bytes(17))

    def keep(self) -> None:
        def turn(store: Store) -> None:
            for slot in range(4):
                store.keep_tree(slot, self.tree)

        self.store.commit([turn])

    def stale(self) -> list[bytes]:
        return [self.store.tree(slot)[1] for slot in range(4)]

    def test_nothing_is_stale_while_nothing_changes(self) -> None:
        self.keep()
        self.store.commit([lambda store: store.settle(POINT, POINT), lambda store: store.put_floor(1)])
        self.assertEqual((self.stale(), self.store.tree(0)[0]), ([b""] * 4, self.tree))

    def test_each_write_is_noted(self) -> None:
        writes: list[tuple[Callable[[Store], object], bytes]] = [
            (lambda store: store.put_register(ACCOUNT, register(None)), bytes([POINT & 255])),
            (lambda store: store.put_item(POINT, ITEM), ITEM.id[-1:]),
            (lambda store: store.drop_items([(POINT, ITEM.id)]), ITEM.id[-1:]),
            (lambda store: store.clear(POINT, POINT), ALL_BUCKETS),
        ]
        for write, stale in writes:
            self.keep()
            self.store.commit([write])
            self.assertEqual(self.stale(), [stale, b"", b"", b""])

    def test_what_is_undone_is_stale(self) -> None:
        def fail(store: Store) -> None:
            store.put_item(POINT, ITEM)
            store.keep_tree(0, Tree())
            raise ValueError("the turn fails")

        self.keep()
        self.store.commit([fail])
        self.assertEqual(self.stale(), [ITEM.id[-1:], b"", b"", b""])


class QuestionTests(StoreCase):
    def test_registers_come_in_order_and_in_pages(self) -> None:
        store = self.open()
        keys = [RegisterKey(Identifier(point), kind) for point in (3, 1, 2) for kind in (2, 1)]
        self.write(store, lambda store: [store.put_register(key, register(b"a:b")) for key in keys])
        first, last = Identifier(1), Identifier(2)
        page = store.ballots(first, last, None, 3)
        self.assertEqual([(key.point, key.kind) for key, _ in page], [(1, 1), (1, 2), (2, 1)])
        self.assertEqual([key for key, _ in store.ballots(first, last, page[-1][0], 3)], [RegisterKey(last, 2)])

    def test_items_come_in_order_without_payload(self) -> None:
        store = self.open()
        self.write(store, lambda store: [store.put_item(POINT, item(number)) for number in (3, 1, 2)])
        page = store.items(POINT, POINT, None, 2)
        self.assertEqual([(each.received, each.payload) for _, each in page], [(1, b""), (2, b"")])
        rest = store.items(POINT, POINT, (POINT, page[-1][1].id), 2)
        self.assertEqual([each.received for _, each in rest], [3])

    def test_only_present_items_are_measured(self) -> None:
        store = self.open()
        gone = item(9, ItemState.ACKNOWLEDGED)
        self.write(store, lambda store: [store.put_item(POINT, each) for each in (item(3), item(4), gone)])
        self.assertEqual(store.measure(POINT), (2, 7))

    def test_the_oldest_items_can_be_dropped(self) -> None:
        store = self.open()
        self.write(store, lambda store: [store.put_item(POINT, item(number)) for number in (3, 1, 2)])
        oldest = [(point, each.id) for point, each in store.oldest(2)]
        self.write(store, lambda store: store.drop_items(oldest))
        self.assertEqual([each.received for _, each in store.oldest(9)], [3])

    def test_a_cleared_slot_is_empty_and_its_neighbours_are_not(self) -> None:
        store = self.open()
        points = [Identifier(number * CIRCLE // 4) for number in range(4)]
        self.write(
            store,
            lambda store: [store.put_register(RegisterKey(point, KIND_ACCOUNT), register(b"a:b")) for point in points],
            lambda store: [store.put_item(point, item(1)) for point in points],
            lambda store: store.clear(points[1], Identifier(points[2] - 1)),
        )
        self.assertEqual({slot for slot, _, _ in store.tally()}, {0, 2, 3})

    def test_settling_drops_promises_and_marks(self) -> None:
        store = self.open()
        self.write(
            store,
            lambda store: store.put_register(ACCOUNT, register(b"a:b", promised=9)),
            lambda store: store.put_item(POINT, item(1).marked()),
            lambda store: store.settle(Identifier(0), Identifier(CIRCLE // 4 - 1)),
        )
        held = store.register(ACCOUNT)
        assert held is not None
        self.assertEqual(held.promised, held.accepted)
        self.assertEqual(store.item(POINT, item(1).id), item(1))


class ViewTests(StoreCase):
    """What people see who open the file with sqlite3."""

    def rows(self, question: str) -> list[Any]:
        shell = sqlite3.connect(self.path)
        self.addCleanup(shell.close)
        return shell.execute(question).fetchall()

    def setUp(self) -> None:
        super().setUp()
        self.store = self.open()
        there = Identifier(CIRCLE // 2)
        self.write(
            self.store,
            lambda store: store.put_register(ACCOUNT, register(b"ann:$2b$12$ann")),
            lambda store: store.put_register(RegisterKey(there, KIND_ACCOUNT), register(b"bob:$2b$12$bob")),
            lambda store: store.put_register(RegisterKey(there, KIND_SESSION), register(b"not an account")),
            lambda store: store.put_owners({0: ME, 2: OTHER}),
        )

    def test_own_users_and_backups_for_others(self) -> None:
        self.assertEqual(self.rows("SELECT name, verifier FROM users"), [("ann", "$2b$12$ann")])
        expected = [("bob", to_bytes(OTHER).hex(), "$2b$12$bob")]
        self.assertEqual(self.rows("SELECT name, owner, verifier FROM backups"), expected)

    def test_the_owner_may_change(self) -> None:
        self.write(self.store, lambda store: store.put_owners({2: ME}))
        self.assertEqual(self.rows("SELECT name FROM users"), [("ann",), ("bob",)])
        self.assertEqual(self.rows("SELECT name FROM backups"), [])

    def test_a_closed_account_disappears(self) -> None:
        self.write(self.store, lambda store: store.put_register(ACCOUNT, register(b"", 2)))
        self.assertEqual(self.rows("SELECT name FROM users"), [])

    def test_accounts_are_counted(self) -> None:
        self.assertEqual(self.store.tally(), [(2, KIND_SESSION, 1), (0, KIND_ACCOUNT, 1), (2, KIND_ACCOUNT, 1)])
