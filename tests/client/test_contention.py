"""Two homes that want one account, and a home that was copied: one session for each action, nothing lost."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from p2pchat.client.entrance import Entered
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import NotLoggedIn, SessionReplaced
from p2pchat.identifiers import account_identifier
from p2pchat.replication.slots import KIND_MAILKEY, RegisterKey
from tests.client.test_agent import AgentCase
from tests.client.world import Person
from tests.crypto.keys import RING, session_key


class ContentionCase(AgentCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.registered("alice", 1), self.registered("bob", 2)
        self.turn = 0

    def take_over(self, home: Person, from_home: Person) -> None:
        """A person logs in as alice at a running home; without the password's hashing, which is real work."""
        self.turn += 1
        keys = from_home.agent.keyring.keys
        register = RegisterKey(account_identifier("alice"), KIND_MAILKEY)
        mail_keys = MailKeys.parse(self.ring.replication.registers[register], RING)
        before, key = self.standing(), session_key(100 + self.turn)
        record = SessionRecord.create(keys.identity, key, None, b"", 1, before, log_in=True)
        self.done(self.ring.accounts.write_session("alice", record.encode(), bytes([self.turn]) * 16))
        entered = Entered(replace(keys, record=record, session_key=key), mail_keys, self.account_of("alice"), before)
        home.agent.enter(entered)
        home.agent.active.connected()  # type: ignore[union-attr]

    def standing(self) -> SessionRecord:
        return SessionRecord.parse(self.done(self.ring.accounts.records("alice"))[1], RING)

    def states(self, *homes: Person) -> list[Any]:
        return [each.agent.session_row()["state"] for each in homes]


class TwoHomesTests(ContentionCase):
    def test_for_an_hour_each_action_changes_the_session_once_and_no_text_is_lost(self) -> None:
        other = self.start(self.mktemp(), 7)
        homes, texts = [self.alice, other], []
        for minute in range(60):
            if minute % 6 == 3:
                self.take_over(homes[1], homes[0])
                homes.reverse()
            texts.append(f"minute {minute}")
            self.send(self.bob, "alice", texts[-1])
            self.clock.pump([1.0] * 60)
            self.assertEqual(self.standing().epoch, 1 + self.turn)
            self.assertEqual(self.states(*homes), ["active", "replaced" if self.turn else "none"])
        self.assertEqual(self.turn, 10)
        self.clock.pump([1.0] * 60)
        self.assertEqual(homes[0].texts("bob"), texts)
        self.assertEqual(
            {each["state"] for each in self.bob.talk.history("alice", 99, None, None, False)[0]}, {"delivered"}
        )

    def test_for_an_hour_nobody_acts_and_nothing_changes_whatever_the_network_does(self) -> None:
        other = self.start(self.mktemp(), 7)
        self.take_over(other, self.alice)
        self.clock.pump([1.0] * 10)
        for minute in range(60):
            self.ring.down = minute % 4 == 1
            if minute == 20:
                path = str(self.alice.home.path)
                self.stop(self.alice)
                self.alice = self.start(path, 12)
            for home in (self.alice, other):
                if home.agent.active is not None:
                    home.agent.active.connected()
            self.clock.pump([2.0] * 30)
            self.assertEqual(self.standing().epoch, 2)
        self.assertEqual(self.states(other, self.alice), ["active", "replaced"])
        self.refused(self.alice.talk.send("bob", "x", "queued", 5.0), SessionReplaced, NotLoggedIn)


class CopiedHomeTests(ContentionCase):
    def test_a_copy_is_noticed_and_one_of_the_two_stops(self) -> None:
        """Both write the next record of one session; the ring takes one, and the other home learns of it."""
        path = Path(self.mktemp())
        shutil.copytree(self.alice.home.path, path)
        (path / "agent.lock").unlink()
        copy = self.start(str(path), 9)
        for home in (self.alice, copy):
            if home.agent.active is not None:
                home.agent.active.own.moved()
            self.clock.pump([1.0] * 20)
        self.assertEqual(sorted(self.states(self.alice, copy)), ["active", "replaced"])
        self.assertEqual(self.standing().epoch, 1)
        stopped = copy if self.states(copy) == ["replaced"] else self.alice
        self.refused(stopped.talk.send("bob", "from the one that stopped", "queued", 5.0), SessionReplaced)

    def test_both_seal_different_texts_and_no_key_meets_two_of_them(self) -> None:
        path = Path(self.mktemp())
        shutil.copytree(self.alice.home.path, path)
        (path / "agent.lock").unlink()
        copy = self.start(str(path), 9)
        self.send(self.alice, "bob", "from the home", "stored")
        self.send(copy, "bob", "from its copy", "stored")
        self.clock.pump([1.0] * 10)
        self.assertEqual(sorted(self.bob.texts("alice")), ["from its copy", "from the home"])
