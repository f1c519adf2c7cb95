"""Windowed transfers of more than one AMP value."""

from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Busy, Misbehaved, TryElsewhere
from p2pchat.wire.chunks import CHUNK_BYTES, MAX_OFFERS, WINDOW, ChunkLocator, Offer, Offers, fetch
from p2pchat.wire.connection import Link, call
from tests.wire.network import MemoryNetwork

MOST = 10 * 1024 * 1024


class ChunkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.clock = self.network.clock
        self.count = 0
        self.offers = Offers(self.clock, self.token)
        self.there, self.link = self.network.pair(
            lambda: Link(self.clock, [ChunkLocator(self.offers)]), lambda: Link(self.clock)
        )

    def token(self, size: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(size, "big")

    def fetched(self, offer: Offer, most: int = MOST) -> "Deferred[bytes]":
        fetching = Deferred.fromCoroutine(fetch(partial(call, self.link, self.clock), offer, most))
        self.network.flush()
        return fetching

    def test_everything_arrives(self) -> None:
        for size in (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 30 * CHUNK_BYTES + 7):
            content = bytes(range(251)) * (size // 251 + 1)
            offer = self.offers.offer(content[:size])
            self.assertEqual(self.successResultOf(self.fetched(offer)), content[:size])

    def test_too_large_an_offer_is_refused_unseen(self) -> None:
        self.failureResultOf(self.fetched(self.offers.offer(bytes(100)), most=99), Misbehaved)

    def test_other_content_is_refused(self) -> None:
        offer = self.offers.offer(bytes(100))
        for bad in (Offer(offer.token, 100, bytes(32)), Offer(offer.token, 99, offer.digest)):
            self.failureResultOf(self.fetched(bad), Misbehaved)

    def test_offer_ends_after_a_while_without_use(self) -> None:
        offer = self.offers.offer(bytes(100))
        self.network.flush(119.0)
        self.successResultOf(self.fetched(offer))
        self.network.flush(119.0)
        self.successResultOf(self.fetched(offer))
        self.network.flush(121.0)
        self.failureResultOf(self.fetched(offer), TryElsewhere)

    def test_lost_link_ends_the_transfer(self) -> None:
        offer = self.offers.offer(bytes(10 * CHUNK_BYTES))
        fetching = Deferred.fromCoroutine(fetch(partial(call, self.link, self.clock), offer, MOST))
        self.network.cut(self.network.pumps[0])
        self.failureResultOf(fetching, TryElsewhere)

    def test_offers_are_bounded(self) -> None:
        for _ in range(MAX_OFFERS):
            self.offers.offer(b"")
        self.assertRaises(Busy, self.offers.offer, b"")
        self.offers.close()
        self.offers.offer(b"")
        self.assertRaises(Busy, self.offers.offer, bytes(64 * 1024 * 1024 + 1))

    def test_window_is_kept(self) -> None:
        asked: list[Deferred[dict[str, Any]]] = []

        async def ask(_command: object, **_arguments: Any) -> dict[str, Any]:
            asked.append(Deferred())
            return await asked[-1]

        offer = Offer(bytes(16), 20 * CHUNK_BYTES, bytes(32))
        fetching = Deferred.fromCoroutine(fetch(ask, offer, MOST))
        self.assertEqual(len(asked), WINDOW)
        asked[3].callback({"chunk": b""})
        self.assertEqual(len(asked), WINDOW + 1)
        asked[0].errback(TryElsewhere("lost"))
        self.failureResultOf(fetching, TryElsewhere)
        self.assertEqual(len(asked), WINDOW + 1)

    @given(st.integers(0, 5 * CHUNK_BYTES))
    @settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
    def test_any_size(self, size: int) -> None:
        offer = self.offers.offer(bytes(size))
        self.assertEqual(self.successResultOf(self.fetched(offer)), bytes(size))
        self.offers.withdraw(offer.token)
