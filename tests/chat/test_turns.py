"""One piece of work in each turn of the reactor, in the order in which they came."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.turns import Turns


class Reactor:
    """What is called later is called in the next turn, as the real one does it."""

    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []

    def callLater(self, _: float, call: Callable[[], None]) -> None:
        self.later.append(call)

    def turn(self) -> None:
        calls, self.later = self.later, []
        for call in calls:
            call()


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor, self.done = Reactor(), list[str]()
        self.turns = Turns(self.reactor)  # type: ignore[arg-type]

    def come(self, name: str) -> "Deferred[None]":
        return self.turns.next().addCallback(lambda _: self.done.append(name))

    def test_the_first_goes_on_at_once_and_each_other_one_in_a_later_turn(self) -> None:
        for name in "abc":
            self.come(name)
        self.assertEqual(self.done, ["a"])
        self.reactor.turn()
        self.assertEqual(self.done, ["a", "b"])
        self.come("d")
        self.reactor.turn()
        self.assertEqual(self.done, ["a", "b", "c"])
        self.reactor.turn()
        self.assertEqual(self.done, ["a", "b", "c", "d"])
        self.reactor.turn()
        self.assertEqual(self.reactor.later, [])
        self.come("e")
        self.assertEqual(self.done[-1], "e")

    def test_whoever_gave_up_takes_no_turn(self) -> None:
        self.come("a")
        gone, _ = self.come("b"), self.come("c")
        gone.cancel()
        self.failureResultOf(gone)
        self.reactor.turn()
        self.assertEqual(self.done, ["a", "c"])
