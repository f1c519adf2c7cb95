"""What a node does about evictions: cut links, forget nodes, tell everybody, and end when it is evicted itself."""

from collections.abc import Awaitable, Callable
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chord.service import ChordService
from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved, NotAdmitted, P2PChatError
from p2pchat.identifiers import Address
from p2pchat.wire.bulletins import Bulletins, Kind
from p2pchat.wire.connection import Link, Peer
from p2pchat.wire.evictions import EvictionList
from p2pchat.wire.links import Links

ASKED_NODES = 3
ASK_PAUSE_SECONDS = 5.0
"""Between two looks whether we were evicted."""
LAST_WORDS_SECONDS = 1.0
"""How long an evicted node still tells others who is evicted."""

Visit = Callable[[Address], Awaitable[Peer]]
"""Connects with a clients address as anybody may."""


class Evicting:
    """Carries out what the newest list says.

    Args:
        certificates: our own and our admitter's.
        agents: the links of agents that are connected here.
        failed: told why this node cannot go on.
    """

    _log = Logger()

    def __init__(
        self,
        certificates: tuple[Certificate, Certificate],
        evictions: EvictionList,
        bulletins: Bulletins,
        links: Links,
        agents: Callable[[], list[Link]],
        chord: ChordService,
        visit: Visit,
        clock: IReactorTime,
        chance: Random,
        failed: Callable[[P2PChatError], None],
    ) -> None:
        self._certificates, self._evictions, self._bulletins = certificates, evictions, bulletins
        self._links, self._agents, self._chord, self._visit = links, agents, chord, visit
        self._clock, self._chance, self._failed = clock, chance, failed
        self._next_look = 0.0
        bulletins.on_news.append(self._news)

    def _news(self, kind: Kind) -> None:
        if kind is Kind.EVICTIONS:
            self._carry_out()
        self._bulletins.tell([*(peer.link for peer in self._links.peers()), *self._agents()])

    def _carry_out(self) -> None:
        if any(map(self._evictions.evicts, self._certificates)):
            self._clock.callLater(LAST_WORDS_SECONDS, self._failed, evicted())
            return
        for peer in self._links.recheck(self._evictions.evicts):
            self._log.warn("{link} was evicted and is cut off", link=peer.link)
        self._chord.expel(self._is_out)

    def _is_out(self, record: NodeRecord) -> bool:
        return self._evictions.evicts(record.certificate) or self._evictions.evicts(record.issuer)

    def doubted(self, error: P2PChatError) -> None:
        """A node refused us: if that is because we were evicted, the list at the clients port of any node proves it."""
        if isinstance(error, NotAdmitted) and self._clock.seconds() >= self._next_look:
            self._next_look = self._clock.seconds() + ASK_PAUSE_SECONDS
            looking = Deferred.fromCoroutine(self._look())
            looking.addErrback(lambda why: self._log.failure("asking whether we were evicted failed", why))

    async def _look(self) -> None:
        known = [node for node in self._chord.table.states() if node != self._chord.me]
        for node in self._chance.sample(known, min(ASKED_NODES, len(known))):
            record = self._chord.record(node)
            if record is None:
                continue
            try:
                peer = await self._visit(record.clients_address)
            except P2PChatError as error:
                self._log.debug("{node} was not asked: {error}", node=record.clients_address, error=str(error))
                continue
            await self._bulletins.fetch(peer.link, Kind.EVICTIONS)
            peer.link.close()


def check(record: NodeRecord, root: Certificate, now: float, evictions: EvictionList) -> None:
    """Refuse the record of a node that does not belong to our ring, or not any more.

    Raises:
        Misbehaved: with the reason.
    """
    record.verify(root, now)
    if evictions.evicts(record.certificate) or evictions.evicts(record.issuer):
        raise Misbehaved("That node was evicted.")


def evicted() -> NotAdmitted:
    """Why an evicted node ends."""
    return NotAdmitted(
        "This node was evicted from its ring. To take part again it needs a new admission, in an empty data folder."
    )
