"""A ring with an authority: evictions reach nodes one after the other, and plans begin with what survivors have."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import NoQuorum
from p2pchat.identifiers import Identifier
from p2pchat.replication.formats import Formats
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.simulation.authority import Planned
from p2pchat.simulation.disk import MemoryStore
from p2pchat.simulation.governed import GovernedWorld
from p2pchat.simulation.operator import Operator
from p2pchat.simulation.world import Life, Scene

KEY = RegisterKey(Identifier(5), KIND_ACCOUNT)
DAY_SECONDS = 86_400.0


class GovernedTests(SynchronousTestCase):
    """Five nodes, of which three hold the only slot."""

    def setUp(self) -> None:
        scene = Scene(nodes=5, slots=1, replicas=2, repair_after=0.5, members=3, authority=True)
        self.world = GovernedWorld(3, scene, Formats())
        self.replaced: list[int] = []
        self.world.replaced = self.replaced.append
        for number in range(5):
            self.world.start(number)
        self.world.clock.advance(3.0)

    def life(self, number: int) -> Life:
        life = self.world.machines[number].life
        assert life is not None
        return life

    def lists(self) -> list[int]:
        """Which list of evictions each node that is up has."""
        return [life.belonging.evictions.number for life in self.world.living() if life.belonging is not None]

    def plans(self) -> list[int]:
        """Which generation each node that is up goes on in."""
        return [life.belonging.plan.number for life in self.world.living() if life.belonging is not None]

    def nodes(self, *numbers: int) -> list[Identifier]:
        return [self.world.machines[number].node for number in numbers]

    def write(self, number: int, value: bytes) -> "Deferred[object]":
        return Deferred.fromCoroutine(self.life(number).service.change(KEY, lambda old: value, value, 3.0))

    def read(self, number: int) -> bytes | None:
        read = Deferred.fromCoroutine(self.life(number).service.read(KEY))
        self.world.clock.advance(5.0)
        return self.successResultOf(read).value

    def test_nodes_of_the_other_side_hear_of_an_eviction_once_the_network_is_whole(self) -> None:
        self.world.network.partition([self.nodes(0, 1, 2), self.nodes(3, 4)])
        self.assertTrue(self.world.evict(2, self.life(0)))
        self.world.clock.advance(4.0)
        self.assertEqual((self.lists(), self.replaced), ([1, 1, 0, 0], [2]))
        self.assertEqual(len(self.world.behind()), 2)
        self.world.network.mend()
        self.world.clock.advance(10.0)
        self.assertEqual((self.lists(), self.world.behind()), ([1, 1, 1, 1], []))

    def test_an_evicted_node_that_nobody_told_learns_it_from_those_who_refuse_it(self) -> None:
        self.world.network.partition([self.nodes(0, 1, 3, 4), self.nodes(2)])
        self.assertTrue(self.world.evict(2, self.life(0)))
        self.world.clock.advance(4.0)
        self.assertEqual(self.replaced, [])
        self.world.network.mend()
        self.world.clock.advance(15.0)
        self.assertEqual(self.replaced, [2])

    def test_an_evicted_node_that_was_down_ends_at_its_start(self) -> None:
        self.assertTrue(self.world.evict(2, self.life(0)))
        part = self.life(2).belonging
        assert part is not None
        self.world.clock.run_while(lambda: not part.is_evicted, 10.0)
        self.world.crash(2)
        self.world.start(2)
        self.assertEqual((self.replaced, self.world.machines[2].life), ([2], None))

    def test_its_members_are_replaced_and_the_slot_goes_on(self) -> None:
        written = self.write(0, b"before")
        self.world.clock.advance(3.0)
        self.successResultOf(written)
        out = self.world.machines[2].node
        self.assertTrue(self.world.evict(2, self.life(0)))
        self.world.clock.advance(20.0)
        newest = self.world.newest(0)
        assert newest is not None
        self.assertNotIn(out, newest.members)
        self.assertEqual(self.read(1), b"before")

    def test_nobody_is_evicted_while_an_eviction_is_news_to_somebody(self) -> None:
        self.world.network.partition([self.nodes(0, 1, 2), self.nodes(3, 4)])
        self.assertTrue(self.world.evict(3, self.life(0)))
        self.world.clock.advance(5.0)
        self.assertFalse(self.world.evict(1, self.life(0)))

    def test_a_clock_that_is_days_behind_takes_nobody_for_a_node_of_the_ring(self) -> None:
        part = self.life(1).belonging
        assert part is not None
        self.assertTrue(part.admits(self.nodes(0)[0]))
        self.world.machines[1].ahead = -3 * DAY_SECONDS
        self.assertFalse(part.admits(self.nodes(0)[0]))
        self.assertFalse(self.world.evict(4, self.life(1)))

    def test_after_a_lost_majority_the_ring_goes_on_with_what_is_left(self) -> None:
        written = self.write(0, b"before")
        self.world.clock.advance(3.0)
        self.successResultOf(written)
        begun: list[tuple[Planned, dict[Identifier, MemoryStore]]] = []
        self.world.on_planned.append(lambda planned, stores: begun.append((planned, stores)))
        for number in (0, 1):
            self.world.give_away(number)
        refused = self.write(2, b"refused")
        self.world.clock.advance(5.0)
        self.failureResultOf(refused, NoQuorum)
        for number in (0, 1):
            self.world.start(number)
        Operator(self.world).give_up()
        self.world.clock.advance(20.0)
        [(planned, stores)] = begun
        self.assertEqual((planned.generation, planned.losses.doubtful), (1, (0,)))
        self.assertTrue(planned.is_in_doubt(0))
        held = [stores[node].register(KEY) for node in planned.sources(0)]
        self.assertEqual([each.content.value for each in held if each is not None], [b"before"])
        self.assertEqual(self.read(2), b"before")

    def test_the_operator_tries_again_until_everybody_is_accounted_for(self) -> None:
        for number in (0, 1):
            self.world.give_away(number)
            self.world.start(number)
        self.world.crash(3)
        Operator(self.world).give_up()
        self.world.clock.advance(15.0)
        self.assertEqual(self.plans(), [0, 0, 0, 0])
        self.world.start(3)
        self.world.clock.advance(30.0)
        self.assertEqual(self.plans(), [1, 1, 1, 1, 1])
