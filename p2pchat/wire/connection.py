"""The one AMP connection of p2pchat: limits in both directions, a time limit on every call, keep-alive.

`Link` is the only subclass of `amp.AMP`.  Nothing that the other end does costs more than its limits, and no error
that a responder did not foresee closes a connection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pchat import request
from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved, P2PChatError, TryElsewhere
from p2pchat.identifiers import Identifier, name
from p2pchat.wire.boxes import END, BoxParser, pair, pairs
from p2pchat.wire.codec import answer, codec_of
from p2pchat.wire.faults import check_size, error_of, read_answer, said
from p2pchat.wire.limits import LIMITS, Limits
from p2pchat.wire.locators import Locators
from p2pchat.wire.outgoing import Outgoing
from p2pchat.wire.serving import Serving
from p2pchat.wire.silence import Silence, Verdict
from p2pchat.wire.tally import Tally
from p2pchat.wire.tls import shown_chain
from p2pchat.wire.writer import Writer

CALL_SECONDS = 5.0
"""How long a call waits for its answer unless it says otherwise."""
CLOSE_SECONDS = 5.0
"""How long the other end may take to say goodbye before we hang up."""


class Role(Enum):
    """What the other end has proved to be."""

    NODE = "node"
    OPERATOR = "operator"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a link, as TLS and HELLO have proved it."""

    role: Role
    link: "Link" = field(repr=False, compare=False)
    identifier: Identifier | None = None
    """Of a node."""
    record: NodeRecord | None = None
    """Of a node: what it said in HELLO, verified."""
    certificates: tuple[Certificate, ...] = ()
    """Of a node or operator: its own and its admitter's."""
    root: Certificate | None = None
    """Of the ring that it belongs to."""
    spki: bytes = b""
    """DER of the public key that an agent proved; empty where agents are anonymous (at a node)."""
    host: str = ""
    """Where the connection comes from, or goes to."""
    version: int = 0
    """Of the protocol that is spoken with it."""


class KeepAlive(amp.Command):
    """Are you there?  Answered by every link at once, outside of all limits of calls."""


class Call(Protocol):
    """Asks one node of the ring; chord and replication know the network only as this.

    Raises:
        TryElsewhere: the node is not reachable, or did not answer in time (InternalError, Busy: it answered so).
        Misbehaved: its answer cannot be read.
        And whatever the command declares.
    """

    async def __call__(
        self, node: Identifier, command: type[amp.Command], /, *, timeout: float = CALL_SECONDS, **arguments: Any
    ) -> dict[str, Any]: ...


@implementer(IHandshakeListener, IPushProducer)
class Link(amp.AMP):
    """One connection, over TLS to a node or an agent, or over a UNIX socket.

    Args:
        clock: for keep-alive and time limits.
        locators: answer the other end's calls; with `handshake`, only until `trust` says who it is.
        limits: what the connection may cost.
        handshake: the connection is cut unless `trust` was called within `limits.handshake_seconds`.
        secured: called once TLS stands and the other end's certificate can be read.
        tally: counts the calls of all links that have it.
    """

    _log = Logger()
    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        locators: Sequence[amp.CommandLocator] = (),
        limits: Limits = LIMITS,
        handshake: bool = False,
        secured: Callable[["Link"], None] | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._answers = Locators(locators)
        super().__init__(locator=self._answers)
        self.peer: Peer | None = None
        self.trusted = not handshake
        self.limits = limits
        self._clock, self._secured = clock, secured
        self._parser = BoxParser(limits.box_bytes, limits.box_keys)
        self._writer = Writer(limits.unsent_bytes, self.abort)
        self._outgoing = Outgoing(clock, limits, self._writer.write, self)
        self._serving = Serving(self, clock, limits, self._answers, self._writer.write, tally)
        self._tally = tally
        self._silence = Silence(limits)
        self.used_at, self.rests = clock.seconds(), False  # when a call last began; whether Links lets it rest
        self._open = self._ending = False
        self._timer: IDelayedCall | None = None
        self._closing: IDelayedCall | None = None
        self._on_lost: list[Callable[[Link], None]] = []
        self._lost_because: str | None = None
        self.host = self.here = ""

    # -- life of the connection

    def makeConnection(self, transport: Any) -> None:
        """Set the transport up; not Twisted's, which writes addresses into the log."""
        peer = transport.getPeer()
        self.host = str(getattr(peer, "host", ""))
        self.here = str(getattr(transport.getHost(), "host", ""))
        self._open = True
        if hasattr(transport, "setTcpNoDelay"):
            # Chunks of 16 KiB went ten times slower over TLS without it (Nagle's algorithm waits for acknowledgements).
            transport.setTcpNoDelay(True)
        self._writer.open(transport)
        amp.BinaryBoxProtocol.makeConnection(self, transport)
        transport.registerProducer(self, True)
        if self.trusted:
            self._watch()
        else:
            self._timer = self._clock.callLater(
                self.limits.handshake_seconds, self.abort, "The handshake took too long."
            )

    def handshakeCompleted(self) -> None:
        """TLS stands; the owner of this link looks at the certificate now."""
        if self._secured is None or self._ending:
            return
        try:
            self._secured(self)
        except P2PChatError as error:
            self.abort(str(error))
        except Exception:
            self._log.failure("A handshake could not be judged.")
            self.abort("The handshake could not be judged.")

    def trust(self, peer: Peer, locators: Sequence[amp.CommandLocator]) -> None:
        """The other end is `peer`: from now on `locators` answer it."""
        self.peer, self.trusted = peer, True
        self.serve(locators)
        self._stop_timer()
        if self._open:
            self._watch()

    def serve(self, locators: Sequence[amp.CommandLocator]) -> None:
        """These locators, and no others, answer from now on."""
        self._answers.serve(locators)

    def when_lost(self, tell: Callable[["Link"], None]) -> None:
        """Call `tell` once, when the connection is gone; at once if it is."""
        if self._lost_because is not None:
            tell(self)
        else:
            self._on_lost.append(tell)

    @property
    def usable(self) -> bool:
        """Whether a call can be sent now."""
        return self._open and not self._ending

    @property
    def idle(self) -> bool:
        """Whether no call is under way in either direction."""
        return self._outgoing.idle and not self._serving.running

    def close(self) -> None:
        """Send what was written, then hang up."""
        if self._ending or self.transport is None:
            return
        self._ending = True
        self._outgoing.end()
        self._stop_timer()
        self._writer.flush()
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._closing = self._clock.callLater(CLOSE_SECONDS, self._hang_up)

    def abort(self, why: str) -> None:
        """Hang up at once."""
        if self._lost_because is None:
            self._log.info("connection to {link} is cut: {why}", link=self, why=why)
        self._ending = True
        self._outgoing.end()
        self._stop_timer()
        self._hang_up()

    def _hang_up(self) -> None:
        if self.transport is not None:
            self._open = False
            self._writer.close()
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Everything that waits for an answer fails now."""
        self._open, self._ending = False, True
        self._writer.close()
        self._stop_timer()
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        self._lost_because = said(reason)
        amp.BinaryBoxProtocol.connectionLost(self, reason)
        self.transport = None
        self._outgoing.lost()
        told, self._on_lost = self._on_lost, []
        for tell in told:
            tell(self)

    def gone(self) -> TryElsewhere:
        """The error of a call on this link once it is lost."""
        return TryElsewhere(f"The connection to {self} is lost: {self._lost_because or 'it was closed'}.")

    # -- who is there

    @property
    def chain(self) -> list[bytes]:
        """DER of the certificates that the other end has shown, its own first; empty without any."""
        return shown_chain(self.transport.getHandle()) if self.transport is not None else []

    def exporter(self, label: bytes, length: int = 32) -> bytes:
        """Secret bytes that only the two ends of this TLS connection know (RFC 8446, 7.5; empty context)."""
        if self.transport is None:
            raise self.gone()
        exported: bytes = self.transport.getHandle().export_keying_material(label, length)
        return exported

    def __repr__(self) -> str:
        if self.peer is not None and self.peer.identifier is not None:
            return f"node {name(self.peer.identifier)}"
        return f"{self.peer.role.value if self.peer else 'whoever'} at {self.host or 'this machine'}"

    # -- what comes in

    def dataReceived(self, data: bytes) -> None:
        """Take boxes out of the bytes; whoever breaks a limit is cut off.  What they cause is written at once."""
        self._writer.hold()
        try:
            for box in self._parser.feed(data):
                if not self._open:
                    return
                self.ampBoxReceived(box)
        except Misbehaved as error:
            self.abort(str(error))
        except ConnectionLost:
            pass  # it was cut, and why is in the log
        finally:
            self._writer.release()

    def ampBoxReceived(self, box: amp.AmpBox) -> None:
        """Take one box; one that fits nothing raises Misbehaved."""
        self._silence.broken()
        try:
            if (tag := box.get(amp.ANSWER)) is not None:
                self._outgoing.answered(tag, box)
            elif (tag := box.get(amp.ERROR)) is not None:
                code, described = box[amp.ERROR_CODE], box[amp.ERROR_DESCRIPTION].decode("utf-8", "replace")
                kind = amp.PROTOCOL_ERRORS.get(code, amp.RemoteAmpError)
                self._outgoing.answered(tag, kind(code, described))
            elif (tag := box.get(amp.ASK)) is not None:
                if (command := box[amp.COMMAND]) == KeepAlive.commandName:
                    self._writer.write(answer(tag, b""))
                else:
                    self.used_at = self._clock.seconds()
                    self._serving.serve(command, tag, box)
            elif amp.COMMAND in box:
                raise Misbehaved("A call was sent that wants no answer.")
            else:
                raise Misbehaved("A box was sent that is neither a call nor an answer.")
        except KeyError as error:
            raise Misbehaved("An answer was sent that nobody waits for.") from error

    # -- what goes out

    def sendBox(self, box: amp.AmpBox) -> None:
        """Write one box."""
        self._writer.write(pairs(box.items()) + END)

    def pauseProducing(self) -> None:
        """The other end reads too slowly: our calls wait."""
        self._writer.pause()
        self._outgoing.pause()

    def resumeProducing(self) -> None:
        """The other end has read: our calls go on."""
        self._writer.resume()
        self._outgoing.resume()

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost follows."""

    def ask(self, command: type[amp.Command], arguments: dict[str, Any], seconds: float) -> "Deferred[amp.AmpBox]":
        """Send a call or queue it; the box of its answer, or an error within these seconds."""
        codec = codec_of(command)
        codec.arguments.check(arguments)
        values = codec.arguments.write(arguments, self)
        check_size(len(values), self.limits)
        if identity := request.current():
            values = pair(request.KEY, identity.encode("ascii")) + values
        return self._counted(codec.command.commandName, self._outgoing.submit(codec.named, values, seconds, command))

    def _sendBoxCommand(self, command: bytes, box: amp.AmpBox, requiresAnswer: bool = True) -> Any:
        """For `callRemote`, which only programs on one machine use among each other."""
        request.mark(box)
        sent = self._outgoing.submit(pair(amp.COMMAND, command), pairs(box.items()))
        return sent.addErrback(_as_connection_lost)

    def _counted(self, command: bytes, answer: "Deferred[amp.AmpBox]") -> "Deferred[amp.AmpBox]":
        self.used_at = self._clock.seconds()
        return answer if self._tally is None else answer.addBoth(self._tally.note, command)

    # -- keep-alive

    def _watch(self) -> None:
        if self.limits.ping_seconds is not None:
            self._timer = self._clock.callLater(self.limits.ping_seconds, self._look)

    def _look(self) -> None:
        self._watch()
        verdict = self._silence.look(self.rests and self.idle)
        if verdict is Verdict.GIVE_UP:
            self.abort("It has been silent for too long.")
        elif verdict is Verdict.ASK and not self._writer.paused and not self._ending:
            self._outgoing.ping(codec_of(KeepAlive).named)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


async def call(
    link: Link, clock: IReactorTime, command: type[amp.Command], /, *, timeout: float = CALL_SECONDS, **arguments: Any
) -> dict[str, Any]:
    """Ask the other end of a link.

    Args:
        timeout: seconds, the time in the link's queue included.
        arguments: as the command declares them.
    Raises:
        TryElsewhere: the connection is lost, the time is over, or the command is not known there
            (Busy: too many calls; InternalError: the other end failed).
        Misbehaved: the answer cannot be read.
        And whatever the command declares.
    """
    try:
        answered = await link.ask(command, arguments, timeout)
    except amp.RemoteAmpError as error:
        raise error_of(command, error.errorCode, str(error.description)) from None
    except amp.UnhandledCommand:
        raise TryElsewhere(f"{link} does not know {command.__name__}; it may run an older program.") from None
    return read_answer(command, answered, link)


def _as_connection_lost(failure: Failure) -> Failure:
    error = failure.value
    return Failure(ConnectionLost(str(error))) if type(error) is TryElsewhere else failure
