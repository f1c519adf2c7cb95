"""When members change: growth, repair, shrinking, better places."""

from collections.abc import Sequence
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.plan import View, Walks, is_sound, members_without, next_members, target_size

NOW = 1000.0


def nodes(*numbers: int) -> tuple[Identifier, ...]:
    return tuple(Identifier(number) for number in numbers)


def plan(
    members: Sequence[int],
    walk: Sequence[int],
    young: Sequence[int] = (),
    lost_for: float = 20.0,
    slow: Sequence[int] = (),
) -> tuple[Identifier, ...] | None:
    """`young` nodes have been there for a second, other live ones for 1,000; the rest has been lost.

    `slow` ones make no progress with copies.
    """
    live_since = {Identifier(node): NOW - (1.0 if node in young else 1000.0) for node in walk}
    lost_since = {Identifier(member): NOW - lost_for for member in members if member not in walk}
    view = View(NOW, live_since, lost_since, 15.0, frozenset(nodes(*slow)))
    return next_members(Configuration(3, nodes(*sorted(members))), nodes(*walk), view, replicas=4)


class TargetTests(SynchronousTestCase):
    def test_odd_and_at_most_what_lives(self) -> None:
        self.assertEqual([target_size(live, 4) for live in range(1, 8)], [1, 1, 3, 3, 5, 5, 5])
        self.assertEqual([target_size(9, replicas) for replicas in (0, 2, 4, 6)], [1, 3, 5, 7])


class GrowthTests(SynchronousTestCase):
    def test_two_nodes_move_nothing(self) -> None:
        self.assertIsNone(plan([1], [1, 2]))

    def test_one_to_three_to_five_with_the_nearest(self) -> None:
        self.assertEqual(plan([3], [1, 2, 3, 4, 5]), nodes(1, 2, 3))
        self.assertEqual(plan([1, 2, 3], [3, 4, 5, 1, 2]), nodes(1, 2, 3, 4, 5))

    def test_newcomers_wait_until_they_have_answered_for_a_while(self) -> None:
        self.assertIsNone(plan([1], [1, 2, 3], young=[3]))

    def test_four_nodes_hold_three_copies(self) -> None:
        self.assertIsNone(plan([1, 2, 3], [1, 2, 3, 4]))


class RepairTests(SynchronousTestCase):
    def test_a_lost_member_is_replaced(self) -> None:
        self.assertEqual(plan([1, 2, 3, 4, 5], [1, 2, 3, 4, 6]), nodes(1, 2, 3, 4, 6))

    def test_not_before_its_time(self) -> None:
        self.assertIsNone(plan([1, 2, 3, 4, 5], [1, 2, 3, 4, 6], lost_for=14.0))

    def test_without_newcomers_five_go_on_with_four(self) -> None:
        self.assertIsNone(plan([1, 2, 3, 4, 5], [1, 2, 3, 4]))

    def test_five_shrink_to_three_when_exactly_those_are_left(self) -> None:
        self.assertEqual(plan([1, 2, 3, 4, 5], [1, 2, 3]), nodes(1, 2, 3))

    def test_three_never_shrink(self) -> None:
        self.assertIsNone(plan([1, 2, 3], [1, 2]))

    def test_a_minority_does_nothing(self) -> None:
        self.assertIsNone(plan([1, 2, 3, 4, 5], [1, 2, 6, 7, 8]))

    def test_one_of_two_lost_is_replaced_when_one_is_there(self) -> None:
        self.assertEqual(plan([1, 2, 3, 4, 5], [1, 2, 3, 6]), nodes(1, 2, 3, 5, 6))


class SlowTests(SynchronousTestCase):
    """Another node is chosen instead of one that makes no progress; without another one, nothing changes."""

    def test_growth(self) -> None:
        self.assertEqual(plan([3], [1, 2, 3, 4, 5], slow=[1]), nodes(2, 3, 4))
        self.assertIsNone(plan([3], [1, 2, 3], slow=[1]))

    def test_repair(self) -> None:
        self.assertEqual(plan([1, 2, 3, 4, 5], [1, 2, 3, 4, 6, 7], slow=[6]), nodes(1, 2, 3, 4, 7))
        self.assertIsNone(plan([1, 2, 3, 4, 5], [1, 2, 3, 4, 6], slow=[6]))

    def test_better_places(self) -> None:
        self.assertEqual(plan([3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7], slow=[1]), nodes(2, 3, 4, 5, 6))

    def test_a_member_that_is_slow_stays(self) -> None:
        self.assertIsNone(plan([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], slow=[2]))


class PlaceTests(SynchronousTestCase):
    def test_better_places_a_minority_at_a_time(self) -> None:
        self.assertEqual(plan([3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7]), nodes(1, 2, 3, 4, 5))
        self.assertEqual(plan([3, 4, 5, 6, 7], [1, 2, 8, 3, 4, 5, 6, 7]), nodes(1, 2, 3, 4, 5))

    def test_young_nodes_replace_nobody(self) -> None:
        self.assertIsNone(plan([2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], young=[1]))


class VoteTests(SynchronousTestCase):
    """What members vote for: all of these plans, and nothing by which one node could take a slot away."""

    def votes(self, before: Sequence[int], after: Sequence[int], proposer: int, dead: Sequence[int] = ()) -> bool:
        configuration = Configuration(3, nodes(*before))
        return is_sound(configuration, nodes(*after), Identifier(proposer), lambda node: node not in dead)

    def test_growth_repair_and_better_places(self) -> None:
        self.assertTrue(self.votes([1], [1, 2, 3], 1))
        self.assertTrue(self.votes([1, 2, 3, 4, 5], [1, 2, 3, 6, 7], 1, dead=[4, 5]))
        self.assertTrue(self.votes([1, 2, 3, 4, 5], [1, 2, 3], 1, dead=[4, 5]))
        self.assertTrue(self.votes([3, 4, 5, 6, 7], [1, 2, 3, 4, 5], 3))

    def test_handing_over(self) -> None:
        self.assertTrue(self.votes([1], [2], 1))
        self.assertTrue(self.votes([1, 2], [2], 1))
        self.assertTrue(self.votes([1, 2, 3], [2, 3], 1))
        self.assertTrue(self.votes([1, 2, 3, 4, 5], [2, 3, 4], 1))
        self.assertTrue(self.votes([1, 2, 3, 4, 5], [2, 3], 1, dead=[4, 5]))

    def test_nobody_takes_a_slot_away(self) -> None:
        for before, after, dead in (
            ([1], [9], ()),
            ([1, 2, 3, 4, 5], [9], ()),
            ([1, 2, 3, 4, 5], [1, 2, 9], ()),
            ([1, 2, 3, 4, 5], [1, 2, 3], ()),
            ([1, 2, 3, 4, 5], [1, 2, 7, 8, 9], ()),
            ([1, 2, 3, 4, 5], [1, 2, 3, 8, 9], [8]),
            ([1, 2, 9], [9], ()),
            ([1, 2, 9], [1, 9], ()),
        ):
            self.assertFalse(self.votes(before, after, 9, dead), (before, after))

    def test_every_plan_is_voted_for(self) -> None:
        chance = Random(1)
        for _ in range(3_000):
            live = chance.sample(range(1, 12), chance.randint(1, 9))
            members = nodes(*sorted(chance.sample(range(1, 12), chance.choice((1, 2, 3, 4, 5)))))
            walk = nodes(*live)
            since = dict.fromkeys(walk, NOW - 1000.0)
            lost = {node: NOW - chance.choice((5.0, 20.0)) for node in members if node not in since}
            view, configuration = View(NOW, since, lost, 15.0), Configuration(3, members)
            plans = [(next_members(configuration, walk, view, 4), Identifier(99))]
            plans += [(members_without(node, configuration, walk, view), node) for node in members if node in since]
            for after, proposer in plans:
                if after is not None:
                    sound = is_sound(configuration, after, proposer, since.__contains__)
                    self.assertTrue(sound, (members, live, after, proposer))


class WalkTests(SynchronousTestCase):
    def test_walks_begin_at_the_point_and_go_round(self) -> None:
        walks = Walks(nodes(30, 10, 20), 2)
        self.assertEqual(walks.walk(walks.place(Identifier(10))), nodes(10, 20))
        self.assertEqual(walks.walk(walks.place(Identifier(25))), nodes(30, 10))
        self.assertEqual(walks.walk(walks.place(Identifier(31))), nodes(10, 20))
