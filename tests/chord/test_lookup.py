"""The iterative lookup over rings without a complete table."""

from bisect import bisect_left
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.lookup import MAX_HOPS, Walk, walk
from p2pchat.chord.routing import Step, finger_target, next_step
from p2pchat.errors import LookupFailed, TryElsewhere
from p2pchat.identifiers import BITS, CIRCLE, Identifier


class LookupTests(SynchronousTestCase):
    def setUp(self) -> None:
        random = Random(7)
        self.nodes = sorted(Identifier(random.randrange(CIRCLE)) for _ in range(200))
        self.random, self.clock = random, Clock()
        self.dead: set[Identifier] = set()

    def owner(self, point: Identifier) -> Identifier:
        live = [node for node in self.nodes if node not in self.dead]
        return live[bisect_left(live, point) % len(live)]

    async def ask(self, node: Identifier, point: Identifier, without: tuple[Identifier, ...]) -> Step:
        """Classic tables of a node that does not know who is dead: eight successors and the fingers."""
        self.clock.advance(0.01)
        if node in self.dead:
            raise TryElsewhere("dead")
        position = self.nodes.index(node)
        ahead = [self.nodes[(position + i) % len(self.nodes)] for i in range(1, 9)]
        fingers = {self.nodes[bisect_left(self.nodes, finger_target(node, i)) % len(self.nodes)] for i in range(BITS)}
        return next_step(node, point, [each for each in ahead if each not in without], fingers - {*without})

    def find(self, point: Identifier, start: Identifier) -> Walk:
        return self.successResultOf(Deferred.fromCoroutine(walk(point, [start], self.ask, self.clock)))

    def test_the_owner_is_found_in_few_hops(self) -> None:
        hops = 0
        for _ in range(200):
            point, start = Identifier(self.random.randrange(CIRCLE)), self.random.choice(self.nodes)
            found = self.find(point, start)
            self.assertEqual(found.owners[0], self.owner(point))
            self.assertEqual(found.hops[-1].identifier, found.named_by)
            hops += len(found.hops)
        self.assertLess(hops / 200, 6)

    def test_times_are_measured(self) -> None:
        found = self.find(Identifier(5), self.nodes[100])
        self.assertTrue(all(hop.milliseconds is not None and abs(hop.milliseconds - 10) < 1e-3 for hop in found.hops))

    def test_dead_nodes_on_the_way_cost_a_hop_and_no_more(self) -> None:
        self.dead = set(self.random.sample(self.nodes, 40))
        missed = 0
        for _ in range(100):
            point = Identifier(self.random.randrange(CIRCLE))
            start = self.random.choice([node for node in self.nodes if node not in self.dead])
            found = self.find(point, start)
            live = [node for node in found.owners if node not in self.dead]
            self.assertEqual(live[0], self.owner(point))
            missed += sum(hop.milliseconds is None for hop in found.hops)
        self.assertGreater(missed, 0)

    def test_it_goes_on_behind_owners_that_are_doubted(self) -> None:
        for _ in range(50):
            at = self.random.randrange(len(self.nodes))
            row = {self.nodes[(at + i) % len(self.nodes)] for i in range(5)}
            point, start = self.nodes[at], self.nodes[at - 60]
            lookup = Deferred.fromCoroutine(walk(point, [start], self.ask, self.clock, doubted=row.__contains__))
            owners = self.successResultOf(lookup).owners
            self.assertEqual(next(each for each in owners if each not in row), self.nodes[(at + 5) % len(self.nodes)])

    def test_if_all_are_doubted_the_first_stand(self) -> None:
        point = self.nodes[20]
        lookup = Deferred.fromCoroutine(walk(point, [self.nodes[9]], self.ask, self.clock, doubted=lambda _: True))
        self.assertEqual(self.successResultOf(lookup).owners[0], point)

    def test_when_nobody_answers_it_fails(self) -> None:
        self.dead = set(self.nodes)
        lookup = Deferred.fromCoroutine(walk(Identifier(5), self.nodes[:3], self.ask, self.clock))
        self.failureResultOf(lookup, LookupFailed)

    def test_liars_cannot_lead_it_on_for_ever(self) -> None:
        asked: list[Identifier] = []

        async def lie(node: Identifier, point: Identifier, without: tuple[Identifier, ...]) -> Step:
            asked.append(node)
            return Step(False, tuple(Identifier(self.random.randrange(CIRCLE)) for _ in range(3)))

        lookup = Deferred.fromCoroutine(walk(Identifier(5), self.nodes[:1], lie, self.clock))
        self.failureResultOf(lookup, LookupFailed)
        self.assertEqual(len(asked), MAX_HOPS)
