"""Changes and reads of registers through a ring of real members."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Conflict, Misbehaved, NameTaken, NoQuorum, UnknownOutcome
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.commands import AcceptRegister, PrepareRegister
from p2pchat.replication.formats import Formats
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.requests import AcceptRequest
from p2pchat.replication.results import Changed, Read
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey

from .ring import Ring

NAME = RegisterKey(Identifier(CIRCLE // 3), KIND_ACCOUNT)


def create(value: bytes) -> Callable[[bytes | None], bytes]:
    """Create if absent."""

    def decide(old: bytes | None) -> bytes:
        if old is not None:
            raise NameTaken("This name is taken.")
        return value

    return decide


class CoordinatorCase(SynchronousTestCase):
    def ring(self, nodes: int = 5, formats: Formats | None = None) -> Ring:
        ring = Ring(nodes=nodes, in_memory=True, formats=formats)
        self.addCleanup(ring.close)
        if nodes >= 3:
            ring.grow(nodes)
        return ring

    def change(self, ring: Ring, number: int, value: bytes, operation: bytes) -> Changed:
        return ring.ask(ring.nodes[number].service.change(NAME, lambda old: value, operation))

    def read(self, ring: Ring, number: int) -> Read:
        return ring.ask(ring.nodes[number].service.read(NAME))


class ChangeTests(CoordinatorCase):
    def test_one_node_alone_serves_at_once(self) -> None:
        ring = self.ring(1)
        self.assertEqual(self.change(ring, 0, b"x", b"1"), Changed(b"x", 1))
        self.assertEqual(self.read(ring, 0), Read(b"x", 1))

    def test_every_node_reads_what_any_node_wrote(self) -> None:
        ring = self.ring()
        self.change(ring, 1, b"x", b"1")
        self.assertEqual(self.change(ring, 2, b"y", b"2"), Changed(b"y", 2))
        self.assertEqual([self.read(ring, number) for number in range(5)], [Read(b"y", 2)] * 5)

    def test_a_name_is_taken_once(self) -> None:
        ring = self.ring()
        ring.ask(ring.nodes[1].service.change(NAME, create(b"ann"), b"1"))
        with self.assertRaises(NameTaken):
            ring.ask(ring.nodes[2].service.change(NAME, create(b"bob"), b"2"))
        self.assertEqual(self.read(ring, 3).value, b"ann")

    def test_two_at_once_and_one_wins(self) -> None:
        ring = self.ring()
        tries = [ring.start(ring.nodes[n].service.change(NAME, create(b"%d" % n), b"%d" % n)) for n in range(5)]
        ring.run(20.0)
        won = [n for n, results in enumerate(tries) if isinstance(results[0], Changed)]
        self.assertEqual(len(won), 1)
        self.assertEqual(self.read(ring, 0).value, b"%d" % won[0])
        for results in tries:
            self.assertTrue(isinstance(results[0], Changed) or results[0].check(NameTaken))

    def test_repeating_an_operation_changes_nothing_twice(self) -> None:
        ring = self.ring()
        service = ring.nodes[1].service
        ring.ask(service.change(NAME, create(b"ann"), b"1"))
        self.change(ring, 2, b"later", b"2")
        again = ring.ask(ring.nodes[3].service.change(NAME, create(b"ann"), b"1"))
        self.assertEqual(again, Changed(b"later", 2, repeated=True))

    def test_leaving_a_value_as_it_is_is_a_read(self) -> None:
        ring = self.ring()
        self.change(ring, 1, b"x", b"1")
        self.assertEqual(ring.ask(ring.nodes[2].service.change(NAME, lambda old: old, b"2")), Changed(b"x", 1))
        self.assertEqual(ring.ask(ring.nodes[2].service.change(NAME, lambda old: None, b"3")), Changed(b"x", 1))

    def test_an_absent_name_reads_as_absent(self) -> None:
        self.assertEqual(self.read(self.ring(), 4), Read(None, 0))

    def test_values_that_do_not_follow_never_leave(self) -> None:
        def refuse(old: bytes | None, new: bytes) -> None:
            judged.append(new)
            if new == b"bad":
                raise Misbehaved("This does not follow.")

        judged: list[bytes] = []
        ring = self.ring(formats=Formats(validators={KIND_ACCOUNT: refuse}))
        with self.assertRaises(Misbehaved):
            self.change(ring, 1, b"bad", b"1")
        self.assertEqual(judged, [b"bad"], "by the proposer alone")
        self.assertEqual(self.read(ring, 0), Read(None, 0))

    def test_a_refusal_is_written_back_so_that_no_earlier_try_is_done_later(self) -> None:
        ring = self.ring()
        self.change(ring, 1, b"x", b"1")
        sent: list[type] = []
        ring.network.watch = lambda node, command, what: sent.append(command)
        with self.assertRaises(NameTaken):
            ring.ask(ring.nodes[2].service.change(NAME, create(b"y"), b"2"))
        self.assertIn(AcceptRegister, sent)
        self.assertEqual(self.read(ring, 0), Read(b"x", 1))

    def test_what_decide_raises_is_raised(self) -> None:
        def conflict(old: bytes | None) -> bytes:
            raise Conflict("Another version.")

        ring = self.ring(3)
        with self.assertRaises(Conflict):
            ring.ask(ring.nodes[1].service.change(NAME, conflict, b"1"))


class FailureTests(CoordinatorCase):
    def test_two_of_five_dead_delay_nobody(self) -> None:
        ring = self.ring()
        self.change(ring, 1, b"x", b"1")
        ring.nodes[3].crash()
        ring.nodes[4].crash()
        begin = ring.clock.seconds()
        self.change(ring, 0, b"y", b"2")
        self.assertEqual(self.read(ring, 1).value, b"y")
        self.assertLess(ring.clock.seconds() - begin, 1.0)

    def test_a_minority_says_so_within_three_seconds(self) -> None:
        ring = self.ring()
        identifiers = [node.identifier for node in ring.nodes]
        ring.network.partition([identifiers[:2], identifiers[2:]])
        begin = ring.clock.seconds()
        with self.assertRaises(NoQuorum):
            self.change(ring, 0, b"x", b"1")
        self.assertLess(ring.clock.seconds() - begin, 3.0)
        begin = ring.clock.seconds()
        with self.assertRaises(NoQuorum):
            self.read(ring, 1)
        self.assertLess(ring.clock.seconds() - begin, 3.0)
        self.assertEqual(self.change(ring, 2, b"y", b"2").value, b"y")
        ring.network.mend()
        self.assertEqual(self.read(ring, 0), Read(b"y", 1))

    def test_once_a_value_left_its_outcome_is_unknown_until_it_is_asked_again(self) -> None:
        ring = self.ring()
        identifiers = [node.identifier for node in ring.nodes]

        def cut(node: Identifier, command: type, what: str) -> None:
            if command is AcceptRegister:
                ring.network.partition([[each] for each in identifiers])

        ring.network.watch = cut
        with self.assertRaises(UnknownOutcome):
            self.change(ring, 1, b"x", b"1")
        ring.network.watch = None
        ring.network.mend()
        self.assertEqual(self.change(ring, 2, b"x", b"1").version, 1)
        self.assertEqual(self.change(ring, 1, b"x", b"1").version, 1)

    def test_a_value_that_one_member_took_is_finished_by_the_next_reader(self) -> None:
        """The reader's majority has it from one member; it must not tell of it before a majority holds it."""
        ring = self.ring()
        identifiers = [node.identifier for node in ring.nodes]
        taken: list[Identifier] = []

        def cut(node: Identifier, command: type, what: str) -> None:
            if command is AcceptRegister and what == "answered":
                taken.append(node)
                ring.network.partition([[each] for each in identifiers])

        ring.network.watch = cut
        with self.assertRaises(UnknownOutcome):
            self.change(ring, 1, b"x", b"1")
        ring.network.watch = None
        has = identifiers.index(taken[0])
        others = [number for number in range(5) if number != has]
        ring.network.partition(
            [[taken[0], *(identifiers[n] for n in others[:2])], [identifiers[n] for n in others[2:]]]
        )
        self.assertEqual(self.read(ring, others[0]).value, b"x")
        ring.network.mend()
        ring.nodes[has].crash()
        self.assertEqual(self.read(ring, others[3]).value, b"x")

    def test_a_member_with_a_value_that_was_never_chosen_is_put_right(self) -> None:
        """It holds a brother of what was chosen, and would refuse every value that follows from the latter."""

        def follows(old: bytes | None, new: bytes) -> None:
            if old is not None and not new.startswith(old):
                raise Misbehaved("This value does not follow.")

        ring = self.ring(formats=Formats(validators={KIND_ACCOUNT: follows}))
        identifiers = [node.identifier for node in ring.nodes]
        epoch = ring.ask(ring.nodes[0].service.trace(NAME.point)).epoch
        ballot = Ballot(epoch, 1, identifiers[1])
        brother = AcceptRequest(NAME, ballot, Versioned(1, (), b"brother"))
        ring.ask(ring.nodes[4].service.answer(identifiers[1], brother))
        ring.network.partition([identifiers[:4], identifiers[4:]])
        self.change(ring, 0, b"chosen", b"2")
        ring.network.mend()
        for number in (0, 1):
            ring.nodes[number].crash()
        self.assertEqual(self.change(ring, 3, b"chosen, and more", b"3").version, 2)

    def test_nothing_is_prepared_by_a_read_that_everybody_agrees_on(self) -> None:
        ring = self.ring()
        self.change(ring, 1, b"x", b"1")
        sent: list[type] = []
        ring.network.watch = lambda node, command, what: sent.append(command)
        self.read(ring, 2)
        self.assertNotIn(PrepareRegister, sent)

    def test_all_restarted_serve_again(self) -> None:
        ring = self.ring()
        self.change(ring, 1, b"x", b"1")
        for node in ring.nodes:
            node.crash()
        for node in ring.nodes:
            node.start()
        ring.run(2.0)
        self.assertEqual(self.read(ring, 4), Read(b"x", 1))

    def test_stopping_lets_go_of_everything(self) -> None:
        ring = Ring(nodes=5, in_memory=True)
        ring.grow(5)
        ring.network.partition([[node.identifier] for node in ring.nodes])
        results = ring.start(ring.nodes[0].service.change(NAME, lambda old: b"x", b"1"))
        ring.run(0.1)
        ring.close()
        self.assertTrue(results)
        ring.run(30.0)
        self.assertEqual(ring.clock.getDelayedCalls(), [])
