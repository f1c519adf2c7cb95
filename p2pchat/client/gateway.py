"""The agent's one link to a node: chosen, kept, and moved to another node when that one dies."""

import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat.accounts.commands import AskNodes
from p2pchat.client.pin import RingPin
from p2pchat.errors import (
    Busy,
    Misbehaved,
    Moving,
    NoNodeReachable,
    NoQuorum,
    NotAdmitted,
    P2PChatError,
    RingUnknown,
    TryElsewhere,
)
from p2pchat.identifiers import Address, name
from p2pchat.wire.bulletins import BulletinLocator, Bulletins, Kind
from p2pchat.wire.connection import Link, Peer, call
from p2pchat.wire.dialer import Reach, dial_node
from p2pchat.wire.evictions import EvictionList
from p2pchat.wire.hello import Greeting, Standing
from p2pchat.wire.tls import visitor_tls

CALL_SECONDS = 10.0
"""For one call to the gateway, which asks other nodes in turn."""
RETRY_SECONDS = 0.3
"""Before the same question is put again, while the ring moves."""
NO_QUORUM_SECONDS = 0.5
"""A node tries for 2.5 s before it says that it has no quorum, which outlasts every fail-over; only what it says sooner
is asked again, for so long, and whoever waits knows within 3 s that his side of the ring cannot do it."""
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.2, 5.0
"""Between two rounds over all known nodes."""
MAX_KNOWN = 64
"""Addresses of nodes that are remembered."""

Find = Callable[[], Awaitable[list[tuple[bytes, Address]]]]
"""Asks by multicast: (ring id, clients address) of each node that answered."""


class Ask(Protocol):
    """Puts a command to whatever node is our gateway, at another one if that fails, within `timeout` seconds.

    `signed` makes further arguments, anew for each attempt: a signed request counts only once.
    """

    async def __call__(
        self,
        command: type[amp.Command],
        /,
        *,
        timeout: float = CALL_SECONDS,
        signed: Callable[[], dict[str, Any]] = dict,
        **arguments: Any,
    ) -> Any: ...


class Gateway(Service):
    """Keeps a link to one node of our ring.

    Args:
        reach: makes endpoints.
        pin: our ring, once it is known.
        servers: clients addresses that the person gave; tried first.
        find: multicast, or what finds nothing.
        locators: what answers the pushes of the node.
        changed: told with the peer when a link stands, with None when it is lost.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        chance: random.Random,
        reach: Reach,
        pin: RingPin,
        servers: Sequence[Address],
        find: Find,
        locators: Callable[[Peer], Sequence[amp.CommandLocator]],
        changed: Callable[[Peer | None], None],
    ) -> None:
        self._clock, self._chance, self._reach, self._pin = clock, chance, reach, pin
        self._servers, self._find, self._changed = list(servers), find, changed
        self._evictions = EvictionList(lambda: pin.root, now, pin.keep_evictions)
        self.bulletins = Bulletins(clock, self._evictions)
        self.bulletins.on_news.append(self._leave_evicted)
        self._standing = Standing(
            clock,
            now,
            visitor_tls(),
            pin.ring,
            lambda: Greeting(evictions=self._evictions.number),
            lambda peer: [*locators(peer), BulletinLocator(self.bulletins, peer.link)],
            self._evictions.evicts,
            self.bulletins.heard,
        )
        self.peer: Peer | None = None
        self._waiting: list[Deferred[Link]] = []
        self._loop: Deferred[None] | None = None
        self._why = "no node was found yet"
        self._foreign: RingUnknown | None = None

    # -- what others see

    @property
    def node(self) -> str | None:
        """The gateway's 8 hex digits."""
        return None if self.peer is None or self.peer.identifier is None else name(self.peer.identifier)

    @property
    def link(self) -> Link | None:
        return self.peer.link if self.peer is not None and self.peer.link.usable else None

    async def __call__(
        self,
        command: type[amp.Command],
        /,
        *,
        timeout: float = CALL_SECONDS,
        signed: Callable[[], dict[str, Any]] = dict,
        **arguments: Any,
    ) -> Any:
        """As `Ask` says; all our commands may be repeated, because writes carry operation ids.

        Raises:
            NoNodeReachable: no node answered in all that time (RingUnknown: only nodes of other rings).
            And whatever the command declares.
        """
        begun = self._clock.seconds()
        while True:
            link = await self._linked(begun + timeout)
            left = begun + timeout - self._clock.seconds()
            try:
                return await call(link, self._clock, command, timeout=min(left, CALL_SECONDS), **arguments, **signed())
            except TryElsewhere as error:
                if not self._worth_another_try(error, link, begun, timeout):
                    raise
            await deferLater(self._clock, RETRY_SECONDS)

    def _worth_another_try(self, error: TryElsewhere, link: Link, begun: float, timeout: float) -> bool:
        spent = self._clock.seconds() - begun + RETRY_SECONDS
        if spent >= timeout:
            return False
        if isinstance(error, NoQuorum):
            return spent < NO_QUORUM_SECONDS
        return not link.usable or isinstance(error, Moving | Busy)

    async def connected(self, timeout: float) -> None:
        """Until a link stands; NoNodeReachable (or RingUnknown) after `timeout` seconds."""
        await self._linked(self._clock.seconds() + timeout)

    def connect_elsewhere(self, why: str) -> None:
        """Give this gateway up: it does not do its work."""
        if self.peer is not None:
            self.peer.link.abort(why)

    def stay_at(self, addresses: Collection[str]) -> None:
        """This machine has these addresses: a link from another one is dead, though nobody closed it."""
        if self.peer is not None and self.peer.link.here not in addresses:
            self.connect_elsewhere("This machine has another address now.")

    def _leave_evicted(self, _kind: Kind) -> None:
        """The ring says who is out; our node may be."""
        if self.peer is not None and any(map(self._evictions.evicts, self.peer.certificates)):
            self.connect_elsewhere("It was evicted from the ring.")

    async def _linked(self, deadline: float) -> Link:
        if (link := self.link) is not None:
            return link
        waiting: Deferred[Link] = Deferred()
        self._waiting.append(waiting)
        waiting.addTimeout(
            max(0.0, deadline - self._clock.seconds()), self._clock, lambda *_: self._raise_unreachable()
        )
        try:
            return await waiting
        finally:
            self._waiting = [each for each in self._waiting if each is not waiting]

    def _raise_unreachable(self) -> None:
        if self._foreign is not None:
            raise self._foreign
        raise NoNodeReachable(f"No node of the ring is reachable: {self._why}. Name one with --server HOST:PORT.")

    # -- keeping a link

    def startService(self) -> None:
        super().startService()
        self._evictions.load(self._pin.evictions(), "The list of evictions in this home")
        self._loop = Deferred.fromCoroutine(self._keep())
        self._loop.addErrback(self._ended)

    def stopService(self) -> None:
        super().stopService()
        if self._loop is not None:
            self._loop.cancel()
        if self.peer is not None:
            self.peer.link.close()
        for waiting in self._waiting:
            if not waiting.called:
                waiting.errback(NoNodeReachable("The agent is stopping."))

    def _ended(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self._log.failure("The search for a node ended.", failure)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while self.running:
            peer = await self._dial_any()
            if peer is None:
                await deferLater(self._clock, pause * self._chance.uniform(0.8, 1.2))
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
                continue
            pause = FIRST_PAUSE_SECONDS
            await self._use(peer)

    async def _use(self, peer: Peer) -> None:
        """Serve ourselves with this link until it is lost."""
        lost: Deferred[None] = Deferred()
        self.peer = peer
        self._foreign = None
        self._log.info("gateway is node {node} at {host}", node=self.node, host=peer.link.host)
        for waiting in list(self._waiting):
            if not waiting.called:
                waiting.callback(peer.link)
        self._changed(peer)
        learning = Deferred.fromCoroutine(self._learn(peer.link))
        learning.addErrback(lambda failure: failure.trap(P2PChatError, CancelledError) and None)
        peer.link.when_lost(lambda _: None if lost.called else lost.callback(None))
        try:
            await lost
        finally:
            self.peer = None
            self._changed(None)
        self._why = "the connection to the last one is lost"

    async def _learn(self, link: Link) -> None:
        """Remember where else we could go."""
        answer = await call(link, self._clock, AskNodes)
        addresses = list(answer["addresses"])
        if addresses:
            self._pin.remember(addresses[:MAX_KNOWN])

    async def _dial_any(self) -> Peer | None:
        """A link to the first candidate that is a node of our ring."""
        candidates = self._candidates()
        for address in candidates:
            if (peer := await self._dial(address)) is not None:
                return peer
        heard = await self._find()
        rings = {ring for ring, _ in heard}
        if self._pin.ring is None and ambiguous(rings):
            self._foreign = several_rings(rings)
            return None
        ours = [address for ring, address in heard if self._pin.ring in (None, ring) and address not in candidates]
        self._chance.shuffle(ours)
        for address in ours:
            if (peer := await self._dial(address)) is not None:
                return peer
        if not candidates and not heard:
            self._why = "none is known and none answers by multicast"
        return None

    def _candidates(self) -> list[Address]:
        """What the person named, then what we remember: in a random order, so that agents spread over the nodes."""
        remembered = [each for each in self._pin.nodes if each not in self._servers]
        self._chance.shuffle(remembered)
        return [*self._servers, *remembered]

    async def _dial(self, address: Address) -> Peer | None:
        if self._standing.ring != self._pin.ring:
            self._standing = replace(self._standing, ring=self._pin.ring)
        try:
            peer = await dial_node(self._reach(address), self._standing)
        except RingUnknown as error:
            self._foreign = RingUnknown(f"{address}: {error} This home belongs to the ring {self._pin.shown}.")
            return None
        except (TryElsewhere, Misbehaved, NotAdmitted) as error:
            self._why = f"{address}: {str(error).rstrip('.')}"
            self._log.debug("no link to {address}: {error}", address=str(address), error=str(error))
            return None
        if self._pin.ring is None and peer.root is not None:
            self._pin.take(peer.root)
        return peer


def ambiguous(rings: set[bytes]) -> bool:
    """Whether a person has to choose among the rings that were heard."""
    return len(rings) > 1


def several_rings(rings: set[bytes]) -> RingUnknown:
    """Several rings were heard and none is pinned: the person must choose."""
    listed = ", ".join(sorted(each[:4].hex() for each in rings))
    return RingUnknown(
        f"Several rings answer: {listed}. Choose one by its certificate (--ring-certificate FILE)"
        " or by one of its nodes (--server HOST:PORT)."
    )
