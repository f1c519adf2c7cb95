"""A member's answers about configurations."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Group, State
from p2pchat.replication.register import Ballot
from p2pchat.replication.requests import AskRequest, ElectRequest, NominateRequest, Proposal, Standing

from .cases import FOUR, GENESIS, SLOTS, THREE, A, B, C, D, Lone

ALL = tuple(range(SLOTS))


class ElectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.founder = Lone(A, founder=True)

    def nominate(self, counter: int, node: Identifier = A, epoch: int = 1) -> object:
        return self.founder.ask(NominateRequest(epoch, Ballot(epoch, counter, node), ALL), node)

    def elect(self, counter: int, members: tuple[Identifier, ...], node: Identifier = A) -> object:
        return self.founder.ask(ElectRequest(1, Ballot(1, counter, node), members, ALL), node)

    def test_what_was_accepted_is_told_to_the_next_who_asks(self) -> None:
        self.assertEqual(self.nominate(1).proposals, ())  # type: ignore[attr-defined]
        self.elect(1, (A, B, C))
        reply = self.nominate(2, B)
        self.assertEqual(reply.proposals, (Proposal(Ballot(1, 1, A), (A, B, C), ALL),))  # type: ignore[attr-defined]

    def test_lower_ballots_are_outbid(self) -> None:
        self.nominate(5)
        for reply in (self.nominate(5), self.elect(4, (A, B, C))):
            self.assertEqual((reply.outbid, reply.promised), (ALL, Ballot(1, 5, A)))  # type: ignore[attr-defined]

    def test_no_vote_in_another_epoch(self) -> None:
        self.founder.announce(THREE, (0, 1))
        reply = self.nominate(1)
        self.assertEqual(reply.others, (Group(THREE, (0, 1)),))  # type: ignore[attr-defined]

    def test_no_vote_while_learning(self) -> None:
        newcomer = Lone(B)
        newcomer.announce(THREE)
        reply = newcomer.ask(NominateRequest(2, Ballot(2, 1, A), (0, 1)))
        self.assertEqual((reply.others, reply.unknown), ((Group(THREE, (0,)),), (1,)))

    def test_a_sealed_member_still_votes_until_it_knows_what_follows(self) -> None:
        self.founder.announce(THREE)
        self.founder.pull(FOUR)
        reply = self.founder.ask(NominateRequest(2, Ballot(2, 1, A), (0,)))
        self.assertEqual(reply.others, (Group(FOUR, (0,)),))

    def test_votes_in_another_name_and_odd_members_are_refused(self) -> None:
        with self.assertRaises(Misbehaved):
            self.founder.ask(NominateRequest(1, Ballot(1, 1, B), ALL), A)
        with self.assertRaises(Misbehaved):
            self.elect(1, (B, A))
        with self.assertRaises(Misbehaved):
            self.founder.ask(NominateRequest(1, Ballot(1, 1, A), (SLOTS,)))

    def test_announcing_says_how_the_member_stands(self) -> None:
        self.assertEqual(self.founder.announce(THREE).standings, (Standing(2, State.ACTIVE, (0,)),))
        self.assertEqual(Lone(B).announce(THREE).standings, (Standing(2, State.LEARN, (0,)),))
        self.assertEqual(Lone(D).announce(THREE).standings, ())

    def test_everything_known_is_told(self) -> None:
        self.founder.announce(THREE, (1, 2))
        reply = self.founder.ask(AskRequest(0))
        self.assertEqual(set(reply.groups), {Group(GENESIS, (0, 3)), Group(THREE, (1, 2))})
        self.assertIsNone(reply.next)

    def test_a_retired_member_forgets_the_records_and_knows_the_way(self) -> None:
        self.founder.accept(1, b"x")
        self.founder.announce(THREE)
        self.founder.pull(FOUR)
        self.founder.store.commit([lambda store: self.founder.member.elections.retire(store, (0,), [])])
        self.assertEqual(self.founder.store.tally(), [])
        self.assertEqual(self.founder.prepare(1, epoch=2).configuration, FOUR)
