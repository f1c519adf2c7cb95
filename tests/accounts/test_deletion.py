"""An account ends and its name begins anew, as a gateway and the members judge it."""

from typing import Any

from p2pchat.accounts.checks import CLOSING_CLOCK_MS
from p2pchat.accounts.commands import BY_PASSWORD
from p2pchat.crypto.account import Account, AccountPublic
from p2pchat.crypto.closing import CLOCKS_MS, CLOSED_MS
from p2pchat.crypto.credentials import register
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.proofs import SignedRequest
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import (
    Conflict,
    Misbehaved,
    NameTaken,
    NotLoggedIn,
    StaleKey,
    TryElsewhere,
    UnknownUser,
    UserError,
    WrongCredentials,
)
from p2pchat.identifiers import account_identifier
from p2pchat.replication.uset import Item, ItemState
from p2pchat.server.formats import formats
from tests.accounts.people import OPERATION, RECOVERY, Person
from tests.accounts.test_service import AT, ServiceCase
from tests.crypto.keys import CHEAP, RING, Drawn, alias, session_key


class DeletionTests(ServiceCase):
    """An account that ends, and the next one of its name."""

    def setUp(self) -> None:
        super().setUp()
        self.done(self.register(self.alice))
        self.point = account_identifier("alice")

    def delete(self, at: int = AT) -> bytes:
        gone = Account.deleted(self.alice.identity, self.alice.enrolled.account, at).encode()
        self.done(self.accounts.write_account("alice", gone, self.alice.auth, BY_PASSWORD, OPERATION))
        return gone

    def heir(self, operation: bytes = OPERATION, keys: str = "carol") -> Any:
        """Somebody else registers as alice, from what stands."""
        account, session, mail_key = self.done(self.accounts.name("alice"))
        who = alias(keys, "alice")
        ended = Account.parse(account, RING)
        made = register(who, b"password", RECOVERY, CHEAP, Drawn(1), ended).account
        links, key = made.public.successions, session_key(9)
        after = SessionRecord.parse(session, RING)
        record = SessionRecord.create(who, key, None, b"", 1, after, True, successions=links)
        number = MailKeyRecord.parse(mail_key, RING).number + 1
        escrow = made.credentials.escrow_public
        keys_ = MailKeys(MailKeyRecord.create(who, record.epoch, number, Drawn(7)(96), escrow), None, links)
        return self.accounts.register("alice", made.encode(), record.encode(), keys_.encode(), operation, "192.0.2.9")

    def test_it_is_proven_to_everybody_and_nobody_logs_in(self) -> None:
        gone = Account.parse(self.delete(), RING)
        public, session, mail_key, closing = self.done(self.accounts.records("alice"))
        self.assertEqual((public, session, mail_key, closing), (gone.public.encode(), b"", b"", gone.private))
        self.refused(self.accounts.unlock("alice", self.alice.auth, BY_PASSWORD), UnknownUser)
        again = self.alice.log_in(self.alice.session, session_key(2)).encode()
        self.refused(self.accounts.write_session("alice", again, OPERATION), UnknownUser)
        self.refused(self.accounts.write_mail_key("alice", self.alice.next_key().encode(), OPERATION), UnknownUser)

    def test_its_session_speaks_for_nobody(self) -> None:
        signed = SignedRequest.create(self.alice.session_key, self.alice.session, 1, "beat", b"online")
        verify = (*signed_place(signed), "beat", b"online", signed.signature)
        self.done(self.accounts.verify("alice", *verify))
        self.delete()
        self.refused(self.accounts.verify("alice", *verify), NotLoggedIn)

    def test_its_mail_goes(self) -> None:
        item = Item(bytes(32), b"sealed")
        self.done(self.ring.add(self.point, self.alice.keys.current.key_id, [item]))
        self.delete()
        self.assertEqual(self.done(self.ring.state(self.point, bytes(32))), ItemState.UNOPENABLE)
        self.refused(self.ring.add(self.point, self.alice.keys.current.key_id, [item]), StaleKey)

    def test_the_name_stays_closed_for_30_days_and_says_until_when(self) -> None:
        self.delete()
        until = AT + CLOSED_MS + CLOCKS_MS
        for now in (AT, until - 1):
            self.now_ms = now
            said = self.refused(self.accounts.name("alice"), NameTaken)
            self.assertIn("stays closed until 2026-10-21 14:24 UTC", said)
            self.refused(self.register(self.alice), NameTaken)
        self.now_ms = until
        self.done(self.heir())
        public, session, _, closing = self.done(self.accounts.records("alice"))
        self.assertEqual((AccountPublic.parse(public, RING).identity, closing), (alias("carol", "alice").public, None))
        self.assertEqual(SessionRecord.parse(session, RING).place, (2, 0))

    def test_of_two_who_wait_for_the_name_one_gets_it(self) -> None:
        self.delete()
        self.now_ms = AT + CLOSED_MS + CLOCKS_MS
        first, second = self.heir(b"one"), self.heir(b"two", "mallory")
        self.done(first)
        self.refused(second, NameTaken)

    def test_who_does_not_build_on_the_end_is_refused(self) -> None:
        self.delete()
        self.now_ms = AT + CLOSED_MS + CLOCKS_MS
        fresh = person_of(alias("carol", "alice"))
        self.refused(self.register(fresh), Conflict)

    def test_a_gateway_with_a_wrong_clock_opens_and_ends_nothing(self) -> None:
        gone = Account.deleted(self.alice.identity, self.alice.enrolled.account, AT).encode()
        self.now_ms = None
        write = self.accounts.write_account("alice", gone, self.alice.auth, BY_PASSWORD, OPERATION)
        self.refused(write, TryElsewhere)
        self.now_ms = AT
        self.delete()
        self.now_ms = None
        self.refused(self.accounts.name("alice"), TryElsewhere)

    def test_members_refuse_what_a_gateway_lets_through_too_early(self) -> None:
        self.delete()
        members, self.now_ms = AT, AT + CLOSED_MS + CLOCKS_MS
        early = self.heir()
        self.ring._formats = formats(RING, lambda: members)
        self.refused(early, Misbehaved)

    def test_the_end_is_of_now(self) -> None:
        for at in (AT - CLOSING_CLOCK_MS - 1, AT + CLOSING_CLOCK_MS + 1):
            gone = Account.deleted(self.alice.identity, self.alice.enrolled.account, at).encode()
            write = self.accounts.write_account("alice", gone, self.alice.auth, BY_PASSWORD, OPERATION)
            self.assertIn("Set it", self.refused(write, UserError))

    def test_nobody_ends_an_account_without_its_password_or_its_identity(self) -> None:
        gone = Account.deleted(self.alice.identity, self.alice.enrolled.account, AT).encode()
        self.refused(self.accounts.write_account("alice", gone, bytes(32), BY_PASSWORD, OPERATION), WrongCredentials)
        forged = Account.deleted(alias("carol", "alice"), self.alice.enrolled.account, AT).encode()
        write = self.accounts.write_account("alice", forged, self.alice.auth, BY_PASSWORD, OPERATION)
        self.refused(write, Misbehaved)


def signed_place(signed: SignedRequest) -> tuple[int, int, int]:
    return signed.epoch, signed.sequence, signed.counter


def person_of(who: Identity) -> Person:
    return Person(who.user, who)
