"""Slots in use change a few at a time, all others together."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.requests import (
    AcceptRequest,
    AddRequest,
    AskRequest,
    BuryRequest,
    CollectRequest,
    ListRequest,
    LookRequest,
    MarkRequest,
    PrepareRequest,
    ReadRequest,
    Request,
)
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey, first_of
from p2pchat.replication.uses import FEW_SLOTS, USED_SECONDS, Uses
from p2pchat.replication.uset import ItemState

SLOTS = 256


def point(slot: int) -> Identifier:
    """Somewhere in a slot."""
    return Identifier(first_of(slot, SLOTS) + CIRCLE // SLOTS // 2)


def key(slot: int) -> RegisterKey:
    """A register of a slot."""
    return RegisterKey(point(slot), KIND_ACCOUNT)


class UsesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.uses = Uses(SLOTS)

    def test_slots_that_nobody_uses_change_together(self) -> None:
        self.uses.note(AskRequest(7), 0.0)
        self.assertEqual(self.uses.parts(range(SLOTS), 1.0), [tuple(range(SLOTS))])
        self.assertEqual(self.uses.parts((), 1.0), [])

    def test_slots_in_use_come_first_a_few_at_a_time(self) -> None:
        used = range(3, 3 + FEW_SLOTS + 2)
        for slot in used:
            self.uses.note(ReadRequest(key(slot), 1), 0.0)
        parts = self.uses.parts(range(100), 1.0)
        self.assertEqual([len(part) for part in parts], [FEW_SLOTS, 2, 100 - FEW_SLOTS - 2])
        self.assertEqual([*parts[0], *parts[1]], list(used))
        self.assertEqual(sorted(slot for part in parts for slot in part), list(range(100)))
        self.assertEqual(self.uses.parts(used, 1.0), parts[:2])

    def test_a_slot_that_was_used_long_ago_is_not_in_use(self) -> None:
        self.uses.note(ReadRequest(key(5), 1), 0.0)
        self.assertEqual(len(self.uses.parts(range(9), USED_SECONDS)), 2)
        self.assertEqual(len(self.uses.parts(range(9), USED_SECONDS + 1.0)), 1)

    def test_every_question_about_records_counts(self) -> None:
        ballot = Ballot(1, 1, Identifier(1))
        asked: list[Request] = [
            PrepareRequest(key(0), ballot),
            AcceptRequest(key(1), ballot, Versioned()),
            ReadRequest(key(2), 1),
            AddRequest(point(3), 1, b"", ()),
            ListRequest(point(4), 1, 0, b""),
            MarkRequest(point(5), 1, 0, (), b""),
            BuryRequest(point(6), 1, (), ItemState.ACKNOWLEDGED),
            CollectRequest(point(7), 1, ()),
            LookRequest(point(8), 1, ()),
        ]
        for request in asked:
            self.uses.note(request, 0.0)
        self.assertEqual(self.uses.parts(range(9), 0.0), [tuple(range(9))])
        self.assertEqual(self.uses.parts(range(10), 0.0), [tuple(range(9)), (9,)])
