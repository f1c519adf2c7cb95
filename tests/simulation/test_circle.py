"""Rings at a glance, and what lookups and loads look like on them."""

from argparse import Namespace
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import BITS, CIRCLE, Identifier
from p2pchat.simulation import load, paths, table2, table3
from p2pchat.simulation.churn import Classic, Ours, Timetable
from p2pchat.simulation.circle import Circle, mean
from p2pchat.simulation.table3 import Trial


def ids(*points: int) -> list[Identifier]:
    return [Identifier(point) for point in points]


def options(**chosen: object) -> Namespace:
    return Namespace(
        **{
            "nodes": None,
            "seeds": 1,
            "seed": 1,
            "lookups": None,
            "rates": None,
            "progress": lambda share: None,
            **chosen,
        }
    )


class CircleTests(SynchronousTestCase):
    def test_owner_and_predecessor_go_around(self) -> None:
        circle = Circle(ids(30, 10, 20))
        self.assertEqual([circle.owner(key) for key in ids(10, 11, 31)], [10, 20, 10])
        self.assertEqual([circle.predecessor(key) for key in ids(10, 11, 31)], [30, 10, 30])

    def test_successors_never_name_the_node_itself(self) -> None:
        circle = Circle(ids(10, 20, 30))
        self.assertEqual(circle.successors(Identifier(20), 16), [30, 10])
        self.assertEqual(circle.successors(Identifier(15), 16), [20, 30, 10])

    def test_coming_and_going(self) -> None:
        circle = Circle(ids(10, 30))
        circle.add(Identifier(20))
        self.assertIn(Identifier(20), circle)
        circle.remove(Identifier(30))
        self.assertEqual(circle.points, [10, 20])

    def test_fingers_are_the_owners_of_powers_of_two(self) -> None:
        circle = Circle.random(100, Random(1))
        node = circle.points[7]
        true = [circle.owner(Identifier((node + (1 << i)) % CIRCLE)) for i in range(BITS)]
        self.assertEqual(circle.fingers(node), list(dict.fromkeys(each for each in true if each != node)))


class ExperimentTests(SynchronousTestCase):
    """Small runs come out near the papers' numbers (simulation/published.py)."""

    def test_paths(self) -> None:
        rows = {row["system"]: row["path"] for row in paths.rows(options(nodes=256, seeds=3, lookups=300))}
        self.assertLess(abs(rows["classic"] - 3.86), 0.3)
        self.assertLessEqual(rows["p2pchat"], 1.0)

    def test_a_table_that_does_not_hold_all_costs_little(self) -> None:
        settled = paths.Settled(Circle.random(500, Random(2)))
        settled._known = 0.6
        random = Random(3)
        hops = [
            paths.path(random.choice(settled.circle.points), Identifier(random.getrandbits(BITS)), settled.ours)
            for _ in range(300)
        ]
        self.assertLess(mean(hops), 1.8)

    def test_simultaneous_failures(self) -> None:
        rows = list(table2.rows(options(rates=[0.0, 0.5], seeds=2, lookups=300)))
        classic = [row for row in rows if row["system"] == "classic"]
        self.assertLess(abs(classic[0]["path"] - 3.84), 0.3)
        self.assertLess(abs(classic[1]["path"] - 5.09), 0.6)
        self.assertLess(abs(classic[1]["timeouts"] - 5.10), 1.0)
        self.assertEqual({row["failed"] for row in rows}, {0})
        self.assertTrue(all(row["path"] <= 1 for row in rows if row["system"] == "p2pchat"))

    def test_churn(self) -> None:
        rows = list(table3.rows(options(nodes=100, rates=[0.05], lookups=60)))
        self.assertEqual([row["system"] for row in rows], ["classic", "p2pchat"])
        self.assertEqual(rows[1]["failures"], 0)

    def test_tables_stay_right_under_churn(self) -> None:
        for make in (Classic, Ours):
            trial = Trial(make, 60, 0.2, Random(5))
            trial.run(40)
            self.assertTrue(all(trial.system.alive(node) for node in trial.system.circle.points), make)

    def test_one_seed_gives_one_result(self) -> None:
        runs = [list(table3.rows(options(nodes=50, rates=[0.1], lookups=20))) for _ in range(2)]
        self.assertEqual(runs[0], runs[1])

    def test_load(self) -> None:
        random = Random(4)
        _, one = load.classic(500, 1, random)
        _, many = load.classic(500, 20, random)
        _, ours = load.ours(500, random)
        self.assertGreater(one, 3.5)
        self.assertLess(many, 2.0)
        self.assertLess(ours, one)
        self.assertEqual(len(set(load.admitted(50, random))), 50)

    def test_events_come_in_the_order_of_time(self) -> None:
        times, seen = Timetable(Random(1)), list[str]()
        times.after(2.0, seen.append, "second")
        times.after(1.0, seen.append, "first")
        times.run(lambda: len(seen) == 2)
        self.assertEqual((seen, times.now), (["first", "second"], 2.0))
