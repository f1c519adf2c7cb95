"""HELLO: the first call on each connection with a node, after which it is trusted.

Nodes, operators and agents say it to nodes; agents among each other say another one (channel.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp

from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.noderecord import MAX_NODE_RECORD_BYTES, NodeRecord
from p2pchat.errors import Busy, Misbehaved, NotAdmitted, RingUnknown, TryElsewhere, on_wire
from p2pchat.wire.arguments import Blob, Natural
from p2pchat.wire.connection import Link, Peer, Role, call
from p2pchat.wire.limits import LIMITS, Limits
from p2pchat.wire.tally import Tally
from p2pchat.wire.tls import TLS, Member

PROTOCOL_VERSION = 1
HELLO_SECONDS = 5.0

_SAID = [
    (b"version", Natural(65_535)),
    (b"ring", Blob(32, 32)),
    (b"generation", Natural()),
    (b"evictions", Natural()),
    (b"record", Blob(MAX_NODE_RECORD_BYTES, optional=True)),
]


class Hello(amp.Command):
    """This is who I am, and what I know of the ring; the callee says the same.

    `evictions` is the number of the newest list of evictions, `generation` that of the ring; who has lower ones fetches
    the others'.  Only nodes have a `record`.
    """

    arguments = _SAID
    response = _SAID
    errors = on_wire(NotAdmitted, RingUnknown, Misbehaved, Busy, TryElsewhere)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What one end says in HELLO."""

    generation: int = 0
    evictions: int = 0
    record: NodeRecord | None = None


def _nothing(_peer: Peer, _greeting: Greeting) -> None:
    """Nobody wants to hear greetings."""


def _nobody(_certificate: Certificate) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Standing:
    """Our place in the ring, as every connection to and from a node needs it.

    Attributes:
        clock, now: the reactor's clock, and seconds since 1970.
        tls: from wire.tls, for what this program is.
        ring: the 32-byte id of our ring; None: whatever ring answers (an agent that has none yet).
        greeting: what we say of ourselves now.
        locators: who answers the calls of an accepted peer (an agent's takes the pushes of its node).
        evicted: whether the ring has evicted this certificate.
        heard: is told every greeting of an accepted peer.
        tally: counts the calls on every connection.
    """

    clock: IReactorTime
    now: Callable[[], float]
    tls: TLS
    ring: bytes | None
    greeting: Callable[[], Greeting]
    locators: Callable[[Peer], Sequence[amp.CommandLocator]]
    evicted: Callable[[Certificate], bool] = _nobody
    heard: Callable[[Peer, Greeting], None] = _nothing
    limits: Limits = LIMITS
    tally: Tally | None = None


class HelloLocator(amp.CommandLocator):
    """Answers the one HELLO of a connection that we accepted.

    Args:
        ring: ours.
        greeting: what we say.
        welcome: takes or refuses (by raising) the caller with this greeting, and trusts the link.
    """

    def __init__(self, ring: bytes, greeting: Callable[[], Greeting], welcome: Callable[[Greeting], None]) -> None:
        self._ring, self._greeting, self._welcome = ring, greeting, welcome

    @Hello.responder
    def hello(
        self, version: int, ring: bytes, generation: int, evictions: int, record: bytes | None
    ) -> dict[str, object]:
        """Judge the caller, then say who we are."""
        _check(version, ring, self._ring)
        parsed = NodeRecord.parse(record) if record is not None else None
        self._welcome(Greeting(generation, evictions, parsed))
        return _said(self._ring, self._greeting())


async def say_hello(link: Link, clock: IReactorTime, ring: bytes, greeting: Greeting) -> Greeting:
    """Say HELLO on a link that we opened; what the other end says.

    Raises:
        NotAdmitted, RingUnknown: it does not accept us.
        Misbehaved, TryElsewhere: it answers badly, or not at all.
    """
    heard = await call(link, clock, Hello, timeout=HELLO_SECONDS, **_said(ring, greeting))
    _check(heard["version"], heard["ring"], ring)
    record = NodeRecord.parse(heard["record"]) if heard["record"] is not None else None
    return Greeting(heard["generation"], heard["evictions"], record)


def known_peer(link: Link, member: Member, greeting: Greeting, now: float) -> Peer:
    """Who is there: what TLS proved and what HELLO said must be one and the same.

    Raises:
        Misbehaved: they are not.
    """
    role = Role(member.certificate.role.value)
    if role is not Role.NODE:
        return Peer(role, link, certificates=(member.certificate, member.issuer), root=member.root, host=link.host)
    record = greeting.record
    if record is None or record.certificate.der != member.certificate.der:
        raise Misbehaved("Its HELLO names another node than its certificate.")
    record.verify(member.root, now)
    return Peer(
        role,
        link,
        identifier=record.identifier,
        record=record,
        certificates=(member.certificate, member.issuer),
        root=member.root,
        host=link.host,
    )


def _said(ring: bytes, greeting: Greeting) -> dict[str, Any]:
    return {
        "version": PROTOCOL_VERSION,
        "ring": ring,
        "generation": greeting.generation,
        "evictions": greeting.evictions,
        "record": greeting.record.encode() if greeting.record is not None else None,
    }


def _check(version: int, ring: bytes, ours: bytes) -> None:
    if version < PROTOCOL_VERSION:
        raise RingUnknown(f"Version {version} of the protocol is spoken there, {PROTOCOL_VERSION} here: update it.")
    if ring != ours:
        raise RingUnknown(f"This is the ring {ours[:4].hex()}, not {ring[:4].hex()}.")
