"""The index of the history: brought forward in pauses, complete at each search, and right after a crash."""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.archive import Archive
from p2pchat.chat.indexing import QUIET_SECONDS, Indexing
from p2pchat.chat.storage import Database
from p2pchat.chat.words import BATCH
from p2pchat.errors import DiskFull
from tests.chat.test_archive import line


class WordsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.open()

    def open(self) -> None:
        self.database = Database(self.path)
        self.addCleanup(self.database.close)
        self.archive = Archive(self.database)

    def add(self, count: int) -> None:
        start = self.archive.total()
        with self.database.soon():
            for number in range(start + 1, start + count + 1):
                self.archive.add(line(f"text {number:04}", number), 5000)

    def found(self, search: str) -> list[str]:
        return [each.text for each in self.archive.lines("bob", 1000, search=search)]

    def indexed(self) -> int:
        ((count,),) = self.database.query("SELECT count(*) FROM words_docsize")
        return int(str(count))

    def test_a_search_finds_what_was_written_a_moment_ago(self) -> None:
        self.add(3)
        self.assertEqual(self.indexed(), 0)
        self.assertEqual(self.found("text 000"), ["text 0001", "text 0002", "text 0003"])
        self.add(1)
        self.assertEqual(self.found("text 0004"), ["text 0004"])

    def test_it_goes_forward_batch_by_batch_and_each_text_is_in_it_once(self) -> None:
        self.add(BATCH + 5)
        self.assertTrue(self.archive.words.bring_forward())
        self.assertEqual(self.indexed(), BATCH)
        self.assertFalse(self.archive.words.bring_forward())
        self.assertFalse(self.archive.words.bring_forward())
        self.assertEqual(self.indexed(), BATCH + 5)
        self.database.query("INSERT INTO words (words) VALUES ('integrity-check')")
        self.assertEqual(len(self.found("text")), BATCH + 5)

    def test_a_batch_that_was_undone_is_done_again(self) -> None:
        self.add(5)
        with self.assertRaises(ZeroDivisionError), self.database.soon():
            self.archive.words.bring_forward()
            raise ZeroDivisionError
        self.assertEqual(self.indexed(), 0)
        self.database.close()
        self.open()
        self.assertEqual(len(self.found("text")), 5)


class IndexingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.left, self.turns = Clock(), 0, 0
        self.error: Exception | None = None
        self.indexing = Indexing(self.clock, self.bring_forward)

    def bring_forward(self) -> bool:
        self.turns += 1
        if self.error is not None:
            raise self.error
        self.left -= 1
        return self.left > 0

    def test_it_waits_until_nobody_writes_and_then_goes_on_in_turns(self) -> None:
        self.left = 3
        self.indexing.start()
        for _ in range(10):
            self.indexing.written()
            self.clock.advance(QUIET_SECONDS / 2)
        self.assertEqual(self.turns, 0)
        self.clock.pump([QUIET_SECONDS / 2, 0, 0, 0])
        self.assertEqual(self.turns, 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_full_disk_only_delays_it(self) -> None:
        self.error = DiskFull("full")
        self.indexing.start()
        self.clock.advance(QUIET_SECONDS)
        self.error, self.left = None, 1
        self.indexing.written()
        self.clock.advance(QUIET_SECONDS)
        self.assertEqual(self.turns, 2)

    def test_no_timer_is_left_behind(self) -> None:
        self.indexing.start()
        self.indexing.stop()
        self.indexing.written()
        self.assertEqual(self.clock.getDelayedCalls(), [])
