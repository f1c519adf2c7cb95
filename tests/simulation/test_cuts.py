"""What was written during a long cut arrives within a minute after it."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation import cuts

SEEDS = (1, 2)


class CutTests(SynchronousTestCase):
    def test_what_waited_is_there_within_a_minute(self) -> None:
        for seed in SEEDS:
            outcome = cuts.simulate(seed)
            self.assertEqual((outcome.violations, outcome.lost, outcome.story), (0, 0, ()), f"seed {seed}")
            self.assertGreater(outcome.operations, 5)
