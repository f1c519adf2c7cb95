"""Encrypted histories as their owner meets them: open while the identity is here, and with the password afterwards."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import succeed

from p2pchat.client.home import INPUTS, SEALED, encrypted_history
from p2pchat.crypto.credentials import Costs
from p2pchat.crypto.historykey import HistoryKeyFile
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.passwords import PARAMETERS
from p2pchat.errors import Damaged, NotLoggedIn, UserError, WrongCredentials
from tests.client.test_agent import AgentCase
from tests.client.world import PASSWORD, Person, at_once
from tests.crypto.keys import RING

FLOOR = Costs(PARAMETERS, bcrypt=4)
SECRET = "the quokka eats at noon"
NEW_PASSWORD = "entirely different words"


class HistoryCase(AgentCase):
    def setUp(self) -> None:
        super().setUp()
        self.bob = self.registered("bob", 9)

    def home(self, path: str, seed: int, **named: Any) -> Person:
        person = self.start(path, seed, **named)
        person.agent.entrance._costs = person.agent.renewing._costs = FLOOR
        return person

    def alice(self, path: str = "", seed: int = 1, **named: Any) -> Person:
        """Registered, with an encrypted history in which something stands."""
        person = self.home(path or self.mktemp(), seed, **{"encrypt": True} | named)
        self.done(person.ways.register("alice", PASSWORD, 10.0))
        self.send(person, "bob", SECRET)
        self.clock.pump([0.1] * 5)
        return person

    def again(self, person: Person, seed: int = 21, **named: Any) -> Person:
        """The agent is stopped, and started on the same home."""
        path = str(person.home.path)
        self.stop(person)
        return self.home(path, seed, **named)

    def log_in(self, person: Person, password: str = PASSWORD) -> None:
        self.done(person.ways.log_in("alice", password, 10.0))

    def moved(self, old: Person, seed: int = 5) -> Person:
        """Another home has taken everything over."""
        new = self.home(self.mktemp(), seed)
        self.log_in(new)
        for person in (old, new):
            if person.agent.active is not None:
                person.agent.active.connected()
        for _ in range(200):
            self.clock.pump([0.25])
            if new.agent.session_row()["handover"]["state"] == "done" == old.agent.session_row()["handover"]["state"]:
                break
        self.assertEqual(old.agent.session_row()["state"], "replaced")
        self.assertEqual(old.agent.session_row()["handover"]["state"], "done")
        self.assertEqual(new.texts("bob"), [SECRET])
        return new

    def cut_off(self, person: Person) -> None:
        """No node is reachable."""
        self.ring.down = True
        self.patch(person.agent.gateway, "link", None)

    def assert_nothing_plain(self, person: Person) -> None:
        found = [each for each in person.home.path.rglob("*") if each.is_file() and b"quokka" in each.read_bytes()]
        self.assertEqual(found, [])

    def assert_sealed(self, person: Person) -> None:
        self.assertEqual(person.agent.history, "sealed")
        error = self.assertRaises(NotLoggedIn, person.texts, "bob")
        self.assertIn("p2pchat unlock", str(error))


class EncryptedTests(HistoryCase):
    def test_without_the_option_a_history_is_plain(self) -> None:
        alice = self.alice(encrypt=False)
        self.assertEqual((alice.agent.history, encrypted_history(alice.home.path)), ("plain", False))
        self.assertEqual([each.suffix for each in alice.home.path.glob("chat-*.sqlite")], [".sqlite"])
        self.assertFalse(list(alice.home.path.glob("chat-*.key")))

    def test_an_agent_that_stays_logged_in_reads_it_after_a_restart(self) -> None:
        alice = self.alice()
        self.assert_nothing_plain(alice)
        self.assertEqual(alice.agent.history, "encrypted")
        again = self.again(alice)
        self.assertEqual(again.texts("bob"), [SECRET])
        self.assertEqual([each["text"] for each in again.talk.history("bob", 9, None, "quokka", False)[0]], [SECRET])

    def test_a_plain_history_is_converted_once(self) -> None:
        alice = self.alice(encrypt=False)
        alice.home.write(INPUTS, SECRET.encode())
        again = self.again(alice, encrypt=True)
        self.assertEqual(again.texts("bob"), [SECRET])
        self.assert_nothing_plain(again)
        self.assertEqual(list(again.home.path.glob("chat-*.sqlite*")), [])
        third = self.again(again, 22)
        self.assertEqual((third.texts("bob"), third.agent.history), ([SECRET], "encrypted"))

    def test_after_a_logout_nothing_in_the_home_opens_it(self) -> None:
        alice = self.alice()
        self.done(alice.ways.log_out(5.0))
        self.assert_nothing_plain(alice)
        self.assertEqual(alice.home.names("keys"), ["counter"])
        self.assertRaises(NotLoggedIn, alice.texts, "bob")
        self.refused(alice.ways.unlock(PASSWORD, 5.0), NotLoggedIn)
        self.log_in(alice)
        self.assertEqual(alice.texts("bob"), [SECRET])

    def test_another_user_of_the_same_home_has_a_key_of_their_own(self) -> None:
        alice = self.alice()
        self.done(alice.ways.log_out(5.0))
        self.done(alice.ways.register("carol", PASSWORD, 10.0))
        self.assertEqual((alice.agent.history, alice.talk.chats(0)[0]), ("encrypted", []))
        self.assertEqual(len(list(alice.home.path.glob(f"*{SEALED}"))), 2)

    def test_a_lost_key_file_is_said(self) -> None:
        alice = self.alice()
        (kept,) = alice.home.path.glob("chat-*.key")
        content, path = kept.read_bytes(), str(alice.home.path)
        self.stop(alice)
        for wrong in (b"", b"nonsense", HistoryKeyFile().encode()):
            kept.write_bytes(wrong)
            person = Person.__new__(Person)
            error = self.assertRaises(Damaged, person.__init__, self.ring, Path(path), 3)  # type: ignore[misc]
            self.assertIn(kept.name, str(error))
            person.home.unlock()
        kept.write_bytes(content)
        self.assertEqual(self.start(path, 4).texts("bob"), [SECRET])


class LockedTests(HistoryCase):
    def test_with_ask_password_it_is_locked_until_a_login(self) -> None:
        alice = self.alice(keep_keys=False)
        again = self.again(alice, keep_keys=False)
        self.assertEqual(again.agent.session_row()["state"], "locked")
        self.assert_sealed(again)
        self.log_in(again)
        self.assertEqual(again.texts("bob"), [SECRET])
        self.assertEqual([each for each in again.home.names("keys") if each != "counter"], [])

    def test_it_is_unlocked_by_the_password_alone_without_any_node(self) -> None:
        alice = self.again(self.alice(keep_keys=False), keep_keys=False)
        self.cut_off(alice)
        self.refused(alice.ways.unlock("not the password", 5.0), WrongCredentials)
        self.assert_sealed(alice)
        self.done(alice.ways.unlock(PASSWORD, 5.0))
        self.assertEqual(alice.texts("bob"), [SECRET])
        self.assertEqual(alice.agent.session_row()["state"], "locked")
        self.refused(alice.talk.send("bob", "x", "queued", 5.0), NotLoggedIn)
        self.done(alice.ways.unlock("whatever, it is open", 5.0))

    def test_a_new_password_opens_it_and_the_old_one_no_longer(self) -> None:
        alice = self.alice(keep_keys=False)
        self.done(alice.ways.change_password(PASSWORD, NEW_PASSWORD, 10.0))
        alice = self.again(alice, keep_keys=False)
        self.cut_off(alice)
        self.refused(alice.ways.unlock(PASSWORD, 5.0), WrongCredentials)
        self.done(alice.ways.unlock(NEW_PASSWORD, 5.0))
        self.assertEqual(alice.texts("bob"), [SECRET])

    def test_the_recovery_key_leads_back_to_it(self) -> None:
        alice = self.home(self.mktemp(), 1, encrypt=True)
        recovery_key = self.done(alice.ways.register("alice", PASSWORD, 10.0))["recovery_key"]
        self.send(alice, "bob", SECRET)
        self.done(alice.ways.log_out(5.0))
        self.done(alice.ways.recover("alice", recovery_key, NEW_PASSWORD, 10.0))
        self.assertEqual(alice.texts("bob"), [SECRET])
        alice = self.again(alice, keep_keys=False)
        self.assert_sealed(alice)
        self.done(alice.ways.unlock(NEW_PASSWORD, 5.0))
        self.assertEqual(alice.texts("bob"), [SECRET])


class ReplacedTests(HistoryCase):
    def test_a_replaced_home_hands_over_is_sealed_then_and_opens_with_the_password(self) -> None:
        alice = self.alice()
        self.moved(alice)
        self.assertEqual(alice.texts("bob"), [SECRET])
        alice = self.again(alice)
        self.assert_sealed(alice)
        row = alice.agent.session_row()
        self.assertEqual((row["state"], row["handover"]["state"]), ("replaced", "done"))
        self.done(alice.ways.unlock(PASSWORD, 5.0))
        self.assertEqual(alice.texts("bob"), [SECRET])
        self.assertEqual(alice.agent.session_row()["state"], "replaced")

    def test_it_opens_with_a_password_that_was_changed_elsewhere(self) -> None:
        alice = self.alice()
        new = self.moved(alice)
        self.done(new.ways.change_password(PASSWORD, NEW_PASSWORD, 10.0))
        alice = self.again(alice)
        self.refused(alice.ways.unlock("not the password", 5.0), WrongCredentials)
        self.done(alice.ways.unlock(NEW_PASSWORD, 5.0))
        self.assertEqual(alice.texts("bob"), [SECRET])

    def test_a_login_takes_it_back(self) -> None:
        alice = self.alice()
        self.moved(alice)
        alice = self.again(alice)
        self.log_in(alice)
        self.assertEqual(alice.texts("bob"), [SECRET])


class RenewedTests(HistoryCase):
    """The identity is renewed: the history follows."""

    def renewing(self, person: Person) -> None:
        def made(slow: Any, *arguments: Any) -> Any:
            if slow == Identity.generate:
                return succeed(Identity.load("alice", RING, *self.other))
            return at_once(slow, *arguments)

        keys = self.bob.agent.keyring.keys.identity
        self.other = (keys.pkcs8_seal, keys.pkcs8_sign)
        person.agent.renewing._in_thread = made  # type: ignore[assignment]

    def test_a_renewal_here_changes_what_opens_it(self) -> None:
        alice = self.alice()
        before = alice.agent.keyring.keys.identity
        self.renewing(alice)
        self.done(alice.ways.rekey(PASSWORD, 10.0))
        (kept,) = alice.home.path.glob("chat-*.key")
        boxes = HistoryKeyFile.parse(kept.read_bytes())
        self.assertIsNone(boxes.opened_by(before))
        alice = self.again(alice)
        self.assertEqual(alice.texts("bob"), [SECRET])
        alice = self.again(alice, 22, keep_keys=False)
        self.done(alice.ways.unlock(PASSWORD, 5.0))
        self.assertEqual(alice.texts("bob"), [SECRET])

    def test_wherever_a_renewal_ends_the_history_opens(self) -> None:
        alice = self.alice()
        for answer in ("WriteAccount", "WriteSession", "WriteMailKey"):
            self.renewing(alice)
            self.ring.lose.append(answer)
            self.begun(alice.ways.rekey(PASSWORD, 10.0)).addErrback(lambda _: None)
            alice = self.again(alice, 30)
            if alice.agent.history == "sealed":
                self.log_in(alice)
            self.assertEqual(alice.texts("bob"), [SECRET], answer)

    def test_after_a_renewal_elsewhere_the_same_password_opens_it(self) -> None:
        alice = self.alice()
        new = self.moved(alice)
        self.renewing(new)
        self.done(new.ways.rekey(PASSWORD, 10.0))
        alice = self.again(alice)
        self.assert_sealed(alice)
        self.log_in(alice)
        self.assertEqual(alice.texts("bob"), [SECRET])
        alice = self.again(alice, 31)
        self.assertEqual(alice.texts("bob"), [SECRET])

    def test_after_a_renewal_and_a_new_password_elsewhere_the_old_one_opens_it_first(self) -> None:
        alice = self.alice()
        new = self.moved(alice)
        self.renewing(new)
        self.done(new.ways.rekey(PASSWORD, 10.0))
        self.done(new.ways.change_password(PASSWORD, NEW_PASSWORD, 10.0))
        alice = self.again(alice)
        calls = len(self.ring.calls)
        reason = self.refused(alice.ways.log_in("alice", NEW_PASSWORD, 10.0), UserError)
        self.assertIn("p2pchat unlock", reason)
        self.assertNotIn("WriteSession", self.ring.calls[calls:])
        self.done(alice.ways.unlock(PASSWORD, 5.0))
        self.log_in(alice, NEW_PASSWORD)
        self.assertEqual(alice.texts("bob"), [SECRET])
        alice = self.again(alice, 32)
        self.assertEqual(alice.texts("bob"), [SECRET])
