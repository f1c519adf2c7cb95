"""Nodes are killed at every named point of the protocol, and nothing is lost by it."""

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation import logins, mail, names, world
from p2pchat.simulation.chaos import AUTHORITY_POINTS, POINTS, UNREACHED
from p2pchat.simulation.faults import CrashAt, Evict, LoseMajority, Plan, Reshuffle, Timed
from p2pchat.simulation.network import Weather

MAX_SEEDS = 100
CHANGES = (Timed(1.0, Reshuffle(0, 2)), Timed(2.5, Reshuffle(0, 1)))
LOSSES = (Timed(0.2, Evict(3, 0.5)), Timed(1.5, LoseMajority((0, 1), 0.2, 0.5)))


class PointTests(SynchronousTestCase):
    def kill_at(self, point: str, faults: Sequence[Timed], experiments: Sequence[Any]) -> bool:
        """Whether some seed has a node killed there, while members change; each run must be faultless."""
        plan = Plan(Weather(), (Timed(0.1, CrashAt(point, 0.5)), *faults), 5.0)
        for seed in range(1, MAX_SEEDS):
            for experiment in experiments:
                outcome = experiment.simulate(seed, plan)
                self.assertEqual(outcome.story, (), f"{experiment.__name__}, seed {seed}, {point}")
                if point in outcome.kills:
                    return True
        return False

    def test_nodes_are_killed_at_every_named_point(self) -> None:
        self.patch(world, "AUTHORITY", 0.0)
        reached = [point for point in POINTS if point not in UNREACHED]
        missed = [point for point in reached if not self.kill_at(point, CHANGES, (logins, mail, names))]
        self.assertEqual(missed, [])

    def test_nodes_are_killed_at_every_named_point_of_evictions_and_plans(self) -> None:
        self.patch(world, "AUTHORITY", 1.0)
        self.patch(world, "TWO_NODES", 0.0)
        missed = [point for point in AUTHORITY_POINTS if not self.kill_at(point, LOSSES, (mail, names))]
        self.assertEqual(missed, [])
