"""News of a big ring: each node hears it about once, and believes only what it finds out itself."""

from collections import Counter
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.commands import Announce
from p2pchat.chord.packing import pack
from p2pchat.chord.spreading import WHOLE_NODES
from p2pchat.chord.status import NodeState
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.simulation.mesh import Mesh, Node
from p2pchat.simulation.papers import Papers

PAPERS = Papers("announcing")
COUNT = WHOLE_NODES + 8


def entry_of(node: Identifier, state: bytes, sequence: int = 1) -> bytes:
    """A packed entry of a node table."""
    return to_bytes(node) + sequence.to_bytes(8, "big") + state


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

    def ask(self, node: Node, **arguments: Any) -> None:
        """Node 1 announces something to another one."""
        call = self.mesh.network.call_from(self.mesh.nodes[1].host)
        asking = Deferred.fromCoroutine(call(node.identifier, Announce, **arguments))
        self.mesh.clock.advance(10.0)
        self.successResultOf(asking)

    def test_all_learn_of_a_death_and_each_hears_it_about_once(self) -> None:
        self.mesh.kill(7, noticed=False)
        self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 10.0))
        self.mesh.clock.advance(5.0)
        self.assertLess(self.heard["Announce"], 2 * COUNT)
        self.assertGreater(self.heard["Announce"], COUNT / 2)

    def test_all_learn_of_a_newcomer_without_asking_for_its_record(self) -> None:
        self.mesh.start(COUNT + 1, seeds=sorted(self.mesh.at)[:2])
        self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 10.0))
        self.mesh.clock.advance(5.0)
        self.assertLess(self.heard["Announce"], 2 * COUNT)
        self.assertLess(self.heard["FetchRecords"], COUNT / 2)

    def test_a_lie_about_a_death_is_passed_on_once_and_believed_by_nobody(self) -> None:
        victim, other = self.mesh.nodes[3], self.mesh.nodes[2]
        for _ in range(3):
            self.ask(other, entry=entry_of(victim.identifier, b"d"), until=other.identifier, record=None)
        self.assertLess(self.heard["Announce"], COUNT + 5)
        for node in self.mesh.nodes.values():
            self.assertIn(victim.identifier, node.service.live())

    def test_sequences_that_do_not_exist_are_no_news(self) -> None:
        victim, other = self.mesh.nodes[3], self.mesh.nodes[2]
        for sequence in (0, 2, 3):
            self.ask(other, entry=entry_of(victim.identifier, b"d", sequence), until=other.identifier, record=None)
        self.assertEqual(self.heard["Announce"], 3)

    def test_a_false_record_goes_no_further(self) -> None:
        stranger = replace(PAPERS.record(COUNT + 1), sequence=5)
        packed = pack(stranger.encode(), self.mesh.nodes[1].record.encode())
        other = self.mesh.nodes[2]
        entry = entry_of(stranger.identifier, b"r", 5)
        self.ask(other, entry=entry, until=other.identifier, record=packed)
        self.assertEqual(self.heard["Announce"], 1)
        self.assertNotIn(stranger.identifier, other.service.table)

    def test_nonsense_changes_nothing(self) -> None:
        other = self.mesh.nodes[2]
        self.ask(other, entry=entry_of(Identifier(5), b"?"), until=other.identifier, record=b"nonsense")
        self.ask(other, entry=entry_of(Identifier(5), b"r"), until=other.identifier, record=b"nonsense")
        self.ask(other, entry=entry_of(other.identifier, b"d"), until=other.identifier, record=None)
        self.assertEqual(self.heard["Announce"], 3)
        self.assertTrue(self.mesh.agreed())

    def test_whom_no_news_reach_hears_it_by_comparing_tables(self) -> None:
        deaf = self.mesh.nodes[4]
        deaf.service.announced = lambda *news: None
        self.mesh.kill(9, noticed=False)
        self.assertIsNotNone(self.mesh.seconds_until(self.mesh.agreed, 120.0))

    def test_tables_of_one_content_have_one_digest(self) -> None:
        digests = {node.service.table.digest() for node in self.mesh.nodes.values()}
        self.assertEqual(len(digests), 1)
        one = self.mesh.nodes[1].service.table
        one.set_state(self.mesh.nodes[2].identifier, NodeState.DEAD, 0.0)
        self.assertNotIn(one.digest(), digests)
        self.assertEqual(one.awake(), COUNT - 1)
