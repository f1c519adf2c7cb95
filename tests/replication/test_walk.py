"""A walk through another member's slots: little travels where little differs, and all that differs comes."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.configuration import SlotRecord, State
from p2pchat.replication.transfers import Position, PullReply, PullRequest, SlotTree
from p2pchat.replication.uset import ItemState, StoredItem
from p2pchat.replication.walk import Walk

from .cases import POINT, SLOTS, THREE, A, B, Lone, item_id

MANY = 600
"""Items of a slot: enough for its tree to travel instead of a list of everything."""


class Other:
    """The way to another member, of whom each answer is noted."""

    def __init__(self, member: Lone) -> None:
        self.member = member
        self.asked: list[PullRequest] = []
        self.pages: list[PullReply] = []

    async def attempt(self, node: Identifier, request: PullRequest, seconds: float) -> Any:
        self.asked.append(request)
        self.pages.append(self.member.ask(request, B))
        return self.pages[-1]


class WalkCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.mine, self.theirs = self.member(B), self.member(A)
        self.other = Other(self.theirs)
        self.listed: set[tuple[Identifier, bytes]] = set()
        self.finished: list[int] = []

    def member(self, me: Identifier) -> Lone:
        lone = Lone(me)
        for slot in range(SLOTS):
            lone.store.put_slot(SlotRecord(slot, THREE, State.ACTIVE))
        return lone

    def put(self, lone: Lone, numbers: Sequence[int], point: Identifier = POINT) -> None:
        def turn(store: Any) -> None:
            for number in numbers:
                store.put_item(point, StoredItem(item_id(number), ItemState.PRESENT, 1, b"text"))

        lone.store.commit([turn])

    def walk(self, slots: Sequence[int] = (0,)) -> bool:
        """Whether the walk came to its end."""
        return bool(self.successResultOf(self.start(slots)))

    def start(self, slots: Sequence[int] = (0,)) -> Deferred[bool]:
        def turns(turn: Any) -> Deferred[Any]:
            result = self.mine.store.commit([lambda store: turn(store, [])])[0]
            if hasattr(result, "raiseException"):
                result.raiseException()
            return succeed(result)

        async def keep(page: PullReply) -> bool:
            self.listed.update((each.point, each.id) for each in page.items)
            return True

        async def done(page: PullReply, slots: tuple[int, ...]) -> None:
            self.finished.extend(slots)

        way: Any = self.other
        walk = Walk(way, self.mine.member, turns, lambda slot, known, node: None, A, THREE)
        return Deferred.fromCoroutine(
            walk.run(lambda: [slot for slot in slots if slot not in self.finished], keep, done)
        )

    def numbers(self) -> set[int]:
        return {int.from_bytes(each, "big") for _, each in self.listed}


class AmountTests(WalkCase):
    def test_of_a_large_slot_only_the_buckets_that_differ_are_listed(self) -> None:
        self.put(self.theirs, range(MANY))
        self.put(self.mine, [number for number in range(MANY) if number != 77])
        self.assertTrue(self.walk())
        self.assertEqual(self.numbers(), {number for number in range(MANY) if number % 256 == 77})
        self.assertEqual((self.finished, len(self.other.asked)), ([0], 2))
        self.assertEqual([each.buckets for each in self.other.asked], [(), (bytes([77]),)])

    def test_of_what_is_the_same_nothing_is_listed(self) -> None:
        for lone in (self.mine, self.theirs):
            self.put(lone, range(MANY))
        self.assertTrue(self.walk())
        self.assertEqual((self.listed, self.finished, len(self.other.asked)), (set(), [0], 1))

    def test_who_has_more_is_told_nothing_of_it(self) -> None:
        self.put(self.theirs, range(MANY))
        self.put(self.mine, range(MANY))
        self.put(self.mine, [5_000 * 256])
        self.assertTrue(self.walk())
        self.assertLess(len(self.listed), 5)
        self.assertEqual(self.finished, [0])

    def test_a_small_slot_is_listed_at_once(self) -> None:
        self.put(self.theirs, range(20))
        self.put(self.mine, range(19))
        self.assertTrue(self.walk())
        self.assertEqual((len(self.listed), len(self.other.asked), self.finished), (20, 1, [0]))

    def test_who_has_nothing_needs_no_tree(self) -> None:
        self.put(self.theirs, range(MANY))
        self.assertTrue(self.walk())
        self.assertEqual(self.numbers(), set(range(MANY)))
        self.assertEqual([page.trees for page in self.other.pages], [()] * len(self.other.pages))
        self.assertEqual(self.finished, [0])

    def test_many_large_slots_in_few_questions(self) -> None:
        points = [Identifier((2 * slot + 1) * CIRCLE // 8) for slot in range(SLOTS)]
        for slot, point in enumerate(points):
            self.put(self.theirs, range(MANY), point)
            self.put(self.mine, range(slot + 1, MANY), point)
        self.assertTrue(self.walk(range(SLOTS)))
        lacked = {(point, item_id(number)) for slot, point in enumerate(points) for number in range(slot + 1)}
        self.assertLessEqual(lacked, self.listed)
        self.assertLess(len(self.listed), 40)
        self.assertEqual((sorted(self.finished), len(self.other.asked)), ([0, 1, 2, 3], 2))


class EverythingTests(WalkCase):
    @settings(max_examples=30, deadline=None)
    @given(st.sets(st.integers(0, 900)), st.sets(st.integers(0, 900)), st.integers(1, 4))
    def test_all_that_is_lacking_is_listed(self, mine: set[int], theirs: set[int], spread: int) -> None:
        self.setUp()
        self.put(self.mine, [number * spread for number in mine])
        self.put(self.theirs, [number * spread for number in theirs])
        self.assertTrue(self.walk())
        self.assertLessEqual({number * spread for number in theirs - mine}, self.numbers())
        self.assertEqual(self.finished, [0])


class HostileTests(WalkCase):
    def lie(self, *trees: SlotTree) -> None:
        async def attempt(node: Identifier, request: PullRequest, seconds: float) -> PullReply:
            self.other.asked.append(request)
            return PullReply(full=(0,), trees=trees if request.digests else ())

        self.patch(self.other, "attempt", attempt)

    def test_trees_of_no_sound_member_end_the_walk(self) -> None:
        for tree in (SlotTree(0, b"half"), SlotTree(SLOTS, b""), SlotTree(0, 2 * (b"\x01" + bytes(16)))):
            self.lie(tree)
            self.failureResultOf(self.start(), Misbehaved)

    def test_a_tree_instead_of_a_list_counts_for_nothing(self) -> None:
        self.lie(SlotTree(0, b"\x01" + bytes(16)))
        self.other.asked.clear()
        self.assertTrue(self.walk())
        self.assertEqual([each.buckets for each in self.other.asked], [(), (b"\x01",)])

    def test_more_buckets_than_there_are_list_a_record_once(self) -> None:
        self.put(self.theirs, range(3))
        page = self.theirs.ask(PullRequest(THREE, (0,), None, (), (bytes(5_000),)), B)
        self.assertEqual([each.id for each in page.items], [item_id(0)])

    def test_a_page_that_goes_back_ends_the_walk(self) -> None:
        async def attempt(node: Identifier, request: PullRequest, seconds: float) -> PullReply:
            return PullReply(full=(0,), next=Position(POINT, 1))

        self.patch(self.other, "attempt", attempt)
        self.failureResultOf(self.start(), Misbehaved)
