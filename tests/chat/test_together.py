"""Group commit: one piece of work for all that comes in a turn, and a result for each."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.together import Together
from p2pchat.errors import DiskFull, TryElsewhere, UserError


class TogetherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.pieces = Clock(), list[list[str]]()
        self.together: Together[str, str] = Together(self.clock, self.work, most=4)
        self.error: Exception | None = None

    def work(self, items: list[str]) -> list[str | Exception]:
        self.pieces.append(items)
        if self.error is not None:
            raise self.error
        return [UserError("no") if each == "bad" else each.upper() for each in items]

    def test_all_of_a_turn_is_one_piece_of_work_and_each_has_its_result(self) -> None:
        first, bad, last = (self.together.add(each) for each in ("a", "bad", "b"))
        self.assertNoResult(first)
        self.clock.advance(0)
        self.assertEqual(self.pieces, [["a", "bad", "b"]])
        self.assertEqual((self.successResultOf(first), self.successResultOf(last)), ("A", "B"))
        self.failureResultOf(bad, UserError)
        self.together.add("c")
        self.clock.advance(0)
        self.assertEqual(self.pieces[1:], [["c"]])

    def test_a_long_turn_is_worked_off_in_between(self) -> None:
        done = [self.together.add(str(number)) for number in range(9)]
        self.assertEqual([len(each) for each in self.pieces], [4, 4])
        self.clock.advance(0)
        self.assertEqual([self.successResultOf(each) for each in done], [str(number) for number in range(9)])

    def test_work_that_fails_fails_all(self) -> None:
        self.error = DiskFull("full")
        done = [self.together.add(each) for each in "ab"]
        self.clock.advance(0)
        for each in done:
            self.failureResultOf(each, DiskFull)
        self.error = None
        again = self.together.add("c")
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(again), "C")

    def test_stopping_does_what_waits_and_takes_nothing_more(self) -> None:
        done = self.together.add("a")
        self.together.stop()
        self.assertEqual(self.successResultOf(done), "A")
        self.failureResultOf(self.together.add("b"), TryElsewhere)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.together.start()
        self.together.add("c")
        self.clock.advance(0)
        self.assertEqual(self.pieces, [["a"], ["c"]])

    def test_whoever_gave_up_does_not_disturb_the_others(self) -> None:
        gone, kept = self.together.add("a"), self.together.add("b")
        gone.cancel()
        self.failureResultOf(gone)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(kept), "B")
