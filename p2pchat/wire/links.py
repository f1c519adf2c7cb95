"""The live, trusted links of one program: which to use for a node, and which to cut."""

from collections.abc import Callable, Collection

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Busy
from p2pchat.identifiers import Address, Identifier
from p2pchat.wire.connection import Link, Peer, Role

MAX_LINKS_PER_NODE = 8
MAX_LINKS = 20_000
REDUNDANT_SECONDS = 30.0
"""How long a second link between the same two nodes stays after its last call."""
QUIET_LOOK_SECONDS = 0.02
MANY_NODES = 24
"""With so many nodes links may rest while nothing is under way, and are closed after `Limits.unused_seconds`."""
UNUSED_SLACK_SECONDS = 60.0
"""So much earlier an end finds nothing in it that the other one closes an unused link."""
ORDER_LABEL = b"EXPORTER-p2pchat-link-order"


class Links:
    """Registry of links, whoever opened them.

    Two nodes that dial each other at the same moment have two links.  Both stay, so that no call is lost; both ends
    use the one whose TLS exporter is lower, and the other is closed once it has been without calls for a while.  Where
    there are many, the only link to a node is closed as well if nobody used it for long; nobody is told of that loss.

    `met` is told the record of each node that proved itself, `lost` the identifier of a node whose last link is gone.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.met: list[Callable[[NodeRecord], None]] = []
        self.lost: list[Callable[[Identifier], None]] = []
        self._clock = clock
        self._nodes: dict[Identifier, dict[Link, bytes]] = {}
        self._peers: dict[Link, Peer] = {}
        self._tidying: IDelayedCall | None = None

    def add(self, peer: Peer) -> None:
        """Count on this link from now on.

        Raises:
            Busy: there are too many of its kind.
        """
        link = peer.link
        if len(self._peers) >= MAX_LINKS:
            raise Busy("This program has too many connections. Try another node.")
        if peer.role is Role.NODE and peer.identifier is not None and peer.record is not None:
            ours = self._nodes.setdefault(peer.identifier, {})
            if len(ours) >= MAX_LINKS_PER_NODE:
                raise Busy("There are too many connections between these two nodes.")
            ours[link] = link.exporter(ORDER_LABEL)
            if len(ours) > 1:
                self._leave_old_places(peer.record)
            self._tidy_later()
        self._peers[link] = peer
        link.when_lost(self._forget)
        if peer.record is not None and link.usable:
            # After this turn: an accepted node must have read our HELLO before it is asked anything.
            self._clock.callLater(0, self._tell_met, link, peer.record)

    def to(self, node: Identifier) -> Link | None:
        """The link to use for this node; None without a usable one."""
        usable = [(order, id(link), link) for link, order in self._nodes.get(node, {}).items() if link.usable]
        return min(usable)[2] if usable else None

    def at(self, address: Address) -> NodeRecord | None:
        """The node with which we are connected and that has this ring address."""
        for peer in self._peers.values():
            if peer.record is not None and peer.record.ring_address == address and peer.link.usable:
                return peer.record
        return None

    def peers(self) -> list[Peer]:
        """Everybody whom we are connected with."""
        return list(self._peers.values())

    def nodes(self) -> list[Identifier]:
        """The nodes that we are connected with."""
        return [node for node in self._nodes if self.to(node) is not None]

    def recheck(self, evicted: Callable[[Certificate], bool]) -> list[Peer]:
        """Cut every link whose certificates are evicted by now; who was cut."""
        cut = [peer for peer in self._peers.values() if any(map(evicted, peer.certificates))]
        for peer in cut:
            peer.link.abort("It was evicted from the ring.")
        return cut

    def leave(self, addresses: Collection[str]) -> None:
        """Cut every link from these addresses, which this machine has no longer: nothing would ever come on it."""
        for peer in list(self._peers.values()):
            if peer.link.here in addresses:
                peer.link.abort("This machine has another address now.")

    async def quiet(self, seconds: float) -> None:
        """Wait until no call is under way on any link, at most so many seconds."""
        end = self._clock.seconds() + seconds
        while self._clock.seconds() < end and not all(link.idle for link in self._peers):
            waited: Deferred[None] = Deferred()
            self._clock.callLater(QUIET_LOOK_SECONDS, waited.callback, None)
            await waited

    def close(self) -> None:
        """Hang up everywhere, after what was written."""
        if self._tidying is not None and self._tidying.active():
            self._tidying.cancel()
        for link in list(self._peers):
            link.close()

    def _leave_old_places(self, record: NodeRecord) -> None:
        """A node came from another address with a newer record: its older links are dead, though nobody closed them."""
        for link in list(self._nodes[record.identifier]):
            old = self._peers[link].record if link in self._peers else None
            moved = old is not None and old.ring_address.host != record.ring_address.host
            if old is not None and moved and old.sequence < record.sequence:
                link.abort("The node has another address now.")

    def _tell_met(self, link: Link, record: NodeRecord) -> None:
        if link in self._peers:
            for tell in list(self.met):
                tell(record)

    def _forget(self, link: Link) -> None:
        peer = self._peers.pop(link, None)
        if peer is None or peer.identifier is None or peer.identifier not in self._nodes:
            return
        ours = self._nodes[peer.identifier]
        ours.pop(link, None)
        if not ours:
            unused = self._is_unused(link, UNUSED_SLACK_SECONDS)
            del self._nodes[peer.identifier]
            if unused:
                return  # which one of the two ends closed for that, and the node lives
            for tell in list(self.lost):
                tell(peer.identifier)

    def _tidy_later(self) -> None:
        if self._tidying is None or not self._tidying.active():
            self._tidying = self._clock.callLater(REDUNDANT_SECONDS, self._tidy)

    def _tidy(self) -> None:
        """Close links that neither end uses any more; let others rest where there are many."""
        many = len(self._nodes) >= MANY_NODES
        for node, ours in list(self._nodes.items()):
            best = self.to(node)
            for link in list(ours):
                link.rests = many
                if (link is not best or self._is_unused(link)) and link.usable and link.idle:
                    link.close()
        if self._nodes:
            self._tidy_later()

    def _is_unused(self, link: Link, slack: float = 0.0) -> bool:
        """Whether nobody called over a link for so long that it is closed, which only happens where there are many."""
        unused = self._clock.seconds() - link.used_at
        return len(self._nodes) >= MANY_NODES and unused >= link.limits.unused_seconds - slack
