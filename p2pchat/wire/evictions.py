"""The newest list of evictions that a program knows: verified, kept on disk, asked for each certificate."""

from collections.abc import Callable

from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.evictions import Evictions
from p2pchat.errors import Damaged, Misbehaved


class EvictionList:
    """A bulletin; lists are cumulative, the higher number wins.

    Args:
        root: the certificate of our ring's root; None as long as no ring is known, when nobody counts as evicted.
        now: seconds since 1970.
        keep: writes a list to disk, durably.
    """

    def __init__(
        self, root: Callable[[], Certificate | None], now: Callable[[], float], keep: Callable[[bytes], None]
    ) -> None:
        self._root, self._now, self._keep = root, now, keep
        self.known = Evictions.none()

    def load(self, kept: bytes, place: str) -> None:
        """Take what lies on disk in the file `place`.

        Raises:
            Damaged: it is no list of this ring.
        """
        root = self._root()
        if root is None:
            return
        try:
            self.known = Evictions.parse(kept, root, self._now())
        except Misbehaved as error:
            raise Damaged(f"{place} is damaged ({error}) Remove it: the ring has the list as well.") from error

    @property
    def number(self) -> int:
        """Of the newest list; 0: nobody was evicted."""
        return self.known.number

    @property
    def encoded(self) -> bytes:
        """The newest list."""
        return self.known.encoded

    def evicts(self, certificate: Certificate) -> bool:
        """Whether this certificate is on the list (its admitter's is another one to ask for)."""
        return self.known.evicts(certificate)

    def learn(self, encoded: bytes) -> bool:
        """Keep a list if it is newer; whether it was.

        Raises:
            Misbehaved: nobody who may has signed it.
        """
        root = self._root()
        if root is None:
            return False
        news = Evictions.parse(encoded, root, self._now())
        if not news.supersedes(self.known):
            return False
        self._keep(news.encoded)
        self.known = news
        return True
