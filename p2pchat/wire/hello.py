"""HELLO: the first call on each connection with a node, after which it is trusted.

Nodes, operators and agents say it to nodes; agents among each other say another one (channel.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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

MAX_VERSION = 65_535


@dataclass(frozen=True, slots=True)
class Versions:
    """Which versions of the protocol a program speaks: all from `least` to `highest`.

    A release speaks its own and the one before it, so that a ring can be updated node by node.
    """

    least: int
    highest: int

    def __str__(self) -> str:
        return str(self.highest) if self.least == self.highest else f"{self.least} to {self.highest}"

    def shared(self, theirs: "Versions") -> int:
        """The highest that both speak; RingUnknown, which says who has to be updated, if there is none."""
        if theirs.highest < self.least or self.highest < theirs.least:
            raise RingUnknown(
                f"No version of the protocol is spoken at both ends ({self} and {theirs}): update the program that"
                f" speaks {min(self.highest, theirs.highest)}."
            )
        return min(self.highest, theirs.highest)


SPOKEN = Versions(1, 1)
"""By this program.  Version 1 is the first; docs/protocol.md says what a next one has to do."""
HELLO_SECONDS = 5.0

_SAID = [
    (b"version", Natural(MAX_VERSION)),
    (b"ring", Blob(32, 32)),
    (b"generation", Natural()),
    (b"evictions", Natural()),
    (b"record", Blob(MAX_NODE_RECORD_BYTES, optional=True)),
    (b"least", Natural(MAX_VERSION, optional=True)),
]


class Hello(amp.Command):
    """This is who I am, and what I know of the ring; the callee says the same.

    `version` is the highest of the protocol that is spoken, `least` the lowest (absent: that one alone); both go on in
    the highest that both speak.  `evictions` is the number of the newest list of evictions, `generation` that of the
    ring; who has lower ones fetches the others'.  Only nodes have a `record`.
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
    version: int = 0
    """Of the protocol that both ends speak; only in what was heard."""


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
        versions: of the protocol that we speak.
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
    versions: Versions = field(default_factory=lambda: SPOKEN)


class HelloLocator(amp.CommandLocator):
    """Answers the one HELLO of a connection that we accepted.

    Args:
        ring: ours.
        versions: of the protocol that we speak.
        greeting: what we say.
        welcome: takes or refuses (by raising) the caller with this greeting, and trusts the link.
    """

    def __init__(
        self, ring: bytes, versions: Versions, greeting: Callable[[], Greeting], welcome: Callable[[Greeting], None]
    ) -> None:
        self._ring, self._versions, self._greeting, self._welcome = ring, versions, greeting, welcome

    @Hello.responder
    def hello(
        self,
        version: int,
        ring: bytes,
        generation: int,
        evictions: int,
        record: bytes | None,
        least: int | None = None,
    ) -> dict[str, object]:
        """Judge the caller, then say who we are."""
        heard = _heard(self._versions, self._ring, version, ring, generation, evictions, record, least)
        self._welcome(heard)
        return _said(self._ring, self._greeting(), self._versions)


async def say_hello(
    link: Link, clock: IReactorTime, ring: bytes, greeting: Greeting, versions: Versions = SPOKEN
) -> Greeting:
    """Say HELLO on a link that we opened; what the other end says.

    Raises:
        NotAdmitted, RingUnknown: it does not accept us, or no version is spoken by both.
        Misbehaved, TryElsewhere: it answers badly, or not at all.
    """
    heard = await call(link, clock, Hello, timeout=HELLO_SECONDS, **_said(ring, greeting, versions))
    return _heard(versions, ring, **heard)


def known_peer(link: Link, member: Member, greeting: Greeting, now: float) -> Peer:
    """Who is there: what TLS proved and what HELLO said must be one and the same.

    Raises:
        Misbehaved: they are not.
    """
    role = Role(member.certificate.role.value)
    if role is not Role.NODE:
        chain = (member.certificate, member.issuer)
        return Peer(role, link, certificates=chain, root=member.root, host=link.host, version=greeting.version)
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
        version=greeting.version,
    )


def _said(ring: bytes, greeting: Greeting, versions: Versions) -> dict[str, Any]:
    return {
        "version": versions.highest,
        "ring": ring,
        "generation": greeting.generation,
        "evictions": greeting.evictions,
        "record": greeting.record.encode() if greeting.record is not None else None,
        "least": versions.least,
    }


def _heard(
    versions: Versions,
    ours: bytes,
    version: int,
    ring: bytes,
    generation: int,
    evictions: int,
    record: bytes | None,
    least: int | None,
) -> Greeting:
    """What the other end said, judged."""
    if ring != ours:
        raise RingUnknown(f"This is the ring {ours[:4].hex()}, not {ring[:4].hex()}.")
    spoken = versions.shared(Versions(version if least is None else least, version))
    return Greeting(generation, evictions, NodeRecord.parse(record) if record is not None else None, spoken)
