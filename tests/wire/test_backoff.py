"""Pauses after failed attempts."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.wire import backoff
from p2pchat.wire.backoff import FIRST_SECONDS, MOST_SECONDS, Backoff

NODE = Identifier(7)


class BackoffTests(SynchronousTestCase):
    def test_pause_doubles_up_to_a_limit(self) -> None:
        waits = Backoff(Random(1))
        pauses = []
        for _ in range(8):
            waits.failed(NODE, 100.0)
            pauses.append(waits.remaining(NODE, 100.0))
        for pause, expected in zip(pauses, [0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0, 4.0], strict=True):
            self.assertTrue(0.8 * expected <= pause <= 1.2 * expected, pauses)
        self.assertEqual((FIRST_SECONDS, MOST_SECONDS), (0.2, 4.0))

    def test_success_forgets(self) -> None:
        waits = Backoff(Random(1))
        waits.failed(NODE, 100.0)
        waits.forget(NODE)
        self.assertEqual(waits.remaining(NODE, 100.0), 0.0)

    def test_unknown_node_may_be_tried(self) -> None:
        self.assertEqual(Backoff(Random(1)).remaining(NODE, 0.0), 0.0)

    def test_memory_is_bounded(self) -> None:
        self.patch(backoff, "MAX_REMEMBERED", 3)
        waits = Backoff(Random(1))
        for node in range(10):
            waits.failed(Identifier(node), 0.0)
        self.assertEqual(sum(waits.remaining(Identifier(node), 0.0) > 0 for node in range(10)), 3)
