"""Slots move: growth from one to five, repair, shrinking, coming back, and nothing is lost on the way."""

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import NoQuorum
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.commands import Announce, Elect, Pull
from p2pchat.replication.configuration import State
from p2pchat.replication.election import Election
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.uses import FEW_SLOTS
from p2pchat.replication.uset import Item

from .ring import Node, Ring

POINTS = [Identifier((2 * number + 1) * CIRCLE // 16) for number in range(8)]


def _put(name: bytes, old: bytes | None) -> bytes:
    return name


class MovementCase(SynchronousTestCase):
    in_memory = True

    def ring(self, nodes: int = 5, slots: int = 8, replicas: int = 4) -> Ring:
        ring = Ring(nodes, slots, replicas, in_memory=self.in_memory)
        self.addCleanup(ring.close)
        return ring

    def fill(self, ring: Ring) -> None:
        """Accounts and mail in every slot."""
        for number, point in enumerate(POINTS):
            name = b"name %d" % number
            items = [Item((100 * number + each).to_bytes(32, "big"), bytes(5_000)) for each in range(3)]
            service = ring.nodes[0].service
            ring.ask(service.change(RegisterKey(point, KIND_ACCOUNT), partial(_put, name), name))
            ring.ask(service.add(point, b"", items))

    def check(self, ring: Ring, node: Node) -> None:
        """Everything that `fill` wrote is there."""
        for number, point in enumerate(POINTS):
            read = ring.ask(node.service.read(RegisterKey(point, KIND_ACCOUNT)))
            self.assertEqual(read.value, b"name %d" % number)
            page = ring.ask(node.service.fetch(point, 0))
            self.assertEqual([int.from_bytes(each.id, "big") % 100 for each in page.items], [0, 1, 2])

    def close(self, ring: Ring, *numbers: int) -> None:
        for number in numbers:
            ring.nodes[number].crash()


class GrowthTests(MovementCase):
    def test_records_grow_with_the_ring(self) -> None:
        ring = self.ring(1)
        self.fill(ring)
        for number in range(1, 5):
            ring.add(number)
        self.assertLess(ring.grow(5), 10.0)
        self.check(ring, ring.nodes[4])
        self.close(ring, 0, 1)
        self.check(ring, ring.nodes[3])

    def test_slots_in_use_change_a_few_at_a_time_and_all_others_together(self) -> None:
        ring = self.ring(3, slots=512)
        ring.grow(3)
        for number in range(0, 512, 2):
            key = RegisterKey(Identifier((2 * number + 1) * CIRCLE // 1024), KIND_ACCOUNT)
            for node in ring.nodes:  # a read asks a majority, the reader itself in it
                ring.ask(node.service.read(key))
        elected: list[tuple[int, ...]] = []
        run = Election.run

        async def noted(election: Election, before: Any, members: Any, slots: tuple[int, ...]) -> Any:
            elected.append(slots)
            return await run(election, before, members, slots)

        self.patch(Election, "run", noted)
        ring.add(3)
        ring.add(4)
        ring.grow(5)
        used = [{slot % 2 == 0 for slot in slots} for slots in elected]
        self.assertNotIn({True, False}, used)
        self.assertLessEqual(max(len(slots) for slots in elected if slots[0] % 2 == 0), FEW_SLOTS)
        self.assertGreater(max(len(slots) for slots in elected if slots[0] % 2), FEW_SLOTS)

    def test_two_nodes_move_nothing(self) -> None:
        ring = self.ring(2)
        ring.run(30.0)
        self.assertTrue(ring.is_grown(1))

    def test_three_nodes_hold_three_copies(self) -> None:
        ring = self.ring(3)
        ring.grow(3)
        status = ring.ask(ring.nodes[1].service.status())
        self.assertEqual((status.slots, status.least, status.wanted, status.deficit), (8, 3, 3, 0))

    def test_a_ring_that_wants_one_copy_keeps_it(self) -> None:
        ring = self.ring(3, replicas=0)
        ring.run(30.0)
        self.assertTrue(ring.is_grown(1))

    def test_every_node_of_seven_ends_up_with_its_share(self) -> None:
        ring = self.ring(7)
        self.fill(ring)
        ring.run(200.0)
        self.assertTrue(ring.is_grown(5))
        for slot in range(8):
            trace = ring.ask(ring.nodes[6].service.trace(POINTS[slot]))
            wanted = ring.nodes[6]._wanted(Identifier((slot + 1) * CIRCLE // 8 - 1), 5)
            self.assertEqual(trace.members, tuple(sorted(wanted)))
            self.assertEqual(trace.owner, wanted[0])
        self.check(ring, ring.nodes[5])
        self.check_retired(ring)

    def check_retired(self, ring: Ring) -> None:
        """Whoever is no member any more keeps no records."""
        for node in ring.nodes:
            held = {slot for slot, _, _ in node.store.tally()}
            parts = {record.slot: record.state for record in node.store.slots()}
            self.assertEqual({slot for slot, state in parts.items() if state is State.ACTIVE} & held, held)
            self.assertNotIn(State.SEALED, parts.values())


class SqliteGrowthTests(MovementCase):
    in_memory = False

    def test_records_grow_on_real_databases(self) -> None:
        ring = self.ring(1)
        self.fill(ring)
        for number in range(1, 5):
            ring.add(number)
        ring.grow(5)
        self.check(ring, ring.nodes[4])
        ring.run(1.0)
        counts = [ring.ask(node.service.status()) for node in ring.nodes]
        self.assertEqual({status.least for status in counts}, {5})
        self.assertEqual({status.slots for status in counts}, {8})

    def test_a_thousand_slots_move_in_seconds_and_few_calls(self) -> None:
        ring = self.ring(5, slots=1024)
        self.assertLess(ring.grow(5), 6.0)
        self.assertLess(ring.network.messages, 400)


class RepairTests(MovementCase):
    def test_a_lost_member_is_replaced(self) -> None:
        ring = self.ring(6)
        ring.grow(5)
        self.fill(ring)
        lost = next(number for number in range(1, 6) if self.share(ring, number))
        self.close(ring, lost)
        ring.run(10.0)
        self.assertFalse(ring.is_grown(5))
        ring.grow(5)
        self.check(ring, ring.nodes[0])

    def share(self, ring: Ring, number: int) -> int:
        return sum(record.state is State.ACTIVE for record in ring.nodes[number].store.slots())

    def test_five_become_three_when_two_are_lost_and_five_again(self) -> None:
        ring = self.ring()
        ring.grow(5)
        self.fill(ring)
        self.close(ring, 0, 2)
        self.check(ring, ring.nodes[1])
        self.assertGreater(ring.grow(3), 14.0)
        ring.run(1.0)
        self.close(ring, 1)
        self.check(ring, ring.nodes[4])
        for number in (0, 1, 2):
            ring.nodes[number].start()
        ring.grow(5)
        self.close(ring, 3, 4)
        self.check(ring, ring.nodes[2])

    def test_a_minority_changes_nothing(self) -> None:
        ring = self.ring()
        ring.grow(5)
        identifiers = [node.identifier for node in ring.nodes]
        ring.network.partition([identifiers[:2], identifiers[2:]])
        ring.run(40.0)
        self.assertEqual({part.newest.epoch for part in ring.nodes[0].store.slots()}, {3})
        self.assertEqual({part.newest.epoch for part in ring.nodes[2].store.slots()}, {4})
        with self.assertRaises(NoQuorum):
            ring.ask(ring.nodes[0].service.change(RegisterKey(POINTS[0], KIND_ACCOUNT), lambda old: b"x", b"1"))
        ring.network.mend()
        ring.grow(5)

    def test_a_member_that_slept_through_a_change_is_told(self) -> None:
        ring = self.ring(6)
        ring.grow(5)
        self.fill(ring)
        self.close(ring, 5)
        ring.grow(5)
        ring.nodes[5].start()
        ring.run(60.0)
        for part in ring.nodes[5].store.slots():
            newest = ring.ask(ring.nodes[0].service.trace(Identifier(part.slot * CIRCLE // 8)))
            self.assertEqual(part.newest.epoch, newest.epoch)
        self.check(ring, ring.nodes[5])


class CrashTests(MovementCase):
    """The node that drives a change, or one that it asks, dies at a named point of it."""

    def crash_at(self, command: type, what: str, count: int) -> Ring:
        ring = self.ring(1)
        self.fill(ring)
        for number in range(1, 6):
            ring.add(number)
        seen = [0]

        def watch(node: Identifier, asked: type, when: str) -> None:
            if asked is command and when == what:
                seen[0] += 1
                if seen[0] == count:
                    victim = next(each for each in ring.nodes if each.identifier == node)
                    if victim.number and victim.host is not None:
                        victim.crash()

        ring.network.watch = watch
        ring.run(30.0)
        ring.network.watch = None
        for node in ring.nodes:
            if node.host is None:
                node.start()
        ring.grow(5, 60.0)
        self.check(ring, ring.nodes[5])
        return ring

    def test_crashes_around_each_step(self) -> None:
        for command in (Elect, Announce, Pull):
            for what in ("arrived", "answered"):
                for count in (1, 4):
                    self.crash_at(command, what, count).close()

    def test_the_driver_dies_before_it_tells(self) -> None:
        """A majority accepted the next members, and nobody knows: the next driver finds and finishes it."""
        ring = self.ring(6, slots=1)
        ring.grow(5)
        members = ring.nodes[0].store.slot(0).newest.members
        outside = next(node for node in ring.nodes if node.identifier not in members)
        lost = next(node for node in ring.nodes[1:] if node.identifier in members)
        lost.crash()
        drivers: list[Node] = []

        def watch(node: Identifier, asked: type, when: str) -> None:
            if asked is Elect and when == "answered" and not drivers:
                epoch = ring.nodes[0].store.slot(0).newest.epoch
                voted = [each for each in ring.nodes if each.host and (part := each.store.slot(0)) and part.proposal]
                if len(voted) >= 3:
                    driver = next(
                        each for each in ring.nodes if each.identifier == voted[0].store.slot(0).accepted.node
                    )
                    self.assertEqual(epoch, 3)
                    drivers.append(driver)
                    driver.crash()

        ring.network.watch = watch
        ring.run(40.0)
        self.assertEqual(len(drivers), 1)
        ring.network.watch = None
        drivers[0].start()
        lost.start()
        ring.run(60.0)
        self.assertIn(outside.identifier, ring.nodes[0].store.slot(0).newest.members)
        self.assertTrue(ring.is_grown(5), ring.states())
