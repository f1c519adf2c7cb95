"""Tests of session records: what members accept, what proves a replacement, and sealed addresses."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.encoding import lv, split
from p2pchat.crypto.session import (
    SessionRecord,
    epoch_of,
    next_place,
    open_addresses,
    replaced_by,
    seal_addresses,
    validate_successor,
)
from p2pchat.errors import CannotOpen, Conflict, Misbehaved
from p2pchat.identifiers import Address, Identifier
from tests.crypto.keys import RING, Drawn, heir, identity, session_key

NODE = Identifier(7)


def session(after: SessionRecord | None = None, log_in: bool = True, key: int = 1, time: int = 5) -> SessionRecord:
    return SessionRecord.create(identity("bob"), session_key(key), NODE, b"", time, after, log_in)


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.first = session()
        self.moved = session(self.first, log_in=False)
        self.second = session(self.moved, key=2)

    def accept(self, old: SessionRecord | None, new: SessionRecord) -> None:
        validate_successor(None if old is None else old.encode(), new.encode(), RING)

    def test_the_record_comes_back(self) -> None:
        for record in (self.first, self.moved, self.second):
            self.assertEqual(SessionRecord.parse(record.encode(), RING), record)
            self.assertEqual(epoch_of(record.encode(), RING), record.epoch)
        self.assertEqual([self.first.place, self.moved.place, self.second.place], [(1, 0), (1, 1), (2, 0)])
        self.assertEqual(epoch_of(None, RING), 0)

    def test_members_accept_one_step_and_what_they_missed(self) -> None:
        third = session(self.second, log_in=False, key=2)
        for old, new in (
            (None, self.first),
            (self.first, self.first),
            (self.first, self.moved),
            (self.moved, self.second),
            (self.first, third),
            (None, third),
        ):
            self.accept(old, new)

    def test_lower_and_forked_records_are_conflicts(self) -> None:
        for old, new in (
            (self.second, self.moved),
            (self.first, session(time=6)),
            (self.moved, session(self.first, log_in=False, time=6)),
            (self.first, session(session(time=6), log_in=False)),
        ):
            self.assertRaises(Conflict, self.accept, old, new)

    def test_a_delayed_login_does_not_apply(self) -> None:
        delayed = session(self.first, key=3)
        self.accept(self.first, delayed)
        self.assertRaises(Conflict, self.accept, self.moved, delayed)
        self.assertRaises(Conflict, self.accept, self.second, delayed)

    def test_another_key_within_the_epoch_is_refused(self) -> None:
        self.assertRaises(Misbehaved, self.accept, self.first, session(self.first, log_in=False, key=2))

    def test_another_identity_is_refused(self) -> None:
        inherited = SessionRecord.create(heir(), session_key(4), NODE, b"", 5, self.second, True)
        self.assertRaises(Misbehaved, self.accept, self.second, inherited)

    def test_a_foreign_session_key_or_signature_is_refused(self) -> None:
        foreign = replace(self.first, possession=session_key(9).sign(self.first.body))
        unsigned = replace(self.first, signature=identity("carol").sign(self.first.body))
        swapped = replace(self.first, identity=replace(identity("carol").public, user="bob"))
        for wrong in (foreign, unsigned, swapped):
            self.assertRaises(Misbehaved, SessionRecord.parse, wrong.encode(), RING)
        self.assertRaises(Misbehaved, SessionRecord.parse, self.first.encode(), bytes(32))
        body, *rest = split(self.first.encode())
        longer = b"".join(map(lv, (body + b"\0", *rest)))
        self.assertRaises(Misbehaved, SessionRecord.parse, longer, RING)

    def test_only_a_proof_replaces_a_session(self) -> None:
        mine, moved = self.first, self.moved
        self.assertTrue(replaced_by(mine, self.second))
        self.assertTrue(replaced_by(mine, moved), "a sequence in my epoch that I did not make")
        self.assertTrue(replaced_by(mine, session(key=3)), "a key in my epoch that I did not make")
        self.assertFalse(replaced_by(moved, mine))
        self.assertFalse(replaced_by(self.second, moved))
        self.assertFalse(replaced_by(mine, mine))
        carols = SessionRecord.create(identity("carol"), session_key(5), NODE, b"", 1, self.second, True)
        self.assertFalse(replaced_by(mine, carols))
        namesake = SessionRecord.create(heir(), session_key(5), NODE, b"", 1, self.second, True)
        self.assertFalse(replaced_by(mine, namesake), "my name with keys that are not mine")


class AddressTests(SynchronousTestCase):
    def test_addresses_open_with_the_capability_only_and_in_their_place(self) -> None:
        addresses = [Address("192.0.2.1", 7403), Address("2001:db8::1", 7403)]
        box = seal_addresses(addresses, bytes(16), "bob", RING, next_place(None, True), Drawn())
        record = SessionRecord.create(identity("bob"), session_key(1), None, box, 5, None, True)
        record = SessionRecord.parse(record.encode(), RING)
        self.assertEqual(open_addresses(record, bytes(16)), addresses)
        self.assertIsNone(record.node)
        self.assertRaises(CannotOpen, open_addresses, record, bytes([1]) * 16)
        later = SessionRecord.create(identity("bob"), session_key(1), None, box, 5, record, False)
        self.assertRaises(CannotOpen, open_addresses, later, bytes(16))
        self.assertRaises(CannotOpen, open_addresses, session(), bytes(16))
