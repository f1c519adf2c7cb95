"""Direct channels: who gets one, which way messages take, and what happens when there is none."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.receiving import Incoming
from p2pchat.client.channels import IDLE_SECONDS, REFUSED_SECONDS
from p2pchat.wire.bulletins import Kind
from tests.client.world import PASSWORD, MemoryRing, Person
from tests.wire.network import MemoryNetwork


class ChannelsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.ring = MemoryRing(self.network.clock)
        self.alice, self.bob = self.registered("alice", 1), self.registered("bob", 2)

    def registered(self, user: str, seed: int) -> Person:
        person = Person(self.ring, Path(self.mktemp()), seed, network=self.network)
        self.addCleanup(person.stop)
        self.successResultOf(Deferred.fromCoroutine(person.ways.register(user, PASSWORD, 5.0)))
        person.agent.active.connected()  # type: ignore[union-attr]
        self.settle()
        return person

    def settle(self, seconds: float = 6.0) -> None:
        """Let beats, retries and bytes happen."""
        for _ in range(round(seconds * 4)):
            self.network.flush(0.25)

    def send(self, person: Person, to: str, text: str, seconds: float = 6.0) -> str:
        """The id of a text that was sent, after some time."""
        sent: Deferred[Any] = Deferred.fromCoroutine(person.talk.send(to, text, "queued", 5.0))
        self.settle(seconds)
        return str(self.successResultOf(sent)[0]["id"])

    def meet(self) -> None:
        """Both have written, so both are contacts and know the other's capability."""
        self.send(self.alice, "bob", "one")
        self.send(self.bob, "alice", "two")

    def way(self, person: Person, identifier: str) -> list[str]:
        """By which ways a message was stored or delivered."""
        return [step["way"] for step in person.talk.why(identifier)[1] if step["step"] in ("stored", "delivered")]

    def connected(self) -> bool:
        return self.alice.agent.active.channels.is_connected("bob")  # type: ignore[union-attr]

    def test_the_newest_evictions_go_from_agent_to_agent_in_either_direction(self) -> None:
        """Also where no node could have told one of them."""
        for teller, hearer in ((self.alice, self.bob), (self.bob, self.alice)):
            known = teller.agent.gateway.bulletins
            known.learn(Kind.EVICTIONS, b"x" * (known.number(Kind.EVICTIONS) + 1))
            for person, other in ((self.alice, "bob"), (self.bob, "alice")):
                if person.agent.active is not None:
                    person.agent.active.channels.hang_up(other, "once more")
            self.meet()
            self.assertTrue(self.connected())
            heard = hearer.agent.gateway.bulletins.number(Kind.EVICTIONS)
            self.assertEqual(heard, known.number(Kind.EVICTIONS))
        self.assertEqual(heard, 2)

    def test_contacts_talk_directly_and_leave_nothing_on_the_ring(self) -> None:
        self.meet()
        before = self.ring.calls.count("Deposit")
        there, back = self.send(self.alice, "bob", "three"), self.send(self.bob, "alice", "four")
        self.assertEqual(self.way(self.alice, there), ["direct"])
        self.assertEqual(self.way(self.bob, back), ["direct"])
        self.assertEqual(self.ring.calls.count("Deposit"), before)
        self.assertEqual(self.bob.texts("alice"), ["one", "two", "three", "four"])
        self.assertEqual(self.alice.texts("bob"), ["one", "two", "three", "four"])

    def test_a_burst_goes_in_a_few_calls_and_arrives_in_order(self) -> None:
        self.meet()
        self.send(self.alice, "bob", "three")
        delivered = self.counted(self.bob)
        texts = [f"burst {number}" for number in range(150)]
        sent = [Deferred.fromCoroutine(self.alice.talk.send("bob", text, "delivered", 5.0)) for text in texts]
        self.settle(2.0)
        self.assertEqual({self.successResultOf(each)[0]["state"] for each in sent}, {"delivered"})
        history = [each["text"] for each in self.bob.talk.history("alice", 200, None, None, False)[0]]
        self.assertEqual(history, ["one", "two", "three", *texts])
        self.assertLess(len(delivered), 10)
        self.assertEqual(self.alice.agent.opened.outbox.waiting("bob"), [])

    def counted(self, person: Person) -> list[int]:
        """How many messages each call brings to a person from now on."""
        chat, counts = person.agent.writing.chat, list[int]()
        take = chat.take_directly

        def counting(messages: list[Incoming]) -> None:
            counts.append(len(messages))
            take(messages)

        self.patch(chat, "take_directly", counting)
        return counts

    def test_the_story_of_a_message_is_told_by_both_sides(self) -> None:
        self.meet()
        sent = self.send(self.alice, "bob", "three")
        told = [{name: value for name, value in step.items() if name != "at"} for step in self.alice.talk.why(sent)[1]]
        self.assertEqual(told, [{"step": "queued"}, {"step": "delivered", "way": "direct", "epoch": 1}])
        self.assertTrue(all(step["at"] for step in self.alice.talk.why(sent)[1]))
        told = [{name: value for name, value in step.items() if name != "at"} for step in self.bob.talk.why(sent)[1]]
        self.assertEqual(told, [{"step": "received", "epoch": 1}])
        chat = self.alice.agent.writing.chat
        chat.confirmed("bob", [bytes.fromhex(sent)], 2)
        told = [{name: value for name, value in step.items() if name != "at"} for step in self.alice.talk.why(sent)[1]]
        self.assertEqual(told, [{"step": "queued"}, {"step": "delivered", "way": "direct", "epoch": 1}])
        older = self.alice.agent.opened.archive.older_acknowledged("bob", "alice", 2, 0, 9)
        self.assertNotIn("three", [each.text for each in older])

    def test_one_side_that_nobody_reaches_is_asked_to_dial(self) -> None:
        del self.network.ports[self.bob.address]
        self.meet()
        self.settle(REFUSED_SECONDS + 1)
        first = self.send(self.alice, "bob", "three")
        self.assertIn(self.way(self.alice, first)[0], ("mailbox", "direct"))
        self.assertTrue(self.connected())
        self.assertEqual(self.way(self.alice, self.send(self.alice, "bob", "four")), ["direct"])

    def test_two_that_cannot_reach_each_other_write_by_mail_and_do_not_call_for_ever(self) -> None:
        self.network.ports.clear()
        self.meet()
        sent = self.send(self.alice, "bob", "three")
        self.assertEqual(self.way(self.alice, sent)[0], "mailbox")
        self.assertEqual(self.bob.texts("alice")[-1], "three")
        dialled = len(self.network.dialled)
        self.settle(REFUSED_SECONDS / 2)
        self.assertEqual(len(self.network.dialled), dialled)

    def test_a_connection_that_hangs_holds_a_message_for_two_seconds_at_most(self) -> None:
        self.network.silent.update({self.alice.address, self.bob.address})
        self.meet()
        sent = self.send(self.alice, "bob", "three", seconds=2.5)
        self.assertEqual(self.way(self.alice, sent)[0], "mailbox")

    def test_a_broken_connection_loses_and_doubles_nothing(self) -> None:
        self.meet()
        self.send(self.alice, "bob", "three")
        for pump in list(self.network.pumps):
            self.network.cut(pump)
        self.network.ports.clear()
        self.send(self.alice, "bob", "four")
        self.assertEqual(self.bob.texts("alice"), ["one", "two", "three", "four"])
        shown = [each["text"] for each in self.bob.events if each["event"] == "message"]
        self.assertEqual(shown, ["one", "three", "four"])

    def test_strangers_get_no_channel(self) -> None:
        self.send(self.alice, "bob", "one")
        self.assertEqual(self.network.dialled, [])
        self.assertFalse(self.connected())

    def test_a_block_hangs_up_and_takes_the_addresses_away(self) -> None:
        self.meet()
        self.send(self.alice, "bob", "three")
        self.assertTrue(self.connected())
        self.successResultOf(Deferred.fromCoroutine(self.bob.people.block("alice", 5.0)))
        self.settle()
        self.assertFalse(self.connected())
        self.send(self.alice, "bob", "four")
        self.assertNotIn("four", self.bob.texts("alice"))
        self.assertFalse(self.connected())

    def test_an_idle_channel_is_closed(self) -> None:
        self.meet()
        self.send(self.alice, "bob", "three")
        self.assertTrue(self.connected())
        self.settle(IDLE_SECONDS + 70)
        self.assertFalse(self.connected())
