"""Connections of agents with each other: TLS to the key of a session record, then a HELLO with both names."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.protocols import amp
from twisted.protocols.tls import TLSMemoryBIOFactory

from p2pchat.errors import Busy, Misbehaved, RingUnknown, SessionReplaced, TryElsewhere, on_wire
from p2pchat.wire.arguments import Blob, Natural, Text
from p2pchat.wire.connection import Link, Peer, Role, call
from p2pchat.wire.dialer import open_link
from p2pchat.wire.hello import MAX_VERSION, SPOKEN, Versions
from p2pchat.wire.limits import LIMITS, Limits
from p2pchat.wire.listener import Port
from p2pchat.wire.tls import TLS, judge_agent

HELLO_SECONDS = 10.0
"""The other agent may have to read our session record from the ring first."""
MAX_USER_BYTES = 128
MAX_SESSION_BYTES = 12_000
MAX_CHANNELS = 1_000
EXPORTER_LABEL = b"EXPORTER-p2pchat-channel"
"""Of the 32 bytes that a channel key is bound to (docs/protocol.md, 5): `link.exporter(EXPORTER_LABEL)`."""

_SAID = [
    (b"ring", Blob(32, 32)),
    (b"user", Text(MAX_USER_BYTES)),
    (b"expected", Text(MAX_USER_BYTES)),
    (b"fingerprint", Blob(32, 32)),
    (b"epoch", Natural()),
    (b"sequence", Natural()),
    (b"session", Blob(MAX_SESSION_BYTES, optional=True)),
    (b"version", Natural(MAX_VERSION, optional=True)),
    (b"least", Natural(MAX_VERSION, optional=True)),
    (b"evictions", Natural(optional=True)),
]


class ChannelHello(amp.Command):
    """I am `user` with this session, and I want to speak with `expected`; the callee answers as itself.

    `session` is the speaker's own session record, so that one can believe it while the ring has no quorum.  `evictions`
    is the number of the newest list of evictions that it knows: the other end asks for a higher one.  `version`
    and `least` are those of the protocol that it speaks, as in a node's HELLO; 1 where they are absent.
    """

    arguments = _SAID
    response = _SAID
    errors = on_wire(RingUnknown, Misbehaved, SessionReplaced, Busy, TryElsewhere)


@dataclass(frozen=True, slots=True)
class ChannelGreeting:
    """What one agent tells another about itself."""

    ring: bytes
    user: str
    expected: str
    fingerprint: bytes
    epoch: int
    sequence: int
    session: bytes | None = None
    versions: Versions = field(default_factory=lambda: SPOKEN)
    evictions: int = 0


Meet: TypeAlias = Callable[[ChannelGreeting, bytes], Awaitable[ChannelGreeting]]
"""Judges a caller by its greeting and the SPKI (DER) that it proved; our answer, or an error that refuses it."""
Welcome: TypeAlias = Callable[[Peer, ChannelGreeting], Sequence[amp.CommandLocator]]
"""Is told of an accepted channel; gives what answers on it."""


class ChannelLocator(amp.CommandLocator):
    """Answers the one HELLO of a channel that was opened to us."""

    def __init__(self, link: Link, meet: Meet, welcome: Welcome) -> None:
        self._link, self._meet, self._welcome = link, meet, welcome

    @ChannelHello.responder
    async def hello(self, **said: Any) -> dict[str, Any]:
        """Judge the caller, which may take a look at the ring; then say who we are."""
        greeting = _heard(**said)
        spki = judge_agent(self._link.chain)
        ours = await self._meet(greeting, spki)
        version = ours.versions.shared(greeting.versions)
        if not self._link.usable:
            raise self._link.gone()
        peer = Peer(Role.AGENT, self._link, spki=spki, host=self._link.host, version=version)
        self._link.trust(peer, self._welcome(peer, greeting))
        return _said(ours)


class ChannelPort(Port):
    """An agent's port for other agents; listen with `over_tls`."""

    def __init__(self, clock: IReactorTime, meet: Meet, welcome: Welcome, limits: Limits = LIMITS) -> None:
        super().__init__(MAX_CHANNELS)
        self._clock, self._meet, self._welcome, self._limits = clock, meet, welcome, limits

    def accept(self) -> Link:
        """A link that answers ChannelHello and nothing else."""
        link = Link(self._clock, (), self._limits, handshake=True)
        link.serve([ChannelLocator(link, self._meet, self._welcome)])
        return link


def channel_port(
    tls: TLS, clock: IReactorTime, meet: Meet, welcome: Welcome, limits: Limits = LIMITS
) -> TLSMemoryBIOFactory:
    """What an agent listens with; `tls` is `channel_tls`."""
    return ChannelPort(clock, meet, welcome, limits).over_tls(tls, clock)


async def dial_channel(
    endpoint: IStreamClientEndpoint,
    tls: TLS,
    clock: IReactorTime,
    expected_spki: bytes,
    greeting: ChannelGreeting,
    welcome: Welcome,
    limits: Limits = LIMITS,
) -> tuple[Peer, ChannelGreeting]:
    """Connect with another agent; who is there, and what it says of itself (the caller judges epoch and sequence).

    Args:
        expected_spki: DER of the key in its session record.
        greeting: ours; `expected` names the other.
    Raises:
        TryElsewhere: nobody, or somebody else, answers there.
        Misbehaved, RingUnknown: its HELLO does not fit.
        SessionReplaced: it is, or holds us for, a replaced session.
    """
    link = await open_link(endpoint, tls, clock, limits)
    try:
        spki = judge_agent(link.chain)
        if spki != expected_spki:
            raise TryElsewhere("Another agent answers there; the session record may be out of date.")
        heard = _heard(**await call(link, clock, ChannelHello, timeout=HELLO_SECONDS, **_said(greeting)))
        if heard.ring != greeting.ring:
            raise RingUnknown(f"{greeting.expected} answers for another ring.")
        if heard.user != greeting.expected or heard.expected != greeting.user:
            raise Misbehaved(f"{heard.user} answers where {greeting.expected} should be.")
        version = greeting.versions.shared(heard.versions)
        peer = Peer(Role.AGENT, link, spki=spki, host=link.host, version=version)
        link.trust(peer, welcome(peer, heard))
    finally:
        if not link.trusted:
            link.abort("It was not accepted, or is not wanted any more.")
    return peer, heard


def _said(greeting: ChannelGreeting) -> dict[str, Any]:
    said = {each: getattr(greeting, each) for each in ChannelGreeting.__slots__ if each != "versions"}
    return {**said, "version": greeting.versions.highest, "least": greeting.versions.least}


def _heard(
    version: int | None = None, least: int | None = None, evictions: int | None = None, **said: Any
) -> ChannelGreeting:
    highest = version or 1
    return ChannelGreeting(**said, versions=Versions(least or highest, highest), evictions=evictions or 0)
