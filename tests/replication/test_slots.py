"""Slots cut the circle without gap or overlap, whatever their number."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.slots import end_of, first_of, slot_of


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
