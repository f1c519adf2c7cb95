"""The bare state machines decide one configuration for each epoch and keep what was acknowledged."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.replication.configuration import State
from p2pchat.simulation import machines
from p2pchat.simulation.machines import Machines


class MachineTests(SynchronousTestCase):
    def test_seeds_have_no_violations(self) -> None:
        for seed in range(1, 2001):
            self.assertEqual(machines.simulate(seed).story, (), f"seed {seed}")

    def test_seeds_that_once_went_wrong(self) -> None:
        """A refusal without a write-back, while an earlier try of the same operation had reached one member."""
        for seed in (503020, 525142, 538127, 560799, 618489):
            self.assertEqual(machines.simulate(seed).story, (), f"seed {seed}")

    def test_same_seed_same_end(self) -> None:
        self.assertEqual(machines.simulate(7), machines.simulate(7))
        self.assertNotEqual(machines.simulate(7).digest, machines.simulate(8).digest)

    def test_runs_reach_what_they_are_to_try(self) -> None:
        """Operations that are answered and such that never are, several epochs, sealed members, nodes left out."""
        epochs, states, known, unknown = set[int](), set[State](), 0, 0
        for seed in range(1, 201):
            run = Machines(seed)
            run.run()
            epochs.add(max(run.chain))
            states.update(record.state for record in run.records.values())
            known += sum(each.known for each in run.history)
            unknown += sum(not each.known for each in run.history)
        self.assertLessEqual({1, 2, 3}, epochs)
        self.assertLessEqual({State.ACTIVE, State.SEALED}, states)
        self.assertGreater(known, 300)
        self.assertGreater(unknown, 20)
