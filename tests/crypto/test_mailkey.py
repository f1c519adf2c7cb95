"""Tests of mail keys: escrow, what members accept during a rotation, and lies."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import (
    MailKeyRecord,
    MailKeys,
    fence_of,
    key_id_of,
    validate_successor,
)
from p2pchat.crypto.primitives import hybrid_generate, hybrid_public
from p2pchat.errors import CannotOpen, Conflict, Misbehaved
from tests.crypto.keys import RING, Drawn, heir, identity

ESCROW = hybrid_generate(Drawn(100))


def record(number: int, epoch: int = 1, who: Identity | None = None, seed: int = 0) -> MailKeyRecord:
    private = hybrid_generate(Drawn(number + 1000 * seed))
    return MailKeyRecord.create(who or identity("bob"), epoch, number, private, hybrid_public(ESCROW))


class RecordTests(SynchronousTestCase):
    def test_the_record_comes_back_with_and_without_escrow(self) -> None:
        made = record(1)
        for each in (made, made.without_escrow()):
            self.assertEqual(MailKeyRecord.parse(each.encode(), RING), each)
            self.assertEqual(each.key_id, made.key_id)

    def test_the_escrow_key_gives_the_private_half_back(self) -> None:
        self.assertEqual(record(1).private(ESCROW), hybrid_generate(Drawn(1)))
        self.assertRaises(CannotOpen, record(1).private, hybrid_generate(Drawn(5)))
        swapped = replace(record(1), escrow=record(2).escrow)
        self.assertRaises(CannotOpen, swapped.private, ESCROW)

    def test_lies_are_refused(self) -> None:
        made = record(1)
        for wrong in (
            replace(made, escrow=record(2).escrow),
            replace(made, signature=identity("carol").sign(made.body)),
            replace(made, identity=heir().public),
            replace(made, body=made.body + b"\0"),
        ):
            self.assertRaises(Misbehaved, MailKeyRecord.parse, wrong.encode(), RING)
        self.assertRaises(Misbehaved, MailKeyRecord.parse, made.encode(), bytes(32))


class RegisterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.first = MailKeys(record(1))
        self.rotating = self.first.rotated(record(2))
        self.second = self.rotating.drained()

    def accept(self, old: MailKeys | None, new: MailKeys) -> None:
        validate_successor(None if old is None else old.encode(), new.encode(), RING)

    def test_a_rotation_goes_forward(self) -> None:
        for old, new in (
            (None, self.first),
            (self.first, self.first),
            (self.first, self.rotating),
            (self.rotating, self.second),
            (self.first, self.second),
            (self.first, MailKeys(record(3))),
            (self.first, MailKeys(record(3), record(2))),
        ):
            self.accept(old, new)

    def test_nothing_goes_back_or_aside(self) -> None:
        fork = record(2, seed=3)
        for old, new in (
            (self.rotating, self.first),
            (self.second, self.rotating),
            (self.second, MailKeys(fork)),
            (self.first, MailKeys(fork, record(1, seed=3))),
            (MailKeys(record(1, epoch=4)), MailKeys(record(2, epoch=3))),
            (MailKeys(record(1, epoch=4)), MailKeys(record(3, epoch=3))),
        ):
            self.assertRaises(Conflict, self.accept, old, new)

    def test_a_second_rotation_waits_for_the_first(self) -> None:
        self.assertRaises(Conflict, self.rotating.rotated, record(3))

    def test_another_identity_is_refused(self) -> None:
        self.assertRaises(Misbehaved, self.accept, self.second, MailKeys(record(3, who=heir())))

    def test_two_keys_that_do_not_follow_each_other_are_refused(self) -> None:
        for wrong in (
            MailKeys(record(3), record(1)),
            MailKeys(record(2), record(1, who=heir())),
            MailKeys(record(1).without_escrow()),
            MailKeys(record(2), record(1).without_escrow()),
        ):
            self.assertRaises(Misbehaved, MailKeys.parse, wrong.encode(), RING)

    def test_members_read_key_id_and_fence_without_verifying_again(self) -> None:
        value = self.rotating.encode()
        self.assertEqual((key_id_of(value), fence_of(value, RING)), (self.rotating.current.key_id, 2))
        self.assertEqual((key_id_of(None), fence_of(None, RING)), (b"", 0))
