"""Waiting for as few members as the purpose needs, and for no longer than a trial may last."""

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Moving, NoQuorum, TryElsewhere, UnknownOutcome
from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import QUORUM_SECONDS, Asking, Replies, Trial
from p2pchat.replication.requests import AskReply, AskRequest, Reply, Request
from p2pchat.simulation.clock import HeapClock

ME, NEAR, FAR, DEAD = (Identifier(each) for each in range(4))
REPLY = AskReply((), None)


class AskingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = HeapClock()
        self.asked: list[tuple[Identifier, float]] = []
        self.delays = {NEAR: 0.1, FAR: 0.6}
        self.asking = Asking(ME, self.answer, self.call, self.clock, Random(1), lambda node: node in self.delays)

    async def answer(self, caller: Identifier, request: Request) -> Reply:
        return REPLY

    async def call(self, node: Identifier, command: Any, /, *, timeout: float = 5.0, **given: Any) -> dict[str, Any]:
        self.asked.append((node, round(self.clock.seconds(), 3)))
        answered: Deferred[dict[str, Any]] = Deferred()
        if node in self.delays and self.delays[node] <= timeout:
            self.clock.callLater(self.delays[node], answered.callback, {"reply": REPLY})
        else:
            self.clock.callLater(timeout, answered.errback, TryElsewhere("no answer"))
        return await answered

    def several(
        self,
        enough: int,
        linger: float = 0.0,
        nodes: tuple[Identifier, ...] = (ME, NEAR, FAR, DEAD),
        first: int | None = None,
    ) -> Any:
        """Seconds until it returned, and who had answered."""
        results: list[Replies] = []
        work = self.asking.several(nodes, AskRequest(0), 2.0, lambda replies: len(replies) >= enough, linger, first)
        Deferred.fromCoroutine(work).addCallback(results.append)
        begin = self.clock.seconds()
        self.assertTrue(self.clock.run_while(lambda: not results, 60.0))
        return round(self.clock.seconds() - begin, 3), {node for node, reply in results[0].items() if reply}


class SeveralTests(AskingCase):
    def test_enough_is_enough(self) -> None:
        self.assertEqual(self.several(2), (0.1, {ME, NEAR}))

    def test_lingering_waits_for_the_living_only(self) -> None:
        self.assertEqual(self.several(2, linger=1.0), (0.6, {ME, NEAR, FAR}))
        self.assertEqual(self.several(2, linger=0.25), (0.25, {ME, NEAR}))

    def test_the_silent_cost_the_whole_time_when_they_are_needed(self) -> None:
        self.assertEqual(self.several(4), (2.0, {ME, NEAR, FAR}))

    def test_all_that_answered_end_the_wait(self) -> None:
        self.assertEqual(self.several(9, nodes=(NEAR, FAR)), (0.6, {NEAR, FAR}))

    def test_the_first_ones_are_asked_alone_while_they_are_enough(self) -> None:
        self.delays = {NEAR: 0.05, FAR: 0.05}
        seconds, answered = self.several(2, first=2)
        self.assertIn(ME, answered)
        self.assertEqual(seconds, 0.05)
        self.assertEqual(len(self.asked), 1)
        self.assertNotIn(DEAD, {node for node, _ in self.asked})

    def test_those_believed_alive_are_asked_in_turn(self) -> None:
        self.delays = {NEAR: 0.05, FAR: 0.05}
        for _ in range(40):
            self.several(2, first=2)
        self.assertEqual({node for node, _ in self.asked}, {NEAR, FAR})

    def test_where_the_first_ones_do_not_answer_soon_the_others_are_asked(self) -> None:
        self.delays = {FAR: 0.6}
        self.assertEqual(self.several(2, first=2, nodes=(FAR, DEAD, ME)), (0.6, {ME, FAR}))
        self.assertEqual(self.asked, [(FAR, 0.0), (DEAD, 0.1)])

    def test_where_the_first_ones_are_not_enough_the_others_are_asked_at_once(self) -> None:
        self.assertEqual(self.several(3, first=1, nodes=(ME, NEAR, FAR)), (0.6, {ME, NEAR, FAR}))
        self.assertEqual(sorted(self.asked), [(NEAR, 0.0), (FAR, 0.0)])

    def test_the_whole_takes_no_longer_because_some_were_asked_later(self) -> None:
        self.assertEqual(self.several(4, first=2), (2.0, {ME, NEAR, FAR}))
        self.clock.advance(0.1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopping_ends_every_wait_and_leaves_no_timer(self) -> None:
        results: list[Any] = []
        work = self.asking.several((FAR,), AskRequest(0), 2.0, lambda replies: False, 1.0)
        Deferred.fromCoroutine(work).addBoth(results.append)
        work = self.asking.several((FAR, NEAR), AskRequest(0), 2.0, lambda replies: False, first=1)
        Deferred.fromCoroutine(work).addBoth(results.append)
        self.asking.pause(5.0).addBoth(results.append)
        self.asking.stop()
        self.assertEqual(results, [{}, {}, None])
        self.clock.advance(2.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TrialTests(AskingCase):
    def test_without_a_majority_it_ends_soon(self) -> None:
        trial = Trial(self.asking, 10.0, "It")
        self.clock.advance(QUORUM_SECONDS - 0.1)
        trial.check()
        self.assertLess(trial.seconds(), 0.2)
        self.clock.advance(0.2)
        self.assertRaises(NoQuorum, trial.check)

    def test_it_ends_when_its_time_is_over_and_not_a_pause_later(self) -> None:
        trial, results = Trial(self.asking, 10.0, "It"), list[Any]()

        async def work() -> None:
            while True:
                await trial.rest()

        Deferred.fromCoroutine(work()).addBoth(results.append)
        while not results:
            self.clock.advance(0.01)
        self.assertIsInstance(results[0].value, NoQuorum)
        self.assertLess(self.clock.seconds(), QUORUM_SECONDS + 0.05)

    def test_a_majority_that_moves_is_waited_for(self) -> None:
        trial = Trial(self.asking, 10.0, "It")
        for _ in range(9):
            self.clock.advance(1.0)
            trial.heard(3, 3)
            trial.check()
        self.clock.advance(1.0)
        trial.heard(3, 3)
        self.assertRaises(Moving, trial.check)

    def test_what_left_is_tried_to_the_end(self) -> None:
        trial = Trial(self.asking, 10.0, "It")
        trial.sent = True
        self.clock.advance(9.9)
        trial.check()
        self.clock.advance(0.2)
        self.assertRaises(UnknownOutcome, trial.check)

    def test_a_stopping_node_gives_up(self) -> None:
        trial = Trial(self.asking, 10.0, "It")
        self.asking.stop()
        self.assertRaises(TryElsewhere, trial.check)
