"""The node table: every node that we ever heard of, with its record and what we believe about its life.

It spreads by changes: each change has a number, and whoever compares tables asks for those after the last one that it
heard.  What others say about a node's life only makes us ask that node; its state here is what we found ourselves.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from p2pchat.chord.sketch import Sketch
from p2pchat.chord.status import NodeState
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier, from_bytes, to_bytes
from p2pchat.wire.arguments import joined, split

MAX_NODES = 10_000
FIRST_PAUSE_SECONDS = 0.5
"""Between the first two questions to a dead node; each pause doubles."""
MAX_PAUSE_SECONDS = 10.0
FORGET_SECONDS = 7 * 24 * 3600.0
"""A node that has been dead for so long is forgotten."""
KEPT_NODES = 32
"""Before us and behind us, in a full table."""
ENTRY_BYTES = 41
LIVE = frozenset({NodeState.READY, NodeState.SUSPECTED})
_CODES = {NodeState.JOINING: b"j", NodeState.READY: b"r", NodeState.LEAVING: b"l", NodeState.SUSPECTED: b"r"}
_STATES = {b"j": NodeState.JOINING, b"r": NodeState.READY, b"l": NodeState.LEAVING, b"d": NodeState.DEAD}


@dataclass(frozen=True, slots=True)
class Hearsay:
    """What another node says about one node."""

    identifier: Identifier
    sequence: int
    state: NodeState

    def pack(self) -> bytes:
        """ENTRY_BYTES that say it."""
        return to_bytes(self.identifier) + self.sequence.to_bytes(8, "big") + _CODES.get(self.state, b"d")


@dataclass(slots=True)
class _Entry:
    record: NodeRecord
    verified: bool
    state: NodeState
    change: int
    since: float  # seconds of the clock: when the state began
    due: float  # seconds of the clock: when to ask it next, if it is not live
    pause: float = FIRST_PAUSE_SECONDS


class NodeTable:
    """Nodes by identifier; the caller says what time it is.

    Args:
        verify: raises Misbehaved unless the record belongs to a node of our ring; called once for each record.
        most: nodes that it holds.
    """

    def __init__(self, verify: Callable[[NodeRecord], None], most: int = MAX_NODES) -> None:
        self._verify, self._most = verify, most
        self._entries: dict[Identifier, _Entry] = {}  # in the order of their changes
        self._changes = 0
        self.center: Identifier | None = None
        """Our own node: a full table forgets nodes far from it, so that lookups can pass through any others."""
        self._live: list[Identifier] = []  # replaced at each change, never changed
        self._dead = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, identifier: Identifier) -> bool:
        return identifier in self._entries

    @property
    def changes(self) -> int:
        """The number of the last change."""
        return self._changes

    # -- records

    def learn(self, record: NodeRecord, now: float, state: NodeState = NodeState.JOINING, proven: bool = False) -> bool:
        """Take a record if it is news; `state` is for a node that we did not know.

        Args:
            proven: its signatures were checked already.
        Raises:
            Misbehaved: it would replace a record that was verified, and is false.
        """
        known = self._entries.get(record.identifier)
        if known is None:
            if len(self._entries) >= self._most:
                if not proven:
                    self._verify(record)  # nobody shall flush the table with nodes that do not exist
                if not self._make_room():
                    return False
            self._entries[record.identifier] = _Entry(record, proven, state, 0, now, now)
            self._count(record.identifier, None, state)
            self._changed(record.identifier)
            return True
        known.verified = known.verified or (proven and record == known.record)
        if record.sequence <= known.record.sequence:
            return False
        if known.verified and not proven:
            self._verify(record)
        known.record, known.verified = record, known.verified or proven
        known.due, known.pause = now, FIRST_PAUSE_SECONDS
        self._changed(record.identifier)
        return True

    def record(self, identifier: Identifier) -> NodeRecord | None:
        """The verified record of a node; a false one is thrown away with its entry."""
        entry = self._entries.get(identifier)
        if entry is None:
            return None
        if not entry.verified:
            try:
                self._verify(entry.record)
            except Misbehaved:
                self.forget(identifier)
                return None
            entry.verified = True
        return entry.record

    def heard(self, identifier: Identifier) -> NodeRecord | None:
        """The record of a node as we heard it, to be passed on; the receiver judges it."""
        entry = self._entries.get(identifier)
        return None if entry is None else entry.record

    def forget(self, identifier: Identifier) -> None:
        """Drop a node."""
        entry = self._entries.pop(identifier, None)
        if entry is not None:
            self._count(identifier, entry.state, None)

    def _make_room(self) -> bool:
        """Forget the node that has been dead for longest, or one far away that we have known for longest."""
        entries = self._entries.items() if self._dead else []
        dead = [(entry.since, each) for each, entry in entries if entry.state is NodeState.DEAD]
        far = (each for each in self._entries if self.center is not None and not self._is_kept(self.center, each))
        forgotten = min(dead)[1] if dead else next(far, None)
        if forgotten is not None:
            self.forget(forgotten)
        return forgotten is not None

    def _is_kept(self, center: Identifier, node: Identifier) -> bool:
        return node == center or abs(self.position(center, node)) <= KEPT_NODES

    def forget_dead(self, now: float) -> None:
        """Drop the nodes that have been dead for too long."""
        for identifier, entry in list(self._entries.items()):
            if entry.state is NodeState.DEAD and now - entry.since > FORGET_SECONDS:
                self.forget(identifier)

    # -- states

    def state(self, identifier: Identifier) -> NodeState | None:
        """What we believe about this node; None if we never heard of it."""
        entry = self._entries.get(identifier)
        return None if entry is None else entry.state

    def states(self) -> dict[Identifier, NodeState]:
        """What we believe about every node."""
        return {identifier: entry.state for identifier, entry in self._entries.items()}

    def set_state(self, identifier: Identifier, state: NodeState, now: float) -> bool:
        """What we found out about a node's life; whether that is news."""
        entry = self._entries.get(identifier)
        if entry is None or entry.state is state:
            return False
        spread = _CODES.get(entry.state) != _CODES.get(state)
        self._count(identifier, entry.state, state)
        entry.state, entry.since = state, now
        entry.due, entry.pause = now + FIRST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS
        if spread:
            self._changed(identifier)
        return True

    def live(self) -> list[Identifier]:
        """Nodes that are on the ring and alive, suspected ones among them; sorted."""
        return self._live

    def _count(self, node: Identifier, before: NodeState | None, now: NodeState | None) -> None:
        self._dead += (now is NodeState.DEAD) - (before is NodeState.DEAD)
        if (before in LIVE) != (now in LIVE):
            at = bisect_left(self._live, node)
            between = [node] if now in LIVE else []
            self._live = [*self._live[:at], *between, *self._live[at + (before in LIVE) :]]

    def awake(self) -> int:
        """How many nodes are not dead, as far as we know; those that we have not asked yet count."""
        return len(self) - self._dead

    def sketch(self, salt: bytes, parts: int) -> Sketch:
        """Who lives, for one comparison."""
        return Sketch(salt, ((node, self._entries[node].record.sequence) for node in self.live()), parts)

    @property
    def full(self) -> bool:
        """Whether no further node finds room."""
        return len(self) >= self._most and len(self) == self.awake()

    def position(self, node: Identifier, other: Identifier) -> int:
        """How many live nodes stand between a live one and another node: below 0 before it, above 0 behind it."""
        live = self.live()
        ahead = (bisect_left(live, other) - bisect_left(live, node)) % max(1, len(live))
        return ahead if 2 * ahead <= len(live) else ahead - len(live)

    def first_live(self, point: Identifier, count: int) -> list[Identifier]:
        """The first `count` live nodes clockwise from `point`, a node exactly there included."""
        live = self.live()
        start = bisect_left(live, point)
        return [live[(start + i) % len(live)] for i in range(min(count, len(live)))]

    # -- asking those that are not live

    def due(self, now: float) -> list[Identifier]:
        """Nodes that are not live and should be asked again, the longest overdue first."""
        late = [(entry.due, each) for each, entry in self._entries.items() if entry.state not in LIVE]
        return [identifier for due, identifier in sorted(late) if due <= now]

    def hasten(self, identifier: Identifier, now: float) -> None:
        """Somebody says that this node lives: ask it soon."""
        entry = self._entries.get(identifier)
        if entry is not None:
            entry.due, entry.pause = min(entry.due, now), FIRST_PAUSE_SECONDS

    def missed(self, identifier: Identifier, now: float) -> None:
        """A node that is not live did not answer: wait longer before asking again."""
        entry = self._entries.get(identifier)
        if entry is not None:
            entry.due = now + entry.pause
            entry.pause = min(entry.pause * 2, MAX_PAUSE_SECONDS)

    # -- spreading

    def changes_after(self, number: int, limit: int) -> tuple[bytes, int, bool]:
        """The nodes changed after change `number`, packed, oldest first; up to which change; whether more wait."""
        newer: list[Identifier] = []
        for identifier in reversed(self._entries):
            if self._entries[identifier].change <= number:
                break
            newer.append(identifier)
        page = newer[::-1][:limit]
        more = len(newer) > limit
        until = self._entries[page[-1]].change if more else self._changes
        return b"".join(self.packed(identifier) for identifier in page), until, more

    def packed(self, identifier: Identifier) -> bytes:
        """What we say about a node that we know."""
        entry = self._entries[identifier]
        return Hearsay(identifier, entry.record.sequence, entry.state).pack()

    def unknown(self, hearsay: Iterable[Hearsay]) -> list[Identifier]:
        """The nodes of which the other side has a record that we lack."""
        return [each.identifier for each in hearsay if each.sequence > self._sequence(each.identifier)]

    def _sequence(self, identifier: Identifier) -> int:
        entry = self._entries.get(identifier)
        return -1 if entry is None else entry.record.sequence

    def _changed(self, identifier: Identifier) -> None:
        self._changes += 1
        entry = self._entries.pop(identifier)
        entry.change = self._changes
        self._entries[identifier] = entry

    # -- disk

    def dump(self) -> bytes:
        """All records, for the disk."""
        lines = (joined([entry.record.encode()]) for entry in self._entries.values())
        return b"".join(lines)

    def load(self, dumped: bytes, now: float) -> None:
        """Take records from the disk; all are taken for dead until they answer."""
        for encoded in split(dumped, MAX_NODES):
            self.learn(NodeRecord.parse(encoded), now, NodeState.DEAD)


def unpack(entries: bytes) -> list[Hearsay]:
    """What another node says; Misbehaved for a wrong form."""
    if len(entries) % ENTRY_BYTES:
        raise Misbehaved("Table entries of a wrong length were sent.")
    heard = []
    for start in range(0, len(entries), ENTRY_BYTES):
        entry = entries[start : start + ENTRY_BYTES]
        state = _STATES.get(entry[40:])
        if state is None:
            raise Misbehaved("A table entry with an unknown state was sent.")
        heard.append(Hearsay(from_bytes(entry[:32]), int.from_bytes(entry[32:40], "big"), state))
    return heard
