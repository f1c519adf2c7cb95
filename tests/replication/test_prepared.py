"""Changes in one round trip: what travels, when the shortcut is taken, and what ends it."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Conflict, Misbehaved, NameTaken, NoQuorum
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.commands import AcceptRegister, AddItems, PrepareRegister, ReadRegister
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.prepared import MAX_PREPARED, MAX_PREPARED_BYTES, Prepared, PreparedBallots
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.requests import AcceptRequest, Status
from p2pchat.replication.results import Changed, Read
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.uset import Item

from .cases import ACCOUNT, A, B, Lone
from .ring import Ring

NAME = RegisterKey(Identifier(CIRCLE // 3), KIND_ACCOUNT)
QUESTIONS = (PrepareRegister, AcceptRegister, ReadRegister, AddItems)


def create(old: bytes | None) -> bytes:
    if old is not None:
        raise NameTaken("This name is taken.")
    return b"created"


def replace(expected: bytes, new: bytes) -> Callable[[bytes | None], bytes]:
    """Compare and set."""

    def decide(old: bytes | None) -> bytes:
        if old != expected:
            raise Conflict("Another value.")
        return new

    return decide


class PreparedBallotsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ballots = PreparedBallots()
        self.configuration = Configuration(2, (A, B), (A,))
        self.prepared = Prepared(self.configuration, Ballot(2, 1, A), Versioned(1, (), b"x"))

    def test_each_is_given_out_once(self) -> None:
        self.ballots.keep(NAME, self.prepared)
        self.assertEqual(self.ballots.take(NAME, self.configuration), self.prepared)
        self.assertIsNone(self.ballots.take(NAME, self.configuration))

    def test_another_configuration_ends_it(self) -> None:
        self.ballots.keep(NAME, self.prepared)
        self.assertIsNone(self.ballots.take(NAME, self.configuration.followed_by((A,))))
        self.assertEqual(len(self.ballots), 0)

    def test_only_so_many_are_kept_and_the_oldest_goes_first(self) -> None:
        keys = [RegisterKey(Identifier(number), KIND_ACCOUNT) for number in range(MAX_PREPARED + 1)]
        for key in keys:
            self.ballots.keep(key, self.prepared)
        self.assertEqual(len(self.ballots), MAX_PREPARED)
        self.assertIsNone(self.ballots.take(keys[0], self.configuration))
        self.assertIsNotNone(self.ballots.take(keys[-1], self.configuration))

    def test_long_values_do_not_fit(self) -> None:
        self.assertTrue(self.ballots.fits(Versioned(1, (), bytes(MAX_PREPARED_BYTES))))
        self.assertFalse(self.ballots.fits(Versioned(1, (), bytes(MAX_PREPARED_BYTES + 1))))


class AcceptorTests(SynchronousTestCase):
    def accept(self, lone: Lone, counter: int, following: Ballot | None) -> Status:
        request = AcceptRequest(ACCOUNT, Ballot(1, counter, A), Versioned(1, (), b"x"), following)
        status: Status = lone.ask(request).status
        return status

    def test_an_acceptance_promises_the_ballot_that_follows(self) -> None:
        lone = Lone(A, founder=True)
        self.assertEqual(self.accept(lone, 1, Ballot(1, 5, A)), Status.OK)
        for counter in (2, 4, 5):
            self.assertEqual(lone.prepare(counter).status, Status.OUTBID)
        self.assertEqual(self.accept(lone, 4, None), Status.OUTBID)
        self.assertEqual(self.accept(lone, 5, None), Status.OK)

    def test_a_refused_one_promises_nothing(self) -> None:
        lone = Lone(A, founder=True)
        lone.prepare(3)
        self.assertEqual(self.accept(lone, 2, Ballot(1, 9, A)), Status.OUTBID)
        self.assertEqual(lone.prepare(4).status, Status.OK)

    def test_what_cannot_follow_is_refused_and_nothing_is_written(self) -> None:
        lone = Lone(A, founder=True)
        for following in (Ballot(1, 1, A), Ballot(1, 0, A), Ballot(2, 9, A), Ballot(1, 9, B)):
            self.assertRaises(Misbehaved, self.accept, lone, 1, following)
        self.assertIsNone(lone.store.register(ACCOUNT))


class RoundTripTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = Ring(nodes=5, in_memory=True)
        self.addCleanup(self.ring.close)
        self.ring.grow(5)
        self.ring.run(5.0)
        self.rounds: list[type] = []
        self.ring.network.watch = self.watch

    def watch(self, node: Identifier, command: type, what: str) -> None:
        """Questions of one kind to several members at once are one round trip."""
        if what == "arrived" and command in QUESTIONS and (not self.rounds or self.rounds[-1] is not command):
            self.rounds.append(command)

    def change(self, number: int, decide: Callable[[bytes | None], bytes], operation: bytes) -> Changed:
        """A change, and silence after it, so that late messages are not counted with the next one."""
        changed = self.ring.ask(self.ring.nodes[number].service.change(NAME, decide, operation))
        self.ring.run(0.5)
        return changed

    def create(self) -> None:
        """By node 1, whose change after it has the next ballot promised ahead."""
        self.change(1, create, b"1")
        self.change(1, replace(b"created", b"changed"), b"1b")
        self.taken()

    def taken(self) -> list[type]:
        rounds, self.rounds = self.rounds, []
        return rounds

    def test_a_registration_takes_two_round_trips(self) -> None:
        self.change(1, create, b"1")
        self.assertEqual(self.taken(), [PrepareRegister, AcceptRegister])

    def test_compare_and_set_at_the_same_node_takes_one(self) -> None:
        self.create()
        for number, (old, new) in enumerate(((b"changed", b"x"), (b"x", b"y"), (b"y", b"z")), 3):
            self.assertEqual(self.change(1, replace(old, new), b"%d" % number), Changed(new, number))
            self.assertEqual(self.taken(), [AcceptRegister])

    def test_a_mailbox_add_takes_one(self) -> None:
        self.ring.ask(self.ring.nodes[2].service.add(NAME.point, b"", [Item(bytes(32), b"text")]))
        self.ring.run(0.5)
        self.assertEqual(self.taken(), [AddItems])

    def test_a_failed_condition_is_agreed_on_before_it_is_told(self) -> None:
        self.create()
        with self.assertRaises(Conflict):
            self.change(1, replace(b"other", b"x"), b"2")
        self.ring.run(0.5)
        self.assertEqual(self.taken(), [AcceptRegister])

    def test_a_change_elsewhere_ends_the_shortcut_and_is_not_overwritten(self) -> None:
        self.create()
        self.change(3, replace(b"changed", b"elsewhere"), b"2")
        with self.assertRaises(Conflict):
            self.change(1, replace(b"changed", b"x"), b"3")
        self.assertEqual(self.change(1, replace(b"elsewhere", b"y"), b"4"), Changed(b"y", 4))
        self.assertEqual(self.ring.ask(self.ring.nodes[0].service.read(NAME)), Read(b"y", 4))

    def test_two_at_once_at_the_same_node_both_happen(self) -> None:
        self.create()
        service = self.ring.nodes[1].service
        tries = [self.ring.start(service.change(NAME, lambda old: (old or b"") + b"+", b"op %d" % n)) for n in range(4)]
        self.ring.run(10.0)
        self.assertEqual([len(results) for results in tries], [1] * 4)
        self.assertEqual(self.ring.ask(service.read(NAME)), Read(b"changed++++", 6))

    def test_repeating_an_operation_changes_nothing_twice(self) -> None:
        self.create()
        self.assertEqual(self.change(1, create, b"1"), Changed(b"changed", 2, repeated=True))

    def test_a_minority_still_says_that_nothing_was_done(self) -> None:
        self.create()
        identifiers = [node.identifier for node in self.ring.nodes]
        self.ring.network.partition([identifiers[:2], identifiers[2:]])
        with self.assertRaises(NoQuorum):
            self.ring.ask(self.ring.nodes[1].service.change(NAME, replace(b"changed", b"x"), b"2"))

    def test_other_members_are_no_obstacle(self) -> None:
        self.create()
        for number in (0, 1):
            self.ring.nodes[number].crash()
        self.assertEqual(self.change(2, replace(b"changed", b"x"), b"2"), Changed(b"x", 3))
