"""Steps of lookups and the finger table."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.routing import Fingers, Step, closest_before, finger_target, next_step
from p2pchat.identifiers import BITS, CIRCLE, Identifier


def ids(*points: int) -> tuple[Identifier, ...]:
    return tuple(Identifier(point) for point in points)


ME = Identifier(100)


class StepTests(SynchronousTestCase):
    def test_alone_we_own_all(self) -> None:
        self.assertEqual(next_step(ME, Identifier(7), (), ()), Step(True, (ME,)))

    def test_our_successor_owns_what_lies_between(self) -> None:
        for point in (101, 150, 200):
            self.assertEqual(next_step(ME, Identifier(point), ids(200, 300), ()), Step(True, ids(200, 300)))

    def test_the_closest_before_the_point_come_first(self) -> None:
        step = next_step(ME, Identifier(600), ids(200, 300), ids(500, 400, 600, 700))
        self.assertEqual(step, Step(False, ids(500, 400, 300)))

    def test_our_own_point_is_asked_from_the_far_side(self) -> None:
        self.assertEqual(next_step(ME, ME, ids(200, 300), ()), Step(False, ids(300, 200)))

    def test_closest_before_goes_around(self) -> None:
        self.assertEqual(closest_before(list(ids(10, 20, 30)), Identifier(20), 2), list(ids(10, 30)))
        self.assertEqual(closest_before([], Identifier(20)), [])


class FingerTests(SynchronousTestCase):
    def test_targets(self) -> None:
        self.assertEqual(finger_target(ME, 0), 101)
        self.assertEqual(finger_target(ME, BITS - 1), 100 + CIRCLE // 2)

    def test_a_list_that_reaches_half_around_needs_no_lookup(self) -> None:
        self.assertIsNone(Fingers(ME).next_index(Identifier(100 + CIRCLE // 2)))

    def test_fingers_beyond_the_list_are_looked_up_in_turn(self) -> None:
        fingers = Fingers(ME)
        last = Identifier(100 + CIRCLE // 8)
        self.assertEqual([fingers.next_index(last) for _ in range(5)], [255, 254, 255, 254, 255])

    def test_shown_are_distinct_and_the_better_of_lookup_and_table(self) -> None:
        random = Random(1)
        nodes = sorted(Identifier(random.randrange(CIRCLE)) for _ in range(50))

        def first(point: Identifier) -> Identifier:
            return next((node for node in nodes if node >= point), nodes[0])

        fingers = Fingers(ME)
        shown = fingers.shown(first)
        self.assertEqual(len(set(shown)), len(shown))
        self.assertEqual(set(shown), {first(finger_target(ME, i)) for i in range(BITS)})
        closer = Identifier(finger_target(ME, 255) + 1)
        fingers.found(255, closer)
        self.assertIn(closer, fingers.shown(first))
        fingers.drop(closer)
        self.assertEqual(fingers.shown(first), shown)
