"""News of a big ring: each node hears it about once, and what is not so is believed by nobody for long."""

from collections import Counter
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.commands import POINT_BYTES, AnnounceNode, Ping
from p2pchat.chord.packing import pack
from p2pchat.chord.watch import CLOSE
from p2pchat.chord.weighing import SPOT_CHECKS, WHOLE_NODES
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.simulation.mesh import Mesh, Node
from p2pchat.simulation.papers import Papers

PAPERS = Papers("announcing")
COUNT = WHOLE_NODES + 8


def entry_of(node: Identifier, state: bytes, sequence: int = 1) -> bytes:
    """A packed entry of a node table."""
    return to_bytes(node) + sequence.to_bytes(8, "big") + state


def before(node: Node) -> bytes:
    """For the whole circle behind a node."""
    return to_bytes(node.identifier)[:POINT_BYTES]


class AnnouncingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mesh = Mesh(PAPERS, COUNT + 1, coded=False)
        self.addCleanup(self.finish)
        self.mesh.build(range(1, COUNT + 1))
        self.mesh.clock.advance(5.0)
        self.heard: Counter[str] = Counter()
        self.mesh.network.watch = self.count

    def count(self, node: Identifier, command: type[amp.Command], moment: str) -> None:
        self.heard[command.__name__] += moment == "arrived"

    def finish(self) -> None:
        self.mesh.stop()
        self.assertEqual([each.getTraceback() for each in self.mesh.network.failures], [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def ask(self, node: Node, **arguments: Any) -> dict[str, Any]:
        """Node 1 announces something to another one."""
        call = self.mesh.network.call_from(self.mesh.nodes[1].host)
        asking = Deferred.fromCoroutine(call(node.identifier, AnnounceNode, **arguments))
        self.mesh.clock.advance(10.0)
        answer: dict[str, Any] = self.successResultOf(asking)
        return answer

    def test_all_learn_of_a_death_and_each_hears_it_about_once(self) -> None:
        self.mesh.kill(7, noticed=False)
        self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 10.0))
        self.mesh.clock.advance(5.0)
        self.assertLess(self.heard["AnnounceNode"], 2 * COUNT)
        self.assertGreater(self.heard["AnnounceNode"], COUNT / 2)

    def test_all_learn_of_a_newcomer_without_asking_for_its_record(self) -> None:
        self.mesh.start(COUNT + 1, seeds=sorted(self.mesh.at)[:2])
        self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 10.0))
        self.mesh.clock.advance(5.0)
        self.assertLess(self.heard["AnnounceNode"], 2 * COUNT)
        self.assertLess(self.heard["FetchRecords"], COUNT / 2)

    def test_news_travels_over_the_same_links_whoever_began(self) -> None:
        """Otherwise each piece of news would cost new connections all over the ring."""
        pairs: set[tuple[Identifier, Identifier]] = set()
        for node in self.mesh.nodes.values():
            links = node.service._announcing.links()
            self.assertLessEqual(len(links), 2 * COUNT.bit_length())
            pairs.update((node.identifier, link) for link in links)
        told: set[tuple[Identifier, Identifier]] = set()
        for node in self.mesh.nodes.values():
            tell = node.service.announced

            def announced(caller: Identifier, *news: Any, me: Identifier = node.identifier, tell: Any = tell) -> bool:
                told.add((caller, me))
                return bool(tell(caller, *news))

            node.service.announced = announced  # type: ignore[assignment]
        for number in (7, 30, 50):
            self.mesh.kill(number, noticed=False)
            self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 30.0))
        alive = set(self.mesh.by)
        new = {pair for pair in told if set(pair) <= alive} - pairs
        self.assertLess(len(new), 3 * 8)  # a dead finger is replaced by the node behind it

    def test_only_those_near_it_and_some_others_ask_whether_news_is_true(self) -> None:
        many = 150
        mesh = Mesh(PAPERS, many + 1, coded=False)
        self.addCleanup(mesh.stop)
        mesh.build(range(1, many + 1))
        asked: Counter[Identifier] = Counter()

        def count(node: Identifier, command: type[amp.Command], moment: str) -> None:
            asked[node] += command is Ping and moment == "arrived"

        mesh.network.watch = count
        newcomer = mesh.start(many + 1, seeds=sorted(mesh.at)[:2])
        self.assertIsNotNone(mesh.seconds_until(mesh.agreed, 10.0))
        mesh.clock.advance(2.0)
        self.assertLess(asked[newcomer.identifier], 2 * CLOSE + 4 * SPOT_CHECKS)

    def test_a_lie_about_a_death_is_passed_on_once_and_corrected(self) -> None:
        victim, other = self.mesh.nodes[3], self.mesh.nodes[2]
        for _ in range(3):
            self.ask(other, entry=entry_of(victim.identifier, b"d"), until=before(other))
        self.assertLess(self.heard["AnnounceNode"], 3 * COUNT)
        for node in self.mesh.nodes.values():
            self.assertIn(victim.identifier, node.service.live())

    def test_a_lie_is_corrected_by_the_node_behind_the_victim(self) -> None:
        """No chance of spot checks is needed."""
        order = self.mesh.identifiers()
        victim, behind = order[10], self.mesh.by[order[11]]
        for node in self.mesh.nodes.values():
            node.service._weighing._chance.random = lambda: 1.0  # type: ignore[method-assign]
        self.ask(behind, entry=entry_of(victim, b"d"), until=before(behind))
        for node in self.mesh.nodes.values():
            self.assertIn(victim, node.service.live())

    def test_sequences_that_do_not_exist_are_no_news(self) -> None:
        victim, other = self.mesh.nodes[3], self.mesh.nodes[2]
        for sequence in (0, 2, 3):
            self.ask(other, entry=entry_of(victim.identifier, b"d", sequence), until=before(other))
        self.assertEqual(self.heard["AnnounceNode"], 3)

    def test_a_false_record_goes_no_further(self) -> None:
        stranger = replace(PAPERS.record(COUNT + 1), sequence=5)
        packed = pack(stranger.encode(), self.mesh.nodes[1].record.encode())
        other = self.mesh.nodes[2]
        self.ask(other, record=packed, until=before(other))
        self.assertEqual(self.heard["AnnounceNode"], 1)
        self.assertNotIn(stranger.identifier, other.service.table)

    def test_a_record_in_words_that_are_not_known_is_asked_for(self) -> None:
        """As after a change of the caller's address that the callee has not heard of."""
        other, stranger = self.mesh.nodes[2], PAPERS.record(COUNT + 1)
        packed = pack(stranger.encode(), bytes(reversed(self.mesh.nodes[1].record.encode())) + stranger.encode())
        self.assertEqual(self.ask(other, record=packed, until=before(other)), {"unread": True})
        for node in self.mesh.nodes.values():
            moved = PAPERS.record(node.number, 2, place=node.number + 500)
            node.service.table.learn(moved, 0.0, proven=True)  # each knows its own new record only
        self.mesh.start(COUNT + 1, seeds=sorted(self.mesh.at)[:2])
        self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 15.0))

    def test_nonsense_changes_nothing(self) -> None:
        other = self.mesh.nodes[2]
        unread: list[dict[str, Any]] = [{"record": b"nonsense"}, {}, {"entry": entry_of(Identifier(5), b"?")}]
        for news in unread:
            self.assertEqual(self.ask(other, until=before(other), **news), {"unread": True})
        self.ask(other, entry=entry_of(Identifier(5), b"r"), until=before(other))
        self.ask(other, entry=entry_of(other.identifier, b"d"), until=before(other))
        self.assertEqual(self.heard["AnnounceNode"], 5)
        self.assertTrue(self.mesh.agreed())

    def test_whom_no_news_reach_hears_it_by_comparing_tables(self) -> None:
        deaf = self.mesh.nodes[4]
        deaf.service.announced = lambda *news: True
        self.mesh.kill(9, noticed=False)
        self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 120.0))
