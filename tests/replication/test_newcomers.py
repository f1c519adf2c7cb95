"""Who makes no progress with copies is passed over for a while, longer each time."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.replication.newcomers import FIRST_SECONDS, LONGEST_SECONDS, Newcomers

A, B = Identifier(1), Identifier(2)


class NewcomersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.newcomers = Newcomers()

    def test_one_is_passed_over_and_others_are_not(self) -> None:
        self.newcomers.stalled(A, 100.0)
        self.assertEqual(self.newcomers.passed_over(100.0), {A})
        self.assertEqual(self.newcomers.passed_over(100.0 + FIRST_SECONDS), frozenset())

    def test_longer_each_time(self) -> None:
        now, waits = 0.0, list[float]()
        for _ in range(8):
            self.newcomers.stalled(A, now)
            until = now
            while self.newcomers.passed_over(until):
                until += 1.0
            waits.append(until - now)
            now = until
        self.assertEqual(waits[:4], [FIRST_SECONDS * 2**times for times in range(4)])
        self.assertEqual(waits[-1], LONGEST_SECONDS)

    def test_several_changes_that_wait_for_one_node_count_once(self) -> None:
        for _ in range(5):
            self.newcomers.stalled(A, 0.0)
        self.assertEqual(self.newcomers.passed_over(FIRST_SECONDS), frozenset())

    def test_who_kept_up_once_begins_anew(self) -> None:
        for now in (0.0, 100.0, 300.0):
            self.newcomers.stalled(A, now)
        self.newcomers.came([A, B])
        self.newcomers.stalled(A, 1_000.0)
        self.assertEqual(self.newcomers.passed_over(1_000.0 + FIRST_SECONDS), frozenset())

    def test_who_died_may_try_at_once_when_it_comes_back(self) -> None:
        self.newcomers.stalled(A, 0.0)
        self.newcomers.forget([A])
        self.assertEqual(self.newcomers.passed_over(1.0), frozenset())
