"""A conversation moves to the next home: all of it, once, over restarts of both, and never somebody else's."""

from typing import Any

from twisted.internet.task import deferLater

from p2pchat.chat.handover import Page
from p2pchat.chat.message import Type
from p2pchat.chat.receiving import Incoming
from p2pchat.client.giving import HANDOVER
from p2pchat.errors import Misbehaved
from p2pchat.mailbox.commands import UNKNOWN, AskState, Deposit
from tests.client.test_agent import AgentCase
from tests.client.world import MemoryGateway, Person


class HandOverTests(AgentCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.registered("alice", 1), self.registered("bob", 2)

    def talk(self, count: int) -> list[str]:
        """A conversation of both; the texts, sorted."""
        for number in range(count):
            self.send(self.alice, "bob", f"from alice {number}")
            self.send(self.bob, "alice", f"from bob {number}")
        self.pass_time(2.0)
        return sorted(f"from {who} {number}" for who in ("alice", "bob") for number in range(count))

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.25] * round(seconds * 4))

    def move(self, seed: int = 7) -> Person:
        """Another home takes alice's account over, and the old one learns of it."""
        new = self.taken_over("alice", self.alice, seed)
        self.pass_time(6.0)
        return new

    def progress(self, person: Person) -> dict[str, Any]:
        return dict(person.agent.session_row()["handover"])

    def test_history_contacts_drafts_and_states_come_along(self) -> None:
        texts = self.talk(20)
        self.done(self.alice.people.verify("bob", True, 5.0))
        self.alice.talk.set_draft("bob", "half a sent")
        self.alice.talk.mark_read("bob", None)
        asked = self.alice.talk.history("bob", 1, None, None, False)[0][0]
        self.send(self.alice, "bob", "~ a reply", reply_to=asked["id"])
        self.pass_time(2.0)
        texts.append("~ a reply")
        new = self.move()
        self.pass_time(10.0)
        self.assertEqual(sorted(new.texts("bob")), texts)
        self.assertEqual(new.texts("bob"), self.alice.texts("bob"))
        self.assertEqual(new.talk.history("bob", 1, None, None, False)[0][0]["quoted"]["text"], asked["text"])
        self.assertEqual(self.progress(new), {"state": "done", "messages": 41, "total": 41})
        self.assertEqual(self.progress(self.alice), {"state": "done", "messages": 41, "total": 41})
        (person,) = new.people.contacts(0)[0]
        self.assertTrue(person["verified"] and person["contact"])
        (chat,) = new.talk.chats(0)[0]
        self.assertEqual((chat["draft"], chat["unread"]), ("half a sent", 0))
        self.assertEqual(self.alice.home.names("keys"), ["counter"])
        self.assertEqual([each["text"] for each in new.events if each["event"] == "message"], [])

    def test_what_was_not_sent_yet_is_sent_by_the_new_home(self) -> None:
        self.talk(1)
        self.ring.down = True
        asked = self.alice.talk.history("bob", 1, None, None, False)[0][0]
        self.send(self.alice, "bob", "unsent", reply_to=asked["id"])
        self.ring.down = False
        self.alice.agent.active.chat.sending.stop()  # type: ignore[union-attr]
        new = self.move()
        self.pass_time(10.0)
        self.assertEqual(self.bob.texts("alice").count("unsent"), 1)
        (got,) = [row for row in self.bob.talk.history("alice", 5, None, None, False)[0] if row["text"] == "unsent"]
        self.assertEqual(got["quoted"], {"from": asked["from"], "text": asked["text"]})
        self.assertIn("unsent", new.texts("bob"))

    def test_a_hand_over_goes_on_after_restarts_of_either_home(self) -> None:
        texts = self.talk(30)
        old_path = str(self.alice.home.path)
        new = self.taken_over("alice", self.alice, 7)
        self.clock.pump([0.25] * 2)
        self.stop(self.alice)
        self.alice = self.start(old_path, 8)
        new_path = str(new.home.path)
        self.stop(new)
        new = self.start(new_path, 9)
        new.agent.active.connected()  # type: ignore[union-attr]
        self.pass_time(15.0)
        self.assertEqual(sorted(new.texts("bob")), texts)
        self.assertEqual(self.progress(new)["state"], "done")

    def test_what_came_again_before_the_hand_over_stands_where_it_came_first(self) -> None:
        """Contacts offer the next home what only the one before acknowledged, and that one may be away for days."""
        self.talk(3)
        wanted, old_path = self.alice.texts("bob"), str(self.alice.home.path)
        alice = self.alice
        new = self.taken_over("alice", alice, 7)
        self.stop(alice)
        self.send(new, "bob", "from the next home")
        self.pass_time(60.0)
        self.assertEqual(
            {"from bob 0", "from bob 1", "from bob 2"} & set(new.texts("bob")),
            {"from bob 0", "from bob 1", "from bob 2"},
        )
        self.start(old_path, 8)
        self.pass_time(60.0)
        self.assertEqual(self.progress(new)["state"], "done")
        self.assertEqual(new.texts("bob"), [*wanted, "from the next home"])

    def test_who_wants_nothing_handed_over_gets_nothing(self) -> None:
        self.talk(3)
        self.alice.talk.settings({HANDOVER: "never"})
        new = self.move()
        self.pass_time(5.0)
        self.assertEqual(self.progress(new)["state"], "refused")
        self.assertNotIn("from alice 0", new.texts("bob"))

    def test_asking_waits_for_the_person(self) -> None:
        self.talk(3)
        self.alice.talk.settings({HANDOVER: "ask"})
        new = self.move()
        self.pass_time(5.0)
        self.assertEqual(self.progress(new)["state"], "waiting")
        old = self.alice.agent.session_row()
        self.assertEqual((old["state"], old["handover"]["state"], old["handover"]["total"]), ("replaced", "waiting", 6))
        self.pass_time(120.0)
        self.alice.talk.settings({HANDOVER: "always"})
        self.pass_time(3.0)
        self.assertEqual(self.progress(new)["state"], "done")

    def test_taking_the_account_back_brings_what_was_written_meanwhile(self) -> None:
        self.talk(3)
        new = self.move()
        self.pass_time(5.0)
        self.send(new, "bob", "from the other home")
        self.pass_time(2.0)
        old_path = str(self.alice.home.path)
        self.assertEqual(self.alice.agent.session_row()["state"], "replaced")
        self.stop(self.alice)
        back = self.taken_over("alice", new, 11, path=old_path)
        self.pass_time(10.0)
        self.assertIn("from the other home", back.texts("bob"))
        self.assertEqual(len(back.texts("bob")), len(set(back.texts("bob"))))

    def test_pages_that_are_always_lost_are_sent_less_and_less_often(self) -> None:
        self.talk(3)
        whole, sent = MemoryGateway.__call__, 0

        async def losing(gateway: MemoryGateway, *command: Any, **arguments: Any) -> Any:
            nonlocal sent
            if command[0] is Deposit:
                sent += 1
                await deferLater(self.clock, 0.2)
            return {"state": UNKNOWN} if command[0] is AskState else await whole(gateway, *command, **arguments)

        self.patch(MemoryGateway, "__call__", losing)
        self.move()
        self.pass_time(120.0)
        self.assertGreater(sent, 3)
        self.assertLess(sent, 60)

    def test_nobody_else_hands_anything_over(self) -> None:
        self.talk(1)
        new = self.move()
        page = Page(1, 1, True, False, "", ()).to_bytes()
        fingerprint = bytes.fromhex(self.bob.agent.keyring.fingerprint or "")
        forged = Incoming("bob", fingerprint, 1, b"f" * 16, 0, b"", Type.HANDOVER, 1, page, b"frame")
        self.assertRaises(Misbehaved, new.agent.handed_over, forged)

    def test_pages_that_are_none_are_refused(self) -> None:
        for body in (b"", b"nonsense", Page(1, 1, True, False, "", ()).to_bytes()[:-3]):
            self.assertRaises(Misbehaved, Page.from_bytes, body)
