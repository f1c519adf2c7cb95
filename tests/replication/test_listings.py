"""The rest of a list serves the next page, once, while it is young and the members are the same."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.listings import KEPT_SECONDS, MAX_LISTINGS, Listing, Listings

POINT = Identifier(1)
CONFIGURATION = Configuration(3, (Identifier(5), Identifier(6)))
LISTING = Listing(CONFIGURATION, [b"a", b"b", b"c"], {}, None)


class ListingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.listings = Listings()
        self.listings.keep(POINT, 1, b"b", LISTING.behind(b"a"), now=0.0)

    def take(
        self, point: Identifier = POINT, fence: int = 1, after: bytes = b"b", epoch: int = 3, now: float = 1.0
    ) -> list[bytes] | None:
        current = Configuration(epoch, CONFIGURATION.members)
        found = self.listings.take(point, fence, after, current, now)
        return None if found is None else found.ids

    def test_it_serves_once_and_only_where_it_was_left(self) -> None:
        self.assertIsNone(self.take(point=Identifier(2)))
        self.assertIsNone(self.take(fence=2))
        self.assertIsNone(self.take(after=b"a"))
        self.assertEqual(self.take(), [b"b", b"c"])
        self.assertIsNone(self.take())

    def test_it_serves_no_longer_than_a_moment(self) -> None:
        self.assertIsNone(self.take(now=KEPT_SECONDS))

    def test_it_serves_no_other_epoch(self) -> None:
        self.assertIsNone(self.take(epoch=4))

    def test_only_so_many_and_no_old_ones_are_kept(self) -> None:
        for number in range(MAX_LISTINGS):
            self.listings.keep(Identifier(number), 2, b"b", LISTING, now=1.0)
        self.assertIsNone(self.take())
        self.listings.keep(POINT, 1, b"b", LISTING, now=9.0)
        self.assertEqual(len(self.listings._kept), 1)

    def test_an_empty_rest_is_not_kept(self) -> None:
        self.listings.keep(POINT, 7, b"c", LISTING.behind(b"c"), now=0.0)
        self.assertIsNone(self.take(fence=7, after=b"c"))
