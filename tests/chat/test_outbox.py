"""What waits to be sent: order, pauses, and that nothing is lost over a restart."""

import random
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.message import Type
from p2pchat.chat.outbox import FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, OutboxStore, Schedule
from p2pchat.chat.storage import Database


class OutboxTests(SynchronousTestCase):
    def test_order_holds_over_a_restart_and_an_id_is_queued_once(self) -> None:
        path = Path(self.mktemp())
        database = Database(path)
        outbox = OutboxStore(database)
        for number in (1, 2, 1, 3):
            outbox.add("bob", bytes([number]) * 16, f"frame {number}".encode(), Type.TEXT)
        outbox.add("carol", b"r" * 16, b"receipt", Type.RECEIPT)
        outbox.tried("bob", [b"\2" * 16])
        database.close()
        database = Database(path)
        self.addCleanup(database.close)
        outbox = OutboxStore(database)
        self.assertEqual([each.frame for each in outbox.waiting("bob")], [b"frame 1", b"frame 2", b"frame 3"])
        self.assertEqual([each.attempts for each in outbox.waiting("bob")], [0, 1, 0])
        outbox.remove("bob", [b"\1" * 16, b"\2" * 16, b"\3" * 16])
        self.assertEqual(outbox.contacts(), ["carol"])


class ScheduleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.schedule = Schedule(random.Random(1))

    def test_pauses_grow_to_their_limit(self) -> None:
        now, pauses = 0.0, []
        for _ in range(10):
            self.schedule.started("bob")
            self.schedule.failed("bob", now)
            later = self.schedule.next_at(["bob"])
            assert later is not None
            pauses.append(later - now)
            now = later
        self.assertLessEqual(pauses[0], FIRST_PAUSE_SECONDS)
        self.assertGreater(pauses[-1], MAX_PAUSE_SECONDS * 0.7)
        self.assertLessEqual(max(pauses), MAX_PAUSE_SECONDS)

    def test_a_contact_under_way_is_not_started_twice(self) -> None:
        self.assertEqual(self.schedule.due(["bob", "carol"], 0.0), ["bob", "carol"])
        self.schedule.started("bob")
        self.assertEqual(self.schedule.due(["bob", "carol"], 0.0), ["carol"])
        self.schedule.succeeded("bob")
        self.assertEqual(self.schedule.due(["bob", "carol"], 0.0), ["bob", "carol"])

    def test_waking_ends_the_pause(self) -> None:
        for _ in range(5):
            self.schedule.failed("bob", 100.0)
        self.assertEqual(self.schedule.due(["bob"], 100.0), [])
        self.schedule.wake()
        self.assertEqual(self.schedule.due(["bob"], 100.0), ["bob"])
