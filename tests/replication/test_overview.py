"""What a node says of its ring: how many nodes may be lost."""

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

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
