"""Opens connections: to nodes by identifier or address, one shared link each, with backoff.

`Dialer` is the ring's `Call`.  Agents and operators use `dial_node`.
"""

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.protocols.tls import TLSMemoryBIOFactory

from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved, NoNodeReachable, P2PChatError, TryElsewhere
from p2pchat.identifiers import Address, Identifier, name
from p2pchat.wire.backoff import Backoff
from p2pchat.wire.connection import CALL_SECONDS, Link, Peer, Role, call
from p2pchat.wire.faults import check_fits, error_of, read_answer
from p2pchat.wire.hello import Standing, known_peer, say_hello
from p2pchat.wire.limits import Limits
from p2pchat.wire.links import Links
from p2pchat.wire.locators import Locators
from p2pchat.wire.tally import Tally
from p2pchat.wire.tls import TLS, judge_member

CONNECT_SECONDS = 3.0
"""For the TCP connection alone."""

Reach: TypeAlias = Callable[[Address], IStreamClientEndpoint]
"""A plain endpoint for an address; TLS is put on top here."""


async def open_link(
    endpoint: IStreamClientEndpoint, tls: TLS, clock: IReactorTime, limits: Limits, tally: Tally | None = None
) -> Link:
    """Connect and finish TLS; the link is not trusted yet, and is cut if nobody trusts it in time.

    Raises:
        TryElsewhere: nobody answers there, or not with TLS.
    """
    secured: Deferred[None] = Deferred()
    link = Link(clock, (), limits, handshake=True, secured=lambda _: secured.callback(None), tally=tally)
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda addr: link  # type: ignore[method-assign]
    connecting = endpoint.connect(TLSMemoryBIOFactory(tls, True, factory, clock))
    try:
        await connecting.addTimeout(CONNECT_SECONDS, clock, lambda *_: _raise(NoNodeReachable("No answer in time.")))
    except (ConnectError, DNSLookupError, OSError) as error:
        raise NoNodeReachable(f"No connection: {str(error).rstrip('.') or type(error).__name__}.") from None
    except ConnectingCancelledError:
        raise CancelledError from None
    link.when_lost(lambda lost: None if secured.called else secured.errback(lost.gone()))
    try:
        await secured
    except CancelledError:
        link.abort("Nobody wants it any more.")
        raise
    return link


async def dial_node(endpoint: IStreamClientEndpoint, standing: Standing, expected: Identifier | None = None) -> Peer:
    """Connect with a node and exchange HELLO; afterwards its link is trusted.

    Args:
        expected: the node that must be there; None: any node of the ring.
    Raises:
        TryElsewhere: nobody answers, or another node does.
        RingUnknown: a node of another ring answers.
        NotAdmitted: it, or we, were evicted.
        Misbehaved: it proves nothing.
    """
    link = await open_link(endpoint, standing.tls, standing.clock, standing.limits, standing.tally)
    try:
        member = judge_member(link.chain, standing.ring, standing.now(), standing.evicted)
        if expected is not None and member.certificate.identifier != expected:
            raise TryElsewhere(f"Another node answers where node {name(expected)} should be.")
        heard = await say_hello(link, standing.clock, member.root.ring, standing.greeting(), standing.versions)
        peer = known_peer(link, member, heard, standing.now())
        if peer.role is not Role.NODE:
            raise Misbehaved("An operator answers where a node should be.")
        link.trust(peer, standing.locators(peer))
    finally:
        if not link.trusted:
            link.abort("It was not accepted, or is not wanted any more.")
    standing.heard(peer, heard)
    return peer


class Dialer:
    """One shared link per node; the ring's `Call`.

    A call waits for the connection if there is none, within its own time.  What goes wrong on the way is TryElsewhere.

    Args:
        me: our own identifier; calls to it are answered here.
        standing: our place in the ring.
        links: where both our connections and those that we accepted are registered.
        reach: makes endpoints.
        record: where a node is, as far as we know.
        chance: jitter of the backoff.
        refused: is told when a node refuses us for good (NotAdmitted, RingUnknown).
    """

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        standing: Standing,
        links: Links,
        reach: Reach,
        record: Callable[[Identifier], NodeRecord | None],
        chance: Random,
        refused: Callable[[P2PChatError], None] = lambda _: None,
    ) -> None:
        self.me, self.links = me, links
        self._standing, self._reach, self._record, self._refused = standing, reach, record, refused
        self._backoff = Backoff(chance)
        self._tried: dict[Identifier, Address] = {}
        self._waiting: dict[Identifier, list[Deferred[Link]]] = {}
        self._stopped = False
        links.met.append(self._met)

    async def __call__(
        self, node: Identifier, command: type[amp.Command], /, *, timeout: float = CALL_SECONDS, **arguments: Any
    ) -> dict[str, Any]:
        """As `wire.connection.Call` says."""
        if node == self.me:
            return await self._ask_myself(command, arguments)
        clock = self._standing.clock
        until = clock.seconds() + timeout
        link = self.links.to(node) or await self._dialled(node, timeout)
        return await call(link, clock, command, timeout=max(0.0, until - clock.seconds()), **arguments)

    async def greet(self, address: Address) -> NodeRecord:
        """Connect to a ring address, whoever is there; its record.  The link is kept for calls.

        Raises:
            TryElsewhere: no node of our ring answers there (or it is ourselves).
        """
        if (known := self.links.at(address)) is not None:
            return known
        peer = await self._open(address, None)
        if peer.record is None:
            raise TryElsewhere(f"No node answers at {address}.")
        return peer.record

    def stop(self) -> None:
        """Hang up everywhere and dial no more."""
        self._stopped = True
        for node in list(self._waiting):
            self._settle(node, TryElsewhere("This node is stopping."))
        self.links.close()

    # -- dialling

    async def _dialled(self, node: Identifier, timeout: float) -> Link:
        """Wait for a link to `node`, whichever side opens it; one attempt serves everybody who waits."""
        waiting: Deferred[Link] = Deferred()
        waiters = self._waiting.setdefault(node, [])
        waiters.append(waiting)
        if len(waiters) == 1:
            Deferred.fromCoroutine(self._dial(node))
        waiting.addTimeout(timeout, self._standing.clock, lambda *_: _raise(_unreached(node)))
        return await waiting

    async def _dial(self, node: Identifier) -> None:
        try:
            self._settle(node, (await self._open(self._address(node), node)).link)
        except P2PChatError as error:
            self._settle(node, error if isinstance(error, TryElsewhere) else TryElsewhere(str(error)))
        except Exception:
            self._log.failure("dialling node {node} failed", node=name(node))
            self._settle(node, _unreached(node))

    def _address(self, node: Identifier) -> Address:
        record = self._record(node)
        if self._stopped or record is None:
            raise TryElsewhere(f"No address is known of node {name(node)}.")
        if self._tried.get(node) != record.ring_address:
            self._backoff.forget(node)
        if pause := self._backoff.remaining(node, self._standing.clock.seconds()):
            raise TryElsewhere(f"Node {name(node)} was not reachable; it is tried again in {pause:.1f} s.")
        return record.ring_address

    async def _open(self, address: Address, expected: Identifier | None) -> Peer:
        try:
            peer = await dial_node(self._reach(address), self._standing, expected)
            self._keep(peer)
        except P2PChatError as error:
            if expected is not None:
                self._tried[expected] = address
                self._backoff.failed(expected, self._standing.clock.seconds())
            if isinstance(error, TryElsewhere):
                raise
            self._log.warn("the node at {address} is no use: {error}", address=str(address), error=str(error))
            self._refused(error)
            raise TryElsewhere(f"{address}: {error}") from error
        return peer

    def _keep(self, peer: Peer) -> None:
        try:
            if self._stopped or peer.identifier == self.me:
                raise TryElsewhere("This node is stopping." if self._stopped else "That is this node itself.")
            self.links.add(peer)
        except TryElsewhere as error:
            peer.link.abort(str(error))
            raise

    def _met(self, record: NodeRecord) -> None:
        self._backoff.forget(record.identifier)
        self._tried.pop(record.identifier, None)
        if (link := self.links.to(record.identifier)) is not None:
            self._settle(record.identifier, link)

    def _settle(self, node: Identifier, found: Link | TryElsewhere) -> None:
        for waiting in self._waiting.pop(node, []):
            if not waiting.called:
                waiting.callback(found) if isinstance(found, Link) else waiting.errback(found)

    # -- ourselves

    async def _ask_myself(self, command: type[amp.Command], arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer a call to our own node, through the same commands and locators."""
        link = Link(self._standing.clock, (), self._standing.limits)
        locators = Locators(self._standing.locators(Peer(Role.NODE, link, identifier=self.me)))
        box = check_fits(command.makeArguments(arguments, link), self._standing.limits)
        responder = locators.locateResponder(command.commandName)
        if responder is None:
            raise TryElsewhere(f"This node does not know {command.__name__}.")
        try:
            answer = await responder(box)
        except amp.RemoteAmpError as error:
            raise error_of(command, error.errorCode, str(error.description)) from None
        return read_answer(command, answer, link)


def _unreached(node: Identifier) -> TryElsewhere:
    return TryElsewhere(f"Node {name(node)} could not be reached in time.")


def _raise(error: Exception) -> None:
    raise error
