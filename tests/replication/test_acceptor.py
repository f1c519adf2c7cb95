"""A member's answers about registers."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.replication.formats import Formats
from p2pchat.replication.ground import Changed
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.requests import AcceptRequest, PrepareRequest, Status
from p2pchat.replication.slots import KIND_ACCOUNT

from .cases import ACCOUNT, FOUR, THREE, A, B, Lone


def refuse_all(old: bytes | None, new: bytes) -> None:
    raise Misbehaved("This value does not follow.")


class AcceptorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.founder = Lone(A, founder=True)

    def test_the_founder_serves_the_first_epoch(self) -> None:
        self.assertEqual(self.founder.prepare(1).status, Status.OK)
        self.assertEqual(self.founder.accept(1, b"x").status, Status.OK)
        self.assertEqual(self.founder.read().content.value, b"x")

    def test_a_stranger_knows_nothing(self) -> None:
        reply = Lone(B).prepare(1)
        self.assertEqual((reply.status, reply.configuration), (Status.WRONG_EPOCH, None))

    def test_a_higher_promise_is_named(self) -> None:
        self.founder.prepare(5)
        for reply in (self.founder.prepare(4), self.founder.accept(4, b"x")):
            self.assertEqual((reply.status, reply.ballot), (Status.OUTBID, Ballot(1, 5, A)))

    def test_another_epoch_is_refused_and_the_newest_named(self) -> None:
        self.founder.announce(THREE)
        for reply in (self.founder.prepare(1), self.founder.accept(1, b"x"), self.founder.read()):
            self.assertEqual((reply.status, reply.configuration), (Status.WRONG_EPOCH, THREE))
        self.assertEqual(self.founder.prepare(1, epoch=2).status, Status.OK)

    def test_promises_of_an_epoch_end_with_it(self) -> None:
        self.founder.accept(7, b"x")
        self.founder.prepare(9)
        self.founder.announce(THREE)
        reply = self.founder.prepare(1, epoch=2)
        self.assertEqual((reply.status, reply.ballot, reply.content.value), (Status.OK, Ballot(1, 7, A), b"x"))

    def test_who_learns_or_is_sealed_serves_nothing(self) -> None:
        newcomer = Lone(B)
        newcomer.announce(THREE)
        self.assertEqual(newcomer.prepare(1, epoch=2).status, Status.WRONG_EPOCH)
        self.founder.announce(THREE)
        self.founder.pull(FOUR)
        self.assertEqual(self.founder.accept(1, b"x", epoch=2).status, Status.WRONG_EPOCH)

    def test_a_value_that_does_not_follow_is_refused_with_its_reason(self) -> None:
        founder = Lone(A, founder=True, formats=Formats(validators={KIND_ACCOUNT: refuse_all}))
        reply = founder.accept(1, b"x")
        self.assertEqual((reply.status, reply.reason), (Status.REFUSED, b"This value does not follow."))
        self.assertEqual(founder.read().content.value, None)

    def test_a_value_whose_time_has_not_come_is_refused_also_where_it_is_said_not_to_follow(self) -> None:
        judged: list[tuple[bytes | None, bytes]] = []

        def refuse(kind: int, held: bytes | None, proposed: bytes) -> None:
            judged.append((held, proposed))
            if proposed == b"early":
                raise Misbehaved("It is not time for this.")

        founder = Lone(A, founder=True, formats=Formats(check_times=refuse))
        founder.accept(1, b"x")
        reply = founder.ask(AcceptRequest(ACCOUNT, Ballot(1, 2, A), Versioned(9, (bytes(16),), b"early")))
        self.assertEqual((reply.status, reply.reason), (Status.REFUSED, b"It is not time for this."))
        self.assertEqual(judged, [(None, b"x"), (b"x", b"early")])
        self.assertEqual(founder.read().content.value, b"x")

    def test_ballots_in_another_name_and_long_values_are_refused(self) -> None:
        with self.assertRaises(Misbehaved):
            self.founder.ask(PrepareRequest(ACCOUNT, Ballot(1, 1, B)), A)
        with self.assertRaises(Misbehaved):
            self.founder.accept(1, bytes(60_001))
        with self.assertRaises(Misbehaved):
            self.founder.ask(AcceptRequest(ACCOUNT, Ballot(1, 1, A), Versioned(1, (b"short",), b"x")))

    def test_an_accepted_value_is_told_once(self) -> None:
        self.founder.accept(1, b"x")
        self.founder.accept(2, b"x")
        self.assertEqual([each for each in self.founder.events if isinstance(each, Changed)], [Changed(ACCOUNT, b"x")])
