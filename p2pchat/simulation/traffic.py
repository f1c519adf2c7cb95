"""What messages cost: the bytes of AMP boxes, and what becomes of them on the wire with TLS 1.3, TCP and IPv4.

Each box is one TLS record (22 bytes) in one TCP segment (52 bytes of headers with time stamps); the answer acknowledges
the question, and a segment without content acknowledges the answer.  Larger boxes take as many segments as they need.
Two nodes that exchange something without a link open one (LINK_BYTES for both, as measured); on a quiet one each
`quiet_seconds` a KeepAlive goes to and fro, and after `unused_seconds` it is closed (wire/limits.py).  A node that is
gone costs a few SYN segments.  Not counted: Ethernet, and whatever is sent again.
"""

from collections import Counter

from p2pchat.identifiers import Identifier
from p2pchat.wire.limits import LIMITS

ASK_BYTES, ANSWER_BYTES, ERROR_BYTES = 26, 17, 70
"""Of a question, an answer and an error beside what they carry: AMP's own keys, a tag of four digits, the end."""
RECORD_BYTES = 22
"""TLS 1.3: header, type of content, tag (RFC 8446, 5.2)."""
SEGMENT_BYTES = 52
"""Headers of IPv4 and of TCP with time stamps."""
SEGMENT_HOLDS = 1_448
LINK_BYTES = 9_400
"""To open a link, both directions: TLS with certificates on both sides and HELLO (8,430), 8 segments with content and 8
without, the last with a few options more."""
CLOSE_BYTES = 2 * (RECORD_BYTES + 2 + 2 * SEGMENT_BYTES)
KEEP_ALIVE_BYTES = ASK_BYTES + len("KeepAlive") + ANSWER_BYTES + 2 * RECORD_BYTES + 3 * SEGMENT_BYTES
CALLING_BYTES = 3 * 60
"""SYN segments to a node that is gone."""


class Traffic:
    """Counts from one moment on.

    Attributes:
        payload, wire: bytes that all nodes sent, by command; `wire` includes payload, and has entries of its own for
            links that were opened and for those that were kept alive.
        messages: questions, by command; opened: links that were opened, by the command that needed them.
    """

    def __init__(self) -> None:
        self.payload: Counter[str] = Counter()
        self.wire: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        self.opened: Counter[str] = Counter()
        self._used: dict[frozenset[Identifier], float] = {}  # of each link: when it last carried something
        self._paid: dict[frozenset[Identifier], float] = {}  # until when its keeping alive has been counted

    def restart(self, now: float) -> None:
        """Count anew; links stay as they are."""
        self._settle_all(now)
        for counter in (self.payload, self.wire, self.messages, self.opened):
            counter.clear()

    def asked(self, source: Identifier, target: Identifier, command: str, size: int, up: bool, now: float) -> None:
        """A node asks another one; `size` of what the box carries; `up`: the other one runs."""
        box = ASK_BYTES + len(command) + size
        self.messages[command] += 1
        self.payload[command] += box
        pair = frozenset((source, target))
        if up:
            self._use(pair, command, now)
        elif self._used.pop(pair, None) is None:
            self.wire["calls to the dead"] += CALLING_BYTES
            return
        self.wire[command] += _on_wire(box)

    def answered(self, command: str, size: int) -> None:
        """An answer goes back; the segment that acknowledges it comes with it."""
        self.payload[command] += ANSWER_BYTES + size
        self.wire[command] += _on_wire(ANSWER_BYTES + size) + SEGMENT_BYTES

    def failed(self, command: str, text: str) -> None:
        """An error goes back."""
        self.answered(command, ERROR_BYTES - ANSWER_BYTES + len(text))

    def settle(self, now: float, up: set[Identifier]) -> None:
        """Count what has kept quiet links alive until now; those of nodes that are gone are forgotten."""
        for pair in [pair for pair in self._used if not pair <= up]:
            del self._used[pair]
        self._settle_all(now)

    @property
    def links(self) -> int:
        """Links that are open."""
        return len(self._used)

    def _settle_all(self, now: float) -> None:
        for pair in list(self._used):
            self._keep(pair, now)

    def _use(self, pair: frozenset[Identifier], command: str, now: float) -> None:
        if pair in self._used:
            self._keep(pair, now)
        if pair not in self._used:
            self.opened[command] += 1
            self.wire["links opened"] += LINK_BYTES
        self._used[pair] = self._paid[pair] = now

    def _keep(self, pair: frozenset[Identifier], now: float) -> None:
        """What a link has cost since it was last used, as far as that was not counted."""
        used, paid = self._used[pair], self._paid[pair]
        until = min(now, used + LIMITS.unused_seconds)
        times = int((until - used) / LIMITS.quiet_seconds) - int((paid - used) / LIMITS.quiet_seconds)
        self.wire["links kept alive"] += times * KEEP_ALIVE_BYTES
        self._paid[pair] = until
        if until < now:
            self.wire["links closed"] += CLOSE_BYTES
            del self._used[pair]


def _on_wire(box: int) -> int:
    segments = -(-box // SEGMENT_HOLDS)
    return box + RECORD_BYTES + segments * SEGMENT_BYTES
