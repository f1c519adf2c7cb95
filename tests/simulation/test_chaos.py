"""Nodes are killed at every named point of the protocol, and nothing is lost by it."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation import logins, mail, names
from p2pchat.simulation.chaos import POINTS
from p2pchat.simulation.faults import CrashAt, Plan, Reshuffle, Timed
from p2pchat.simulation.network import Weather

MAX_SEEDS = 100


class PointTests(SynchronousTestCase):
    def kill_at(self, point: str) -> bool:
        """Whether some seed has a node killed there, while members change; each run must be faultless."""
        faults = (Timed(0.1, CrashAt(point, 0.5)), Timed(1.0, Reshuffle(0, 2)), Timed(2.5, Reshuffle(0, 1)))
        plan = Plan(Weather(), faults, 5.0)
        for seed in range(1, MAX_SEEDS):
            for experiment in (logins, mail, names):
                outcome = experiment.simulate(seed, plan)
                self.assertEqual(outcome.story, (), f"{experiment.__name__}, seed {seed}, {point}")
                if point in outcome.kills:
                    return True
        return False

    def test_nodes_are_killed_at_every_named_point(self) -> None:
        self.assertEqual([point for point in POINTS if not self.kill_at(point)], [])
