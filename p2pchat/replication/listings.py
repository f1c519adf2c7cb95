"""Lists of a set that a majority gave, kept for a moment: one of them serves all pages of one fetch.

A page so taken is one that a slower asker would have got.  What was added meanwhile changes the mailbox's version, for
which its owner is fetched again; what was removed is left out when it is collected.
"""

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration

KEPT_SECONDS = 5.0
MAX_LISTINGS = 64


@dataclass(frozen=True, slots=True)
class Listing:
    """Items present in one set, as a majority of `configuration` knows them.

    Attributes:
        ids: ascending.
        holders: who has which; shrinks when a holder does not answer.
        horizon: up to which id everybody's list reaches; None: to the end.
    """

    configuration: Configuration
    ids: list[bytes]
    holders: dict[bytes, list[Identifier]]
    horizon: bytes | None

    def behind(self, item_id: bytes) -> "Listing":
        """What comes after this id."""
        return Listing(self.configuration, self.ids[bisect_right(self.ids, item_id) :], self.holders, self.horizon)


class Listings:
    """The rests of lists, by set, asker's session epoch and where the next page begins."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Identifier, int, bytes], tuple[float, Listing]] = OrderedDict()

    def keep(self, point: Identifier, fence: int, after: bytes, listing: Listing, now: float) -> None:
        """For whoever asks for the page behind `after`, from now on for five seconds."""
        if listing.ids:
            self._kept[point, fence, after] = now + KEPT_SECONDS, listing
        while self._kept and (len(self._kept) > MAX_LISTINGS or next(iter(self._kept.values()))[0] <= now):
            self._kept.popitem(last=False)

    def take(
        self, point: Identifier, fence: int, after: bytes, current: Configuration | None, now: float
    ) -> Listing | None:
        """What was kept, once, if it is young and the slot's members are still those of then."""
        until, listing = self._kept.pop((point, fence, after), (now, None))
        return listing if listing is not None and until > now and listing.configuration == current else None
