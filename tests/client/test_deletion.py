"""An account is deleted: what its home, its contacts and their messages see, and who may have the name afterwards."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed

from p2pchat.client.entrance import Entered
from p2pchat.client.inquiry import ROUND_SECONDS
from p2pchat.client.keyring import Keys
from p2pchat.crypto.account import Account
from p2pchat.crypto.closing import CLOCKS_MS, CLOSED_MS
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.errors import AccountDeleted, NameTaken, NoNodeReachable, NotLoggedIn, UnknownUser, WrongCredentials
from p2pchat.identifiers import account_identifier
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.uset import ItemState
from tests.client.test_agent import AgentCase
from tests.client.test_renewing import FLOOR
from tests.client.world import PASSWORD, Person, at_once
from tests.crypto.keys import RING, identity


class DeletedCase(AgentCase):
    """alice and bob know each other."""

    def setUp(self) -> None:
        super().setUp()
        self.bob, self.alice = self.registered("bob", 2), self.person(1)
        self.done(self.alice.ways.register("alice", PASSWORD, 10.0))
        self.send(self.alice, "bob", "from the first alice")
        self.send(self.bob, "alice", "hello")
        self.pass_time()

    def person(self, seed: int, keys: str = "") -> Person:
        """An agent with the real floor of Argon2id; `keys`: whose fixed keys it makes for itself."""

        def made(slow: Any, *arguments: Any) -> Deferred[Any]:
            if slow == Identity.generate and keys:
                fixed = identity(keys)
                return succeed(Identity.load(arguments[0], arguments[1], fixed.pkcs8_sign, fixed.pkcs8_seal))
            done: Deferred[Any] = at_once(slow, *arguments)
            return done

        person = self.start(self.mktemp(), seed)
        person.agent.entrance._costs, person.agent.entrance._in_thread = FLOOR, made  # type: ignore[assignment]
        return person

    def pass_time(self, seconds: float = 2.0) -> None:
        self.clock.pump([0.25] * round(seconds * 4))

    def delete(self) -> Any:
        return self.done(self.alice.ways.unregister("alice", PASSWORD, 10.0))

    def heir(self) -> Person:
        """Somebody else registers as alice when it is time."""
        self.clock.advance((CLOSED_MS + CLOCKS_MS) / 1000)
        heir = self.person(5, "carol")
        self.done(heir.ways.register("alice", PASSWORD, 10.0))
        self.bob.agent.directory.forget("alice")
        return heir


class HomeTests(DeletedCase):
    def test_keys_go_and_the_history_is_set_aside(self) -> None:
        kept = Path(self.delete()["history"])
        self.assertTrue(kept.name.startswith("deleted-"))
        self.assertIn(b"from the first alice", kept.read_bytes())
        self.assertEqual(self.alice.agent.session_row()["state"], "none")
        self.assertEqual(self.alice.home.names("keys"), ["counter"])
        self.refused(self.alice.ways.log_in("alice", PASSWORD, 10.0), UnknownUser)

    def test_a_wrong_password_deletes_nothing(self) -> None:
        self.refused(self.alice.ways.unregister("alice", "another one", 10.0), WrongCredentials)
        self.send(self.alice, "bob", "still here")
        self.pass_time()
        self.assertIn("still here", self.bob.texts("alice"))

    def test_an_attempt_whose_answer_was_lost_ends_well_when_run_again(self) -> None:
        self.ring.lose.append("WriteAccount")
        self.refused(self.alice.ways.unregister("alice", PASSWORD, 10.0), NoNodeReachable)
        self.delete()
        self.assertEqual(self.alice.agent.session_row()["state"], "none")

    def test_another_home_that_is_logged_in_learns_it_from_the_signature(self) -> None:
        key = self.alice.agent.keyring.keys
        other = self.start(self.mktemp(), 7)
        other.agent.enter(self._entered(key))
        self.delete()
        self.pass_time(10.0)
        row = other.agent.session_row()
        self.assertEqual((row["state"], row["replaced"]["deleted"]), ("replaced", True))
        self.assertEqual([each for each in other.home.names("keys") if each != "counter"], [])
        self.assertIn("was deleted", self.refused(other.talk.send("bob", "hello?", "queued", 5.0), NotLoggedIn))

    def _entered(self, keys: Keys) -> Entered:
        """The same session in a second home, as of a copied folder."""
        values = (self.ring.replication.registers[RegisterKey(account_identifier("alice"), kind)] for kind in (1, 3))
        account, mail_keys = values
        return Entered(keys, MailKeys.parse(mail_keys, RING), Account.parse(account, RING))


class ContactTests(DeletedCase):
    def test_what_waits_and_what_lies_there_fails_with_the_reason(self) -> None:
        self.alice.agent._stop_active()  # she does not fetch her mail any more
        stored = self.send(self.bob, "alice", "you will not read this", "stored")
        self.delete()
        envelopes = self.ring.replication.items.get(account_identifier("alice"), {})
        self.assertEqual(envelopes, {})
        waiting, status, _ = self.done(self.bob.talk.send("alice", "nor this", "stored", 5.0))
        self.assertEqual((waiting["state"], status), ("failed", 1))
        for row in (waiting, stored):
            self.clock.advance(ROUND_SECONDS)
            self.pass_time(10.0)
            self.assertEqual(self.bob.state(row["id"]), "failed")
            steps = [each for each in self.bob.talk.why(row["id"])[1] if each["step"] == "failed"]
            self.assertIn("alice deleted the account on 2025-10-09", steps[-1]["outcome"])

    def test_mail_from_before_the_end_is_still_opened(self) -> None:
        home = self.bob.home.path
        self.stop(self.bob)
        self.send(self.alice, "bob", "farewell", "stored")
        self.delete()
        self.bob = self.start(str(home), 6)
        self.bob.agent.active.connected()  # type: ignore[union-attr]
        self.pass_time()
        self.assertIn("farewell", self.bob.texts("alice"))
        self.assertNotIn(ItemState.UNOPENABLE, self.ring.replication.states.values())

    def test_an_end_that_somebody_else_signed_is_not_believed(self) -> None:
        self.delete()
        known = self.bob.agent.opened.contacts
        known.pin("alice", bytes(32))
        error = self.refused(self.bob.agent.directory.person("alice", fresh=True), Exception)
        self.assertNotIn("deleted the account", error)
        self.assertIn("Somebody else had the name", error)

    def test_who_was_no_contact_is_told_as_well(self) -> None:
        carol = self.registered("carol", 8)
        self.delete()
        self.refused(carol.agent.directory.person("alice"), AccountDeleted)


class NameTests(DeletedCase):
    def test_it_is_closed_for_30_days_and_then_somebody_elses(self) -> None:
        self.delete()
        early = self.person(5, "carol")
        said = self.refused(early.ways.register("alice", PASSWORD, 10.0), NameTaken)
        self.assertIn("stays closed until 2025-11-08", said)
        heir = self.heir()
        self.assertEqual(heir.agent.session_row()["state"], "active")
        self.send(heir, "bob", "from the second alice")
        self.pass_time(10.0)
        self.assertNotIn("from the second alice", self.bob.texts("alice"))

    def test_contacts_see_loudly_that_it_is_somebody_else(self) -> None:
        self.done(self.bob.people.verify("alice", True, 5.0))
        self.delete()
        heir = self.heir()
        row, status, reason = self.done(self.bob.talk.send("alice", "is it you?", "stored", 5.0))
        self.assertEqual((row["state"], status), ("failed", 1))
        self.assertIn("your contact deleted the account, and the name was registered anew", reason)
        contact = self.bob.agent.opened.contacts.get("alice")
        offered = contact.offered if contact is not None else None
        self.assertEqual(offered, heir.agent.keyring.keys.identity.fingerprint)
        self.done(self.bob.people.verify("alice", True, 5.0))
        self.send(self.bob, "alice", "hello, new alice")
        self.pass_time(10.0)
        self.assertEqual(heir.texts("bob"), ["hello, new alice"])

    def test_a_new_owner_logs_in_changes_the_password_and_gives_the_name_up_again(self) -> None:
        self.delete()
        heir = self.heir()
        self.done(heir.ways.change_password(PASSWORD, "another correct staple battery", 10.0))
        self.pass_time()
        self.done(heir.ways.unregister("alice", "another correct staple battery", 10.0))
        self.clock.advance((CLOSED_MS + CLOCKS_MS) / 1000)
        third = self.person(9, "mallory")
        self.done(third.ways.register("alice", PASSWORD, 10.0))
        self.assertEqual(third.agent.keyring.keys.account_version, 6)
