"""Signed, numbered documents that everybody in a ring must know: who has a higher number is asked for it.

HELLO carries the numbers; on a connection that stands, `TellNumbers` does.  What arrives proves itself.
"""

from collections.abc import Awaitable, Callable, Iterable
from enum import IntEnum
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat.errors import InternalError, Misbehaved, P2PChatError, TryElsewhere, on_wire
from p2pchat.wire.arguments import Blob, Natural
from p2pchat.wire.connection import Link, Peer, call
from p2pchat.wire.hello import Greeting

PART_BYTES = 60_000
MAX_BULLETIN_BYTES = 4 << 20
TELL_SECONDS = 5.0


class Kind(IntEnum):
    """Which document."""

    EVICTIONS = 1
    PLAN = 2
    """How a ring goes on after it lost majorities; its number is the ring's generation."""


class TellNumbers(amp.Command):
    """These are the highest numbers that the caller knows; whoever has lower ones asks it."""

    arguments = [(b"generation", Natural()), (b"evictions", Natural())]
    errors = on_wire(TryElsewhere, InternalError)


class AskBulletin(amp.Command):
    """A part of a document, `total` bytes long; empty (number 0) before the first."""

    arguments = [(b"kind", Natural(255)), (b"offset", Natural(MAX_BULLETIN_BYTES))]
    response = [(b"number", Natural()), (b"total", Natural(MAX_BULLETIN_BYTES)), (b"part", Blob(PART_BYTES))]
    errors = on_wire(TryElsewhere, InternalError, Misbehaved)


class Bulletin(Protocol):
    """One kind of document, as a program knows it."""

    @property
    def number(self) -> int:
        """Of the newest; 0: none."""

    @property
    def encoded(self) -> bytes:
        """The newest."""

    def learn(self, encoded: bytes) -> bool:
        """Verify and keep a document if it is newer; whether it was.

        Raises:
            Misbehaved: it proves nothing.
            DiskFull, UserError: it could not be kept.
        """


class Bulletins:
    """Asks others for what they know, answers them, and tells them of news.

    Args:
        evictions: what this program keeps of those; nodes add the plan with `keep`.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, evictions: Bulletin) -> None:
        self._clock = clock
        self._kept: dict[Kind, Bulletin] = {Kind.EVICTIONS: evictions}
        self._asking: set[tuple[Link, Kind]] = set()
        self.on_news: list[Callable[[Kind], None]] = []
        """Called after a newer document was kept."""

    def keep(self, kind: Kind, bulletin: Bulletin) -> None:
        """Ask for documents of this kind as well from now on."""
        self._kept[kind] = bulletin

    def number(self, kind: Kind) -> int:
        """Of what is known here."""
        return self._kept[kind].number if kind in self._kept else 0

    # -- what others say

    def heard(self, peer: Peer, greeting: Greeting) -> None:
        """A peer was accepted; what it greeted with may be news."""
        # After this turn: who dialled us must have read our HELLO before it is asked anything.
        self._clock.callLater(0, self.told, peer.link, greeting.generation, greeting.evictions)

    def told(self, link: Link, generation: int, evictions: int) -> None:
        """The numbers at the other end of a link."""
        for kind, number in ((Kind.PLAN, generation), (Kind.EVICTIONS, evictions)):
            kept = self._kept.get(kind)
            if kept is not None and number > kept.number and (link, kind) not in self._asking and link.usable:
                asking = Deferred.fromCoroutine(self.fetch(link, kind))
                asking.addErrback(lambda why: self._log.failure("asking for news failed", why))

    async def fetch(self, link: Link, kind: Kind) -> bool:
        """Ask the other end of a link for a document; whether it was news."""
        self._asking.add((link, kind))
        try:
            return self.learn(kind, await fetched(partial(call, link, self._clock), kind))
        except P2PChatError as error:
            self._log.warn("{link} has no useful {kind}: {error}", link=link, kind=kind.name, error=str(error))
            return False
        finally:
            self._asking.discard((link, kind))

    def learn(self, kind: Kind, encoded: bytes) -> bool:
        """Keep a document if it is news, and pass it on.

        Raises:
            Misbehaved: it proves nothing.
        """
        if not self._kept[kind].learn(encoded):
            return False
        self._log.info("{kind} number {number} is known now", kind=kind.name.lower(), number=self._kept[kind].number)
        for told in list(self.on_news):
            told(kind)
        return True

    def answer(self, kind: int, offset: int) -> dict[str, Any]:
        """As AskBulletin's response."""
        kept = self._kept.get(Kind(kind)) if kind in set(Kind) else None
        if kept is None:
            raise TryElsewhere("That document is not kept here.")
        encoded = kept.encoded
        return {"number": kept.number, "total": len(encoded), "part": encoded[offset : offset + PART_BYTES]}

    # -- what others are told

    def tell(self, links: Iterable[Link]) -> None:
        """Say our numbers on these links, and wait for nobody."""
        for link in links:
            if link.usable:
                Deferred.fromCoroutine(self._tell(link))

    async def _tell(self, link: Link) -> None:
        try:
            await call(link, self._clock, TellNumbers, timeout=TELL_SECONDS, **self._numbers())
        except P2PChatError as error:
            self._log.debug("{link} was not told our news: {error}", link=link, error=str(error))

    def _numbers(self) -> dict[str, int]:
        return {"generation": self.number(Kind.PLAN), "evictions": self.number(Kind.EVICTIONS)}


class BulletinLocator(amp.CommandLocator):
    """Answers one link about documents."""

    def __init__(self, bulletins: Bulletins, link: Link) -> None:
        self._bulletins, self._link = bulletins, link

    @TellNumbers.responder
    def tell_numbers(self, generation: int, evictions: int) -> dict[str, Any]:
        self._bulletins.told(self._link, generation, evictions)
        return {}

    @AskBulletin.responder
    def ask_bulletin(self, kind: int, offset: int) -> dict[str, Any]:
        return self._bulletins.answer(kind, offset)


async def fetched(ask: Callable[..., Awaitable[dict[str, Any]]], kind: Kind) -> bytes:
    """The document that the other end knows, part by part; `ask` puts it a command.

    Raises:
        Misbehaved: the parts do not make a whole.
        TryElsewhere: no answer.
    """
    whole, total = b"", 1
    while len(whole) < total:
        answer = await ask(AskBulletin, kind=int(kind), offset=len(whole))
        total = answer["total"]
        if total and not answer["part"]:
            raise Misbehaved("A document that was sent ends too early.")
        whole += answer["part"]
    if len(whole) != total:
        raise Misbehaved("A document that was sent is longer than it says.")
    return whole
