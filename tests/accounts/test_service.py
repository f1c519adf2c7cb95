"""Registration, passwords, sessions and signed requests at a gateway."""

import gc
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.accounts.commands import BY_PASSWORD, BY_RECOVERY, AnnounceSession, CountTry
from p2pchat.accounts.proving import MAX_HASHES, Proving
from p2pchat.accounts.service import AccountsService
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.proofs import SignedRequest
from p2pchat.errors import (
    Busy,
    Conflict,
    Misbehaved,
    NameTaken,
    NoQuorum,
    NotLoggedIn,
    SessionReplaced,
    SlowedDown,
    TryElsewhere,
    UnknownUser,
    UserError,
    WrongCredentials,
)
from p2pchat.identifiers import Identifier
from tests.accounts.memory import MemoryReplication, at_once
from tests.accounts.people import OPERATION, RECOVERY, Person, person
from tests.crypto.keys import RING, heir, session_key

ME, OWNER = Identifier(5), Identifier(6)
AT = 1_790_000_000_000


class ServiceCase(SynchronousTestCase):
    """A gateway whose ring is one dictionary."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.now_ms: int | None = AT
        self.ring = MemoryReplication(lambda: self.now_ms)
        self.calls: list[tuple[Identifier, type[amp.Command], dict[str, Any]]] = []
        self.pushed: list[tuple[str, type[amp.Command], dict[str, Any]]] = []
        self.run: Any = at_once
        proving = Proving(ME, self.call, lambda _: ME, self.in_thread, self.clock)  # type: ignore[arg-type]
        self.accounts = AccountsService(
            ME,
            RING,
            self.ring,  # type: ignore[arg-type]
            self.call,  # type: ignore[arg-type]
            proving,
            self.push,
            self.clock,
            lambda: self.now_ms,
        )
        self.alice = person("alice")

    async def call(self, node: Identifier, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        self.calls.append((node, command, arguments))
        return {}

    def in_thread(self, slow: Any, *more: Any) -> Any:
        return self.run(slow, *more)

    def push(self, user: str, command: type[amp.Command], /, **arguments: Any) -> int:
        self.pushed.append((user, command, arguments))
        return 1

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, coroutine: Any, *errors: type[Exception]) -> str:
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), *errors).value)

    def register(self, who: Person, host: str = "192.0.2.1") -> Any:
        return self.accounts.register(who.user, who.account, who.session.encode(), who.keys.encode(), OPERATION, host)


class RegistrationTests(ServiceCase):
    def test_everybody_can_read_what_is_public_afterwards(self) -> None:
        self.done(self.register(self.alice))
        public, session, mail_key, closing = self.done(self.accounts.records("alice"))
        self.assertIsNone(closing)
        self.assertEqual(public, self.alice.enrolled.account.public.encode())
        self.assertEqual(session, self.alice.session.encode())
        record = MailKeyRecord.parse(mail_key, RING)
        self.assertEqual((record.key_id, record.escrow), (self.alice.keys.current.key_id, b""))

    def test_the_same_registration_again_is_fine(self) -> None:
        self.done(self.register(self.alice))
        self.done(self.register(self.alice))

    def test_a_name_has_one_owner(self) -> None:
        self.done(self.register(Person("bob")))
        self.refused(self.register(Person("bob", heir())), NameTaken)

    def test_records_of_two_people_are_refused(self) -> None:
        bob = person("bob")
        mixed = self.accounts.register(
            "alice", self.alice.account, bob.session.encode(), self.alice.keys.encode(), OPERATION, "h"
        )
        self.refused(mixed, Misbehaved)

    def test_a_name_that_is_not_canonical_is_refused(self) -> None:
        alice = self.alice
        told = self.accounts.register(
            "Alice", alice.account, alice.session.encode(), alice.keys.encode(), OPERATION, "h"
        )
        self.refused(told, UserError)

    def test_floods_from_one_address_are_slowed(self) -> None:
        for _ in range(60):
            self.done(self.register(self.alice))
        self.refused(self.register(self.alice), SlowedDown)
        self.done(self.register(self.alice, "192.0.2.2"))

    def test_without_quorum_nothing_is_registered(self) -> None:
        self.ring.silent = True
        self.refused(self.register(self.alice), NoQuorum)
        self.assertEqual(self.ring.registers, {})


class PasswordTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.done(self.register(self.alice))

    def test_salt_and_cost_are_for_everybody(self) -> None:
        salt, parameters = self.done(self.accounts.parameters("alice"))
        credentials = self.alice.enrolled.account.credentials
        self.assertEqual((salt, parameters), (credentials.salt, credentials.parameters))

    def test_a_quorum_that_is_lost_between_two_reads_leaves_no_error_behind(self) -> None:
        def lose(_account: Identifier) -> None:
            self.ring.silent = True

        self.patch(self.accounts.proving, "_owner_of", lose)
        self.refused(self.accounts.unlock("alice", self.alice.auth, BY_PASSWORD), NoQuorum)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_the_right_password_opens_the_account(self) -> None:
        account, session, keys = self.done(self.accounts.unlock("alice", self.alice.auth, BY_PASSWORD))
        self.assertEqual(account, self.alice.account)
        self.assertEqual(session, self.alice.session.encode())
        self.assertEqual(MailKeys.parse(keys, RING).current.escrow, self.alice.keys.current.escrow)

    def test_the_recovery_key_opens_it_too(self) -> None:
        proof = RECOVERY.auth("alice", RING)
        self.done(self.accounts.unlock("alice", proof, BY_RECOVERY))
        self.refused(self.accounts.unlock("alice", bytes(32), BY_RECOVERY), WrongCredentials)

    def test_wrong_passwords_are_slowed_and_named_seconds(self) -> None:
        for _ in range(5):
            self.refused(self.accounts.unlock("alice", bytes(32), BY_PASSWORD), WrongCredentials)
        self.assertIn("1 s", self.refused(self.accounts.unlock("alice", self.alice.auth, BY_PASSWORD), SlowedDown))
        self.clock.advance(1.0)
        self.done(self.accounts.unlock("alice", self.alice.auth, BY_PASSWORD))

    def test_unknown_users_have_a_reason_of_their_own(self) -> None:
        self.refused(self.accounts.unlock("bob", bytes(32), BY_PASSWORD), UnknownUser)
        self.refused(self.accounts.parameters("bob"), UnknownUser)
        self.refused(self.accounts.records("bob"), UnknownUser)

    def test_hashing_is_bounded(self) -> None:
        self.run = lambda *_: Deferred()
        self.accounts.proving.count_try = lambda account: None  # type: ignore[method-assign]
        unlock = self.accounts.unlock
        waiting = [Deferred.fromCoroutine(unlock("alice", bytes(32), BY_PASSWORD)) for _ in range(MAX_HASHES)]
        self.assertNoResult(waiting[-1])
        self.refused(self.accounts.unlock("alice", bytes(32), BY_PASSWORD), Busy)

    def test_the_next_version_wants_the_proof_of_the_one_before(self) -> None:
        renewed = self.alice.renewed().account.encode()
        wrong = self.accounts.write_account("alice", renewed, bytes(32), BY_PASSWORD, OPERATION)
        self.refused(wrong, WrongCredentials)
        self.done(self.accounts.write_account("alice", renewed, self.alice.auth, BY_PASSWORD, OPERATION))
        self.done(self.accounts.write_account("alice", renewed, self.alice.auth, BY_PASSWORD, OPERATION))
        self.refused(self.accounts.unlock("alice", self.alice.auth, BY_PASSWORD), WrongCredentials)


class OwnerTests(ServiceCase):
    def test_the_owner_is_asked_before_a_password_is_checked(self) -> None:
        asked: list[type[amp.Command]] = []

        async def refuse(node: Identifier, command: type[amp.Command], **_: Any) -> dict[str, Any]:
            asked.append(command)
            raise SlowedDown("Try again in 4 s.")

        proving = Proving(ME, refuse, lambda _: OWNER, self.never, self.clock)  # type: ignore[arg-type]
        credentials = self.alice.enrolled.account.credentials
        self.refused(proving.prove("alice", credentials, self.alice.auth, BY_PASSWORD), SlowedDown)
        self.assertEqual(asked, [CountTry])

    def test_an_owner_that_is_away_does_not_prevent_a_login(self) -> None:
        async def silent(node: Identifier, command: type[amp.Command], **_: Any) -> dict[str, Any]:
            raise TryElsewhere("No answer.")

        proving = Proving(ME, silent, lambda _: OWNER, at_once, self.clock)  # type: ignore[arg-type]
        credentials = self.alice.enrolled.account.credentials
        self.done(proving.prove("alice", credentials, self.alice.auth, BY_PASSWORD))

    def never(self, *_: Any) -> Any:
        self.fail("bcrypt was run")


class SessionTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.done(self.register(self.alice))
        self.second = self.alice.log_in(self.alice.session, session_key(2), Identifier(9))

    def write(self, record: Any) -> Any:
        return self.accounts.write_session("alice", record.encode(), OPERATION)

    def signed(self, key: int, record: Any, command: str = "fetch", arguments: bytes = b"x") -> Any:
        request = SignedRequest.create(session_key(key), record, 1, command, arguments)
        return self.accounts.verify("alice", request.epoch, request.sequence, 1, "fetch", b"x", request.signature)

    def test_a_login_tells_the_gateway_of_the_session_before(self) -> None:
        self.done(self.write(self.second))
        told = {(node, command) for node, command, _ in self.calls if command is AnnounceSession}
        self.assertEqual(told, {(self.alice.session.node, AnnounceSession)})

    def test_a_gateway_that_hears_of_a_session_tells_its_agents(self) -> None:
        self.accounts.session_announced("alice", self.second.encode())
        ((user, _, arguments),) = self.pushed
        self.assertEqual((user, arguments["session"]), ("alice", self.second.encode()))

    def test_of_two_logins_at_the_same_place_one_wins(self) -> None:
        self.done(self.write(self.second))
        rival = self.alice.log_in(self.alice.session, session_key(3))
        self.refused(self.write(rival), Conflict)

    def test_a_replaced_session_cannot_write(self) -> None:
        self.done(self.write(self.second))
        self.refused(self.write(self.alice.session), SessionReplaced)

    def test_another_identity_cannot_log_in(self) -> None:
        self.refused(self.write(person("bob").session), Misbehaved)

    def test_requests_are_believed_by_their_signature(self) -> None:
        self.done(self.signed(1, self.alice.session))
        self.refused(self.signed(2, self.alice.session), Misbehaved)
        self.refused(self.signed(1, self.alice.session, "beat"), Misbehaved)
        self.refused(self.signed(1, self.alice.session, "fetch", b"y"), Misbehaved)

    def test_a_replaced_session_is_told_so_and_a_later_one_is_read(self) -> None:
        self.done(self.signed(1, self.alice.session))
        self.refused(self.signed(2, self.second), NotLoggedIn)
        self.done(self.write(self.second))
        self.refused(self.signed(1, self.alice.session), SessionReplaced)
        self.done(self.signed(2, self.second))

    def test_records_are_read_once_a_minute(self) -> None:
        self.done(self.signed(1, self.alice.session))
        before = self.ring.reads
        for _ in range(10):
            self.done(self.signed(1, self.alice.session))
        self.assertEqual(self.ring.reads, before)
        self.clock.advance(61)
        self.done(self.signed(1, self.alice.session))
        self.assertEqual(self.ring.reads, before + 2, "of session and account")

    def test_mail_keys_follow_each_other(self) -> None:
        rotated = self.alice.next_key()
        self.done(self.accounts.write_mail_key("alice", rotated.encode(), OPERATION))
        self.refused(self.accounts.write_mail_key("alice", self.alice.keys.encode(), OPERATION), Conflict)
        self.done(self.accounts.write_mail_key("alice", rotated.drained().encode(), OPERATION))
        self.assertEqual(self.done(self.accounts.mail_keys("alice")), rotated.drained().encode())
