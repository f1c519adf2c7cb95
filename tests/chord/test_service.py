"""Services of several nodes over the simulated network: forming, healing, merging, what they tell about it."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.lookup import MAX_RECENT
from p2pchat.chord.status import NodeState
from p2pchat.errors import LookupFailed
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.simulation.mesh import Mesh, Node
from p2pchat.simulation.papers import Papers, address

PAPERS = Papers("services")


class MeshTestCase(SynchronousTestCase):
    """A mesh of the first `count` nodes; nothing fails in a way that no command declares."""

    count = 5

    def setUp(self) -> None:
        self.mesh = Mesh(PAPERS, self.count)
        self.addCleanup(self.finish)

    def finish(self) -> None:
        self.mesh.stop()
        self.assertEqual([each.getTraceback() for each in self.mesh.network.failures], [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def form(self) -> float:
        for number in range(1, self.count + 1):
            self.mesh.start(number, founder=number == 1)
        return self.until_agreed()

    def until_agreed(self, most: float = 60.0) -> float:
        """Virtual seconds until every node believes exactly the running ones live, and has its true neighbours."""
        seconds = self.mesh.seconds_until(self.mesh.agreed, most)
        if seconds is None:
            self.fail(f"they do not agree within {most} s")
        return seconds

    def owner(self, point: int) -> Identifier:
        order = self.mesh.identifiers()
        return next((node for node in order if node >= point), order[0])

    def settled(self, node: Node) -> None:
        """Long enough for everything that runs to end."""
        self.mesh.clock.advance(20.0)
        self.assertTrue(self.mesh.agreed(), node)


class FormingTests(MeshTestCase):
    def test_five_that_start_at_once_are_a_ring_within_three_seconds(self) -> None:
        self.assertLess(self.form(), 3.0)

    def test_one_alone_is_a_ring_of_one_only_as_the_founder(self) -> None:
        founder = self.mesh.start(1, founder=True)
        self.mesh.clock.advance(3.0)
        self.assertEqual((founder.service.state, founder.service.live()), (NodeState.READY, [founder.identifier]))
        self.assertEqual(founder.service.wanted(Identifier(5), 3), [founder.identifier])

    def test_who_may_not_found_waits_for_a_member(self) -> None:
        waiting = self.mesh.start(2)
        self.mesh.clock.advance(30.0)
        self.assertEqual((waiting.service.state, waiting.service.live()), (NodeState.JOINING, []))
        self.failureResultOf(Deferred.fromCoroutine(waiting.service.find_owner(Identifier(5))), LookupFailed)
        self.mesh.start(1, founder=True)
        self.assertLess(self.until_agreed(), 6.0)

    def test_an_address_heard_later_is_enough(self) -> None:
        self.mesh.start(1, founder=True)
        node = self.mesh.start(2, seeds=())
        self.mesh.clock.advance(5.0)
        node.service.hear(address(1))
        self.assertLess(self.until_agreed(), 6.0)

    def test_all_restart_with_what_they_kept_and_nobody_is_founder(self) -> None:
        self.form()
        kept = {number: node.service.table.dump() for number, node in self.mesh.nodes.items()}
        for number in kept:
            self.mesh.kill(number, noticed=False)
        for number in kept:
            self.mesh.start(number, kept=kept[number], sequence=2)
        self.assertLess(self.until_agreed(), 10.0)


class HealingTests(MeshTestCase):
    def test_a_killed_node_is_noticed_by_all_and_the_ring_closes(self) -> None:
        self.form()
        dead = self.mesh.kill(3)
        self.assertLess(self.until_agreed(), 3.0)
        self.assertFalse(any(node.service.is_live(dead) for node in self.mesh.nodes.values()))

    def test_a_silent_host_is_noticed_within_three_seconds(self) -> None:
        self.form()
        self.mesh.clock.advance(20.0)
        self.mesh.kill(2, noticed=False)
        self.assertLess(self.until_agreed(), 3.0)

    def test_two_die_at_once(self) -> None:
        self.form()
        for number in (2, 4):
            self.mesh.kill(number, noticed=False)
        self.assertLess(self.until_agreed(), 5.0)

    def test_the_last_one_left_is_a_ring_of_one_and_takes_others_back(self) -> None:
        self.form()
        for number in (1, 2, 3, 4):
            self.mesh.kill(number)
        self.assertLess(self.until_agreed(), 10.0)
        self.mesh.start(2, sequence=2)
        self.assertLess(self.until_agreed(), 10.0)

    def test_who_returns_under_a_new_address_is_accepted(self) -> None:
        self.form()
        self.mesh.kill(5)
        self.mesh.clock.advance(30.0)
        node = self.mesh.start(5, sequence=2, place=77, seeds=[address(1)])
        self.until_agreed(10.0)
        for other in self.mesh.nodes.values():
            record = other.service.record(node.identifier)
            self.assertEqual(record and record.ring_address, address(77))

    def test_a_changed_address_spreads_while_we_run(self) -> None:
        self.form()
        moved = PAPERS.record(2, 2, place=88)
        self.mesh.nodes[2].service.readdress(moved)
        self.mesh.clock.advance(5.0)
        for other in self.mesh.nodes.values():
            self.assertEqual(other.service.record(moved.identifier), moved)

    def test_leaving_is_known_at_once_and_is_no_suspicion(self) -> None:
        self.form()
        leaver = self.mesh.nodes[4]
        left = Deferred.fromCoroutine(leaver.service.leave())
        self.mesh.clock.advance(0.5)
        self.successResultOf(left)
        for number, node in self.mesh.nodes.items():
            self.assertIs(node.service.table.state(leaver.identifier), NodeState.LEAVING, number)
        self.mesh.kill(4)
        self.assertLess(self.until_agreed(), 3.0)

    def test_halves_of_a_partition_merge_again(self) -> None:
        self.form()
        order = [node.identifier for node in self.mesh.nodes.values()]
        self.mesh.network.partition([order[:2], order[2:]])
        self.mesh.clock.advance(30.0)
        for node in self.mesh.nodes.values():
            side = order[:2] if node.identifier in order[:2] else order[2:]
            self.assertEqual(node.service.live(), sorted(side))
        self.mesh.network.mend()
        self.assertLess(self.until_agreed(), 20.0)

    def test_a_node_that_one_other_cannot_reach_stays_live(self) -> None:
        self.form()
        one, two = self.mesh.nodes[1], self.mesh.nodes[2]
        self.mesh.network.cut(one.identifier, two.identifier)
        self.mesh.network.cut(two.identifier, one.identifier)
        self.mesh.clock.advance(30.0)
        for node in self.mesh.nodes.values():
            self.assertEqual(node.service.live(), self.mesh.identifiers())


class AskingTests(MeshTestCase):
    count = 8

    def test_owner_is_found_in_one_hop_at_most(self) -> None:
        self.form()
        self.mesh.clock.advance(10.0)
        for number, node in self.mesh.nodes.items():
            for i in range(8):
                point = Identifier((number * 37 + i) * (CIRCLE // 400))
                finding = Deferred.fromCoroutine(node.service.find_owner(point))
                self.mesh.clock.advance(1.0)
                found = self.successResultOf(finding)
                self.assertEqual(found.owner, self.owner(point))
                self.assertLessEqual(len(found.hops), 1)
                if node.service.me != found.owner:
                    last = node.service.lookups.recent[-1]
                    self.assertEqual(
                        (last.hops, last.owner), (tuple(hop.identifier for hop in found.hops), found.owner)
                    )
            self.assertLessEqual(len(node.service.lookups.recent), MAX_RECENT)

    def test_wanted_are_the_first_live_clockwise(self) -> None:
        self.form()
        order = self.mesh.identifiers()
        for node in self.mesh.nodes.values():
            self.assertEqual(node.service.wanted(Identifier(order[6] - 1), 3), [order[6], order[7], order[0]])
            self.assertEqual(node.service.wanted(order[2], 1), [order[2]])
            self.assertEqual(len(node.service.wanted(Identifier(0), 20)), 8)

    def test_changes_are_told(self) -> None:
        self.form()
        told: list[list[Identifier]] = []
        service = self.mesh.nodes[1].service
        service.on_change.append(lambda: told.append(service.live()))
        dead = self.mesh.kill(7)
        self.mesh.clock.advance(5.0)
        self.assertIn(dead, told[0])
        self.assertNotIn(dead, told[-1])

    def test_status_names_everything(self) -> None:
        self.form()
        self.mesh.kill(8)
        self.until_agreed()
        status = self.mesh.nodes[1].service.status()
        self.assertEqual(len(status.nodes), 8)
        self.assertEqual([node.identifier for node in status.nodes], sorted(node.identifier for node in status.nodes))
        self.assertEqual(sum(node.state is NodeState.DEAD for node in status.nodes), 1)
        self.assertEqual((status.me, status.state), (self.mesh.nodes[1].identifier, NodeState.READY))
        self.assertTrue(set(status.fingers) <= set(self.mesh.identifiers()) and status.fingers)

    def test_at_rest_a_node_asks_little(self) -> None:
        self.form()
        self.mesh.clock.advance(120.0)
        before = self.mesh.network.messages
        self.mesh.clock.advance(60.0)
        self.assertLess((self.mesh.network.messages - before) / 60 / 8, 8)

    def test_nothing_runs_after_stopping(self) -> None:
        self.form()
        services = [node.service for node in self.mesh.nodes.values()]
        for service in services:
            service.stopService()
        self.mesh.clock.advance(10.0)
        self.assertEqual(self.mesh.clock.getDelayedCalls(), [])


class LossTests(MeshTestCase):
    count = 12

    def test_twelve_agree_over_a_lossy_network(self) -> None:
        self.mesh.network.weather = type(self.mesh.network.weather)(0.001, 0.1, loss=0.03, lag=0.02)
        self.form()
        self.mesh.kill(6)
        self.mesh.kill(7, noticed=False)
        self.until_agreed()
