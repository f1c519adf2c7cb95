"""The network carries calls to real locators and does to them what its weather says."""

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Conflict, InternalError, Moving, TryElsewhere, on_wire
from p2pchat.identifiers import Identifier
from p2pchat.simulation.clock import HeapClock
from p2pchat.simulation.network import Host, Network, Weather

A, B, C = Identifier(1), Identifier(2), Identifier(3)


class Unlucky(Moving):
    """What a part may raise below what its command declares."""


class Double(amp.Command):
    """Twice the number."""

    arguments = [(b"number", amp.Integer()), (b"more-words", amp.Unicode(optional=True))]
    response = [(b"number", amp.Integer()), (b"caller", amp.Integer(optional=True))]
    errors = on_wire(Moving, TryElsewhere)


class Answers(amp.CommandLocator):
    def __init__(self, caller: Identifier) -> None:
        self.caller = caller
        self.asked: list[int] = []

    @Double.responder
    async def double(self, number: int, more_words: str | None) -> dict[str, Any]:
        self.asked.append(number)
        if number == 13:
            raise Unlucky("an unlucky number")
        if number == 14:
            raise Conflict("no declared error")
        return {"number": 2 * number, "caller": self.caller}


class Bouncer:
    """B admits nobody, A everybody."""

    def __init__(self) -> None:
        self.told: list[tuple[Identifier, Identifier]] = []

    def admits(self, node: Identifier, other: Identifier, command: type[amp.Command]) -> bool:
        return node == A

    def refused(self, node: Identifier, by: Identifier) -> None:
        self.told.append((node, by))


class NetworkTests(SynchronousTestCase):
    coded = False

    def setUp(self) -> None:
        self.clock = HeapClock()
        self.network = Network(self.clock, Random(1), self.coded)
        self.locator = Answers(A)
        self.hosts = {node: Host(node, lambda caller: [self.locator]) for node in (A, B, C)}
        for host in self.hosts.values():
            self.network.attach(host)

    def call(self, number: int, node: Identifier = B, **more: Any) -> Deferred[dict[str, Any]]:
        return Deferred.fromCoroutine(self.network.call_from(self.hosts[A])(node, Double, number=number, **more))

    def result(self, number: int, **more: Any) -> dict[str, Any]:
        answer = self.call(number, **more)
        self.clock.advance(10.0)
        return self.successResultOf(answer)

    def test_a_call_and_its_answer(self) -> None:
        self.assertEqual(self.result(4), {"number": 8, "caller": A})
        self.assertEqual(self.result(5, more_words="ä"), {"number": 10, "caller": A})

    def test_errors_come_as_the_declared_class(self) -> None:
        answer = self.call(13)
        self.clock.advance(1.0)
        failure = self.failureResultOf(answer, Moving)
        self.assertEqual((type(failure.value), str(failure.value)), (Moving, "an unlucky number"))

    def test_undeclared_errors_are_bugs(self) -> None:
        answer = self.call(14)
        self.clock.advance(1.0)
        self.failureResultOf(answer, InternalError)
        self.assertEqual(len(self.network.failures), 1)

    def test_wrong_arguments_are_bugs(self) -> None:
        self.failureResultOf(self.call(1, nothing=1), TypeError)

    def test_lost_messages_end_in_a_timeout(self) -> None:
        self.network.weather = Weather(loss=1.0)
        answer = self.call(1)
        self.clock.advance(4.9)
        self.assertNoResult(answer)
        self.clock.advance(0.2)
        self.failureResultOf(answer, TryElsewhere)

    def test_one_way_cut_loses_the_answer_only(self) -> None:
        self.network.cut(B, A)
        answer = self.call(1)
        self.clock.advance(6.0)
        self.failureResultOf(answer, TryElsewhere)
        self.assertEqual(self.locator.asked, [1])
        self.network.mend()
        self.assertEqual(self.result(2)["number"], 4)

    def test_partition(self) -> None:
        self.network.partition([[A, C], [B]])
        self.assertEqual(self.result(3, node=C)["number"], 6)
        answer = self.call(1)
        self.clock.advance(6.0)
        self.failureResultOf(answer, TryElsewhere)

    def test_doubled_requests_run_twice_and_answer_once(self) -> None:
        self.network.weather = Weather(duplication=1.0)
        self.assertEqual(self.result(3)["number"], 6)
        self.assertEqual(self.locator.asked, [3, 3])

    def test_messages_overtake_each_other(self) -> None:
        for number in range(10):
            self.call(number)
        self.clock.advance(1.0)
        self.assertEqual(sorted(self.locator.asked), list(range(10)))
        self.assertNotEqual(self.locator.asked, list(range(10)))

    def test_crashed_nodes_neither_answer_nor_hear(self) -> None:
        self.network.detach(B)
        answer = self.call(1)
        self.clock.advance(6.0)
        self.failureResultOf(answer, TryElsewhere)
        answer = self.call(2, node=C)
        self.network.detach(A)
        self.clock.advance(60.0)
        self.assertNoResult(answer)

    def test_a_node_may_be_struck_before_and_after_a_turn_and_as_an_answer_comes(self) -> None:
        moments: list[tuple[Identifier, str, str]] = []
        self.network.strike = lambda node, what, moment: moments.append((node, what, moment))
        self.result(4)
        self.assertEqual(moments, [(B, "Double", "arrived"), (B, "Double", "answered"), (A, "Double", "heard")])

    def test_who_is_struck_as_an_answer_comes_hears_nothing(self) -> None:
        def strike(node: Identifier, what: str, moment: str) -> None:
            if moment == "heard":
                self.network.detach(node)

        self.network.strike = strike
        answer = self.call(4)
        self.clock.advance(10.0)
        self.assertFalse(answer.called)

    def test_who_does_not_admit_another_one_answers_it_nothing(self) -> None:
        judge = self.network.judge = Bouncer()
        answer = self.call(4)
        self.clock.advance(1.0)
        self.failureResultOf(answer, TryElsewhere)
        self.assertEqual((self.locator.asked, judge.told), ([], [(A, B)]))

    def test_digest_follows_what_happened(self) -> None:
        before = self.network.digest
        self.result(1)
        self.assertNotEqual(self.network.digest, before)


class CodedNetworkTests(NetworkTests):
    """The same with every value encoded and decoded on the way."""

    coded = True
