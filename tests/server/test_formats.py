"""What members see of a record: whose name it carries, and whether the account beside it is the same person's."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.account import Account
from p2pchat.crypto.closing import CLOSED_MS
from p2pchat.crypto.credentials import register, renew_identity
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.session import SessionRecord
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.replication.acceptor import Acceptor
from p2pchat.replication.ground import Ground
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.requests import AcceptRequest, RegisterReply, Status
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.server.formats import formats
from p2pchat.simulation.disk import MemoryStore
from tests.accounts.people import PASSWORD, person
from tests.crypto.keys import CHEAP, RING, Drawn, alias, heir, session_key

ME, LIAR = Identifier(1), Identifier(2)
DELETED_MS = 1_700_000_000_000
NOW_MS = DELETED_MS + CLOSED_MS + 3_600_000


def impostor(user: str) -> Identity:
    """Somebody who calls himself `user`, with mallory's keys."""
    return alias("mallory", user)


class OwnerCase(SynchronousTestCase):
    """One member, and a node that sends it whatever it likes."""

    def setUp(self) -> None:
        self.bob = person("bob")
        self.store: Any = MemoryStore(4)
        self.acceptor = Acceptor(Ground(ME, 4, True, formats(RING, lambda: NOW_MS)))
        self.counter = 0

    def accept(self, kind: int, value: bytes, user: str = "bob") -> Status:
        """What the member says."""
        self.counter += 1
        key = RegisterKey(account_identifier(user), kind)
        held = self.store.register(key)
        version = 1 if held is None else held.content.version + 1
        marks = (() if held is None else held.content.operations) + (bytes([self.counter]) * 16,)
        request = AcceptRequest(key, Ballot(1, self.counter, LIAR), Versioned(version, marks, value))
        reply: RegisterReply = self.acceptor.accept(self.store, LIAR, request, [])
        return reply.status

    def mail_keys(self, who: Identity, number: int = 1) -> MailKeys:
        return MailKeys(
            MailKeyRecord.create(who, 1, number, Drawn(5)(96), self.bob.enrolled.account.credentials.escrow_public)
        )


class PlaceTests(OwnerCase):
    def test_records_of_their_own_name_are_taken(self) -> None:
        self.assertEqual(self.accept(KIND_ACCOUNT, self.bob.account), Status.OK)
        self.assertEqual(self.accept(KIND_SESSION, self.bob.session.encode()), Status.OK)
        self.assertEqual(self.accept(KIND_MAILKEY, self.bob.keys.encode()), Status.OK)

    def test_records_of_another_name_are_not(self) -> None:
        mallory = person("mallory")
        values = (mallory.account, mallory.session.encode(), mallory.keys.encode())
        for kind, value in zip((KIND_ACCOUNT, KIND_SESSION, KIND_MAILKEY), values, strict=True):
            self.assertEqual(self.accept(kind, value, "bob"), Status.REFUSED)


class IdentityTests(OwnerCase):
    def setUp(self) -> None:
        super().setUp()
        self.accept(KIND_ACCOUNT, self.bob.account)

    def test_somebody_else_s_keys_under_the_same_name_are_refused(self) -> None:
        false = impostor("bob")
        session = SessionRecord.create(false, session_key(9), ME, b"", 1, None, True)
        self.assertEqual(self.accept(KIND_SESSION, session.encode()), Status.REFUSED)
        self.assertEqual(self.accept(KIND_MAILKEY, self.mail_keys(false).encode()), Status.REFUSED)

    def test_a_member_that_missed_the_account_cannot_tell(self) -> None:
        self.store.clear(Identifier(0), Identifier((1 << 256) - 1))
        session = SessionRecord.create(impostor("bob"), session_key(9), ME, b"", 1, None, True)
        self.assertEqual(self.accept(KIND_SESSION, session.encode()), Status.OK)

    def test_a_renewed_identity_and_the_one_before_it_belong_to_the_account(self) -> None:
        key = RecoveryKey(bytes([9]) * 32)
        after = renew_identity(self.bob.identity, heir(), PASSWORD, key, self.bob.enrolled.account, CHEAP, Drawn(2))
        successions = after.account.public.successions
        new = SessionRecord.create(heir(), session_key(8), ME, b"", 1, self.bob.session, True, successions=successions)
        self.assertEqual(self.accept(KIND_SESSION, self.bob.session.encode()), Status.OK)
        self.assertEqual(self.accept(KIND_SESSION, new.encode()), Status.OK)
        self.store.clear(Identifier(0), Identifier((1 << 256) - 1))
        self.accept(KIND_ACCOUNT, after.account.encode())
        self.assertEqual(self.accept(KIND_SESSION, self.bob.session.encode()), Status.OK)
        self.assertEqual(self.accept(KIND_SESSION, new.encode()), Status.OK)
        later = MailKeys(self.mail_keys(heir(), 2).current, self.bob.keys.current, successions)
        self.assertEqual(self.accept(KIND_MAILKEY, self.bob.keys.encode()), Status.OK)
        self.assertEqual(self.accept(KIND_MAILKEY, later.encode()), Status.OK)

    def test_who_takes_the_name_of_a_deleted_account_follows(self) -> None:
        gone = Account.deleted(self.bob.identity, self.bob.enrolled.account, DELETED_MS)
        last = SessionRecord.create(self.bob.identity, session_key(1), None, b"", 1, self.bob.session, False)
        after = register(heir(), PASSWORD, RecoveryKey(bytes([9]) * 32), CHEAP, Drawn(2), gone)
        links = after.account.public.successions
        first = SessionRecord.create(heir(), session_key(3), ME, b"", 1, last, True, successions=links)
        self.assertEqual(self.accept(KIND_SESSION, self.bob.session.encode()), Status.OK)
        self.assertEqual(self.accept(KIND_ACCOUNT, gone.encode()), Status.OK)
        self.assertEqual(self.accept(KIND_SESSION, last.encode()), Status.OK)
        self.assertEqual(self.accept(KIND_ACCOUNT, after.account.encode()), Status.OK)
        self.assertEqual(self.accept(KIND_SESSION, first.encode()), Status.OK)
        stranger = SessionRecord.create(impostor("bob"), session_key(9), ME, b"", 1, None, True)
        self.store.clear(Identifier(0), Identifier((1 << 256) - 1))
        self.accept(KIND_ACCOUNT, after.account.encode())
        self.assertEqual(self.accept(KIND_SESSION, stranger.encode()), Status.REFUSED)
        self.assertEqual(self.accept(KIND_SESSION, last.encode()), Status.OK)
