"""Envelopes are stored, pushed, fetched and acknowledged by who may."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.proofs import Acknowledgement, Reason, SignedRequest
from p2pchat.errors import Misbehaved, NoQuorum, SessionReplaced, SlowedDown, StaleKey, TryElsewhere, UnknownUser
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.mailbox.commands import AskRoom, MailArrived, NoteMail, PushMail
from p2pchat.mailbox.locator import NodeMailboxLocator
from p2pchat.mailbox.room import Usage
from p2pchat.mailbox.service import NOTE_PAUSES_SECONDS, MailboxService
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.wire.faults import error_of
from p2pchat.wire.locators import Locators
from tests.accounts.memory import MemoryReplication
from tests.accounts.people import person
from tests.crypto.keys import RING, session_key

ME = Identifier(5)
ALICE = account_identifier("alice")


class MailboxTests(SynchronousTestCase):
    """One node that is gateway and owner for everybody."""

    def setUp(self) -> None:
        self.clock, self.ring, self.alice = Clock(), MemoryReplication(), person("alice")
        for kind, value in (
            (KIND_ACCOUNT, self.alice.account),
            (KIND_SESSION, self.alice.session.encode()),
            (KIND_MAILKEY, self.alice.keys.encode()),
        ):
            self.ring.registers[RegisterKey(ALICE, kind)] = value
        self.calls: list[type[amp.Command]] = []
        self.pushed: list[dict[str, Any]] = []
        self.away: set[type[amp.Command]] = set()
        self.owner = ME
        self.held: dict[type[amp.Command], Deferred[dict[str, Any]]] = {}
        """What answers such a call, later."""
        self.verified: list[tuple[Any, ...]] = []
        self.mailbox = MailboxService(
            ME,
            RING,
            self.ring,  # type: ignore[arg-type]
            self.call,  # type: ignore[arg-type]
            self.verify,
            lambda _: self.owner,
            lambda _: ME,
            lambda account: "alice" if account == ALICE else None,
            self.push,
            self.clock,
            bytes(32),
            run=7,
        )
        self.key = self.alice.keys.current.key_id

    async def call(self, node: Identifier, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """Every other node is this one, without the wire."""
        self.calls.append(command)
        if command in self.held:
            return await self.held[command]
        if command in self.away:
            raise TryElsewhere("No answer.")
        locator = NodeMailboxLocator(self.mailbox, node)
        box = command.makeArguments(arguments, None)
        responder = Locators([locator]).locateResponder(command.commandName)
        assert responder is not None
        try:
            answer = await responder(box)
        except amp.RemoteAmpError as error:
            raise error_of(command, error.errorCode, str(error.description)) from None
        parsed: dict[str, Any] = command.parseResponse(answer, None)
        return parsed

    async def verify(
        self, user: str, epoch: int, sequence: int, counter: int, command: str, arguments: bytes, signature: bytes
    ) -> None:
        self.verified.append((user, epoch, sequence, counter, command))

    def push(self, user: str, command: type[amp.Command], /, **arguments: Any) -> int:
        self.assertEqual((user, command), ("alice", MailArrived))
        self.pushed.append(arguments)
        return 1

    def begun(self, coroutine: Any) -> "Deferred[Any]":
        """What it comes to once this turn of the reactor is over."""
        deferred = Deferred.fromCoroutine(coroutine)
        self.clock.advance(0)
        return deferred

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(self.begun(coroutine))

    def refused(self, coroutine: Any, *errors: type[Exception]) -> None:
        self.failureResultOf(self.begun(coroutine), *errors)

    def deposit(self, text: bytes, sender: str = "bob") -> Any:
        return self.mailbox.deposit("alice", self.key, text, sender)

    def fetch(self, counter: int, cursor: bytes = b"") -> Any:
        request = SignedRequest.create(session_key(1), self.alice.session, counter, "fetch", cursor)
        return self.mailbox.fetch("alice", 1, 0, counter, cursor, request.signature)

    def test_what_was_deposited_is_fetched_and_pushed(self) -> None:
        stored = self.done(self.deposit(b"one"))
        self.assertEqual((stored.copies, stored.wanted), (5, 5))
        self.clock.advance(0.1)
        self.assertEqual([each["version"] for each in self.pushed], [self.mailbox.version(ALICE)])
        page = self.done(self.fetch(1))
        self.assertEqual([item.payload for item in page.items], [b"one"])

    def test_one_push_for_many(self) -> None:
        for number in range(10):
            self.done(self.deposit(bytes([number])))
        self.clock.advance(0.1)
        self.assertEqual(len(self.pushed), 1)
        self.assertEqual(self.calls.count(PushMail), 1)

    def test_the_version_differs_after_each_envelope_also_when_the_gateway_dies(self) -> None:
        before = self.mailbox.version(ALICE)
        self.away.add(NoteMail)
        self.done(self.deposit(b"one"))
        self.assertNotEqual(self.mailbox.version(ALICE), before)

    def test_an_owner_that_keeps_no_copy_is_told_by_the_gateway(self) -> None:
        self.ring.on_added.clear()
        self.done(self.deposit(b"one"))
        self.clock.advance(0.1)
        self.assertEqual(len(self.pushed), 1)

    def test_an_owner_that_may_lack_the_copy_is_told_until_it_answers(self) -> None:
        """As right after a partition: it hears nothing of the add, and nobody reaches it yet."""
        self.ring.on_added.clear()
        self.ring.copies = 3
        self.away.add(NoteMail)
        self.done(self.deposit(b"one"))
        before = self.mailbox.version(ALICE)
        self.clock.advance(0.5)
        self.away.clear()
        self.clock.pump(NOTE_PAUSES_SECONDS)
        self.assertNotEqual(self.mailbox.version(ALICE), before)
        self.assertEqual(len(self.pushed), 1)

    def test_who_becomes_the_owner_while_a_copy_is_missing_is_told_as_well(self) -> None:
        self.ring.copies = 3
        self.done(self.deposit(b"one"))
        self.owner = Identifier(9)
        self.clock.pump(NOTE_PAUSES_SECONDS)
        self.assertEqual(self.calls.count(NoteMail), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_owner_with_a_copy_is_told_once(self) -> None:
        self.done(self.deposit(b"one"))
        self.owner = Identifier(9)
        self.clock.pump(NOTE_PAUSES_SECONDS)
        self.assertEqual(self.calls.count(NoteMail), 1)

    def test_a_member_that_is_not_the_owner_counts_for_the_time_when_it_is(self) -> None:
        """Owner, not owner, owner again: an agent that heard of nobody else in between must not know the version."""
        before = self.mailbox.version(ALICE)
        self.owner = Identifier(9)
        self.mailbox._added(ALICE, [bytes(32)])
        self.owner = ME
        self.assertNotEqual(self.mailbox.version(ALICE), before)
        self.clock.advance(0.1)
        self.assertEqual(self.pushed, [])

    def test_an_owner_that_keeps_a_copy_is_not_told_again(self) -> None:
        self.ring.members = (ME,)
        self.done(self.deposit(b"one"))
        self.assertNotIn(NoteMail, self.calls)
        self.ring.members = (Identifier(9),)
        self.done(self.deposit(b"two"))
        self.assertIn(NoteMail, self.calls)

    def together(self, texts: list[bytes]) -> "list[Deferred[Any]]":
        """Deposits of one turn of the reactor."""
        begun = [Deferred.fromCoroutine(self.deposit(each)) for each in texts]
        self.clock.advance(0)
        return begun

    def test_what_comes_in_one_turn_goes_to_the_ring_in_few_boxes(self) -> None:
        stored = self.together([bytes([number]) * 10_000 for number in range(12)])
        self.assertEqual([self.successResultOf(each).copies for each in stored], [5] * 12)
        self.assertEqual(self.ring.adds, [6, 6])
        self.assertEqual(self.calls.count(NoteMail), 2)

    def test_an_owner_without_a_copy_hears_of_a_box_whose_last_envelope_it_knows(self) -> None:
        """As when one is deposited again because the answer was lost, in one turn with a new one."""
        self.ring.on_added.clear()
        self.together([b"one"])
        self.clock.advance(0.1)
        before = self.mailbox.version(ALICE)
        self.together([b"two", b"one"])
        self.clock.advance(0.1)
        self.assertNotEqual(self.mailbox.version(ALICE), before)
        self.assertEqual(len(self.pushed), 2)

    def test_the_same_envelope_twice_in_one_turn_is_one(self) -> None:
        stored = self.together([b"one", b"one"])
        self.assertEqual([self.successResultOf(each).copies for each in stored], [5, 5])
        self.assertEqual(self.ring.adds, [1])

    def test_of_what_comes_together_as_much_is_stored_as_there_is_room_for(self) -> None:
        self.ring.full_from = 2
        *fitted, late = self.together([b"one", b"two", b"three"])
        self.assertEqual([self.successResultOf(each).copies for each in fitted], [5, 5])
        self.failureResultOf(late, SlowedDown)
        self.assertEqual(self.ring.adds, [3, 1, 1, 1])

    def test_what_fails_fails_for_each(self) -> None:
        self.ring.silent = True
        for each in self.together([b"one", b"two"]):
            self.failureResultOf(each, NoQuorum)

    def test_one_question_for_room_serves_all_that_come_meanwhile(self) -> None:
        for each in self.together([bytes([number]) for number in range(50)]):
            self.successResultOf(each)
        self.assertEqual(self.calls.count(AskRoom), 1)

    def test_what_the_owner_says_of_room_holds_for_all_that_wait(self) -> None:
        for away in (True, False):
            answer, asking = Deferred[dict[str, Any]](), [b"one", b"two", b"three"]
            self.calls.clear()
            self.held[AskRoom] = answer
            begun = self.together([bytes([away]) + each for each in asking])
            self.assertNoResult(begun[0])
            answer.errback(TryElsewhere("No answer.") if away else SlowedDown("You fill half of it."))
            self.clock.advance(0)
            for each in begun:
                self.assertIn(AskRoom, self.calls)
                self.successResultOf(each) if away else self.failureResultOf(each, SlowedDown)
            self.assertEqual(self.calls.count(AskRoom), 1)

    def test_another_mail_key_is_refused_and_so_is_nobody(self) -> None:
        self.refused(self.mailbox.deposit("alice", bytes(16), b"one", "bob"), StaleKey)
        self.refused(self.mailbox.deposit("bob", bytes(16), b"one", "carol"), UnknownUser)

    def test_room_is_asked_once_for_many_envelopes(self) -> None:
        for number in range(50):
            self.done(self.deposit(bytes([number])))
        self.assertEqual(self.calls.count(AskRoom), 1)

    def test_who_fills_half_of_a_mailbox_is_slowed(self) -> None:
        async def much(point: Identifier) -> tuple[int, int]:
            return 6_000, 1_000_000

        self.ring.measure = much  # type: ignore[method-assign]
        self.done(self.mailbox.room(ME, ALICE, b"carol", Usage(4_999, 1_000)))
        self.refused(self.mailbox.room(ME, ALICE, b"carol", Usage(1, 10)), SlowedDown)
        self.done(self.mailbox.room(Identifier(9), ALICE, b"carol", Usage(1, 10)))
        self.done(self.deposit(b"of somebody else"))

    def test_an_owner_that_is_away_stops_no_mail(self) -> None:
        self.away.add(AskRoom)
        self.done(self.deposit(b"one"))

    def test_an_old_request_to_fetch_is_refused(self) -> None:
        self.done(self.fetch(2))
        self.refused(self.fetch(2), Misbehaved)
        self.refused(self.fetch(1), Misbehaved)
        self.done(self.fetch(3))
        self.assertEqual(self.verified[0], ("alice", 1, 0, 2, "fetch"))

    def test_acknowledged_mail_is_gone_and_its_state_known(self) -> None:
        self.done(self.deposit(b"one"))
        self.done(self.deposit(b"two"))
        first, second = (item.id for item in self.done(self.fetch(1)).items)
        self.assertEqual(self.done(self.mailbox.state("alice", first))[0], "present")
        proof = Acknowledgement.create(session_key(1), self.alice.session, [first])
        self.done(self.mailbox.acknowledge(proof.encode()))
        broken = Acknowledgement.create(session_key(1), self.alice.session, [second], Reason.UNOPENABLE)
        self.done(self.mailbox.acknowledge(broken.encode()))
        self.assertEqual(self.done(self.fetch(2)).items, ())
        self.assertEqual(self.done(self.mailbox.state("alice", first)), ("acknowledged", 0, 1))
        self.assertEqual(self.done(self.mailbox.state("alice", second))[0], "unopenable")
        self.assertEqual(self.done(self.mailbox.state("alice", bytes(32)))[0], "unknown")

    def test_acknowledgements_of_others_are_refused(self) -> None:
        self.done(self.deposit(b"one"))
        (item,) = self.done(self.fetch(1)).items
        foreign = Acknowledgement.create(session_key(9), self.alice.session, [item.id]).encode()
        self.refused(self.mailbox.acknowledge(foreign), Misbehaved)
        later = self.alice.log_in(self.alice.session, session_key(2))
        self.ring.registers[RegisterKey(ALICE, KIND_SESSION)] = later.encode()
        old = Acknowledgement.create(session_key(1), self.alice.session, [item.id]).encode()
        self.refused(self.mailbox.acknowledge(old), SessionReplaced)
