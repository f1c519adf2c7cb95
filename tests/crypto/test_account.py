"""Tests of the account register: what members accept, and the lies that readers refuse."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.account import Account, AccountPublic, validate_successor
from p2pchat.crypto.credentials import change_password, register
from p2pchat.crypto.encoding import NO_PREVIOUS, lv, split
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.errors import Conflict, Misbehaved
from tests.crypto.keys import CHEAP, RING, Drawn, heir, identity


def account(user: str = "bob", seed: int = 1) -> Account:
    return register(identity(user), b"password", RecoveryKey(bytes(32)), CHEAP, Drawn(seed)).account


class AccountTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.first = account()
        self.second = change_password(identity("bob"), b"other", self.first, CHEAP, Drawn(2)).account
        self.third = change_password(identity("bob"), b"third", self.second, CHEAP, Drawn(3)).account

    def accept(self, old: Account | None, new: Account) -> None:
        validate_successor(None if old is None else old.encode(), new.encode(), RING)

    def test_the_value_comes_back(self) -> None:
        self.assertEqual(Account.parse(self.second.encode(), RING), self.second)
        self.assertEqual((self.second.public.version, self.second.public.previous), (2, self.first.public.digest))

    def test_members_accept_the_next_version_and_what_they_missed(self) -> None:
        for old, new in (
            (None, self.first),
            (None, self.third),
            (self.first, self.first),
            (self.first, self.second),
            (self.first, self.third),
        ):
            self.accept(old, new)

    def test_older_and_forked_versions_are_conflicts(self) -> None:
        fork = change_password(identity("bob"), b"fork", account(seed=7), CHEAP, Drawn(4)).account
        for old, new in (
            (self.second, self.first),
            (self.first, fork),
            (self.second, fork),
            (self.first, account(seed=7)),
        ):
            self.assertRaises(Conflict, self.accept, old, new)

    def test_another_identity_never_follows(self) -> None:
        stolen = change_password(heir(), b"password", self.first, CHEAP, Drawn(5)).account
        for new in (stolen, account("carol")):
            self.assertRaises(Misbehaved, self.accept, self.first, new)

    def test_a_swapped_private_part_is_refused(self) -> None:
        public, _ = split(self.first.encode())
        _, private = split(self.second.encode())
        self.assertRaises(Misbehaved, Account.parse, lv(public) + lv(private), RING)
        foreign = Account.create(identity("bob"), account("carol").private)
        self.assertRaises(Misbehaved, Account.parse, foreign.encode(), RING)

    def test_every_altered_byte_of_the_public_part_is_refused(self) -> None:
        encoded = self.first.public.encode()
        for at in range(0, len(encoded), 7):
            altered = encoded[:at] + bytes([encoded[at] ^ 0x10]) + encoded[at + 1 :]
            self.assertRaises(Misbehaved, AccountPublic.parse, altered, RING)
        self.assertRaises(Misbehaved, AccountPublic.parse, encoded, bytes(32))
        self.assertRaises(Misbehaved, AccountPublic.parse, b"", RING)

    def test_a_signed_first_version_with_a_predecessor_is_refused(self) -> None:
        private = self.first.private
        for version, previous in ((1, bytes([1]) * 32), (2, NO_PREVIOUS), (0, NO_PREVIOUS)):
            made = AccountPublic.create(identity("bob"), version, previous, private)
            self.assertRaises(Misbehaved, AccountPublic.parse, made.encode(), RING)

    def test_weakened_verifiers_and_wrong_sizes_are_refused(self) -> None:
        found = self.first.credentials
        for wrong in (
            replace(found, verifier=b"$2b$31$" + b"." * 53),
            replace(found, salt=b""),
            replace(found, escrow_public=b""),
            replace(found, recovery_auth_hash=b""),
        ):
            lying = Account.create(identity("bob"), wrong.encode(RING))
            self.assertRaises(Misbehaved, Account.parse, lying.encode(), RING)
