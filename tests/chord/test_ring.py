"""The corrected protocol: events, named counterexamples of the original, random runs, planted bugs."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.ring import (
    Action,
    Again,
    Answered,
    Ask,
    Check,
    Discovered,
    Failed,
    Founded,
    Isolated,
    JoinAgain,
    Joined,
    Left,
    Mode,
    Notified,
    Pended,
    Ring,
    Stabilized,
    Tell,
    View,
)
from p2pchat.identifiers import Identifier
from p2pchat.simulation.invariants import violations
from p2pchat.simulation.ringworld import MakeRing, RingWorld


def ids(*points: int) -> tuple[Identifier, ...]:
    return tuple(Identifier(point) for point in points)


def member(me: int, successors: tuple[int, ...], predecessor: int | None, length: int = 3) -> Ring:
    """A ring with this state."""
    return RingWorld(length, Random(1)).place(me, successors, predecessor)


A, B, C, D, E, F, G, H = ids(10, 20, 30, 40, 50, 60, 70, 80)


class EventTests(SynchronousTestCase):
    """One step at a time."""

    def test_founder_is_a_ring_of_one(self) -> None:
        ring = Ring(A)
        self.assertFalse(ring.member)
        self.assertEqual(ring.receive(Founded()), [])
        self.assertEqual((ring.head, ring.view()), (A, View(None, ())))
        self.assertEqual(ring.receive(Stabilized()), [])

    def test_join_copies_the_predecessors_whole_list_and_stabilizes_at_once(self) -> None:
        ring = Ring(B, 3)
        self.assertEqual(ring.receive(Joined(A, View(F, ids(30, 40, 50)))), [Ask(C)])
        self.assertEqual((ring.successors, ring.predecessor), (ids(30, 40, 50), A))

    def test_join_checks_the_answer_because_the_contact_may_have_moved(self) -> None:
        ring = Ring(D, 3)
        self.assertEqual(ring.receive(Joined(A, View(F, ids(30, 50, 60)))), [JoinAgain()])
        self.assertFalse(ring.member)

    def test_join_to_a_ring_of_one(self) -> None:
        ring = Ring(B)
        self.assertEqual(ring.receive(Joined(A, View(None, ()))), [Ask(A)])
        self.assertEqual((ring.successors, ring.padding), (ids(10), 0))

    def test_rejoin_where_an_old_pointer_to_us_is_left(self) -> None:
        ring = Ring(B, 3)
        self.assertEqual(ring.receive(Joined(A, View(F, ids(20, 40, 50)))), [Ask(D)])
        self.assertEqual((ring.successors, ring.padding), (ids(40, 50), 1))

    def test_a_short_list_goes_once_around_and_ends_before_us(self) -> None:
        ring = member(10, (20,), 30, length=16)
        ring.receive(Stabilized())
        ring.receive(Answered(B, View(A, ids(30, 10, 20))))
        self.assertEqual((ring.successors, ring.padding), (ids(20, 30), 0))

    def test_a_list_that_does_not_know_us_is_cut_where_it_passes_us(self) -> None:
        ring = member(10, (20,), 30, length=16)
        ring.receive(Stabilized())
        ring.receive(Answered(B, View(A, ids(30, 15))))
        self.assertEqual(ring.successors, ids(20, 30))

    def test_a_closer_candidate_is_asked_before_it_is_adopted(self) -> None:
        ring = member(10, (30, 40, 50), 60)
        self.assertEqual(ring.receive(Stabilized()), [Ask(C)])
        self.assertEqual(ring.receive(Answered(C, View(B, ids(40, 50, 60)))), [Ask(B)])
        self.assertEqual(ring.head, C)
        self.assertEqual(ring.receive(Answered(B, View(A, ids(30, 40, 50)))), [Tell(B)])
        self.assertEqual(ring.successors, ids(20, 30, 40))

    def test_a_dead_candidate_is_not_adopted(self) -> None:
        ring = member(10, (30, 40, 50), 60)
        ring.receive(Stabilized())
        ring.receive(Answered(C, View(B, ids(40, 50, 60))))
        self.assertEqual(ring.receive(Failed(B)), [Tell(C)])
        self.assertEqual(ring.successors, ids(30, 40, 50))

    def test_while_we_ask_others_hear_pending(self) -> None:
        ring = member(10, (30, 40, 50), 60)
        ring.receive(Stabilized())
        self.assertIsNone(ring.view())
        ring.receive(Answered(C, View(A, ids(40, 50, 60))))
        self.assertEqual(ring.view(), View(F, ids(30, 40, 50)))

    def test_pending_is_tried_again_and_is_no_death(self) -> None:
        ring = member(10, (30, 40, 50), 60)
        ring.receive(Stabilized())
        self.assertEqual(ring.receive(Pended(C)), [Again()])
        self.assertEqual((ring.mode, ring.successors), (Mode.IDLE, ids(30, 40, 50)))

    def test_a_dead_head_leaves_a_placeholder_until_the_next_answer(self) -> None:
        ring = member(10, (20, 30, 40), 60)
        ring.receive(Stabilized())
        self.assertEqual(ring.receive(Failed(B)), [Ask(C)])
        self.assertEqual((ring.successors, ring.padding), (ids(30, 40), 1))
        ring.receive(Answered(C, View(A, ids(40, 50, 60))))
        self.assertEqual((ring.successors, ring.padding), (ids(30, 40, 50), 0))

    def test_placeholders_travel_with_a_list(self) -> None:
        ring = member(10, (20, 30, 40), 60)
        ring.receive(Stabilized())
        ring.receive(Answered(B, View(A, ids(30), 2)))
        self.assertEqual((ring.successors, ring.padding), (ids(20, 30), 1))

    def test_without_any_successor_we_are_isolated_and_say_so(self) -> None:
        ring = member(10, (20,), 20, length=16)
        ring.receive(Stabilized())
        self.assertEqual(ring.receive(Failed(B)), [Isolated()])
        self.assertEqual((ring.successors, ring.predecessor), ((), None))

    def test_a_better_predecessor_is_taken_at_once(self) -> None:
        ring = member(40, (50, 60, 10), 10)
        self.assertEqual(ring.receive(Notified(C)), [])
        self.assertEqual(ring.predecessor, C)

    def test_a_worse_one_only_if_ours_is_dead(self) -> None:
        ring = member(40, (50, 60, 10), 30)
        self.assertEqual(ring.receive(Notified(B)), [Check(C)])
        self.assertEqual(ring.receive(Failed(C)), [])
        self.assertEqual(ring.predecessor, B)

    def test_a_notify_while_busy_is_kept_and_the_closest_wins(self) -> None:
        ring = member(40, (50, 60, 10), 10)
        ring.receive(Stabilized())
        for candidate in (B, C, B):
            self.assertEqual(ring.receive(Notified(candidate)), [])
        self.assertEqual(ring.predecessor, A)
        ring.receive(Answered(E, View(D, ids(60, 10, 40))))
        self.assertEqual(ring.predecessor, C)

    def test_a_known_predecessor_is_forgotten_when_it_dies(self) -> None:
        ring = member(40, (50, 60, 10), 30)
        ring.receive(Failed(C))
        self.assertIsNone(ring.predecessor)

    def test_a_discovered_node_is_asked_only_if_it_is_closer(self) -> None:
        ring = member(10, (30, 40, 50), 60)
        self.assertEqual(ring.receive(Discovered(D)), [])
        self.assertEqual(ring.receive(Discovered(B)), [Ask(B)])

    def test_answers_that_nobody_waits_for_change_nothing(self) -> None:
        ring = member(10, (20, 30, 40), 60)
        before = ring.view()
        self.assertEqual(ring.receive(Answered(C, View(None, ids(70)))), [])
        self.assertEqual(ring.view(), before)

    def test_after_leaving_nothing_is_heard(self) -> None:
        ring = member(10, (20, 30, 40), 60)
        ring.receive(Left())
        self.assertEqual(ring.receive(Notified(E)), [])
        self.assertFalse(ring.member)


class CounterexampleTests(SynchronousTestCase):
    """Where the Chord of 2001 breaks (Zave, CCR 42(2), 2012, and TSE 2017, Fig. 3)."""

    def world(self, members: tuple[int, ...], length: int = 2, seed: int = 1) -> RingWorld:
        return RingWorld.ideal(members, length, Random(seed))

    def finish(self, world: RingWorld) -> None:
        self.assertTrue(world.settle())
        self.assertEqual(world.broken, set())

    def test_figure_2_joiners_merge_in_order(self) -> None:
        world = self.world((0, 40, 80))
        for newcomer in (10, 20, 30):
            self.assertTrue(world.join(newcomer))
        self.finish(world)

    def test_figure_3_failure_and_update_keep_an_appendage_in_order(self) -> None:
        world = self.world((0, 40, 60, 80))
        self.assertTrue(world.join(20))
        self.assertTrue(world.join(30))
        self.assertTrue(world.may_fail(Identifier(40)))
        world.fail(40)
        self.finish(world)

    def test_figure_4_no_stale_second_successor(self) -> None:
        world = self.world((0, 20, 40, 60))
        world.join(30)
        world.drain()
        world.fail(20)
        world.join(10)
        self.finish(world)

    def test_figure_5_joiner_survives_its_first_successor(self) -> None:
        world = self.world((0, 40, 60, 80))
        self.assertTrue(world.join(20))
        world.fail(40)
        self.finish(world)

    def test_figure_6_no_live_successor_is_replaced_by_a_dead_one(self) -> None:
        world = self.world((0, 40, 60, 80))
        world.join(20)
        world.drain()
        world.feed(Identifier(0), Stabilized())
        world.fail(20)
        self.finish(world)

    def test_figures_7_and_8_second_successors_are_promoted_together(self) -> None:
        for members in ((0, 20, 40), (0, 20, 40, 60)):
            for seed in range(20):
                world = self.world(members, seed=seed)
                newcomers = [each + 10 for each in members]
                for newcomer in newcomers:
                    self.assertTrue(world.join(newcomer))
                for _ in range(world.random.randrange(3)):
                    world.drain()
                    world.feed(world.random.choice(ids(*members)), Stabilized())
                for newcomer in newcomers:
                    if world.may_fail(Identifier(newcomer)):
                        world.fail(newcomer)
                self.finish(world)

    def test_every_second_node_dies_at_once(self) -> None:
        world = self.world(tuple(range(0, 80, 10)), length=3)
        for victim in (10, 30, 50, 70):
            self.assertTrue(world.may_fail(Identifier(victim)) or len(world.rings) == 4)
            if world.may_fail(Identifier(victim)):
                world.fail(victim)
        self.finish(world)

    def test_tse_figure_3_the_only_contact_of_two_joiners_dies(self) -> None:
        world = RingWorld(2, Random(1))
        world.place(48, (), None)
        for newcomer in (10, 20):
            self.assertTrue(world.join(newcomer))
        world.fail(48)
        world.drain()
        self.assertEqual([world.rings[node].successors for node in ids(10, 20)], [(), ()])
        world.feed(Identifier(10), Discovered(Identifier(20)))
        self.assertTrue(world.settle())

    def test_two_rings_that_a_partition_made_become_one(self) -> None:
        world = RingWorld(16, Random(3))
        for side in ((10, 30, 50), (20, 40)):
            apart = RingWorld.ideal(side, 16, Random(1))
            world.rings.update(apart.rings)
        for node, met in zip(ids(10, 20, 30, 40, 50), ids(20, 30, 40, 50, 10), strict=True):
            world.feed(node, Discovered(met))
        self.assertTrue(world.settle())


class AdoptsUnseen(Ring):
    """Planted bug: adopts a candidate without contact."""

    def _follow(self, candidate: Identifier) -> list[Action]:
        self._adopt(candidate, View(None, self.successors[1:], self.padding))
        return [Tell(candidate), *self._settle()]


class NoPlaceholder(Ring):
    """Planted bug: closes up a list that lost its head with what it happens to know, its predecessor."""

    def _drop_head(self) -> None:
        self.successors = self.successors[1:]
        if self.predecessor is not None and self.predecessor not in self.successors:
            self.successors = (*self.successors, self.predecessor)


class JoinsWithOneEntry(Ring):
    """Planted bug: a newcomer knows its first successor only."""

    def _joined_list(self, contact: Identifier, list_: tuple[Identifier, ...], padding: int) -> tuple[Identifier, ...]:
        return super()._joined_list(contact, list_, padding)[:1]


class NotifiesOldSuccessor(Ring):
    """Planted bug (as in verdi-chord's text): tells the successor that it had, not the one that it adopted."""

    def _take(self, node: Identifier, view: View) -> list[Action]:
        before = self.head
        actions = super()._take(node, view)
        return [Tell(before) if each == Tell(node) and before != node else each for each in actions]


class DropsBusyNotify(Ring):
    """Planted bug: a notify that comes while busy is lost."""

    def _hear_notify(self, candidate: Identifier) -> list[Action]:
        return super()._hear_notify(candidate) if self.mode is Mode.IDLE else []


def run(make: MakeRing, seed: int, events: int = 120) -> tuple[RingWorld, bool]:
    """One random run of 4 to 9 nodes, r = 2 or 3, and whether it became ideal afterwards."""
    random = Random(seed)
    length, points = 2 + seed % 2, random.choice((16, 32, 64))
    start = random.sample(range(points), length + 1 + random.randrange(3))
    world = RingWorld.ideal(start, length, random, make)
    world.points = points
    world.run(events)
    return world, world.settle()


class RandomTests(SynchronousTestCase):
    """4 to 9 nodes, r = 2 or 3, all orders of messages, perfect failure detection."""

    def test_no_predicate_is_ever_false_and_the_ring_becomes_ideal(self) -> None:
        events = 0
        for seed in range(40):
            world, ideal = run(Ring, seed)
            self.assertEqual((seed, world.broken, ideal), (seed, set(), True))
            events += world.events
        self.assertGreater(events, 5_000)

    def test_planted_bugs_break_a_predicate(self) -> None:
        for make in (AdoptsUnseen, NoPlaceholder, JoinsWithOneEntry):
            caught = any(run(make, seed)[0].broken for seed in range(20))
            self.assertTrue(caught, make.__doc__)

    def test_notifying_the_old_successor_is_caught(self) -> None:
        ring = RingWorld(3, Random(1), NotifiesOldSuccessor).place(10, (30, 40, 50), 60)
        ring.receive(Stabilized())
        ring.receive(Answered(C, View(B, ids(40, 50, 60))))
        self.assertNotEqual(ring.receive(Answered(B, View(A, ids(30, 40, 50)))), [Tell(B)])

    def test_a_dropped_notify_is_caught(self) -> None:
        rounds = [self._rounds_until_heard(make) for make in (Ring, DropsBusyNotify)]
        self.assertEqual(rounds, [True, False])

    def _rounds_until_heard(self, make: MakeRing) -> bool:
        """Whether a node that is always busy when it hears its predecessor learns of it all the same."""
        ring = RingWorld(3, Random(1), make).place(40, (50, 60, 10), 10)
        for _ in range(5):
            ring.receive(Stabilized())
            ring.receive(Notified(C))
            ring.receive(Answered(E, View(D, ids(60, 10, 40))))
        return ring.predecessor == C


class OracleTests(SynchronousTestCase):
    def test_an_ideal_ring_violates_nothing(self) -> None:
        world = RingWorld.ideal((0, 10, 20, 30), 3, Random(1))
        self.assertEqual(violations(world.snapshot(), 3), [])
        self.assertTrue(world.ideal_now())
