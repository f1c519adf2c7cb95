"""Timers of upkeep: pauses grow while nothing changes, news shortens them, nothing runs before start or after stop."""

from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.pace import SMALL
from p2pchat.chord.rounds import AGAIN_SECONDS, SOON_SECONDS, Rounds

STEP_SECONDS = 0.01


class RoundsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ready, self.settled, self.failing = True, False, False
        self.ticks: list[int] = []
        self.stabilized: list[float] = []
        self.spread: list[float] = []
        self.rounds = Rounds(
            self.clock,
            Random("rounds"),
            lambda: SMALL,
            lambda: self.ready,
            lambda: self.settled,
            self.look,
            lambda: self.stabilized.append(self.clock.seconds()),
            lambda: self.spread.append(self.clock.seconds()),
        )

    def look(self, ticks: int) -> None:
        self.ticks.append(ticks)
        if self.failing:
            raise ValueError("planted")

    def advance(self, seconds: float) -> None:
        self.clock.pump([STEP_SECONDS] * round(seconds / STEP_SECONDS))

    def pauses(self) -> list[float]:
        return [later - before for before, later in zip(self.stabilized, self.stabilized[1:], strict=False)]

    def test_nothing_runs_before_start_or_after_stop(self) -> None:
        self.rounds.disturbed()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.rounds.start()
        self.rounds.disturbed()
        self.assertEqual(len(self.clock.getDelayedCalls()), 3)
        self.rounds.stop()
        self.rounds.again()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pauses_grow_to_the_longest_one_while_nothing_changes(self) -> None:
        self.rounds.start()
        self.rounds.disturbed()
        self.advance(120.0)
        pauses = self.pauses()
        self.assertLess(pauses[0], 0.5)
        self.assertLess(sum(pauses[:5]), sum(pauses[5:10]))
        self.assertGreater(min(pauses[-3:]), 0.7 * SMALL.quiet)
        self.assertLess(max(pauses), 1.2 * SMALL.quiet + 2 * STEP_SECONDS)

    def test_where_all_is_settled_the_longest_pause_comes_after_two_rounds(self) -> None:
        self.settled = True
        self.rounds.start()
        self.rounds.disturbed()
        self.advance(30.0)
        first, second = self.pauses()[:2]
        self.assertLess(first, 0.5)
        self.assertGreater(second, 0.7 * SMALL.quiet)

    def test_news_brings_a_round_and_a_comparison_soon(self) -> None:
        self.rounds.start()
        self.rounds.disturbed()
        self.advance(60.0)
        began = self.clock.seconds()
        self.rounds.disturbed()
        self.advance(0.1)
        self.assertLessEqual(self.stabilized[-1] - began, SOON_SECONDS + 2 * STEP_SECONDS)
        self.assertGreater(self.stabilized[-1], began)
        self.assertGreater(self.spread[-1], began)

    def test_a_round_that_is_due_anyway_is_not_put_off(self) -> None:
        self.rounds.start()
        self.rounds.disturbed()
        self.rounds.again()
        self.advance(AGAIN_SECONDS)
        self.assertLessEqual(self.stabilized[0], SOON_SECONDS + 2 * STEP_SECONDS)

    def test_a_node_that_is_not_on_the_ring_ticks_only(self) -> None:
        self.ready = False
        self.rounds.start()
        self.rounds.disturbed()
        self.advance(10.0)
        self.assertEqual((self.stabilized, self.spread), ([], []))
        self.assertEqual(self.ticks, list(range(1, len(self.ticks) + 1)))
        self.assertGreater(len(self.ticks), 8)

    def test_ticks_go_on_after_one_that_failed(self) -> None:
        self.failing = True
        self.rounds.start()
        self.advance(2.5)
        self.assertGreater(len(self.ticks), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), len(self.ticks))
