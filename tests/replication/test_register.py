"""Ballots, acceptors and versioned values."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.register import (
    EMPTY,
    NO_BALLOT,
    OPERATIONS_KEPT,
    Ballot,
    Counter,
    Versioned,
    accept,
    check_successor,
    descends,
    operation_mark,
    promise,
)

A, B = Identifier(1), Identifier(2)


def refuse(old: bytes | None, new: bytes) -> None:
    if old is not None:
        raise Misbehaved("no")


class AcceptorTests(SynchronousTestCase):
    def test_epoch_goes_before_counter_and_counter_before_node(self) -> None:
        self.assertLess(Ballot(1, 9, B), Ballot(2, 1, A))
        self.assertLess(Ballot(1, 1, B), Ballot(1, 2, A))
        self.assertLess(Ballot(1, 1, A), Ballot(1, 1, B))

    def test_promise_only_above_what_was_promised(self) -> None:
        promised = promise(EMPTY, Ballot(1, 5, A))
        assert promised is not None
        self.assertIsNone(promise(promised, Ballot(1, 5, A)))
        self.assertIsNone(promise(promised, Ballot(1, 4, B)))
        self.assertIsNotNone(promise(promised, Ballot(1, 6, A)))

    def test_accept_needs_no_lower_ballot_than_promised(self) -> None:
        promised = promise(EMPTY, Ballot(1, 5, A))
        assert promised is not None
        self.assertIsNone(accept(promised, Ballot(1, 4, A), Versioned()))
        accepted = accept(promised, Ballot(1, 5, A), Versioned(1, (), b"x"))
        assert accepted is not None
        self.assertEqual(accepted.accepted, Ballot(1, 5, A))

    def test_promise_keeps_what_was_accepted(self) -> None:
        accepted = accept(EMPTY, Ballot(1, 1, A), Versioned(1, (), b"x"))
        assert accepted is not None
        promised = promise(accepted, Ballot(1, 2, B))
        assert promised is not None
        self.assertEqual((promised.accepted, promised.content.value), (Ballot(1, 1, A), b"x"))


class CounterTests(SynchronousTestCase):
    def test_ballots_grow_beyond_all_that_was_heard(self) -> None:
        counter, other = Counter(A, 1), Counter(B, 3)
        for _ in range(5):
            heard = other.next(1)
        counter.heard(heard)
        self.assertGreater(counter.next(1), heard)

    def test_a_restarted_node_never_makes_a_ballot_again(self) -> None:
        before = Counter(A, 1)
        made = {before.next(1) for _ in range(10)}
        after = Counter(A, 2)
        after.heard(Ballot(1, 3 << 24, B))
        self.assertFalse(made & {after.next(1) for _ in range(10)})

    def test_nothing_is_below_no_ballot(self) -> None:
        self.assertGreater(Counter(A, 1).next(1), NO_BALLOT)


class VersionedTests(SynchronousTestCase):
    def test_the_last_operations_are_remembered(self) -> None:
        content = Versioned()
        for number in range(OPERATIONS_KEPT + 2):
            content = content.changed(b"v", operation_mark(b"%d" % number))
        self.assertEqual(content.version, OPERATIONS_KEPT + 2)
        self.assertEqual(len(content.operations), OPERATIONS_KEPT)
        self.assertIn(operation_mark(b"9"), content.operations)
        self.assertNotIn(operation_mark(b"1"), content.operations)

    def test_only_what_a_value_descends_from_is_compared(self) -> None:
        held = Versioned().changed(b"1", operation_mark(b"a")).changed(b"2", operation_mark(b"b"))
        later = held.changed(b"3", operation_mark(b"c"))
        brother = Versioned().changed(b"1", operation_mark(b"a")).changed(b"2", operation_mark(b"x"))
        for earlier in (held, Versioned(1, held.operations[:1], b"1")):
            self.assertRaises(Misbehaved, check_successor, refuse, earlier, later)
        check_successor(refuse, brother, later)
        check_successor(refuse, brother, held)
        check_successor(refuse, held, held)
        check_successor(refuse, Versioned(), held)

    def test_descent_that_is_forgotten_is_not_claimed(self) -> None:
        earlier = later = Versioned().changed(b"1", operation_mark(b"a"))
        for number in range(OPERATIONS_KEPT):
            self.assertTrue(number == 0 or descends(later, earlier))
            later = later.changed(b"v", operation_mark(b"%d" % number))
        self.assertFalse(descends(later, earlier))
