"""Tests of renewed identities: who may follow whom in the three registers, and what a forged renewal cannot do."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto import account as accounts
from p2pchat.crypto import mailkey as mail_keys
from p2pchat.crypto import session as sessions
from p2pchat.crypto.account import Account, AccountPublic
from p2pchat.crypto.credentials import change_password, log_in, recover, register, renew_identity
from p2pchat.crypto.encoding import lv
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.passwords import Stretched
from p2pchat.crypto.proofs import Acknowledgement, check_acknowledgement
from p2pchat.crypto.session import SessionRecord, replaced_by
from p2pchat.crypto.succession import MAX_SUCCESSIONS, Succession, encode_all, leads_from, parse_all
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.errors import Misbehaved, SessionReplaced
from tests.crypto.keys import CHEAP, RING, Drawn, alias, heir, identity, session_key

OLD_KEY, NEW_KEY = RecoveryKey(bytes(32)), RecoveryKey(bytes([9]) * 32)


class RenewedCase(SynchronousTestCase):
    """bob, and the identity that he renewed his with."""

    def setUp(self) -> None:
        self.old, self.new = identity("bob"), heir()
        self.first = register(self.old, b"password", OLD_KEY, CHEAP, Drawn(1)).account
        self.enrolled = renew_identity(self.old, self.new, b"password", NEW_KEY, self.first, CHEAP, Drawn(2))
        self.second = self.enrolled.account
        self.successions = self.second.public.successions

    def session(self, who: Identity, after: SessionRecord | None, log_in: bool, number: int = 7) -> SessionRecord:
        renewals = self.successions if who is self.new else ()
        return SessionRecord.create(who, session_key(number), None, b"", 1, after, log_in, successions=renewals)


class AccountTests(RenewedCase):
    def accept(self, old: Account, new: Account) -> None:
        accounts.validate_successor(old.encode(), new.encode(), RING)

    def test_the_value_comes_back_and_members_accept_it(self) -> None:
        self.assertEqual(Account.parse(self.second.encode(), RING), self.second)
        self.assertEqual(self.second.public.version, 2)
        self.assertTrue(leads_from(self.successions, self.old.fingerprint))
        self.accept(self.first, self.second)

    def test_later_versions_carry_the_renewal_to_members_that_missed_it(self) -> None:
        third = change_password(self.new, b"other", self.second, CHEAP, Drawn(3)).account
        self.assertEqual(third.public.successions, self.successions)
        self.accept(self.first, third)
        self.accept(self.second, third)

    def test_password_and_the_new_recovery_key_open_it_the_old_recovery_key_does_not(self) -> None:
        found = self.second.credentials
        stretched = Stretched.stretch(b"password", "bob", RING, found.salt, found.parameters)
        self.assertEqual(log_in(self.second, stretched).identity.public, self.new.public)
        self.assertEqual(recover(self.second, NEW_KEY).identity.public, self.new.public)
        self.assertFalse(found.proven_by_recovery(OLD_KEY.auth("bob", RING)))
        self.assertTrue(found.proven_by_recovery(NEW_KEY.auth("bob", RING)))

    def test_an_identity_that_the_old_one_did_not_name_is_refused(self) -> None:
        thief = alias("mallory")
        unnamed = Account.create(thief, self.second.private, self.first)
        self.assertRaises(Misbehaved, self.accept, self.first, unnamed)
        borrowed = AccountPublic.create(thief, 2, self.first.public.digest, self.second.private, self.successions)
        self.assertRaises(Misbehaved, AccountPublic.parse, borrowed.encode(), RING)
        self_named = Succession.create(thief, self.new.public, 2)
        forged = replace(self_named, before=self.old.public)
        lying = AccountPublic.create(self.new, 2, self.first.public.digest, self.second.private, (forged,))
        self.assertRaises(Misbehaved, AccountPublic.parse, lying.encode(), RING)

    def test_a_renewal_is_no_way_back(self) -> None:
        back = Account.create(self.old, self.first.private, self.second)
        self.assertRaises(Misbehaved, self.accept, self.second, back)

    def test_only_the_last_renewals_travel_along(self) -> None:
        standing, who = self.second, self.new
        for turn in range(MAX_SUCCESSIONS):
            after = alias(("mallory", "alice", "carol")[turn])
            standing = Account.renewed(who, after, self.first.private, standing)
            who = after
        again = Account.parse(standing.encode(), RING)
        self.assertEqual(len(again.public.successions), MAX_SUCCESSIONS)
        self.assertRaises(Misbehaved, self.accept, self.first, again)
        self.accept(self.second, again)

    def test_every_altered_byte_of_a_renewal_is_refused(self) -> None:
        encoded = self.successions[0].encode()
        for at in range(0, len(encoded), 11):
            altered = encoded[:at] + bytes([encoded[at] ^ 4]) + encoded[at + 1 :]
            self.assertRaises(Misbehaved, parse_all, lv(altered), self.new.public)
        self.assertRaises(Misbehaved, parse_all, encode_all(self.successions) * 2, self.new.public)
        elsewhere = PublicIdentity("carol", RING, self.new.public.spki_sign, self.new.public.spki_seal)
        self.assertRaises(Misbehaved, parse_all, encode_all(self.successions), elsewhere)


class SessionTests(RenewedCase):
    def setUp(self) -> None:
        super().setUp()
        self.before = self.session(self.old, None, log_in=True)
        self.after = self.session(self.new, self.before, log_in=True, number=8)

    def test_a_session_of_the_new_identity_follows_in_a_new_epoch_only(self) -> None:
        sessions.validate_successor(self.before.encode(), self.after.encode(), RING)
        moved = self.session(self.new, self.after, log_in=False, number=8)
        sessions.validate_successor(self.before.encode(), moved.encode(), RING)
        same_epoch = self.session(self.new, self.before, log_in=False)
        self.assertRaises(Misbehaved, sessions.validate_successor, self.before.encode(), same_epoch.encode(), RING)
        unproven = replace(self.after, successions=())
        self.assertRaises(Misbehaved, sessions.validate_successor, self.before.encode(), unproven.encode(), RING)

    def test_the_old_identity_is_refused_afterwards(self) -> None:
        thief = self.session(self.old, self.after, log_in=True)
        self.assertRaises(Misbehaved, sessions.validate_successor, self.after.encode(), thief.encode(), RING)

    def test_a_home_with_the_old_identity_knows_that_it_is_replaced(self) -> None:
        self.assertTrue(replaced_by(self.before, SessionRecord.parse(self.after.encode(), RING)))
        self.assertFalse(replaced_by(self.before, replace(self.after, successions=())))

    def test_acknowledgements_of_the_new_session_count_where_only_the_old_one_is_known(self) -> None:
        ids = [bytes([7]) * 32]
        proof = Acknowledgement.create(session_key(8), self.after, ids).encode()
        check_acknowledgement(self.before.encode(), proof, ids, RING)
        old = Acknowledgement.create(session_key(7), self.before, ids).encode()
        self.assertRaises((Misbehaved, SessionReplaced), check_acknowledgement, self.after.encode(), old, ids, RING)


class MailKeyTests(RenewedCase):
    def test_the_mail_key_of_the_new_identity_follows_and_drains_the_old_one(self) -> None:
        escrow = self.first.credentials.escrow_public
        old = MailKeys(MailKeyRecord.create(self.old, 1, 1, bytes(96), escrow))
        current = MailKeyRecord.create(self.new, 2, 2, bytes([1]) * 96, escrow)
        new = MailKeys(current, old.current, self.successions)
        mail_keys.validate_successor(old.encode(), new.encode(), RING)
        self.assertEqual(MailKeys.parse(new.encode(), RING), new)
        self.assertEqual(mail_keys.key_id_of(new.encode()), current.key_id)
        self.assertEqual(mail_keys.fence_of(new.encode(), RING), 2)
        mail_keys.validate_successor(new.encode(), new.drained().encode(), RING)
        self.assertRaises(Misbehaved, MailKeys.parse, MailKeys(current, old.current).encode(), RING)
        alone = MailKeys(current)
        self.assertRaises(Misbehaved, mail_keys.validate_successor, old.encode(), alone.encode(), RING)
