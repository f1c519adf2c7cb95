"""Whole agents on a ring in memory: messages, outages, take-overs, rotation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client.entrance import Entered
from p2pchat.crypto.account import Account
from p2pchat.crypto.credentials import COSTS
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import (
    NameTaken,
    NoNodeReachable,
    NoQuorum,
    NotLoggedIn,
    SessionReplaced,
    UnknownUser,
    UserError,
    WrongCredentials,
)
from p2pchat.identifiers import account_identifier
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, RegisterKey
from tests.client.world import PASSWORD, MemoryRing, Person
from tests.crypto.keys import RING


class AgentCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ring = MemoryRing(self.clock)
        self.started: list[Person] = []
        self.addCleanup(self.stop_all)

    def stop_all(self) -> None:
        for each in self.started:
            each.stop()

    def start(self, path: str, seed: int, keep_keys: bool = True, encrypt: bool = False) -> Person:
        person = Person(self.ring, Path(path), seed, keep_keys, encrypt=encrypt)
        self.started.append(person)
        return person

    def stop(self, person: Person) -> None:
        self.started.remove(person)
        person.stop()

    def registered(self, user: str, seed: int) -> Person:
        person = self.start(self.mktemp(), seed)
        self.done(person.ways.register(user, PASSWORD, 10.0))
        return person

    def taken_over(self, user: str, old: Person, seed: int, path: str = "") -> Person:
        """Another home that has logged in as `user`.

        The password is skipped, because its hashing is real work: the session is written as a login does.
        """
        person = self.start(path or self.mktemp(), seed)
        old_keys = old.agent.keyring.keys
        key = RegisterKey(account_identifier(user), KIND_MAILKEY)
        mail_keys = MailKeys.parse(self.ring.replication.registers[key], RING)
        before = SessionRecord.parse(self.done(self.ring.accounts.records(user))[1], RING)
        record = SessionRecord.create(old_keys.identity, old_keys.session_key, None, b"", 1, before, log_in=True)
        self.done(self.ring.accounts.write_session(user, record.encode(), b"o" * 16))
        keys = replace(old_keys, record=record)
        person.agent.enter(Entered(keys, mail_keys, self.account_of(user), before))
        return person

    def account_of(self, user: str) -> Account:
        """What stands in the ring."""
        register = RegisterKey(account_identifier(user), KIND_ACCOUNT)
        return Account.parse(self.ring.replication.registers[register], RING)

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(self.begun(coroutine))

    def refused(self, coroutine: Any, *errors: type[Exception]) -> str:
        return str(self.failureResultOf(self.begun(coroutine), *errors).value)

    def begun(self, coroutine: Any) -> "Deferred[Any]":
        """What is written goes to disk at the end of the reactor's turn; what ends at once is not given one."""
        begun = Deferred.fromCoroutine(coroutine)
        if not begun.called:
            self.clock.advance(0)
        return begun

    def send(self, person: Person, to: str, text: str, wait: str = "queued", reply_to: str = "") -> dict[str, Any]:
        row, status, reason = self.done(person.talk.send(to, text, wait, 5.0, reply_to))
        self.assertEqual((status, reason), (0, ""))
        return dict(row)


class MessageTests(AgentCase):
    def test_a_message_is_stored_fetched_and_confirmed(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        sent = self.send(alice, "bob", "hello")
        self.clock.pump([0.1] * 10)
        self.assertEqual(bob.texts("alice"), ["hello"])
        self.assertEqual(alice.state(sent["id"]), "delivered")
        events = [each["event"] for each in bob.events if each["event"] == "message"]
        self.assertEqual(events, ["message"])
        steps = [each["step"] for each in alice.talk.why(sent["id"])[1]]
        self.assertEqual((steps[0], set(steps)), ("queued", {"queued", "stored", "delivered"}))

    def test_what_was_written_while_away_comes_once_and_in_order(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        home = bob.home.path
        self.stop(bob)
        for number in range(10):
            self.send(alice, "bob", f"text {number}", "stored")
        bob = self.start(str(home), 3)
        bob.agent.active.connected()  # type: ignore[union-attr]
        self.clock.pump([0.1] * 10)
        self.assertEqual(bob.texts("alice"), [f"text {number}" for number in range(10)])
        shown = [each["text"] for each in bob.events if each["event"] == "message"]
        self.assertEqual(shown, [f"text {number}" for number in range(10)])
        self.assertEqual({each["state"] for each in alice.talk.history("bob", 20, None, None, False)[0]}, {"delivered"})

    def test_an_unreachable_ring_leaves_the_message_queued_and_sends_it_later_once(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.send(alice, "bob", "first", "stored")
        self.ring.down = True
        sent = self.send(alice, "bob", "second")
        self.assertEqual(sent["state"], "queued")
        self.ring.down = False
        self.clock.pump([0.5] * 10)
        self.assertEqual(bob.texts("alice"), ["first", "second"])

    def test_a_cancelled_message_is_not_sent_until_it_is_tried_again(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.send(alice, "bob", "first", "stored")
        self.ring.down = True
        sent = self.send(alice, "bob", "second")
        self.assertEqual(alice.talk.cancel(sent["id"]), 1)
        self.assertEqual(alice.state(sent["id"]), "failed")
        self.assertRaises(UserError, alice.talk.cancel, sent["id"])
        self.ring.down = False
        self.send(alice, "bob", "third")
        self.clock.pump([0.5] * 10)
        self.assertEqual(bob.texts("alice"), ["first", "third"])
        alice.talk.retry(sent["id"])
        self.clock.pump([0.5] * 10)
        self.assertEqual(bob.texts("alice"), ["first", "second", "third"])
        self.assertEqual(alice.state(sent["id"]), "delivered")

    def test_a_message_that_has_left_is_neither_cancelled_nor_sent_again(self) -> None:
        alice, _ = self.registered("alice", 1), self.registered("bob", 2)
        sent = self.send(alice, "bob", "hello", "stored")
        self.assertRaises(UserError, alice.talk.cancel, sent["id"])
        self.assertRaises(UserError, alice.talk.retry, sent["id"])

    def test_what_waits_is_tried_at_once_when_a_person_says_so(self) -> None:
        alice, _ = self.registered("alice", 1), self.registered("bob", 2)
        self.send(alice, "bob", "first", "stored")
        self.ring.down = True
        sent = self.send(alice, "bob", "second")
        self.clock.pump([1.0] * 20)
        self.ring.down = False
        alice.talk.retry(None)
        self.clock.pump([0.1] * 3)
        self.assertEqual(alice.state(sent["id"]), "delivered")

    def test_pages_go_forward_from_a_message(self) -> None:
        alice, _ = self.registered("alice", 1), self.registered("bob", 2)
        sent = [self.send(alice, "bob", f"{number}", "stored")["id"] for number in range(6)]
        page, more = alice.talk.history("bob", 2, None, None, False, sent[1])
        self.assertEqual(([each["text"] for each in page], more), (["2", "3"], False))
        page, _ = alice.talk.history("bob", 9, None, None, False, sent[3])
        self.assertEqual([each["text"] for each in page], ["4", "5"])

    def test_a_lost_answer_doubles_nothing(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.ring.lose.append("Deposit")
        self.send(alice, "bob", "hello")
        self.clock.pump([0.5] * 10)
        self.assertEqual(bob.texts("alice"), ["hello"])
        self.assertGreaterEqual(self.ring.calls.count("Deposit"), 2)

    def test_mail_that_was_not_acknowledged_in_time_is_shown_once(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.ring.lose.append("Acknowledge")
        self.send(alice, "bob", "hello")
        self.clock.pump([0.5] * 20)
        self.assertEqual(bob.texts("alice"), ["hello"])
        self.assertEqual([each["text"] for each in bob.events if each["event"] == "message"], ["hello"])
        self.assertFalse(any(self.ring.replication.items.values()) and bob.agent.opened.outbox.contacts())

    def test_nobody_of_that_name(self) -> None:
        alice = self.registered("alice", 1)
        self.refused(alice.talk.send("nobody", "hello", "stored", 5.0), UnknownUser)
        self.assertEqual(alice.talk.chats(0)[0], [])

    def test_waiting_ends_with_the_state_so_far(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.send(alice, "bob", "one", "stored")
        self.stop(bob)
        sending = Deferred.fromCoroutine(alice.talk.send("bob", "two", "delivered", 3.0))
        self.clock.pump([0.5] * 8)
        row, status, reason = self.successResultOf(sending)
        self.assertEqual((row["state"], status), ("stored", 9))
        self.assertIn("stored", reason)

    def test_read_receipts_go_to_contacts(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        sent = self.send(alice, "bob", "hello")
        self.done(bob.people.add("alice", 5.0))
        bob.talk.mark_read("alice", None)
        self.clock.pump([0.1] * 10)
        self.assertEqual(alice.state(sent["id"]), "read")

    def test_one_is_visible_to_whom_one_likes_from_the_next_beat_on(self) -> None:
        alice = self.registered("alice", 1)
        for whom, word in (("contacts", "contacts"), ("nobody", "invisible"), ("everyone", "visible")):
            alice.talk.settings({"visible_to": whom})
            self.clock.pump([0.1] * 3)
            self.assertEqual(self.ring.beats["alice"], word)

    def test_strangers_are_requests_until_they_are_added(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.send(alice, "bob", "hello", "stored")
        self.clock.pump([0.1] * 5)
        self.assertTrue(bob.talk.chats(0)[0][0]["request"])
        self.done(bob.people.add("alice", 5.0))
        self.assertNotIn("request", bob.talk.chats(0)[0][0])

    def test_blocked_people_are_not_heard(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.done(bob.people.block("alice", 5.0))
        self.send(alice, "bob", "hello", "stored")
        self.clock.pump([0.1] * 5)
        self.assertEqual(bob.texts("alice"), [])
        self.refused(bob.talk.send("alice", "hi", "queued", 5.0), UserError)
        bob.people.unblock("alice")
        self.send(alice, "bob", "again", "stored")
        self.clock.pump([0.1] * 5)
        self.assertEqual(bob.texts("alice"), ["again"])

    def test_export_and_import_keep_everything_once(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        for text in ("one", "two\0\n", "three"):
            self.send(alice, "bob", text, "stored")
        self.clock.pump([0.1] * 5)
        exported, _, more = alice.talk.export(0)
        self.assertFalse(more)
        self.assertEqual(alice.talk.import_(exported), 0)
        before = bob.texts("alice")
        self.assertEqual(bob.talk.import_(bob.talk.export(0)[0]), 0)
        self.assertEqual(bob.texts("alice"), before)
        self.assertRaises(UserError, alice.talk.import_, [{"id": "xyz"}])


class EntranceTests(AgentCase):
    def test_a_taken_name_is_refused_and_nothing_stays_pending(self) -> None:
        self.registered("alice", 1)
        other = self.start(self.mktemp(), 9)
        self.refused(other.ways.register("alice", PASSWORD, 5.0), NameTaken)
        self.assertEqual(other.agent.session_row()["state"], "none")
        self.assertIsNone(other.home.read("registration.pending"))

    def test_nothing_is_made_for_a_name_that_is_taken_or_that_nobody_can_give(self) -> None:
        self.registered("alice", 1)
        other = self.start(self.mktemp(), 9)
        asked = len(self.ring.calls)
        self.refused(other.ways.register("alice", PASSWORD, 5.0), NameTaken)
        self.ring.replication.silent = True
        self.refused(other.ways.register("carol", PASSWORD, 5.0), NoQuorum)
        self.assertNotIn("Register", self.ring.calls[asked:])
        self.ring.replication.silent = False
        self.assertEqual(self.done(other.ways.register("carol", PASSWORD, 5.0))["user"], "carol")

    def test_a_registration_in_doubt_is_finished_by_running_it_again(self) -> None:
        path = self.mktemp()
        alice = self.start(path, 1)
        self.ring.lose.append("Register")
        self.refused(alice.ways.register("alice", PASSWORD, 5.0), NoNodeReachable)
        self.stop(alice)
        alice = self.start(path, 5)
        row = self.done(alice.ways.register("alice", PASSWORD, 5.0))
        self.assertEqual(row["user"], "alice")
        self.assertRegex(row["recovery_key"], "^[A-Z2-7]{4}(-[A-Z2-7]{4})+$")
        self.assertIsNone(alice.home.read("registration.pending"))

    def test_weak_passwords_and_bad_names_are_refused_before_the_ring_is_asked(self) -> None:
        alice = self.start(self.mktemp(), 1)
        self.refused(alice.ways.register("alice", "12345678", 5.0), UserError)
        self.refused(alice.ways.register("a b", PASSWORD, 5.0), UserError)
        self.assertNotIn("Register", self.ring.calls)

    def test_logging_out_deletes_keys_and_keeps_history(self) -> None:
        alice = self.registered("alice", 1)
        self.done(alice.ways.log_out(5.0))
        self.assertEqual(alice.home.names("keys"), ["counter"])
        self.assertEqual(alice.agent.session_row()["state"], "none")
        self.refused(alice.talk.send("bob", "x", "queued", 5.0), NotLoggedIn)
        self.assertTrue(list(alice.home.path.glob("chat-*.sqlite")))

    def test_keys_stay_off_the_disk_when_the_person_wants_to_be_asked(self) -> None:
        path = self.mktemp()
        alice = self.start(path, 1, keep_keys=False)
        self.done(alice.ways.register("alice", PASSWORD, 5.0))
        self.assertEqual([each for each in alice.home.names("keys") if each != "counter"], [])
        self.stop(alice)
        alice = self.start(path, 2, keep_keys=False)
        self.assertEqual(alice.agent.session_row()["state"], "locked")
        self.refused(alice.talk.send("bob", "x", "queued", 5.0), NotLoggedIn)

    def test_files_are_for_the_owner_alone(self) -> None:
        alice = self.registered("alice", 1)
        self.assertEqual(alice.home.path.stat().st_mode & 0o777, 0o700)
        for each in alice.home.path.rglob("*"):
            self.assertEqual(each.stat().st_mode & 0o077, 0, each)

    def test_log_in_by_name_and_password_from_any_home(self) -> None:
        """With the real cost of passwords, because it is the floor that an agent accepts."""
        alice, bob = self.start(self.mktemp(), 1), self.registered("bob", 2)
        alice.agent.entrance._costs = COSTS
        self.done(alice.ways.register("alice", PASSWORD, 5.0))
        self.stop(alice)
        self.send(bob, "alice", "for the new home", "stored")
        new = self.start(self.mktemp(), 7)
        self.refused(new.ways.log_in("alice", "something else", 5.0), WrongCredentials)
        row = self.done(new.ways.log_in("alice", PASSWORD, 5.0))
        self.assertEqual(row["user"], "alice")
        self.assertEqual(new.agent.session_row()["epoch"], 2)
        self.clock.pump([0.5] * 6)
        self.assertEqual(new.texts("bob"), ["for the new home"])


class TakeOverTests(AgentCase):
    def test_the_old_agent_is_told_and_only_reads_also_after_a_restart(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.send(bob, "alice", "before", "stored")
        self.clock.pump([0.1] * 5)
        new = self.taken_over("alice", alice, 7)
        self.clock.pump([1.0] * 8)
        self.assertEqual(alice.agent.session_row()["state"], "replaced")
        self.assertEqual(alice.agent.session_row()["replaced"]["epoch"], 2)
        self.assertEqual(alice.texts("bob"), ["before"])
        self.refused(alice.talk.send("bob", "x", "queued", 5.0), SessionReplaced)
        path = str(alice.home.path)
        self.stop(alice)
        alice = self.start(path, 8)
        self.assertEqual(alice.agent.session_row()["state"], "replaced")
        self.assertEqual(new.agent.session_row()["state"], "active")

    def test_a_forged_replacement_is_ignored(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        for value in (
            b"",
            b"nonsense",
            bob.agent.keyring.keys.record.encode(),
            alice.agent.keyring.keys.record.encode(),
        ):
            alice.agent.active.own.judge(value)  # type: ignore[union-attr]
            self.assertEqual(alice.agent.session_row()["state"], "active")

    def test_what_only_the_old_session_had_is_offered_again(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.send(bob, "alice", "to the old home")
        self.clock.pump([0.1] * 5)
        self.assertEqual(alice.texts("bob"), ["to the old home"])
        self.stop(alice)  # the old home is gone, and hands nothing over
        new = self.taken_over("alice", alice, 7)
        self.assertEqual(new.texts("bob"), [])
        self.send(new, "bob", "from the new home")
        self.clock.pump([0.5] * 10)
        self.assertEqual(sorted(new.texts("bob")), ["from the new home", "to the old home"])
        self.assertEqual(bob.texts("alice"), ["to the old home", "from the new home"])


class RotationTests(AgentCase):
    def test_a_new_mail_key_after_a_day_and_the_old_one_is_erased(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.send(alice, "bob", "under the first key", "stored")
        self.clock.pump([0.1] * 5)
        first = bob.agent.keyring.keys.mail[0]
        self.clock.pump([3600.0] * 3)
        (second,) = bob.agent.keyring.keys.mail
        self.assertEqual((first.number, second.number), (1, 2))
        self.assertEqual(len([each for each in bob.home.names("keys") if each.startswith("mail-")]), 1)
        self.send(alice, "bob", "under the second key")
        self.clock.pump([0.1] * 5)
        self.assertEqual(bob.texts("alice"), ["under the first key", "under the second key"])

    def test_mail_sealed_to_the_old_key_is_sealed_anew(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.send(alice, "bob", "one", "stored")
        self.clock.pump([0.1] * 5)
        bob.agent.keyring.want_rotation(True)
        bob.agent.active.rotation.look()  # type: ignore[union-attr]
        self.clock.pump([0.1] * 5)
        self.assertEqual(bob.agent.keyring.keys.mail[0].number, 2)
        self.send(alice, "bob", "two", "stored")
        self.clock.pump([0.1] * 5)
        self.assertEqual(bob.texts("alice"), ["one", "two"])
