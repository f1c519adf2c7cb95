"""Time limits follow each node's own answers."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.detector import FIRST_SECONDS, LEAST_SECONDS, MOST_SECONDS, Detector
from p2pchat.identifiers import Identifier

NODE, OTHER = Identifier(1), Identifier(2)


class DetectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.detector = Detector()

    def test_a_stranger_gets_a_second(self) -> None:
        self.assertEqual(self.detector.limit(NODE), FIRST_SECONDS)

    def test_a_quick_node_never_gets_less_than_the_least(self) -> None:
        for _ in range(100):
            self.detector.answered(NODE, 0.001)
        self.assertEqual(self.detector.limit(NODE), LEAST_SECONDS)
        self.assertEqual(self.detector.limit(OTHER), FIRST_SECONDS)

    def test_mean_and_four_deviations(self) -> None:
        for i in range(200):
            self.detector.answered(NODE, 0.2 if i % 2 else 0.3)
        self.assertLess(abs(self.detector.limit(NODE) - (0.25 + 4 * 0.05)), 0.06)

    def test_misses_double_it_up_to_the_most_and_an_answer_resets(self) -> None:
        for _ in range(50):
            self.detector.answered(NODE, 0.1)
        before = self.detector.limit(NODE)
        self.detector.missed(NODE)
        self.assertAlmostEqual(self.detector.limit(NODE), 2 * before)
        for _ in range(20):
            self.detector.missed(NODE)
        self.assertEqual(self.detector.limit(NODE), MOST_SECONDS)
        self.detector.answered(NODE, 0.1)
        self.assertLess(self.detector.limit(NODE), 0.5)

    def test_a_dead_node_starts_anew(self) -> None:
        self.detector.answered(NODE, 0.001)
        self.detector.forget(NODE)
        self.assertEqual(self.detector.limit(NODE), FIRST_SECONDS)
