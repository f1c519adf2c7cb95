"""A crash takes what was not synced and nothing else."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.replication.register import Ballot, Register, Versioned
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.store import Store
from p2pchat.replication.uset import ItemState, StoredItem
from p2pchat.simulation.clock import HeapClock
from p2pchat.simulation.disk import MemoryDisk, MemoryStore

KEY = RegisterKey(Identifier(5), 1)
POINT = Identifier(7)
TOP = Identifier((1 << 256) - 1)


def register(counter: int, value: bytes) -> Register:
    ballot = Ballot(1, counter, Identifier(1))
    return Register(ballot, ballot, Versioned(counter, (), value))


class MemoryDiskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = HeapClock()
        self.store = MemoryStore(4)
        self.disk = self.life()

    def life(self) -> MemoryDisk:
        return MemoryDisk(self.store, self.clock, Random(1))

    def write(self, counter: int, value: bytes) -> None:
        self.disk.run(lambda store: store.put_register(KEY, register(counter, value)))

    def test_turns_see_each_other_and_are_answered_after_the_sync(self) -> None:
        self.write(1, b"a")
        seen = self.disk.run(lambda store: store.register(KEY))
        self.assertNoResult(seen)
        self.clock.advance(1.0)
        self.assertEqual(self.successResultOf(seen), register(1, b"a"))

    def test_crash_takes_what_was_not_synced(self) -> None:
        self.write(1, b"a")
        self.clock.advance(1.0)
        self.write(2, b"b")
        self.disk.run(lambda store: store.put_item(POINT, StoredItem(b"i", ItemState.PRESENT, 0)))
        self.disk.run(lambda store: store.clear(Identifier(0), TOP))
        self.disk.crash()
        self.assertEqual(self.store.register(KEY), register(1, b"a"))
        self.assertIsNone(self.store.item(POINT, b"i"))

    def test_nothing_of_a_crashed_life_happens(self) -> None:
        asked = self.disk.run(lambda store: 1)
        self.disk.crash()
        self.write(2, b"b")
        self.clock.advance(1.0)
        self.assertNoResult(asked)
        self.assertIsNone(self.store.register(KEY))

    def test_a_turn_that_fails_writes_nothing(self) -> None:
        def fail(store: Store) -> None:
            store.put_register(KEY, register(2, b"b"))
            raise ValueError

        self.write(1, b"a")
        failed = self.disk.run(fail)
        self.clock.advance(1.0)
        self.failureResultOf(failed, ValueError)
        self.assertEqual(self.store.register(KEY), register(1, b"a"))

    def test_boots_are_counted_over_lives(self) -> None:
        boots = []
        for _ in range(3):
            boots.append(self.disk.run(lambda store: store.next_boot()))
            self.clock.advance(1.0)
            self.disk.crash()
            self.disk = self.life()
        self.assertEqual([self.successResultOf(boot) for boot in boots], [1, 2, 3])

    def test_ranges_and_pages(self) -> None:
        for kind in (2, 1, 3):
            self.store.put_register(RegisterKey(Identifier(5), kind), register(kind, b"x"))
        first = self.store.ballots(Identifier(0), TOP, None, 2)
        self.assertEqual([key.kind for key, _ in first], [1, 2])
        self.assertEqual([key.kind for key, _ in self.store.ballots(Identifier(0), TOP, first[-1][0], 2)], [3])
        self.assertEqual(self.store.ballots(Identifier(6), TOP, None, 2), [])
        self.store.put_item(POINT, StoredItem(b"b", ItemState.PRESENT, 0, b"text"))
        self.store.put_item(POINT, StoredItem(b"a", ItemState.ACKNOWLEDGED, 0))
        self.assertEqual([item.id for _, item in self.store.items(POINT, POINT, (POINT, b"a"), 9)], [b"b"])
        self.assertEqual(self.store.measure(POINT), (1, 4))
        self.assertEqual(self.store.tally(), [(0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 255, 1)])

    def test_settling_drops_promises_and_pending_marks(self) -> None:
        kept = register(1, b"a")
        self.store.put_register(KEY, Register(Ballot(1, 9, Identifier(2)), kept.accepted, kept.content))
        self.store.put_item(POINT, StoredItem(b"b", ItemState.PRESENT, 0, b"text", pending=True))
        self.store.settle(Identifier(0), TOP)
        self.assertEqual(self.store.register(KEY), kept)
        self.assertEqual(self.store.item(POINT, b"b"), StoredItem(b"b", ItemState.PRESENT, 0, b"text"))
