"""Tests of deleted accounts: who may end one, who may follow and when, and what a forged or early end cannot do."""

from dataclasses import replace
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto import account as accounts
from p2pchat.crypto import mailkey as mail_keys
from p2pchat.crypto import session as sessions
from p2pchat.crypto.account import Account, AccountPublic
from p2pchat.crypto.closing import CLOCKS_MS, CLOSED_MS, Closing, is_closing, mentions_closing
from p2pchat.crypto.credentials import change_password, register, renew_identity
from p2pchat.crypto.encoding import lv
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.session import SessionRecord, replaced_by
from p2pchat.crypto.succession import continued, encode_all, leads_from, parse_all, renewed_from
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.errors import Conflict, Misbehaved
from tests.crypto.keys import CHEAP, RING, Drawn, alias, heir, identity, session_key

AT = 1_790_000_000_000
OPEN = AT + CLOSED_MS


class ClosedCase(SynchronousTestCase):
    """bob's account, its end, and the account of somebody else who is called bob afterwards."""

    def setUp(self) -> None:
        self.old, self.new = identity("bob"), heir()
        self.first = self.registered(self.old, None)
        self.gone = Account.deleted(self.old, self.first, AT)
        self.second = self.registered(self.new, self.gone)
        self.links = self.second.public.successions

    def registered(self, who: Identity, after: Account | None) -> Account:
        return register(who, b"password", RecoveryKey(bytes(32)), CHEAP, Drawn(1), after).account

    def accept(self, old: Account | None, new: Account, now: int | None = OPEN) -> None:
        """As a member judges what a proposer sends."""
        held = None if old is None else old.encode()
        accounts.validate_successor(held, new.encode(), RING)
        accounts.check_times(held, new.encode(), RING, now)

    def refuse(
        self, old: Account | None, new: Account, now: int | None = OPEN, why: type[Exception] = Misbehaved
    ) -> None:
        self.assertRaises(why, self.accept, old, new, now)


class AccountTests(ClosedCase):
    def test_the_values_come_back(self) -> None:
        again = Account.parse(self.gone.encode(), RING)
        self.assertEqual((again, again.closing and again.closing.at), (self.gone, AT))
        self.assertRaises(Misbehaved, lambda: again.credentials)
        self.assertEqual(Account.parse(self.second.encode(), RING), self.second)
        self.assertEqual((self.second.public.version, self.links), (3, (self.gone.closing,)))
        for value, deleted in ((self.first, False), (self.gone, True), (self.second, False)):
            self.assertEqual(accounts.is_deleted(value.encode(), RING), deleted)
        self.assertEqual(
            [mentions_closing(each.encode()) for each in (self.first, self.gone, self.second)], [False, True, True]
        )

    def test_the_identity_ends_its_account_and_nobody_else(self) -> None:
        self.accept(self.first, self.gone, AT)
        self.refuse(self.first, Account.deleted(self.new, self.first, AT), AT)
        closing = Closing.create(self.old, 2, AT).encode()
        self.assertRaises(Misbehaved, Account.parse, Account.create(self.new, closing, self.first).encode(), RING)
        late = Closing.create(self.old, 3, AT).encode()
        self.assertRaises(Misbehaved, Account.parse, Account.create(self.old, late, self.first).encode(), RING)

    def test_an_end_follows_the_version_that_stands(self) -> None:
        changed = change_password(self.old, b"other", self.first, CHEAP, Drawn(2)).account
        self.refuse(changed, self.gone, AT, Conflict)

    def test_an_end_in_days_to_come_is_refused(self) -> None:
        self.refuse(self.first, Account.deleted(self.old, self.first, AT + CLOCKS_MS + 1), AT)
        self.accept(self.first, Account.deleted(self.old, self.first, AT + CLOCKS_MS), AT)

    def test_nothing_of_the_same_identity_follows(self) -> None:
        self.refuse(self.gone, Account.create(self.old, self.first.private, self.gone))
        self.refuse(self.gone, self.first)
        self.refuse(self.gone, change_password(self.old, b"other", self.first, CHEAP, Drawn(2)).account)

    def test_somebody_else_follows_after_30_days_and_not_before(self) -> None:
        self.refuse(self.gone, self.second, OPEN - 1)
        self.accept(self.gone, self.second, OPEN)

    def test_a_member_whose_clock_is_far_off_opens_nothing(self) -> None:
        self.refuse(self.gone, self.second, None)
        self.accept(self.first, self.gone, None)

    def test_what_a_member_took_is_not_judged_by_time_again(self) -> None:
        later = change_password(self.new, b"other", self.second, CHEAP, Drawn(2)).account
        self.accept(self.second, later, None)
        self.accept(self.second, self.second, None)

    def test_the_end_is_carried_and_cannot_be_left_out(self) -> None:
        bare = self.registered(self.new, None)
        self.refuse(self.gone, bare)
        accounts.validate_successor(None, bare.encode(), RING)  # as where a proposer says that it does not follow
        self.assertRaises(Misbehaved, accounts.check_times, self.gone.encode(), bare.encode(), RING, OPEN)
        other = Account.deleted(self.old, self.first, AT - CLOSED_MS)
        self.refuse(self.gone, self.registered(self.new, other))

    def test_a_member_that_missed_the_end_follows_the_proof(self) -> None:
        later = change_password(self.new, b"other", self.second, CHEAP, Drawn(2)).account
        self.accept(self.first, later)
        self.refuse(self.first, later, OPEN - 1)

    def test_ends_and_renewals_form_one_chain(self) -> None:
        renewed = renew_identity(
            self.new, alias("mallory"), b"password", RecoveryKey(bytes(32)), self.second, CHEAP, Drawn(2)
        ).account
        links = Account.parse(renewed.encode(), RING).public.successions
        self.assertEqual(len(links), 2)
        self.assertTrue(leads_from(links, self.old.fingerprint))
        self.assertFalse(renewed_from(links, self.old.fingerprint))
        self.assertTrue(renewed_from(links, self.new.fingerprint))
        self.accept(self.gone, renewed)

    def test_every_altered_byte_of_an_end_is_refused(self) -> None:
        (end,) = self.links
        encoded = end.encode()
        self.assertTrue(is_closing(encoded, RING))
        for at in range(0, len(encoded), 7):
            altered = encoded[:at] + bytes([encoded[at] ^ 4]) + encoded[at + 1 :]
            self.assertRaises(Misbehaved, parse_all, lv(altered), self.new.public)
        self.assertRaises(Misbehaved, parse_all, encode_all(self.links * 2), self.new.public)
        self.assertRaises(Misbehaved, parse_all, encode_all(self.links), self.old.public)

    def test_an_end_of_another_name_leads_nowhere(self) -> None:
        end = Closing.create(identity("carol"), 2, AT)
        self.assertRaises(Misbehaved, parse_all, encode_all((end,)), self.new.public)
        wrong = AccountPublic.create(self.new, 3, self.gone.public.digest, self.second.private, (end,))
        self.assertRaises(Misbehaved, AccountPublic.parse, wrong.encode(), RING)


class FollowingTests(ClosedCase):
    """Sessions and mail keys of whoever has the name next."""

    def setUp(self) -> None:
        super().setUp()
        escrow = self.first.credentials.escrow_public
        self.session = self.record(self.old, 1, None)
        self.next = self.record(self.new, 2, self.session)
        self.key = MailKeys(MailKeyRecord.create(self.old, 1, 1, bytes(96), escrow))
        self.next_key = MailKeys(MailKeyRecord.create(self.new, 2, 2, bytes([1]) * 96, escrow), None, self.links)

    def record(self, who: Identity, number: int, after: SessionRecord | None) -> SessionRecord:
        links = self.links if who is self.new else ()
        return SessionRecord.create(who, session_key(number), None, b"", 1, after, True, successions=links)

    def judge(self, form: ModuleType, old: bytes, new: bytes, now: int | None) -> None:
        form.validate_successor(old, new, RING)
        form.check_times(old, new, RING, now)

    def test_they_follow_with_the_end_of_the_account_when_it_is_time(self) -> None:
        for form, old, new in (
            (sessions, self.session.encode(), self.next.encode()),
            (mail_keys, self.key.encode(), self.next_key.encode()),
        ):
            self.judge(form, old, new, OPEN)
            self.judge(form, new, new, None)
            for early in (OPEN - 1, None):
                self.assertRaises(Misbehaved, self.judge, form, old, new, early)

    def test_without_it_they_do_not(self) -> None:
        bare = replace(self.next, successions=())
        self.assertRaises(Misbehaved, self.judge, sessions, self.session.encode(), bare.encode(), OPEN)
        key = MailKeys(self.next_key.current)
        self.assertRaises(Misbehaved, self.judge, mail_keys, self.key.encode(), key.encode(), OPEN)

    def test_the_old_identity_does_not_come_back(self) -> None:
        back = self.record(self.old, 3, self.next)
        self.assertRaises(Misbehaved, self.judge, sessions, self.next.encode(), back.encode(), OPEN)
        self.assertTrue(replaced_by(self.session, self.next))


class LengthTests(SynchronousTestCase):
    def test_a_chain_of_ends_is_cut_like_one_of_renewals(self) -> None:
        ends = tuple(Closing.create(alias(each), turn + 2, AT) for turn, each in enumerate(("alice", "carol", "bob")))
        kept = continued(ends, Closing.create(alias("mallory"), 9, AT))
        self.assertEqual([each.before for each in kept], [alias(each).public for each in ("carol", "bob", "mallory")])
        self.assertEqual(parse_all(encode_all(kept), alias("alice").public), kept)
