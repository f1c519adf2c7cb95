"""A renewed identity: mail on both sides of it arrives once, contacts see it, and a renewal in doubt is finished."""

from typing import Any

from twisted.internet.defer import Deferred, succeed

from p2pchat.client.pending import RENEWAL
from p2pchat.crypto.credentials import COSTS, Costs, costs_of
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.passwords import PARAMETERS, Parameters
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import NoNodeReachable, P2PChatError, WrongCredentials
from p2pchat.identifiers import account_identifier
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, RegisterKey
from tests.client.test_agent import AgentCase
from tests.client.world import PASSWORD, Person, at_once
from tests.crypto.keys import identity

FLOOR = Costs(PARAMETERS, bcrypt=4)


class RekeyTests(AgentCase):
    """With the real floor of Argon2id, because every renewal opens the account by its password."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.start(self.mktemp(), 1), self.registered("bob", 2)
        self.alice.agent.entrance._costs = FLOOR
        self.done(self.alice.ways.register("alice", PASSWORD, 10.0))
        self.renewable(self.alice)

    def renewable(self, person: Person) -> None:
        """A new identity is carol's fixed keys, because making RSA keys takes seconds."""

        def made(slow: Any, *arguments: Any) -> Deferred[Any]:
            if slow == Identity.generate:
                keys = identity("carol")
                return succeed(Identity.load(arguments[0], arguments[1], keys.pkcs8_sign, keys.pkcs8_seal))
            done: Deferred[Any] = at_once(slow, *arguments)
            return done

        person.agent.renewing._in_thread, person.agent.renewing._costs = made, FLOOR  # type: ignore[assignment]

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.25] * round(seconds * 4))

    def talked(self) -> None:
        self.send(self.alice, "bob", "from the first identity")
        self.send(self.bob, "alice", "hello")
        self.pass_time(2.0)
        self.done(self.bob.people.verify("alice", True, 5.0))

    def test_contacts_follow_loudly_and_compare_again(self) -> None:
        self.talked()
        before = self.alice.agent.keyring.fingerprint
        self.bob.events.clear()
        row = self.done(self.alice.ways.rekey(PASSWORD, 10.0))
        self.assertNotEqual(row["fingerprint"], before)
        self.assertRegex(row["recovery_key"], "^[A-Z2-7]{4}(-[A-Z2-7]{4})+$")
        self.send(self.alice, "bob", "from the second identity")
        self.pass_time(3.0)
        self.assertEqual(self.bob.texts("alice")[-1], "from the second identity")
        (person,) = self.bob.people.contacts(0)[0]
        self.assertEqual((person["fingerprint"], person["verified"]), (row["fingerprint"], False))
        self.assertTrue(person["key_renewed"])
        self.assertTrue([each for each in self.bob.events if each["event"] == "presence" and each.get("key_renewed")])
        self.assertFalse(self.done(self.bob.people.verify("alice", False, 5.0))["verified"])
        self.assertIn("key_renewed", self.bob.people.contacts(0)[0][0])
        self.assertTrue(self.done(self.bob.people.verify("alice", True, 5.0))["verified"])
        self.assertNotIn("key_renewed", self.bob.people.contacts(0)[0][0])

    def test_mail_under_the_old_identity_is_opened_and_its_keys_are_erased(self) -> None:
        self.talked()
        self.ring.lose += ["Fetch"] * 2
        self.send(self.bob, "alice", "sealed to the first identity")
        self.assertNotIn("sealed to the first identity", self.alice.texts("bob"))
        self.done(self.alice.ways.rekey(PASSWORD, 10.0))
        self.pass_time(5.0)
        self.assertIn("sealed to the first identity", self.alice.texts("bob"))
        names = self.alice.home.names("keys")
        self.assertNotIn("former", names)
        self.assertEqual(len([each for each in names if each.startswith("mail-")]), 1)
        self.send(self.bob, "alice", "sealed to the second identity")
        self.pass_time(2.0)
        self.assertEqual(self.alice.texts("bob").count("sealed to the second identity"), 1)
        self.assertEqual(len(set(self.alice.texts("bob"))), len(self.alice.texts("bob")))

    def test_what_a_contact_has_not_fetched_yet_is_sealed_anew(self) -> None:
        self.talked()
        path = str(self.bob.home.path)
        self.stop(self.bob)
        self.send(self.alice, "bob", "while bob is away", "stored")
        self.done(self.alice.ways.rekey(PASSWORD, 10.0))
        self.pass_time(1.0)
        self.bob = self.start(path, 12)
        self.bob.agent.active.connected()  # type: ignore[union-attr]
        self.pass_time(5.0)
        self.assertEqual(self.bob.texts("alice").count("while bob is away"), 1)

    def test_the_old_session_and_identity_end(self) -> None:
        copied = self.start(self.mktemp(), 9)
        keys = self.alice.agent.keyring.keys
        copied.agent.keyring.enter(keys)
        copied.agent.open_history()
        copied.agent._begin()
        self.done(self.alice.ways.rekey(PASSWORD, 10.0))
        self.pass_time(6.0)
        self.assertEqual(copied.agent.session_row()["state"], "replaced")
        self.assertEqual(self.alice.agent.session_row()["state"], "active")
        thief = SessionRecord.create(
            *(keys.identity, keys.session_key, None, b"", 1),
            self.alice.agent.keyring.keys.record,
            log_in=True,
        )
        self.refused(self.ring.accounts.write_session("alice", thief.encode(), b"o" * 16), P2PChatError)

    def test_a_renewal_in_doubt_is_finished_by_running_it_again(self) -> None:
        for command in ("WriteAccount", "WriteSession", "WriteMailKey"):
            self.ring.lose.append(command)
        for _ in range(3):
            self.refused(self.alice.ways.rekey(PASSWORD, 10.0), NoNodeReachable)
        path = str(self.alice.home.path)
        self.stop(self.alice)
        self.alice = self.start(path, 4)
        self.renewable(self.alice)
        row = self.done(self.alice.ways.rekey(PASSWORD, 10.0))
        self.assertIsNone(self.alice.home.read(RENEWAL))
        self.assertEqual(row["fingerprint"], self.alice.agent.keyring.keys.identity.fingerprint.hex())
        self.pass_time(5.0)
        self.send(self.bob, "alice", "to the second identity")
        self.pass_time(2.0)
        self.assertEqual(self.alice.texts("bob"), ["to the second identity"])

    def test_nobody_renews_without_the_password(self) -> None:
        before = dict(self.ring.replication.registers)
        self.refused(self.alice.ways.rekey("something else", 10.0), WrongCredentials)
        self.assertEqual(self.ring.replication.registers, before)

    def test_the_new_identity_logs_in_elsewhere(self) -> None:
        self.talked()
        self.done(self.alice.ways.rekey(PASSWORD, 10.0))
        self.pass_time(3.0)
        self.stop(self.alice)
        new = self.start(self.mktemp(), 15)
        new.agent.entrance._costs = FLOOR
        self.done(new.ways.log_in("alice", PASSWORD, 10.0))
        self.send(new, "bob", "from another home")
        self.pass_time(3.0)
        self.assertIn("from another home", self.bob.texts("alice"))


class CostTests(AgentCase):
    def test_a_login_brings_an_account_to_todays_cost(self) -> None:
        path = self.mktemp()
        alice = self.start(path, 1)
        alice.agent.entrance._costs = FLOOR
        self.done(alice.ways.register("alice", PASSWORD, 10.0))
        self.done(alice.ways.log_out(5.0))
        wanted = Costs(Parameters(PARAMETERS.kib, PARAMETERS.passes + 1, PARAMETERS.lanes), bcrypt=5)
        alice.agent.entrance._costs = wanted
        self.done(alice.ways.log_in("alice", PASSWORD, 10.0))
        self.clock.pump([0.5] * 10)
        account = self.done(self.ring.accounts._account("alice"))
        self.assertEqual(costs_of(account.credentials), wanted)
        self.assertEqual(account.public.version, 2)
        self.assertEqual(alice.agent.keyring.keys.account_version, 2)
        self.assertFalse(COSTS.reach(Costs(PARAMETERS, COSTS.bcrypt + 1)))
        version = self.ring.replication.registers[RegisterKey(account_identifier("alice"), KIND_ACCOUNT)]
        self.done(alice.ways.log_out(5.0))
        self.done(alice.ways.log_in("alice", PASSWORD, 10.0))
        self.assertEqual(
            self.ring.replication.registers[RegisterKey(account_identifier("alice"), KIND_ACCOUNT)], version
        )

    def test_a_home_that_died_before_it_renewed_its_mail_key_locks_nobody_out(self) -> None:
        """The mail key stands in escrow for a key that no password opens any more."""
        alice, bob = self.start(self.mktemp(), 1), self.registered("bob", 2)
        alice.agent.entrance._costs = FLOOR
        self.done(alice.ways.register("alice", PASSWORD, 10.0))
        self.send(bob, "alice", "first", "stored")
        self.done(alice.agent.entrance.change_password(alice.agent.keyring.keys, PASSWORD, f"{PASSWORD} 2", 10.0))
        self.stop(alice)
        self.send(bob, "alice", "sealed to the key that is lost", "stored")
        new = self.start(self.mktemp(), 7)
        new.agent.entrance._costs = FLOOR
        self.done(new.ways.log_in("alice", f"{PASSWORD} 2", 10.0))
        self.clock.pump([0.5] * 10)
        register = self.ring.replication.registers[RegisterKey(account_identifier("alice"), KIND_MAILKEY)]
        self.assertTrue(register)
        self.assertEqual(new.agent.keyring.keys.mail[0].number, 2)
        self.clock.pump([60.0] * 15)
        self.assertEqual(new.texts("bob").count("sealed to the key that is lost"), 1)
