"""Slots cut the circle without gap or overlap, whatever their number."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import CIRCLE, Arc, Identifier
from p2pchat.replication.slots import end_of, ending_in, first_of, slot_of


class SlotTests(SynchronousTestCase):
    def test_slots_touch_and_cover_the_circle(self) -> None:
        for slots in (1, 2, 3, 7, 1024):
            self.assertEqual(first_of(0, slots), 0)
            self.assertEqual(end_of(slots - 1, slots), CIRCLE - 1)
            for slot in range(slots - 1):
                self.assertEqual(end_of(slot, slots) + 1, first_of(slot + 1, slots))

    def test_both_ends_belong_to_their_slot(self) -> None:
        for slots in (1, 3, 1000, 1024):
            for slot in (0, slots // 2, slots - 1):
                self.assertEqual(slot_of(first_of(slot, slots), slots), slot)
                self.assertEqual(slot_of(end_of(slot, slots), slots), slot)

    def test_highest_point_is_in_the_last_slot(self) -> None:
        self.assertEqual(slot_of(Identifier(CIRCLE - 1), 1024), 1023)

    def test_nodes_share_the_slots_by_where_these_end(self) -> None:
        nodes = sorted([end_of(4, 10), *(Identifier(number * CIRCLE // 7 + number) for number in range(7))])
        arcs = [Arc(nodes[place - 1], node) for place, node in enumerate(nodes)]
        shares = {arc.end: ending_in(arc, 10) for arc in arcs}
        self.assertEqual(sorted(slot for share in shares.values() for slot in share), list(range(10)))
        for node, share in shares.items():
            firsts = [next((each for each in nodes if each >= end_of(slot, 10)), nodes[0]) for slot in share]
            self.assertLessEqual(set(firsts), {node})
        self.assertIn(4, shares[end_of(4, 10)])

    def test_a_single_node_has_all_slots(self) -> None:
        self.assertEqual(ending_in(Arc(Identifier(5), Identifier(5)), 16), list(range(16)))
