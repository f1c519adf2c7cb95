"""Union of sets that only grow."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.replication.uset import EXPIRY_SECONDS, ItemState, StoredItem, is_over, united

PRESENT = StoredItem(b"a", ItemState.PRESENT, 10, b"payload", b"meta")
GONE = StoredItem(b"a", ItemState.ACKNOWLEDGED, 10)


class UnionTests(SynchronousTestCase):
    def test_a_tombstone_wins_whichever_comes_first(self) -> None:
        self.assertEqual(united(PRESENT, GONE), GONE)
        self.assertIsNone(united(GONE, PRESENT))

    def test_a_pending_removal_is_in_no_union(self) -> None:
        self.assertEqual(united(None, PRESENT.marked()), PRESENT)

    def test_the_same_again_is_nothing_new(self) -> None:
        self.assertIsNone(united(PRESENT, PRESENT))

    def test_a_tombstone_has_no_payload_and_the_age_of_its_item(self) -> None:
        buried = PRESENT.buried(ItemState.UNOPENABLE)
        self.assertEqual((buried.payload, buried.meta, buried.received), (b"", b"", 10))

    def test_tombstones_outlive_items(self) -> None:
        now = 10 + EXPIRY_SECONDS + 1
        self.assertEqual((is_over(PRESENT, now), is_over(GONE, now)), (True, False))
