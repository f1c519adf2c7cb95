"""Rows add up from block to block."""

from argparse import Namespace

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation.report import Outcome, rows, seeds


def run(seed: int) -> Outcome:
    return Outcome(seed, violations=1 if seed == 7 else 0, lost=2 if seed == 8 else 0, operations=3, digest="")


def options(count: int, first: int = 1, shares: list[float] | None = None) -> Namespace:
    return Namespace(seeds=count, seed=first, progress=(shares if shares is not None else []).append)


class SeedsTests(SynchronousTestCase):
    def test_progress_of_a_part_is_a_share_of_the_whole(self) -> None:
        shares: list[float] = []
        self.assertEqual(list(seeds(options(2, 7, shares), part=1, parts=2)), [7, 8])
        self.assertEqual(shares, [0.75, 1.0])

    def test_a_part_may_have_seeds_of_its_own_number(self) -> None:
        self.assertEqual(list(seeds(options(100), count=3)), [1, 2, 3])


class RowsTests(SynchronousTestCase):
    def test_last_row_is_the_total(self) -> None:
        found = list(rows(run, options(45)))
        self.assertEqual(len(found), 15)
        self.assertEqual(found[0], {"seeds": 3, "violations": 0, "lost": 0, "operations": 9})
        self.assertEqual(found[-1], {"seeds": 45, "violations": 1, "lost": 2, "operations": 135, "first_wrong": 7})

    def test_one_seed(self) -> None:
        self.assertEqual(
            list(rows(run, options(1, first=8))),
            [{"seeds": 1, "violations": 0, "lost": 2, "operations": 3, "first_wrong": 8}],
        )


class LoggedFailuresTests(SynchronousTestCase):
    def test_errors_that_were_only_logged_are_violations(self) -> None:
        def log_and_end(seed: int) -> Outcome:
            Logger().failure("a turn failed", Failure(ValueError("by a bug")))
            return run(seed)

        found = list(rows(log_and_end, options(2)))
        self.assertEqual(found[-1]["violations"], 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
