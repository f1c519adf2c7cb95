"""Failures that other systems reported, as regression tests by their names."""

from random import Random

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.ring import Failed, Left, Stabilized
from p2pchat.errors import Moving, NoQuorum
from p2pchat.identifiers import Identifier
from p2pchat.replication.formats import Formats
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.simulation.mesh import Mesh
from p2pchat.simulation.papers import Papers
from p2pchat.simulation.ringworld import RingWorld
from p2pchat.simulation.world import Scene, World

PAPERS = Papers("scenarios")
KEY = RegisterKey(Identifier(5), KIND_ACCOUNT)


class ChordGrpc156Tests(SynchronousTestCase):
    """bushidocodes/chord-grpc issue 156: without a successor list a ring never heals after two neighbours left."""

    def test_state_machines_heal_after_two_neighbours_left_at_once(self) -> None:
        for seed in range(20):
            world = RingWorld.ideal(range(0, 80, 10), 3, Random(seed))
            for leaver in (20, 30):
                world.rings[Identifier(leaver)].receive(Left())
                world.fail(leaver)
            self.assertTrue(world.settle())
            self.assertEqual(world.broken, set())

    def test_services_heal_after_two_neighbours_left_without_a_word(self) -> None:
        mesh = Mesh(PAPERS, 8)
        self.addCleanup(mesh.stop)
        mesh.build(range(1, 9))
        mesh.clock.advance(5.0)
        one, other = mesh.identifiers()[3:5]
        for number in [number for number, node in mesh.nodes.items() if node.identifier in (one, other)]:
            mesh.kill(number, noticed=False)
        seconds = mesh.seconds_until(mesh.agreed, 10.0)
        self.assertIsNotNone(seconds, "the ring never heals")


class Stacks164Tests(SynchronousTestCase):
    """stacks-core issue 164: after a real partition the nodes never came back together."""

    def test_sides_that_forgot_each_other_for_an_hour_are_one_ring_again(self) -> None:
        mesh = Mesh(PAPERS, 6, coded=False)
        self.addCleanup(mesh.stop)
        mesh.build(range(1, 7))
        order = mesh.identifiers()
        mesh.network.partition([order[::2], order[1::2]])
        mesh.clock.advance(3600.0)
        self.assertEqual({len(node.service.live()) for node in mesh.nodes.values()}, {3})
        mesh.network.mend()
        self.assertIsNotNone(mesh.seconds_until(mesh.agreed, 30.0), "the sides stay apart")

    def test_a_side_that_restarted_meanwhile_finds_the_other_one(self) -> None:
        mesh = Mesh(PAPERS, 6)
        self.addCleanup(mesh.stop)
        mesh.build(range(1, 7))
        numbers = {node.identifier: number for number, node in mesh.nodes.items()}
        order = mesh.identifiers()
        mesh.network.partition([order[:3], order[3:]])
        mesh.clock.advance(60.0)
        kept = {numbers[node]: mesh.nodes[numbers[node]].service.table.dump() for node in order[3:]}
        for number in kept:
            mesh.kill(number, noticed=False)
        for number, table in kept.items():
            mesh.start(number, kept=table, sequence=2, seeds=())
        mesh.clock.advance(60.0)
        mesh.network.mend()
        self.assertIsNotNone(mesh.seconds_until(mesh.agreed, 30.0), "the sides stay apart")


class Scalaris59Tests(SynchronousTestCase):
    """Scalaris issue 59: a node alone after a suspension captures its neighbours' ranges; later data is lost."""

    def setUp(self) -> None:
        self.world = World(1, Scene(nodes=5, slots=1, replicas=2, repair_after=0.5, members=3), Formats())
        for number in range(5):
            self.world.start(number)
        self.world.clock.advance(2.0)

    def write(self, number: int, value: bytes) -> "Deferred[object]":
        life = self.world.machines[number].life
        assert life is not None
        return Deferred.fromCoroutine(life.service.change(KEY, lambda old: value, value, 3.0))

    def test_who_wakes_alone_captures_nothing_and_loses_nothing(self) -> None:
        written = self.write(0, b"before")
        self.world.clock.advance(5.0)
        self.successResultOf(written)
        others = [machine.node for machine in self.world.machines[1:]]
        self.world.network.partition([[self.world.machines[0].node], others])
        self.world.clock.advance(20.0)
        self.assertNotIn(self.world.machines[0].node, self.members())
        alone, together = self.write(0, b"captured"), self.write(1, b"after")
        self.world.clock.advance(20.0)
        self.failureResultOf(alone, NoQuorum, Moving)
        self.successResultOf(together)
        self.world.network.mend()
        self.world.clock.advance(30.0)
        for life in self.world.living():
            read = Deferred.fromCoroutine(life.service.read(KEY))
            self.world.clock.advance(5.0)
            self.assertEqual(self.successResultOf(read).value, b"after")

    def members(self) -> tuple[Identifier, ...]:
        newest = self.world.newest(0)
        assert newest is not None
        return newest.members

    def test_a_suspended_node_does_not_take_the_ring_for_its_own(self) -> None:
        world = RingWorld.ideal((0, 10, 20, 30), 3, Random(1))
        suspended = world.rings[Identifier(0)]
        suspended.receive(Stabilized())
        for node in (10, 20, 30):
            suspended.receive(Failed(Identifier(node)))
        self.assertEqual((suspended.successors, suspended.predecessor), ((), None))
        self.assertTrue(world.settle(hints=True))


class Rings786Tests(SynchronousTestCase):
    """RingsNetwork/rings issue 786: where lists are short, the last real entry was dropped with another one."""

    def test_a_short_list_keeps_its_last_live_entry(self) -> None:
        world = RingWorld.ideal((0, 10, 20), 16, Random(1))
        ring = world.rings[Identifier(0)]
        self.assertEqual(ring.successors, (10, 20))
        world.fail(10)
        world.feed(Identifier(0), Stabilized())
        world.drain()
        self.assertEqual(ring.successors, (20,))
        self.assertTrue(world.settle())
