"""Mail that cannot be opened, that the ring lost, or that left a gap is asked for and sealed anew."""

from dataclasses import replace

from p2pchat.client.inquiry import MAX_ANEW, ROUND_SECONDS
from p2pchat.identifiers import account_identifier
from tests.client.test_agent import AgentCase
from tests.client.world import Person


class InquiryCase(AgentCase):
    """Alice has written to bob, who is away."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.registered("alice", 1)
        bob = self.registered("bob", 2)
        self.done(bob.people.add("alice", 5.0))
        self.done(self.alice.people.add("bob", 5.0))
        self.clock.pump([0.1] * 10)
        self.bobs_home = bob.home.path
        self.stop(bob)
        self.mailbox = self.ring.replication.items.setdefault(account_identifier("bob"), {})

    def written(self, *texts: str) -> list[bytes]:
        """Envelope ids of texts, in their order; other mail may come with them."""
        for text in texts:
            self.send(self.alice, "bob", text, "stored")
        archive = self.alice.agent.active.stores.archive  # type: ignore[union-attr]
        stored = {each.line.text: each.envelope for each in archive.unconfirmed("alice", 0, 2**62, 0, 100)}
        return [stored.get(text) or b"" for text in texts]

    def lose(self, envelope: bytes) -> None:
        """As when a majority was given up."""
        del self.mailbox[envelope]
        del self.ring.replication.states[envelope]

    def spoil(self, envelope: bytes) -> None:
        item = self.mailbox[envelope]
        self.mailbox[envelope] = replace(item, payload=item.payload[:-1] + bytes([item.payload[-1] ^ 1]))

    def bob_returns(self) -> Person:
        bob = self.start(str(self.bobs_home), 3)
        bob.agent.active.connected()  # type: ignore[union-attr]
        self.clock.pump([0.1] * 10)
        return bob

    def rounds(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.advance(ROUND_SECONDS)
            self.clock.pump([0.1] * 20)


class AnewTests(InquiryCase):
    def test_what_the_ring_lost_is_stored_again(self) -> None:
        (envelope,) = self.written("hello")
        self.lose(envelope)
        self.rounds()
        self.assertNotIn(envelope, self.mailbox)
        self.assertEqual(self.bob_returns().texts("alice"), ["hello"])

    def test_what_cannot_be_opened_is_sealed_anew(self) -> None:
        (envelope,) = self.written("hello")
        self.spoil(envelope)
        bob = self.bob_returns()
        self.assertEqual(bob.texts("alice"), [])
        self.rounds()
        self.assertEqual(bob.texts("alice"), ["hello"])
        sent = self.alice.talk.history("bob", 1, None, None, False)[0][0]
        self.assertEqual(sent["state"], "delivered")
        self.assertIn("sealed anew", [each["step"] for each in self.alice.talk.why(sent["id"])[1]])

    def test_what_lies_there_is_left_alone(self) -> None:
        self.written("hello")
        before = dict(self.mailbox)
        self.rounds(3)
        self.assertEqual(self.mailbox, before)
        self.assertIn("AskState", self.ring.calls)

    def test_a_receipt_that_got_lost_is_sent_again(self) -> None:
        self.written("hello", "again")
        bob = self.bob_returns()
        shown = "SELECT text, state FROM messages WHERE author = 'alice' ORDER BY row"
        delivered = [("hello", "delivered"), ("again", "delivered")]
        database = self.alice.agent.opened.database
        self.assertEqual(database.query(shown), delivered)
        with database.transaction() as connection:
            connection.execute("UPDATE messages SET state = 'stored' WHERE author = 'alice'")
            connection.execute("UPDATE messages SET envelope = NULL WHERE text = 'again'")
        self.rounds()
        self.assertEqual(database.query(shown), delivered)
        self.assertEqual(bob.texts("alice"), ["hello", "again"])

    def test_it_is_not_tried_for_ever(self) -> None:
        self.written("hello")
        for _ in range(MAX_ANEW + 3):
            for envelope in list(self.mailbox):
                self.lose(envelope)
            self.rounds()
        sent = self.alice.talk.history("bob", 1, None, None, False)[0][0]
        steps = [each["step"] for each in self.alice.talk.why(sent["id"])[1]]
        self.assertEqual((steps.count("sealed anew"), steps.count("stored")), (MAX_ANEW, MAX_ANEW + 1))


class GapTests(InquiryCase):
    def test_a_missing_text_is_asked_for_and_takes_its_place(self) -> None:
        bob = self.bob_returns()
        self.written("one")
        self.clock.pump([0.1] * 5)
        self.stop(bob)
        two, _three = self.written("two", "three")
        self.lose(two)
        bob = self.bob_returns()
        self.assertEqual(bob.texts("alice"), ["one", "three"])
        self.clock.pump([0.5] * 20)
        self.assertEqual(bob.texts("alice"), ["one", "two", "three"])

    def test_strangers_are_not_asked(self) -> None:
        carol = self.registered("carol", 4)
        texts = ["one", "two", "three"]
        self.send(carol, "alice", texts[0])
        self.clock.pump([0.1] * 5)
        alices = self.ring.replication.items.setdefault(account_identifier("alice"), {})
        home = self.alice.home.path
        self.stop(self.alice)
        before = set(alices)
        self.send(carol, "alice", texts[1], "stored")
        for envelope in set(alices) - before:
            del alices[envelope]
        self.send(carol, "alice", texts[2], "stored")
        alice = self.start(str(home), 5)
        alice.agent.active.connected()  # type: ignore[union-attr]
        self.clock.pump([0.5] * 20)
        self.assertEqual(alice.texts("carol"), ["one", "three"])
