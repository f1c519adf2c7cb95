"""A node says that it is ready only while it is: on the ring, not leaving or sealed, with a disk that takes writes."""

import os
from pathlib import Path
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.status import NodeState
from p2pchat.counting import SECONDS
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, SlotRecord, State, first_epoch
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store
from p2pchat.replication.writer import InlineDisk
from p2pchat.server.health import PROBE_SECONDS, Health
from p2pchat.server.lag import LOOK_SECONDS, Lag

ME = Identifier(7)


class HealthTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.store = SqliteStore(self.folder / "node.sqlite3", ME, create=True, slots=4)
        self.addCleanup(self.store.close)
        self.state, self.draining, self.clock = NodeState.READY, False, Clock()
        self.health = Health(lambda: self.state, lambda: self.draining, InlineDisk(self.store), self.folder, self.clock)

    def why_not(self) -> str:
        self.clock.advance(PROBE_SECONDS)
        return self.successResultOf(Deferred.fromCoroutine(self.health.why_not()))

    def test_a_node_on_the_ring_is_ready(self) -> None:
        self.assertEqual(self.why_not(), "")

    def test_joining_leaving_and_draining_nodes_are_not(self) -> None:
        self.state = NodeState.JOINING
        self.assertEqual(self.why_not(), "not on the ring yet")
        self.state = NodeState.LEAVING
        self.assertEqual(self.why_not(), "leaving the ring")
        self.state, self.draining = NodeState.READY, True
        self.assertIn("draining", self.why_not())

    def test_a_disk_that_refuses_writes_is_told_and_so_is_its_recovery(self) -> None:
        self.store._sql.execute("PRAGMA query_only = 1")
        self.assertIn("refuses writes", self.why_not())
        self.store._sql.execute("PRAGMA query_only = 0")
        self.assertEqual(self.why_not(), "")

    def test_too_little_room_is_told(self) -> None:
        usage = os.statvfs(self.folder)
        few = mock.Mock(free=1000, total=usage.f_blocks * usage.f_frsize)
        with mock.patch("shutil.disk_usage", return_value=few):
            self.assertIn("1000 bytes are left", self.why_not())

    def test_a_sealed_node_waits_for_a_plan(self) -> None:
        def seal(store: Store) -> None:
            store.put_slot(SlotRecord(1, Configuration(3, (ME,)), State.SEALED))
            store.put_floor(1)

        def adopt(store: Store) -> None:
            store.put_slot(SlotRecord(1, Configuration(first_epoch(1), (ME,), (ME,)), State.ACTIVE))

        self.store.commit([seal])
        self.assertIn("sealed", self.why_not())
        self.store.commit([adopt])
        self.assertEqual(self.why_not(), "")

    def test_many_who_ask_cost_one_write(self) -> None:
        written = mock.Mock(side_effect=self.store.commit)
        with mock.patch.object(self.store, "commit", written):
            for _ in range(5):
                self.successResultOf(Deferred.fromCoroutine(self.health.why_not()))
        self.assertEqual(written.call_count, 1)


class LagTests(SynchronousTestCase):
    def test_lateness_is_measured(self) -> None:
        clock = Clock()
        lag = Lag(clock)
        lag.start()
        self.addCleanup(lag.stop)
        clock.advance(LOOK_SECONDS)
        self.assertEqual(lag.last, 0.0)
        clock.advance(LOOK_SECONDS + 0.3)
        self.assertAlmostEqual(lag.last, 0.3)
        clock.advance(LOOK_SECONDS - 0.3)
        self.assertAlmostEqual(lag.last, 0.0)
        self.assertEqual(sum(lag.seconds.counts), 3)
        self.assertEqual(len(lag.seconds.counts), len(SECONDS) + 1)
