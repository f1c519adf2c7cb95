"""Replies and read marks between whole agents on a ring in memory."""

from p2pchat.errors import UserError
from tests.client.test_agent import AgentCase


class ReplyTests(AgentCase):
    def test_a_reply_shows_what_it_answers_on_both_sides_and_in_an_export(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        asked = self.send(alice, "bob", "shall we?")
        self.clock.pump([0.1] * 10)
        self.send(bob, "alice", "yes", reply_to=asked["id"])
        self.clock.pump([0.1] * 10)
        (event,) = [each for each in alice.events if each["event"] == "message"]
        for row in (event, alice.talk.history("bob", 1, None, None, False)[0][0], bob.talk.why(event["id"])[0]):
            self.assertEqual((row["text"], row["reply_to"]), ("yes", asked["id"]))
            self.assertEqual(row["quoted"], {"from": "alice", "text": "shall we?"})
        exported = [each.get("reply_to") for each in bob.talk.export(0)[0]]
        self.assertEqual(exported, [None, asked["id"]])

    def test_one_answers_only_what_stands_in_the_chat(self) -> None:
        alice = self.registered("alice", 1)
        for seed, user in ((2, "bob"), (3, "carol")):
            self.registered(user, seed)
        to_bob = self.send(alice, "bob", "for bob")
        self.assertIn(
            "not in the chat", self.refused(alice.talk.send("carol", "x", "queued", 5.0, to_bob["id"]), UserError)
        )
        self.assertEqual(alice.texts("carol"), [])

    def test_a_reply_to_another_chat_quotes_nothing(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        self.registered("carol", 3)
        secret = self.send(alice, "carol", "for carol alone")
        self.send(bob, "alice", "hello")
        self.clock.pump([0.1] * 10)
        text = alice.talk.history("bob", 1, None, None, False)[0][0]
        alice.agent.opened.archive.refer("bob", bytes.fromhex(text["id"]), bytes.fromhex(secret["id"]))
        row = alice.talk.history("bob", 1, None, None, False)[0][0]
        self.assertEqual(row["reply_to"], secret["id"])
        self.assertNotIn("quoted", row)

    def test_what_was_read_counts_as_unread_again_without_a_word_to_its_author(self) -> None:
        alice, bob = self.registered("alice", 1), self.registered("bob", 2)
        sent = [self.send(alice, "bob", text) for text in ("one", "two", "three")]
        self.done(bob.people.add("alice", 5.0))
        self.clock.pump([0.1] * 10)
        bob.talk.mark_read("alice", None)
        for since, unread in ((None, 1), (sent[1]["id"], 2)):
            bob.talk.mark_unread("alice", since)
            self.assertEqual(bob.talk.chats(0)[0][0]["unread"], unread)
        self.clock.pump([0.1] * 10)
        self.assertEqual({alice.state(each["id"]) for each in sent}, {"read"})
