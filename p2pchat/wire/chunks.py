"""Transfer of what is larger than one AMP value: its owner offers it, the other end fetches chunks of it.

Several chunks are under way at once; 60,000 bytes and a window of 6 fill a fast link without filling its queue.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, FirstError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols import amp

from p2pchat.errors import Busy, Misbehaved, TryElsewhere, on_wire
from p2pchat.wire.arguments import Blob, Natural

CHUNK_BYTES = 60_000
WINDOW = 6
"""Chunks under way at once."""
TOKEN_BYTES = 16
OFFER_SECONDS = 120.0
"""How long an offer stays after it was made or last used."""
MAX_OFFERS = 64
MAX_OFFERED_BYTES = 64 * 1024 * 1024
"""All offers of one program together."""


class FetchChunk(amp.Command):
    """The `number`-th chunk of what is offered under this token.  TryElsewhere: that is over, ask for a new offer."""

    arguments = [(b"token", Blob(TOKEN_BYTES, TOKEN_BYTES)), (b"number", Natural())]
    response = [(b"chunk", Blob(CHUNK_BYTES))]
    errors = on_wire(TryElsewhere)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one has to know to fetch something; it travels in a command of the part that offers."""

    token: bytes
    size: int
    digest: bytes
    """SHA-256 of the whole."""


class Offers:
    """What one program has on offer, in memory, for a while.

    Args:
        clock: for the end of offers.
        chance: gives random bytes; whoever knows a token may fetch.
    """

    def __init__(self, clock: IReactorTime, chance: Callable[[int], bytes]) -> None:
        self._clock, self._chance = clock, chance
        self._contents: dict[bytes, bytes] = {}
        self._ends: dict[bytes, IDelayedCall] = {}

    def offer(self, content: bytes) -> Offer:
        """Keep `content` for whoever has the token; Busy where too much is on offer."""
        size = sum(map(len, self._contents.values())) + len(content)
        if len(self._contents) >= MAX_OFFERS or size > MAX_OFFERED_BYTES:
            raise Busy("Too many transfers are under way. Try again in a minute.")
        token = self._chance(TOKEN_BYTES)
        self._contents[token] = content
        self._ends[token] = self._clock.callLater(OFFER_SECONDS, self.withdraw, token)
        return Offer(token, len(content), sha256(content).digest())

    def withdraw(self, token: bytes) -> None:
        """End an offer."""
        self._contents.pop(token, None)
        end = self._ends.pop(token, None)
        if end is not None and end.active():
            end.cancel()

    def close(self) -> None:
        """End all offers."""
        for token in list(self._contents):
            self.withdraw(token)

    def chunk(self, token: bytes, number: int) -> bytes:
        """One chunk; empty behind the end; TryElsewhere for an unknown offer."""
        content = self._contents.get(token)
        if content is None:
            raise TryElsewhere("This transfer is over. Begin it again.")
        self._ends[token].reset(OFFER_SECONDS)
        return content[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]


class ChunkLocator(amp.CommandLocator):
    """Gives out chunks of what is on offer."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    @FetchChunk.responder
    def fetch_chunk(self, token: bytes, number: int) -> dict[str, object]:
        """See FetchChunk."""
        return {"chunk": self._offers.chunk(token, number)}


async def fetch(ask: Callable[..., Awaitable[dict[str, Any]]], offer: Offer, most: int) -> bytes:
    """All of what was offered.

    Args:
        ask: puts a command to the program that made the offer, as `call` or a `Call` do: `ask(FetchChunk, token=…)`.
        most: bytes that the caller is ready to take.
    Raises:
        Misbehaved: it is larger than allowed, or not what was offered.
        TryElsewhere: the connection or the offer is lost.
    """
    if offer.size > most:
        raise Misbehaved(f"{offer.size} bytes are offered, {most} are allowed.")
    numbers = iter(range(-(-offer.size // CHUNK_BYTES)))
    chunks: dict[int, bytes] = {}

    async def work() -> None:
        for number in numbers:
            chunks[number] = (await ask(FetchChunk, token=offer.token, number=number))["chunk"]

    workers = [Deferred.fromCoroutine(work()) for _ in range(WINDOW)]
    try:
        await DeferredList(workers, fireOnOneErrback=True, consumeErrors=True)
    except FirstError as first:
        for worker in workers:
            worker.cancel()
        first.subFailure.raiseException()
    content = b"".join(chunks[number] for number in sorted(chunks))
    if len(content) != offer.size or sha256(content).digest() != offer.digest:
        raise Misbehaved("What arrived is not what was offered.")
    return content
