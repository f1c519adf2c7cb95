"""Fetched envelopes leave the ring one request at a time, and never one that was not asked for."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client.leaving import Leaving
from p2pchat.crypto.proofs import Reason
from p2pchat.errors import NoQuorum
from p2pchat.mailbox.commands import MAX_IDS


def ids(*numbers: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in numbers]


class LeavingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[tuple[list[bytes], Reason]] = []
        self.answers: list[Deferred[None]] = []
        self.leaving = Leaving(self.acknowledge)

    async def acknowledge(self, gone: list[bytes], reason: Reason) -> None:
        self.asked.append((gone, reason))
        answer: Deferred[None] = Deferred()
        self.answers.append(answer)
        await answer

    def finished(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.leaving.finish())

    def test_what_comes_while_a_request_is_under_way_goes_with_the_next(self) -> None:
        self.leaving.add(ids(1), Reason.STORED)
        self.leaving.add(ids(2), Reason.STORED)
        self.leaving.add(ids(3, 4), Reason.STORED)
        self.assertEqual(self.asked, [(ids(1), Reason.STORED)])
        done = self.finished()
        self.answers[0].callback(None)
        self.assertEqual(self.asked[1:], [(ids(2, 3, 4), Reason.STORED)])
        self.assertNoResult(done)
        self.answers[1].callback(None)
        self.successResultOf(done)

    def test_each_reason_has_its_own_request(self) -> None:
        self.leaving.add(ids(1), Reason.UNOPENABLE)
        self.leaving.add(ids(2), Reason.STORED)
        self.leaving.add(ids(3), Reason.UNOPENABLE)
        done = self.finished()
        while len(self.answers) < 3 or not self.answers[-1].called:
            next(each for each in self.answers if not each.called).callback(None)
        self.successResultOf(done)
        self.assertEqual(
            {(gone[0], reason) for gone, reason in self.asked},
            {
                (ids(1)[0], Reason.UNOPENABLE),
                (ids(2)[0], Reason.STORED),
                (ids(3)[0], Reason.UNOPENABLE),
            },
        )

    def test_no_request_names_more_than_a_node_takes(self) -> None:
        self.leaving.add(ids(*range(MAX_IDS + 1)), Reason.STORED)
        self.answers[0].callback(None)
        self.assertEqual([len(gone) for gone, _ in self.asked], [MAX_IDS, 1])

    def test_an_error_ends_it_and_nothing_more_leaves(self) -> None:
        self.leaving.add(ids(1), Reason.STORED)
        self.leaving.add(ids(2), Reason.STORED)
        self.answers[0].errback(NoQuorum("Too few members answer."))
        self.assertRaises(NoQuorum, self.leaving.add, ids(3), Reason.STORED)
        self.failureResultOf(self.finished(), NoQuorum)
        self.assertEqual(len(self.asked), 1)

    def test_nothing_to_say_is_nothing_said(self) -> None:
        self.leaving.add([], Reason.STORED)
        self.successResultOf(self.finished())
        self.assertEqual(self.asked, [])
