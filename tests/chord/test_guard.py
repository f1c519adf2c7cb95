"""Neighbours in a big ring: both are asked in time, together about once, and a silent one is dead within 3 seconds."""

from random import Random
from statistics import mean

from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.commands import Ping
from p2pchat.chord.guard import AHEAD_SECONDS
from p2pchat.chord.status import NodeState
from p2pchat.chord.weighing import WHOLE_NODES
from p2pchat.identifiers import Identifier
from p2pchat.simulation.mesh import Mesh
from p2pchat.simulation.papers import Papers

PAPERS = Papers("guard")
COUNT = WHOLE_NODES + 20


class GuardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mesh = Mesh(PAPERS, COUNT, coded=False)
        self.addCleanup(self.mesh.stop)
        self.mesh.build(range(1, COUNT + 1))
        self.mesh.clock.advance(30.0)
        self.asked = 0
        self.mesh.network.watch = self.count

    def count(self, node: Identifier, command: type[amp.Command], moment: str) -> None:
        self.asked += command is Ping and moment == "arrived"

    def test_two_neighbours_exchange_one_question_in_a_while(self) -> None:
        self.mesh.clock.advance(60.0)
        self.assertLess(self.asked / 60.0 / COUNT, 1.0 / AHEAD_SECONDS + 0.15)
        self.assertTrue(self.mesh.agreed())

    def test_a_silent_neighbour_is_dead_within_three_seconds(self) -> None:
        chance, took = Random("guard"), list[float]()
        for _ in range(12):
            order = self.mesh.identifiers()
            at = chance.randrange(len(order))
            number = self.mesh.by[order[at]].number
            around = [self.mesh.by[order[at - 1]], self.mesh.by[order[(at + 1) % len(order)]]]
            self.mesh.clock.advance(chance.uniform(5.0, 7.0))
            dead = self.mesh.kill(number, noticed=False)

            def gone(dead: Identifier = dead, around: list = around) -> bool:  # type: ignore[type-arg]
                return all(node.service.table.state(dead) is NodeState.DEAD for node in around)

            took.append(self.mesh.seconds_until(gone, 10.0) or 10.0)
        self.assertLessEqual(max(took), 3.0)
        self.assertLess(mean(took), 2.6)
        self.assertGreater(len(self.mesh.nodes), WHOLE_NODES)

    def test_several_in_a_row_die_at_once(self) -> None:
        order = self.mesh.identifiers()
        for node in order[10:16]:
            self.mesh.kill(self.mesh.by[node].number, noticed=False)
        self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 20.0))
