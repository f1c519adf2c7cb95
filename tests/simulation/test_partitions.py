"""Rings that were cut apart are one again."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation.papers import Papers
from p2pchat.simulation.partitions import HEAL_SECONDS, healed

PAPERS = Papers("partitions")


class PartitionTests(SynchronousTestCase):
    def test_two_and_three_parts_of_a_ring_become_one_again(self) -> None:
        for parts in (2, 3):
            for seed in (1, 2):
                seconds = healed(PAPERS, seed, parts, 12)
                self.assertIsNotNone(seconds, f"{parts} parts, seed {seed}")
                self.assertLess(seconds or 0.0, HEAL_SECONDS)

    def test_a_ring_of_thirty(self) -> None:
        self.assertIsNotNone(healed(PAPERS, 3, 3))
