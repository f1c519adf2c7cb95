"""Nodes that lie about people: records of others, of former times, and such that do not belong together are refused."""

from collections.abc import Callable
from typing import Any

from twisted.protocols import amp

from p2pchat.accounts.commands import AskParameters, ReadRecords, Unlock
from p2pchat.client.directory import KeyChanged
from p2pchat.crypto.account import Account
from p2pchat.crypto.credentials import COSTS, Costs, log_in
from p2pchat.crypto.passwords import PARAMETERS, Stretched
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Misbehaved, WrongCredentials
from p2pchat.replication.slots import KIND_MAILKEY
from tests.client.test_agent import AgentCase
from tests.client.world import PASSWORD
from tests.crypto.keys import RING, heir

FLOOR = Costs(PARAMETERS, bcrypt=4)
Lie = Callable[[dict[str, Any]], dict[str, Any]]


class LyingCase(AgentCase):
    def setUp(self) -> None:
        super().setUp()
        self.lies: dict[type[amp.Command], Lie] = {}
        answer = self.ring.answer

        async def lied(command: type[amp.Command], arguments: dict[str, Any]) -> dict[str, Any]:
            true = await answer(command, arguments)
            return self.lies[command](true) if command in self.lies else true

        self.patch(self.ring, "answer", lied)

    def records(self, user: str) -> dict[str, Any]:
        """What an honest node says."""
        lie, self.lies = self.lies, {}
        found = self.done(self.ring.answer(ReadRecords, {"user": user}))
        self.lies = lie
        return dict(found)


class PeopleTests(LyingCase):
    """alice knows bob."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.registered("alice", 1), self.registered("bob", 2)
        self.carol = self.registered("carol", 3)
        self.send(self.alice, "bob", "hello")
        self.clock.pump([0.1] * 10)

    def look(self) -> Any:
        return self.alice.agent.directory.person("bob", fresh=True)

    def lie(self, **changed: Any) -> None:
        self.lies[ReadRecords] = lambda true: {**true, **changed}

    def test_another_persons_valid_records_are_refused(self) -> None:
        self.lie(**self.records("carol"))
        self.assertIn("not bob's", self.refused(self.look(), Misbehaved))

    def test_records_of_two_people_are_refused(self) -> None:
        carols = self.records("carol")
        for each in ("session", "mail_key"):
            self.lie(**{each: carols[each]})
            self.assertIn("do not belong together", self.refused(self.look(), Misbehaved))

    def test_an_older_account_and_an_older_mail_key_are_refused(self) -> None:
        before = self.records("bob")
        self.bob.agent.keyring.want_rotation(True)
        self.bob.agent.active.rotation.look()  # type: ignore[union-attr]
        self.clock.pump([0.5] * 10)
        self.done(self.look())
        self.lie(mail_key=before["mail_key"])
        self.assertIn("older", self.refused(self.look(), Misbehaved))
        self.lies.clear()
        self.alice.agent.opened.contacts.saw("bob", version=2)
        self.assertIn("older", self.refused(self.look(), Misbehaved))

    def test_nothing_goes_to_a_session_that_is_over(self) -> None:
        before = self.records("bob")
        self.taken_over("bob", self.bob, 4)
        self.clock.pump([0.5] * 10)
        self.assertEqual(self.done(self.look()).session.epoch, 2)
        self.alice.agent.opened.contacts.saw("bob", epoch=2)
        self.lie(session=before["session"])
        self.assertIsNone(self.done(self.look()).session)

    def test_who_was_written_to_is_pinned_at_once(self) -> None:
        pinned = self.alice.agent.opened.contacts.get("bob")
        self.assertEqual(pinned and pinned.fingerprint, self.account_of("bob").public.fingerprint)

    def test_another_key_under_the_name_is_loud_and_nothing_is_sealed_to_it(self) -> None:
        stranger = Account.create(heir(), self.account_of("bob").private)
        self.lie(public=stranger.public.encode(), session=b"", mail_key=b"")
        self.assertIn("has changed", self.refused(self.look(), KeyChanged))
        self.alice.agent.directory.forget("bob")
        row, *_ = self.done(self.alice.talk.send("bob", "not for him", "queued", 5.0, ""))
        self.clock.pump([0.5] * 10)
        self.assertEqual(self.bob.texts("alice"), ["hello"])
        self.assertEqual(self.alice.state(row["id"]), "failed")

    def test_contacts_never_receive_private_parts(self) -> None:
        found = self.records("bob")
        secret = self.account_of("bob").credentials
        for each in (secret.vault, secret.verifier, secret.recovery_box, secret.salt):
            self.assertFalse(any(each in value for value in found.values() if isinstance(value, bytes)))
        escrows = self.bob.agent.keyring.keys.escrow_public
        self.assertFalse(any(escrows in value for value in found.values() if isinstance(value, bytes)))


class LoginTests(LyingCase):
    """bob logs in at a new home, through a node that lies."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.start(self.mktemp(), 1)
        self.bob.agent.entrance._costs = FLOOR
        self.done(self.bob.ways.register("bob", PASSWORD, 10.0))
        self.alice = self.registered("alice", 2)
        self.new = self.start(self.mktemp(), 3)
        self.new.agent.entrance._costs = FLOOR

    def refused_login(self, *errors: type[Exception]) -> str:
        before = self.standing()
        reason = self.refused(self.new.ways.log_in("bob", PASSWORD, 10.0), *errors)
        self.assertEqual((self.standing(), self.new.agent.session_row()["state"]), (before, "none"))
        return reason

    def standing(self) -> int:
        return SessionRecord.parse(self.records("bob")["session"], RING).epoch

    def test_salt_and_parameters_below_the_floor_are_refused_before_anything_is_stretched(self) -> None:
        for changed in ({"memory_kib": 1024}, {"passes": 1}, {"lanes": 1}, {"memory_kib": 1 << 21}, {"passes": 11}):
            self.lies[AskParameters] = lambda true, changed=changed: {**true, **changed}  # type: ignore[misc]
            self.assertIn("not allowed", self.refused_login(Misbehaved))
        self.assertNotIn("Unlock", self.ring.calls)
        self.lies[AskParameters] = lambda true: {**true, "salt": bytes(32)}
        self.refused_login(WrongCredentials)

    def test_somebody_elses_account_is_refused(self) -> None:
        alices = self.account_of("alice").encode()
        self.lies[Unlock] = lambda true: {**true, "account": alices}
        self.assertIn("somebody else", self.refused_login(Misbehaved))

    def test_a_vault_of_another_version_or_identity_is_refused(self) -> None:
        account = self.account_of("bob")
        forged = Account.create(heir(), account.private, account)
        self.lies[Unlock] = lambda true: {**true, "account": forged.encode()}
        self.refused_login(Misbehaved)
        swapped = Account(account.public, self.account_of("alice").private)
        self.lies[Unlock] = lambda true: {**true, "account": swapped.encode()}
        self.assertIn("private part", self.refused_login(Misbehaved))

    def test_somebody_elses_session_or_mail_key_is_refused(self) -> None:
        alices = self.records("alice")
        self.lies[Unlock] = lambda true: {**true, "session": alices["session"]}
        self.assertIn("somebody else's session", self.refused_login(Misbehaved))
        mail = self.mail_register("alice")
        self.lies[Unlock] = lambda true: {**true, "mail_key": mail}
        self.assertIn("somebody else's mail key", self.refused_login(Misbehaved))

    def mail_register(self, user: str) -> bytes:
        keys = {self.account_of(user).public.fingerprint}
        (found,) = [
            value
            for key, value in self.ring.replication.registers.items()
            if key.kind == KIND_MAILKEY and any(each in value for each in keys)
        ]
        return bytes(found)

    def test_the_truth_is_believed(self) -> None:
        self.done(self.new.ways.log_in("bob", PASSWORD, 10.0))
        found = self.account_of("bob")
        asked = found.credentials
        stretched = Stretched.stretch(PASSWORD.encode(), "bob", RING, asked.salt, asked.parameters)
        self.assertEqual(log_in(found, stretched).identity, self.new.agent.keyring.keys.identity)
        self.assertTrue(COSTS.reach(FLOOR))
