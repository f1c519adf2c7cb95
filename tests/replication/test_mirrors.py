"""A ring of two: the second node has a copy of all that was acknowledged, and stops nothing when it is away."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import NoQuorum
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.commands import Mirror
from p2pchat.replication.configuration import State
from p2pchat.replication.generation import planned
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.store import Store
from p2pchat.replication.uset import Item, ItemState

from .ring import Node, Ring

POINT = Identifier(CIRCLE // 3)
NAME = RegisterKey(POINT, KIND_ACCOUNT)
BIG = 60_000


def mail(number: int, size: int = 10) -> Item:
    return Item(number.to_bytes(32, "big"), bytes(size))


class MirrorCase(SynchronousTestCase):
    in_memory = True

    def setUp(self) -> None:
        self.ring = Ring(nodes=1, slots=8, in_memory=self.in_memory)
        self.addCleanup(self.ring.close)
        self.first = self.ring.nodes[0]

    def change(self, node: Node, value: bytes) -> None:
        self.ring.ask(node.service.change(NAME, lambda old: value, value))

    def held(self, node: Node) -> tuple[bytes | None, int]:
        """What a node's own disk has at this moment."""
        found: list[tuple[bytes | None, int]] = []

        def turn(store: Store) -> None:
            register = store.register(NAME)
            found.append((None if register is None else register.content.value, store.measure(POINT)[0]))

        node.disk.run(turn)
        return found[0]

    def second(self) -> Node:
        """Has joined, and been there long enough to have everything."""
        node = self.ring.add(1)
        self.ring.run(10.0)
        return node


class RingOfTwoTests(MirrorCase):
    def test_what_was_there_before_is_copied(self) -> None:
        self.change(self.first, b"ann")
        self.ring.ask(self.first.service.add(POINT, b"", [mail(1), mail(2)]))
        self.assertEqual(self.held(self.second()), (b"ann", 2))

    def test_an_acknowledged_write_has_been_copied_whoever_was_asked(self) -> None:
        second = self.second()
        for number, node in enumerate((self.first, second)):
            self.change(node, b"value %d" % number)
            self.assertEqual(self.held(second)[0], b"value %d" % number)
            self.ring.ask(node.service.add(POINT, b"", [mail(number)]))
            self.assertEqual(self.held(second)[1], number + 1)
        self.ring.ask(self.first.service.remove(POINT, 0, [mail(0).id], b"proof"))
        self.assertEqual(self.held(second)[1], 1)

    def test_messages_that_fill_a_request_are_copied_in_parts(self) -> None:
        second = self.second()
        self.ring.ask(self.first.service.add(POINT, b"", [mail(number, 60) for number in range(480)]))
        self.ring.ask(self.first.service.add(POINT, b"", [mail(1000, BIG)]))
        self.assertEqual(self.held(second)[1], 481)

    def test_nothing_waits_for_a_second_node_that_is_away(self) -> None:
        second = self.second()
        second.crash()
        begin = self.ring.clock.seconds()
        self.change(self.first, b"alone")
        self.assertLess(self.ring.clock.seconds() - begin, 0.2)
        second.start()
        self.ring.run(10.0)
        self.assertEqual(self.held(second)[0], b"alone")

    def test_a_second_node_that_does_not_answer_delays_a_write_by_a_second_at_most(self) -> None:
        second = self.second()
        self.ring.network.watch = lambda node, command, what: (
            self.ring.network.cut(self.first.identifier, second.identifier) if command is Mirror else None
        )
        begin = self.ring.clock.seconds()
        self.change(self.first, b"slow")
        self.assertLess(self.ring.clock.seconds() - begin, 1.5)

    def test_the_copy_answers_for_nobody(self) -> None:
        self.change(self.first, b"ann")
        second = self.second()
        self.first.crash()
        with self.assertRaises(NoQuorum):
            self.ring.ask(second.service.read(NAME))
        with self.assertRaises(NoQuorum):
            self.change(second, b"bob")
        self.first.start()
        self.ring.run(3.0)
        self.assertEqual(self.ring.ask(second.service.read(NAME)).value, b"ann")

    def test_numbers_call_it_a_backup_and_no_member(self) -> None:
        self.change(self.first, b"ann")
        second = self.second()
        status = self.ring.ask(second.service.status())
        self.assertEqual((status.users, status.backups, status.slots, status.wanted), (0, 1, 0, 1))
        self.assertEqual(self.ring.ask(second.service.drain()), 0)

    def test_a_third_node_makes_them_members(self) -> None:
        self.change(self.first, b"ann")
        second = self.second()
        self.ring.add(2)
        self.ring.grow(3)
        self.change(second, b"bob")
        self.first.crash()
        self.assertEqual(self.ring.ask(second.service.read(NAME)).value, b"bob")

    def test_the_only_member_is_lost_for_ever_and_the_copy_goes_on(self) -> None:
        self.change(self.first, b"ann")
        self.ring.ask(self.first.service.add(POINT, b"", [mail(1)]))
        second = self.second()
        self.change(self.first, b"last")
        self.first.service.stopService()
        self.first.crash()
        report = self.ring.ask(second.service.succession.seal(1))
        plan, losses = planned({second.identifier: report}, self.ring.slots, self.ring.replicas, 1)
        self.assertEqual((losses.empty, losses.doubtful), ((), tuple(range(8))))
        self.ring.ask(second.service.succession.adopt(plan))
        self.ring.run(3.0)
        self.assertEqual(self.ring.ask(second.service.read(NAME)).value, b"last")
        page = self.ring.ask(second.service.fetch(POINT, 0))
        self.assertEqual([item.id for item in page.items], [mail(1).id])

    def test_the_second_node_takes_over_when_the_first_is_drained(self) -> None:
        self.change(self.first, b"ann")
        second = self.second()
        while self.ring.ask(self.first.service.drain()):
            self.ring.run(1.0)
        self.ring.run(10.0)
        self.assertEqual({record.state for record in self.first.store.slots()}, {State.RETIRED})
        self.first.service.stopService()
        self.first.crash()
        self.assertEqual(self.ring.ask(second.service.read(NAME)).value, b"ann")

    def test_a_ring_that_wants_one_copy_keeps_one(self) -> None:
        ring = Ring(nodes=2, slots=4, replicas=0, in_memory=True)
        self.addCleanup(ring.close)
        ring.ask(ring.nodes[0].service.change(NAME, lambda old: b"x", b"1"))
        ring.run(10.0)
        self.assertEqual(ring.nodes[1].store.slots(), [])

    def test_items_keep_their_state(self) -> None:
        second = self.second()
        self.ring.ask(self.first.service.add(POINT, b"", [mail(1)]))
        self.ring.ask(self.first.service.remove(POINT, 0, [mail(1).id], b"proof"))
        states: list[ItemState] = []

        def look(store: Store) -> None:
            held = store.item(POINT, mail(1).id)
            states.append(ItemState.UNKNOWN if held is None else held.state)

        second.disk.run(look)
        self.assertEqual(states, [ItemState.ACKNOWLEDGED])


class SqliteMirrorTests(MirrorCase):
    in_memory = False

    def test_a_copy_lies_on_a_real_disk(self) -> None:
        self.change(self.first, b"ann")
        second = self.second()
        self.change(self.first, b"bob")
        self.assertEqual(self.held(second)[0], b"bob")
