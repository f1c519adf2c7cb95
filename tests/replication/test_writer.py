"""The writer thread: order, one commit for many turns, refusals for each turn alone, damage for all."""

from collections.abc import Callable
from pathlib import Path
from threading import Event, get_ident
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Damaged, DiskFull, TryElsewhere
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store
from p2pchat.replication.writer import InlineDisk, Writer

ME = Identifier(7)


def put(slot: int) -> Callable[[Store], int]:
    def turn(store: Store) -> int:
        store.put_slot(SlotRecord(slot, Configuration(1, (ME,)), State.ACTIVE))
        return slot

    return turn


class CountingStore(SqliteStore):
    """Notes how many turns each commit had, and refuses a commit when told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, ME, create=True)
        self.commits: list[int] = []
        self.refuse: Callable[[list[Any]], Exception | None] = lambda turns: None

    def commit(self, turns: list[Callable[[Store], Any]]) -> list[Any]:
        self.commits.append(len(turns))
        if (error := self.refuse(turns)) is not None:
            raise error
        return super().commit(turns)


class WriterTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "node.db"
        self.store = CountingStore(self.path)
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.damage: list[Damaged] = []
        self.writer = Writer(self.store, lambda call, *given: self.calls.append((call, given)), self.damage.append)
        self.addCleanup(self.writer.close)

    def held(self) -> Event:
        """The thread waits in its first turn until this is set, so that all others form one batch."""
        release = Event()
        self.writer.run(lambda store: release.wait(60))
        return release

    def finish(self) -> None:
        """Let the thread end, then do in this thread what it asked for."""
        self.writer.close()
        for call, given in self.calls:
            call(*given)

    def test_waiting_turns_share_one_commit_and_keep_their_order(self) -> None:
        release = self.held()
        done = [self.writer.run(put(slot)) for slot in range(100)]
        release.set()
        self.finish()
        self.assertEqual([self.successResultOf(each) for each in done], list(range(100)))
        self.assertEqual(sum(self.store.commits), 101)
        self.assertLessEqual(len(self.store.commits), 3)
        self.assertEqual(len(SqliteStore(self.path, ME, create=False).slots()), 100)

    def test_turns_run_in_the_thread_and_results_do_not(self) -> None:
        here, threads = get_ident(), list[int]()
        done = self.writer.run(lambda store: get_ident())
        done.addCallback(lambda there: threads.extend([there, get_ident()]))
        self.finish()
        self.assertNotEqual(threads[0], here)
        self.assertEqual(threads[1], here)

    def test_a_mistake_in_one_turn_fails_that_one(self) -> None:
        bad = self.writer.run(lambda store: 1 // 0)
        good = self.writer.run(put(1))
        self.finish()
        self.failureResultOf(bad, ZeroDivisionError)
        self.assertEqual(self.successResultOf(good), 1)

    def test_a_full_disk_refuses_only_what_does_not_fit(self) -> None:
        huge = put(5)
        self.store.refuse = lambda turns: DiskFull("full") if huge in turns else None
        release = self.held()
        done: list[Deferred[Any]] = [self.writer.run(put(1)), self.writer.run(huge), self.writer.run(put(2))]
        release.set()
        self.finish()
        self.assertEqual(self.successResultOf(done[0]), 1)
        self.failureResultOf(done[1], DiskFull)
        self.assertEqual(self.successResultOf(done[2]), 2)

    def test_damage_ends_everything_and_is_told_once(self) -> None:
        self.store.refuse = lambda turns: Damaged("damaged")
        first, second = self.writer.run(put(1)), self.writer.run(put(2))
        self.finish()
        self.failureResultOf(first, Damaged)
        self.failureResultOf(second, Damaged)
        self.failureResultOf(self.writer.run(put(3)), Damaged)
        self.assertEqual(len(self.damage), 1)

    def test_nothing_runs_after_the_close(self) -> None:
        self.writer.close()
        self.failureResultOf(self.writer.run(put(1)), TryElsewhere)

    def test_inline_is_durable_at_once(self) -> None:
        self.writer.close()
        disk = InlineDisk(SqliteStore(self.path, ME, create=False))
        self.assertEqual(self.successResultOf(disk.run(put(4))), 4)
        self.assertEqual(len(SqliteStore(self.path, ME, create=False).slots()), 1)
