"""Each planted bug is noticed within its stated number of seeds; a simulator that misses one is too weak."""

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.moving_mutants import COMPARED, GENERATIONS
from tests.simulation.mutants import MACHINES, MAIL, NAMES, PREPARED, SESSIONS, Mutant


class MutantTests(SynchronousTestCase):
    def assert_noticed(self, mutant: Mutant) -> None:
        """Begin with a seed that is known to notice it; changed code may need others."""
        for owner, attribute, instead in mutant.changes:
            self.patch(owner, attribute, instead)
        seeds = [*mutant.known, *(seed for seed in range(1, mutant.within + 1) if seed not in mutant.known)]
        self.assertTrue(
            any(not mutant.simulate(seed).faultless for seed in seeds),
            f"{mutant.name}: not noticed in {mutant.within} seeds",
        )


def _test(mutant: Mutant) -> object:
    def test(self: MutantTests) -> None:
        self.assert_noticed(mutant)

    return test


for _kind, _mutants in (
    ("names", NAMES),
    ("prepared", PREPARED),
    ("mail", MAIL),
    ("sessions", SESSIONS),
    ("machines", MACHINES),
    ("compared", COMPARED),
    ("generations", GENERATIONS),
):
    for _mutant in _mutants:
        _name = f"test_{_kind}_{_mutant.name}".replace(" ", "_").replace(",", "").replace("'", "")
        setattr(MutantTests, _name, _test(_mutant))
