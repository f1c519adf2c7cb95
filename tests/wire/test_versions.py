"""Programs of neighbouring versions understand each other; others are told who has to be updated."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import RingUnknown, TryElsewhere
from p2pchat.wire import hello
from p2pchat.wire.dialer import dial_node
from p2pchat.wire.hello import SPOKEN, Hello, Versions
from p2pchat.wire.tls import member_tls
from tests.wire.network import MemoryNetwork
from tests.wire.ring import Node, WhoAreYou

BEFORE, NOW_, NEXT, LATER = Versions(1, 1), Versions(1, 2), Versions(2, 3), Versions(4, 5)


class SharedTests(SynchronousTestCase):
    def test_the_highest_that_both_speak(self) -> None:
        self.assertEqual(BEFORE.shared(NOW_), 1)
        self.assertEqual(NOW_.shared(NOW_), 2)
        self.assertEqual(NEXT.shared(NOW_), 2)

    def test_who_is_too_old_is_named_at_either_end(self) -> None:
        for one, other in ((LATER, BEFORE), (BEFORE, LATER)):
            self.assertIn("update the program that speaks 1.", str(self.assertRaises(RingUnknown, one.shared, other)))

    def test_this_program_speaks_its_own_version_and_the_one_before(self) -> None:
        self.assertEqual(SPOKEN.least, max(1, SPOKEN.highest - 1))


class RingTests(SynchronousTestCase):
    """Nodes in memory, over TLS."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()

    def node(self, number: int, versions: Versions) -> Node:
        return Node(self.network, number, versions=versions).listen()

    def outcome(self, work: Any) -> Any:
        running = Deferred.fromCoroutine(work)
        self.network.flush()
        return running

    def test_three_neighbouring_versions_in_one_ring(self) -> None:
        nodes = [self.node(1, BEFORE), self.node(2, NOW_), self.node(3, NEXT)]
        for one in nodes:
            for other in nodes:
                one.knows(other)
        expected = {(1, 2): 1, (2, 3): 2}
        for (first, second), version in expected.items():
            one, other = nodes[first - 1], nodes[second - 1]
            for here, there in ((one, other), (other, one)):
                answer = self.successResultOf(self.outcome(here.dialer(there.me, WhoAreYou)))
                self.assertEqual(answer["me"], there.me)
                self.assertEqual(here.links.to(there.me).peer.version, version)  # type: ignore[union-attr]

    def test_versions_too_far_apart_refuse_each_other_and_say_why(self) -> None:
        old, new = self.node(1, BEFORE), self.node(2, LATER)
        for here, there in ((old, new), (new, old)):
            self.failureResultOf(self.outcome(here.dialer.greet(there.ring_address)), TryElsewhere)
            self.assertIsInstance(here.refused[0], RingUnknown)
            self.assertIn("update the program that speaks 1.", str(here.refused[0]))
        self.assertEqual(old.links.peers() + new.links.peers(), [])

    def test_a_program_from_before_there_was_a_lowest_version(self) -> None:
        """It neither says nor knows `least`: its own version is the only one that it speaks."""
        said = [each for each in Hello.arguments if each[0] != b"least"]
        older: Any = type("Hello", (amp.Command,), {"arguments": said, "response": said, "errors": Hello.errors})
        node = self.node(1, NOW_)
        caller = Node(self.network, 2)
        standing = caller.standing(member_tls(caller.admission))
        said_before = hello._said

        def said_without(*arguments: Any) -> dict[str, Any]:
            row = said_before(*arguments)
            if row["version"] == SPOKEN.highest:
                del row["least"]
            return row

        self.patch(hello, "_said", said_without)
        peer = self.successResultOf(self.outcome(dial_node(self.network.reach(node.ring_address), standing)))
        self.assertEqual((peer.version, peer.identifier), (1, node.me))
        box = Hello.makeResponse({**said_before(b"r" * 32, hello.Greeting(), NOW_)}, None)
        self.assertEqual(older.parseResponse(box, None)["version"], 2)
