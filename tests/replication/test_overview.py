"""What a node says of its ring: how many nodes may be lost, and how many copies are missing."""

from collections import Counter
from functools import partial

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_SESSION, RegisterKey
from p2pchat.replication.uset import Item

from .ring import Ring


class ToleranceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events = self.enterContext(capturedLogs())
        self.read = 0

    def told(self) -> list[LogLevel]:
        """In which tone this was spoken of since the last call."""
        news, self.read = self.events[self.read :], len(self.events)
        return [event["log_level"] for event in news if "tolera" in (event.get("log_format") or "")]

    def ring(self, nodes: int, replicas: int = 4) -> Ring:
        ring = Ring(nodes, in_memory=True, replicas=replicas)
        self.addCleanup(ring.close)
        return ring

    def test_small_rings_warn_once_for_each_size_until_they_have_grown(self) -> None:
        ring = self.ring(1)
        ring.run(60.0)
        self.assertEqual(self.told(), [LogLevel.warn])
        ring.add(1)
        ring.run(60.0)
        self.assertEqual(self.told(), [LogLevel.warn] * 2)
        ring.add(2)
        ring.run(60.0)
        self.assertEqual(self.told(), [LogLevel.info] * 2)

    def test_a_ring_of_three_says_nothing_and_neither_does_a_moment_without_others(self) -> None:
        ring = self.ring(3)
        ring.run(60.0)
        identifiers = [node.identifier for node in ring.nodes]
        ring.network.partition([[each] for each in identifiers])
        ring.run(5.0)
        ring.network.mend()
        ring.run(30.0)
        self.assertEqual(self.told(), [])

    def test_a_ring_that_wants_one_copy_says_nothing(self) -> None:
        self.ring(1, replicas=0).run(60.0)
        self.assertEqual(self.told(), [])


POINTS = [Identifier((2 * number + 1) * CIRCLE // 32) for number in range(16)]


def _put(value: bytes, old: bytes | None) -> bytes:
    return value


class DeficitTests(SynchronousTestCase):
    """The deficit is what a count over all living nodes' disks finds missing."""

    def ring(self, nodes: int) -> Ring:
        """A grown ring in which some slots hold records: two registers, and one message more from each to the next."""
        ring = Ring(nodes, slots=8, in_memory=True)
        self.addCleanup(ring.close)
        ring.grow(5)
        service = ring.nodes[0].service
        for number, point in enumerate(POINTS[::3]):
            for kind in (KIND_ACCOUNT, KIND_SESSION):
                ring.ask(service.change(RegisterKey(point, kind), partial(_put, b"%d" % number), b"%d" % kind))
            items = [Item((100 * number + each).to_bytes(32, "big"), bytes(50)) for each in range(number + 1)]
            ring.ask(service.add(point, b"", items))
        ring.run(5.0)
        return ring

    def told(self, ring: Ring) -> int:
        """The sum over all nodes, as an operator reads it from their rows."""
        up = [node for node in ring.nodes if node.host is not None]
        return sum(ring.ask(node.service.status()).deficit for node in up)

    def missing(self, ring: Ring, wanted: int) -> int:
        """Copies that are not on the disks of living members, where each record should have so many."""
        copies: Counter[tuple[int, int, int]] = Counter()
        for node in ring.nodes:
            if node.host is None:
                continue
            newest = {slot: record.newest for slot, record in node.service.movement.records.items()}
            for slot, kind, count in node.store.tally():
                if node.identifier in newest[slot].members:
                    copies.update((slot, kind, number) for number in range(count))
        self.assertEqual(len(copies), sum(2 + number + 1 for number in range(len(POINTS[::3]))))
        return sum(wanted - held for held in copies.values())

    def test_a_node_that_died_is_missing_until_another_has_its_records(self) -> None:
        ring = self.ring(6)
        self.assertEqual((self.told(ring), self.missing(ring, 5)), (0, 0))
        victim = max(ring.nodes[1:], key=lambda node: sum(count for _, _, count in node.store.tally()))
        lost = sum(count for _, _, count in victim.store.tally())
        victim.crash()
        ring.run(1.0)
        self.assertGreater(lost, 0)
        self.assertEqual((self.told(ring), self.missing(ring, 5)), (lost, lost))
        ring.run(ring.repair_after + 15.0)
        self.assertEqual((self.told(ring), self.missing(ring, 5)), (0, 0))

    def test_five_that_lose_two_are_whole_with_three_copies_and_then_tell_of_a_third(self) -> None:
        ring = self.ring(5)
        records = self.missing(ring, 6)
        for number in (1, 3):
            ring.nodes[number].crash()
        ring.run(1.0)
        self.assertEqual((self.told(ring), self.missing(ring, 5)), (2 * records, 2 * records))
        ring.run(ring.repair_after + 15.0)
        self.assertTrue(ring.is_grown(3))
        self.assertEqual((self.told(ring), self.missing(ring, 3)), (0, 0))
        ring.nodes[4].crash()
        ring.run(ring.repair_after + 15.0)
        self.assertEqual((self.told(ring), self.missing(ring, 3)), (records, records))
