"""A power cut takes from an agent's history what was not synced, and nothing else."""

from pathlib import Path
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.storage import Database, Settings
from p2pchat.simulation.historydisk import SLOWEST_SECONDS, HistoryDisk


class HistoryDiskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.folder = Clock(), Path(self.mktemp())
        self.folder.mkdir()

    def open(self, seed: int) -> None:
        """A life of the agent."""
        self.disk = HistoryDisk(self.clock, Random(seed))
        self.database = Database(self.folder / "chat-a.sqlite", disk=self.disk)
        self.settings = Settings(self.database)

    def write(self, name: str) -> None:
        with self.database.soon():
            self.settings.put(name, name * 5000)

    def cut(self) -> None:
        put_back = self.disk.power_cut(self.folder)
        self.database.close()
        put_back()

    def left(self, names: str) -> str:
        """What the next life finds, which then ends in the same way."""
        self.open(0)
        found = "".join(name for name in names if self.settings.get(name, ""))
        self.cut()
        return found

    def test_a_sync_takes_some_milliseconds_and_what_it_covers_survives(self) -> None:
        self.open(1)
        self.write("a")
        synced = self.database.synced()
        self.assertNoResult(synced)
        self.clock.advance(SLOWEST_SECONDS)
        self.successResultOf(synced)
        self.cut()
        self.assertEqual(self.left("a"), "a")

    def test_what_was_not_synced_may_be_lost_from_its_end_but_never_from_its_middle(self) -> None:
        found = set()
        for seed in range(12):
            self.folder = Path(self.mktemp())
            self.folder.mkdir()
            self.open(seed)
            self.settings.put("a", "kept")
            for name in "bcd":
                self.write(name)
            self.cut()
            found.add(self.left("abcd"))
        self.assertLessEqual(found, {"a", "ab", "abc", "abcd"})
        self.assertIn("a", found)
        self.assertGreater(len(found), 1)

    def test_a_process_that_is_killed_loses_nothing_that_it_wrote(self) -> None:
        self.open(1)
        self.write("a")
        self.database.close()
        self.assertEqual(self.left("a"), "a")
