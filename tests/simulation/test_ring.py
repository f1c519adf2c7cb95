"""Random events on small rings: none is false, storms end, and the judges can say no."""

from argparse import Namespace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.ring import Action, Ring, Tell, View
from p2pchat.identifiers import Identifier, between
from p2pchat.simulation import ring
from p2pchat.simulation.papers import Papers


class ForgetsTheTail(Ring):
    """Planted bug: takes only the first two entries of what its successor tells."""

    def _adopt(self, node: Identifier, view: View) -> None:
        super()._adopt(node, View(view.predecessor, view.successors[:1], view.padding))


class SkipsANode(Ring):
    """Planted bug: leaves the second entry out of a list that it copies."""

    def _adopt(self, node: Identifier, view: View) -> None:
        super()._adopt(node, View(view.predecessor, view.successors[1:], view.padding))


class KeepsADeadPredecessor(Ring):
    """Planted bug: who is further away than the predecessor is not heard, so nobody sees that it is dead."""

    def _hear_notify(self, candidate: Identifier) -> list[Action]:
        if self.predecessor is not None and not between(self.predecessor, candidate, self.me):
            return []
        return super()._hear_notify(candidate)


class ForgetsToNotify(Ring):
    """Planted bug: never tells its successor."""

    def _take(self, node: Identifier, view: View) -> list[Action]:
        return [action for action in super()._take(node, view) if not isinstance(action, Tell)]


class RingTests(SynchronousTestCase):
    def test_perfect_detection_breaks_nothing_and_all_heal(self) -> None:
        shares: list[float] = []
        rows = list(ring.rows(Namespace(seed=1, seeds=8, nodes=None, progress=shares.append)))
        last = {row["system"]: row for row in rows}
        self.assertEqual(list(last), ["perfect", "imperfect", "services"])
        self.assertEqual((last["perfect"]["seeds"], last["perfect"]["violations"]), (8, 0))
        self.assertGreater(last["perfect"]["events"], 5_000)
        self.assertGreater(last["imperfect"]["false"], 0)
        self.assertEqual([row["unhealed"] for row in last.values()], [0, 0, 0])
        self.assertLess(last["services"]["seconds"], 30.0)
        self.assertEqual((shares, shares[-1]), (sorted(shares), 1.0))

    def test_one_seed_gives_one_storm(self) -> None:
        digests = []
        for seed in (3, 3, 4):
            storm = ring.Storm(Papers("storm"), seed, 6)
            storm.over()
            self.assertGreater(storm.blows, 2)
            digests.append(storm.mesh.network.digest)
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])

    def test_planted_bugs_are_noticed_within_five_seeds(self) -> None:
        for make in (ForgetsTheTail, SkipsANode, KeepsADeadPredecessor, ForgetsToNotify):
            self.assertTrue(any(self.notices(make, seed) for seed in range(1, 6)), make.__doc__)

    def notices(self, make: type[Ring], seed: int) -> bool:
        world = ring.world(seed, make=make)
        world.run(300)
        return bool(world.broken) or not world.settle()
