"""Digest trees: equal exactly where contents are, and where they are not, what differs lies in the buckets that do."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.digest import slot_tree
from p2pchat.replication.formats import Formats
from p2pchat.replication.ground import Ground
from p2pchat.replication.register import NO_BALLOT, Ballot, Register, Versioned
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store
from p2pchat.replication.tree import ALL_BUCKETS, EMPTY_ROOT, MARK_BYTES, Tree, Trees, bucket_of_item, bucket_of_point
from p2pchat.replication.uset import ItemState, StoredItem
from p2pchat.simulation.disk import MemoryStore

ME = Identifier(1 << 250)
SLOTS = 4
GROUND = Ground(ME, SLOTS, False, Formats())
FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

Content = dict[tuple[int, bytes], object]
"""What a slot holds as far as trees go, by (point, kind or id)."""


def point_of(number: int) -> Identifier:
    """Points of slot 0, of which several share a bucket."""
    return Identifier(number % 2 * (CIRCLE // 8) + number // 2 % 2)


def id_of(number: int) -> bytes:
    return number.to_bytes(31, "big") + bytes([number % 3])


numbers = st.integers(0, 7)
ITEMS = st.tuples(st.just("item"), numbers, st.sampled_from([ItemState.PRESENT, ItemState.ACKNOWLEDGED]), st.booleans())
REGISTERS = st.tuples(st.just("register"), numbers, st.integers(0, 3), st.integers(4, 6))
OTHERS = st.tuples(
    st.sampled_from(["drop", "clear", "settle", "fail", "refused", "again"]), numbers, st.just(0), st.just(0)
)
Step = tuple[str, int, Any, Any]
STEPS = st.lists(st.one_of(ITEMS, REGISTERS, OTHERS), max_size=25)


def write(store: Store, step: Step) -> None:
    """Carry out one step as part of a turn."""
    kind, number, first, second = step
    point = point_of(number)
    if kind == "item":
        store.put_item(point, StoredItem(id_of(number), first, number, b"", pending=second))
    elif kind == "register":
        accepted = Ballot(1, first, ME) if first else NO_BALLOT
        store.put_register(RegisterKey(point, number % 3), Register(Ballot(1, second, ME), accepted, Versioned()))
    elif kind == "drop":
        store.drop_items([(point, id_of(number))])
    elif kind == "clear":
        store.clear(point, point)
    elif kind == "settle":
        store.settle(*GROUND.span(0))
    elif kind == "refused":
        store.drop_items([(point, id_of(number))])
        tree(store)


def tree(store: Store) -> Tree:
    return slot_tree(GROUND, store, 0)[0]


def contents(store: Store) -> Content:
    """Read from the records themselves."""
    span = GROUND.span(0)
    found: Content = {
        (key.point, bytes([key.kind])): accepted
        for key, accepted in store.ballots(*span, None, 1_000)
        if accepted != NO_BALLOT
    }
    found.update({(point, item.id): item.state for point, item in store.items(*span, None, 1_000)})
    return found


def bucket_of(key: tuple[int, bytes]) -> int:
    return bucket_of_point(Identifier(key[0])) if len(key[1]) == 1 else bucket_of_item(key[1])


class Sqlite:
    """A store in a file, which is opened again without having been closed when the node is killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.opened: list[SqliteStore] = []
        self.again(create=True)

    def again(self, create: bool = False) -> None:
        self.opened.append(SqliteStore(self._path, ME, create=create, slots=SLOTS))

    @property
    def store(self) -> Store:
        return self.opened[-1]

    def turns(self, *turns: Callable[[Store], None]) -> None:
        self.opened[-1].commit(list(turns))

    def lost(self, turn: Callable[[Store], None]) -> None:
        """The turn runs, and the whole transaction is undone: the disk refuses it."""

        def refuse(store: Any) -> None:
            turn(store)
            store._sql.execute("INSERT INTO no_such_table VALUES (1)")

        try:
            self.opened[-1].commit([refuse])
        except Exception:  # whichever error SQLite has for it
            return
        raise AssertionError("the transaction was not refused")


class Memory:
    """The simulator's store."""

    def __init__(self) -> None:
        self.store = MemoryStore(SLOTS)

    def again(self) -> None:
        self.store.undo(0)

    def turns(self, *turns: Callable[[Store], None]) -> None:
        for turn in turns:
            mark = self.store.mark()
            try:
                turn(self.store)
            except ValueError:
                self.store.undo(mark)
        self.store.forget_marks()

    def lost(self, turn: Callable[[Store], None]) -> None:
        turn(self.store)
        self.store.undo(0)


def play(node: "Sqlite | Memory", steps: list[Step]) -> None:
    """Steps, each a turn, after which there is a tree; some turns fail, some transactions are refused, and now and
    then the node is killed."""
    for step in steps:
        kind, number, _, _ = step

        def turn(store: Store, step: Step = step) -> None:
            write(store, step)

        def undone(store: Store, number: int = number) -> None:
            write(store, ("item", number, ItemState.UNOPENABLE, False))
            write(store, ("drop", number + 1, 0, 0))
            tree(store)
            raise ValueError("this turn is undone")

        if kind == "refused":
            node.lost(turn)
        elif kind == "again":
            node.again()
        else:
            node.turns(undone if kind == "fail" else turn)
        tree(node.store)


class ContentsTests(SynchronousTestCase):
    def check(self, one: Store, other: Store) -> None:
        left, right = contents(one), contents(other)
        self.assertEqual(tree(one).root == tree(other).root, left == right)
        differing = {bucket_of(key) for key in {*left, *right} if left.get(key) != right.get(key)}
        held = {bucket_of(key) for key in right}
        self.assertEqual(set(tree(one).lacking(tree(other))), differing & held)

    @FEW
    @given(STEPS, STEPS)
    def test_roots_are_equal_exactly_where_contents_are(self, some: list[Step], more: list[Step]) -> None:
        """In a real database, and in the simulator's, whatever was undone and however often the node was killed."""
        with TemporaryDirectory() as folder:
            sqlite, memory = Sqlite(Path(folder) / "node.db"), Memory()
            try:
                play(sqlite, some)
                play(memory, some)
                self.assertEqual(contents(sqlite.store), contents(memory.store))
                self.check(sqlite.store, memory.store)
                play(memory, more)
                self.check(sqlite.store, memory.store)
                self.check(memory.store, sqlite.store)
            finally:
                for opened in sqlite.opened:
                    opened.close()

    @FEW
    @given(STEPS)
    def test_a_tree_that_was_kept_is_the_one_that_would_be_made(self, steps: list[Step]) -> None:
        memory = Memory()
        play(memory, steps)
        self.assertEqual(tree(memory.store), tree(memory.store.copy()))

    @FEW
    @given(STEPS, st.sets(st.integers(0, 255), max_size=4))
    def test_only_the_records_of_the_buckets_come(self, steps: list[Step], buckets: set[int]) -> None:
        with TemporaryDirectory() as folder:
            sqlite, memory = Sqlite(Path(folder) / "node.db"), Memory()
            try:
                play(sqlite, steps)
                play(memory, steps)
                span, wanted = GROUND.span(0), bytes(sorted(buckets | {0, 1}))
                for store in (sqlite.store, memory.store):
                    ballots = store.ballots(*span, None, 99)
                    expected = [each for each in ballots if bucket_of_point(each[0].point) in wanted]
                    self.assertEqual(store.ballots(*span, None, 99, wanted), expected)
                    expected_items = [each for each in store.items(*span, None, 99) if each[1].id[-1] in wanted]
                    self.assertEqual(store.items(*span, None, 99, wanted), expected_items)
            finally:
                for opened in sqlite.opened:
                    opened.close()


class CostTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = SqliteStore(":memory:", ME, create=True, slots=SLOTS)
        self.addCleanup(self.store.close)

        def fill(store: Store) -> None:
            for number in range(2_560):
                item_id = number.to_bytes(32, "big")
                store.put_item(point_of(0), StoredItem(item_id, ItemState.PRESENT, number))

        self.store.commit([fill])
        self.read: list[int] = []

    def cost(self) -> int:
        return slot_tree(GROUND, self.store, 0)[1]

    def test_one_write_has_one_bucket_read_again(self) -> None:
        self.assertEqual(self.cost(), 2_560)
        self.assertEqual(self.cost(), 0)
        added = StoredItem(b"\xff" * 32, ItemState.PRESENT, 1)
        self.store.commit([lambda store: store.put_item(point_of(0), added)])
        self.assertLess(self.cost(), 2_560 // 256 + 1 + 101)
        self.assertEqual(self.cost(), 0)

    def test_a_write_reads_nothing(self) -> None:
        self.cost()
        asked: list[str] = []
        self.store._sql.set_trace_callback(asked.append)
        added = StoredItem(b"\xff" * 32, ItemState.PRESENT, 1)
        self.store.commit([lambda store: store.put_item(point_of(0), added)])
        self.assertEqual([each for each in asked if each.startswith("SELECT")], [])


class MarksTests(SynchronousTestCase):
    def test_marks_that_no_sound_node_makes_are_refused(self) -> None:
        mark = bytes([7]) + bytes(16)
        for marks in (mark[:-1], mark + mark, bytes([8]) + bytes(16) + mark):
            self.assertRaises(Misbehaved, Tree(marks).by_bucket)
            self.assertRaises(Misbehaved, Tree().lacking, Tree(marks))

    def test_an_empty_tree_lacks_every_bucket_that_holds_something(self) -> None:
        full = Tree().renewed(ALL_BUCKETS, {bucket: bytes([bucket]) * 16 for bucket in range(256)})
        self.assertEqual(len(full.marks), 256 * MARK_BYTES)
        self.assertEqual(Tree().lacking(full), ALL_BUCKETS)
        self.assertEqual((full.lacking(Tree()), full.lacking(full)), (b"", b""))
        self.assertEqual(Tree().root, EMPTY_ROOT)

    def test_what_nobody_compared_costs_no_memory(self) -> None:
        trees = Trees()
        trees.touch(3, 7)
        trees.settled()
        self.assertEqual(trees.get(3), (Tree(), ALL_BUCKETS))
        self.assertEqual((trees._trees, trees._stale, trees._written), ({}, {}, set()))
