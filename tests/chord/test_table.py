"""The node table: records, states, changes, backoff, disk."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.status import NodeState
from p2pchat.chord.table import FORGET_SECONDS, KEPT_NODES, MAX_PAUSE_SECONDS, Hearsay, NodeTable, unpack
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Address, Identifier
from p2pchat.simulation.papers import Papers

PAPERS = Papers("table")
ONE, TWO, THREE, FOUR = (PAPERS.record(number) for number in (1, 2, 3, 4))
FALSE = replace(TWO, ring_address=Address("203.0.113.1", 1))


class TableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.checked: list[NodeRecord] = []
        self.table = NodeTable(self.check)

    def check(self, record: NodeRecord) -> None:
        self.checked.append(record)
        PAPERS.verify(record)

    def test_a_record_is_verified_once_when_it_is_needed(self) -> None:
        self.assertTrue(self.table.learn(ONE, 0.0))
        self.assertEqual(self.checked, [])
        self.assertEqual([self.table.record(ONE.identifier) for _ in range(3)], [ONE] * 3)
        self.assertEqual(self.checked, [ONE])

    def test_a_false_record_is_thrown_away(self) -> None:
        self.table.learn(FALSE, 0.0)
        self.assertIsNone(self.table.record(TWO.identifier))
        self.assertNotIn(TWO.identifier, self.table)

    def test_a_higher_sequence_brings_a_new_address(self) -> None:
        newer = PAPERS.record(1, 2, place=9)
        self.table.learn(ONE, 0.0)
        self.assertTrue(self.table.learn(newer, 0.0))
        self.assertFalse(self.table.learn(ONE, 0.0))
        self.assertEqual(self.table.record(ONE.identifier), newer)

    def test_a_false_record_does_not_replace_a_verified_one(self) -> None:
        self.table.learn(TWO, 0.0, proven=True)
        self.assertRaises(Misbehaved, self.table.learn, replace(FALSE, sequence=2), 0.0)
        self.assertEqual(self.table.record(TWO.identifier), TWO)

    def test_live_nodes_are_sorted_and_suspected_ones_count(self) -> None:
        for record in (ONE, TWO, THREE, FOUR):
            self.table.learn(record, 0.0)
        self.assertEqual(self.table.live(), [])
        self.table.set_state(ONE.identifier, NodeState.READY, 0.0)
        self.table.set_state(TWO.identifier, NodeState.SUSPECTED, 0.0)
        self.table.set_state(THREE.identifier, NodeState.LEAVING, 0.0)
        self.assertEqual(self.table.live(), sorted([ONE.identifier, TWO.identifier]))

    def test_first_live_goes_around_and_includes_the_point(self) -> None:
        for record in (ONE, TWO, THREE):
            self.table.learn(record, 0.0)
            self.table.set_state(record.identifier, NodeState.READY, 0.0)
        low, middle, high = self.table.live()
        self.assertEqual(self.table.first_live(middle, 2), [middle, high])
        self.assertEqual(self.table.first_live(Identifier(high + 1), 5), [low, middle, high])

    def test_pauses_between_questions_to_a_dead_node_double_up_to_a_limit(self) -> None:
        self.table.learn(ONE, 0.0, NodeState.DEAD)
        now, pauses = 0.0, []
        for _ in range(8):
            self.table.missed(ONE.identifier, now)
            due = next(later for later in range(1, 40) if self.table.due(now + later / 2)) / 2
            pauses.append(due)
            now += due
        self.assertEqual(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS])
        self.table.hasten(ONE.identifier, now)
        self.assertEqual(self.table.due(now), [ONE.identifier])

    def test_the_long_dead_are_forgotten(self) -> None:
        self.table.learn(ONE, 0.0, NodeState.DEAD)
        self.table.forget_dead(FORGET_SECONDS)
        self.assertIn(ONE.identifier, self.table)
        self.table.forget_dead(FORGET_SECONDS + 1)
        self.assertNotIn(ONE.identifier, self.table)

    def test_a_full_table_drops_its_oldest_dead_or_refuses(self) -> None:
        table = NodeTable(self.check, most=2)
        table.learn(ONE, 0.0, NodeState.DEAD)
        table.learn(TWO, 1.0, NodeState.READY)
        self.assertTrue(table.learn(THREE, 2.0, NodeState.READY))
        self.assertNotIn(ONE.identifier, table)
        self.assertFalse(table.learn(FOUR, 3.0))

    def test_a_full_table_forgets_those_far_away(self) -> None:
        """Lookups pass through nodes that had no room, and the neighbours stay."""
        papers, most = Papers("full table"), 2 * KEPT_NODES + 20
        records = sorted((papers.record(number) for number in range(1, 301)), key=lambda each: each.identifier)
        table, me = NodeTable(papers.verify, most), 150
        table.center = records[me].identifier
        order = [*records[me - KEPT_NODES // 2 : me + KEPT_NODES // 2], *records[:100], *records[200:]]
        for record in order:
            self.assertTrue(table.learn(record, 0.0, NodeState.READY, proven=True))
            self.assertIn(record.identifier, table)
            self.assertLessEqual(len(table), most)
        for record in records[me - KEPT_NODES // 2 : me + KEPT_NODES // 2]:
            self.assertIn(record.identifier, table)
        self.assertTrue(table.full)
        false = replace(papers.record(301), sequence=7)
        self.assertRaises(Misbehaved, table.learn, false, 0.0)
        self.assertEqual(table.live(), sorted(table.states()))

    def test_changes_are_paged_oldest_first(self) -> None:
        for record in (ONE, TWO, THREE):
            self.table.learn(record, 0.0)
        self.table.set_state(ONE.identifier, NodeState.READY, 0.0)
        entries, until, more = self.table.changes_after(0, 2)
        self.assertEqual([each.identifier for each in unpack(entries)], [TWO.identifier, THREE.identifier])
        self.assertTrue(more)
        entries, until, more = self.table.changes_after(until, 2)
        self.assertEqual(unpack(entries), [Hearsay(ONE.identifier, 1, NodeState.READY)])
        self.assertEqual((until, more), (self.table.changes, False))
        self.assertEqual(self.table.changes_after(until, 2), (b"", until, False))

    def test_suspicion_is_not_spread(self) -> None:
        self.table.learn(ONE, 0.0, NodeState.READY)
        changes = self.table.changes
        self.assertTrue(self.table.set_state(ONE.identifier, NodeState.SUSPECTED, 0.0))
        self.assertEqual(self.table.changes, changes)

    def test_what_we_lack(self) -> None:
        self.table.learn(ONE, 0.0)
        hearsay = [
            Hearsay(ONE.identifier, 1, NodeState.READY),
            Hearsay(TWO.identifier, 0, NodeState.DEAD),
            Hearsay(ONE.identifier, 2, NodeState.READY),
        ]
        self.assertEqual(self.table.unknown(hearsay), [TWO.identifier, ONE.identifier])

    def test_malformed_entries_are_refused(self) -> None:
        for bad in (b"x", bytes(41), bytes(40) + b"q"):
            self.assertRaises(Misbehaved, unpack, bad)

    def test_what_was_kept_on_disk_is_dead_until_it_answers(self) -> None:
        for record in (ONE, TWO):
            self.table.learn(record, 0.0, NodeState.READY)
        again = NodeTable(PAPERS.verify)
        again.load(self.table.dump(), 5.0)
        self.assertEqual(set(again.states().values()), {NodeState.DEAD})
        self.assertEqual(again.record(ONE.identifier), ONE)
        self.assertEqual(len(again.due(5.0)), 2)
