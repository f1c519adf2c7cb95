"""Plans of faults come from the seed alone and stay within their limits."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation.faults import Limits, LoseDisk, Partition, draw


class PlanTests(SynchronousTestCase):
    def test_same_seed_same_plan(self) -> None:
        limits = Limits(faults=8, disks=2)
        plans = [draw(Random(seed), 5, 30.0, limits) for seed in (1, 1, 2)]
        self.assertEqual(plans[0], plans[1])
        self.assertNotEqual(plans[0], plans[2])

    def test_limits_hold_and_faults_come_in_order(self) -> None:
        for seed in range(200):
            plan = draw(Random(seed), 5, 60.0, Limits(faults=4, disks=2, disk_gap=20.0))
            times = [each.when for each in plan.faults]
            self.assertEqual(times, sorted(times))
            lost = [each.when for each in plan.faults if isinstance(each.fault, LoseDisk)]
            self.assertLessEqual(len(lost), 2)
            self.assertTrue(len(lost) < 2 or lost[1] - lost[0] >= 20.0)
            self.assertLessEqual(len(times) - len(lost), 4)

    def test_partitions_cover_every_node_once(self) -> None:
        plans = [draw(Random(seed), 6, 30.0, Limits(faults=8)) for seed in range(50)]
        partitions = [each.fault for plan in plans for each in plan.faults if isinstance(each.fault, Partition)]
        self.assertTrue(partitions)
        for partition in partitions:
            self.assertEqual(sorted(node for group in partition.groups for node in group), list(range(6)))
