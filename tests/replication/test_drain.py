"""Handing everything over: who goes on without a node that leaves, and that nothing is lost on the way."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.plan import View, members_without
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from tests.replication.ring import Node, Ring

NOW = 1000.0


def nodes(*numbers: int) -> tuple[Identifier, ...]:
    return tuple(Identifier(number) for number in numbers)


def without(leaving: int, members: Sequence[int], live: Sequence[int]) -> tuple[Identifier, ...] | None:
    view = View(NOW, {Identifier(node): 0.0 for node in live}, {}, repair_after=15.0)
    return members_without(Identifier(leaving), Configuration(3, nodes(*members)), nodes(*live), view)


class MembersTests(SynchronousTestCase):
    """Who goes on."""

    def test_somebody_else_takes_the_place(self) -> None:
        self.assertEqual(without(1, [1, 2, 3], [2, 3, 4]), nodes(2, 3, 4))
        self.assertEqual(without(1, [1], [2]), nodes(2))

    def test_without_somebody_else_there_are_fewer_but_an_odd_number_where_it_can_be(self) -> None:
        self.assertEqual(without(1, [1, 2, 3, 4, 5], [2, 3, 4, 5]), nodes(2, 3, 4))
        self.assertEqual(without(1, [1, 2, 3], [2, 3]), nodes(2, 3))
        self.assertEqual(without(1, [1, 2], [2]), nodes(2))

    def test_the_last_one_and_a_minority_hand_over_nothing(self) -> None:
        self.assertIsNone(without(1, [1], []))
        self.assertIsNone(without(1, [1, 2, 3, 4, 5], [2, 6]))
        self.assertIsNone(without(9, [1, 2, 3], [1, 2, 3]))

    def test_a_dead_member_is_not_counted_on(self) -> None:
        self.assertEqual(without(1, [1, 2, 3], [2]), nodes(2))


class DrainTests(SynchronousTestCase):
    """Real services."""

    def drained(self, ring: Ring, leaving: Node) -> None:
        """Drain a node and stop it."""
        for node in ring.nodes:
            live = node._live
            node._live = lambda live=live: [each for each in live() if each != leaving.identifier]  # type: ignore
        for _ in range(120):
            if ring.ask(leaving.service.drain()) == 0:
                break
            ring.run(0.5)
        self.assertEqual(ring.ask(leaving.service.drain()), 0)
        self.assertEqual(ring.ask(leaving.service.status()).slots, 0)
        leaving.service.stopService()
        leaving.crash()

    def test_records_outlive_each_node_that_leaves_down_to_one(self) -> None:
        ring = Ring(nodes=3, in_memory=True)
        self.addCleanup(ring.close)
        ring.grow(members=3)
        key = RegisterKey(Identifier(7), KIND_ACCOUNT)
        ring.ask(ring.nodes[0].service.change(key, lambda _: b"olga", b"1"))
        for number in (0, 1):
            self.drained(ring, ring.nodes[number])
            self.assertEqual(ring.ask(ring.nodes[2].service.read(key)).value, b"olga")
        ring.ask(ring.nodes[2].service.change(key, lambda _: b"ivan", b"2"))
        self.assertEqual(ring.ask(ring.nodes[2].service.read(key)).value, b"ivan")
