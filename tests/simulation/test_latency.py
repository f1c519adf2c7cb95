"""Lookup times on given delays."""

from argparse import Namespace
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation import latency
from p2pchat.simulation.circle import Circle, mean, point
from p2pchat.simulation.paths import Settled


class LatencyTests(SynchronousTestCase):
    def test_ours_asks_two_nodes_and_classic_more(self) -> None:
        rows = list(latency.rows(Namespace(seed=1, seeds=1, nodes=200, lookups=200, progress=id)))
        self.assertEqual([row["delays"] for row in rows[::2]], list(latency.DELAYS))
        for classic, ours in zip(rows[::2], rows[1::2], strict=True):
            self.assertEqual((classic["system"], ours["system"]), ("classic", "p2pchat"))
            self.assertLess(ours["median"], classic["median"])
            self.assertLess(ours["stretch"], 2.5)
        self.assertEqual(rows[1]["median"], 4 * latency.MEAN_MS)

    def test_delays_are_the_same_both_ways_and_as_long_as_said(self) -> None:
        random = Random(2)
        pairs = [(point(random), point(random)) for _ in range(2_000)]
        for name, delay in latency.DELAYS.items():
            self.assertTrue(all(delay(one, other) == delay(other, one) > 0 for one, other in pairs), name)
        self.assertLess(abs(mean(latency.exponential(*pair) for pair in pairs) - latency.MEAN_MS), 4.0)
        self.assertLess(max(latency.plane(*pair) for pair in pairs), latency.LEAST_MS + latency.DIAGONAL_MS)

    def test_the_owner_is_asked_last_and_once(self) -> None:
        random = Random(3)
        settled = Settled(Circle.random(60, random))
        for system in ("classic", "p2pchat"):
            for _ in range(50):
                origin, key = random.choice(settled.circle.points), point(random)
                nodes = latency.asked(origin, key, settled, system)
                self.assertEqual(len(set(nodes)), len(nodes))
                if settled.circle.owner(key) != origin:
                    self.assertEqual(nodes[-1], settled.circle.owner(key))
