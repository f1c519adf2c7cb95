"""Our node's place on the ring: corrected Chord as a pure state machine, event by event.

A step reads at most one other node and changes only our own state; while a question is under way that may change our
state, `view()` is None (the asker hears "pending" and tries again), so nobody ever copies a state that is about to go.
A list that lost its head gets a placeholder at its end, so that it never claims to know what lies behind.  In a ring of
at most r nodes lists are shorter than r: such a list goes once around and ends before its own node.

Source: Pamela Zave, "Reasoning about Identifier Spaces: How to Make Chord Correct", IEEE Trans. Software Eng. 43(12),
2017 (arXiv 1610.01140).  Not in the paper: `Discovered`, which takes a node that we met by other ways as if the
successor had named it; it joins rings that a partition split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b
from typing import TypeAlias, assert_never

from p2pchat.identifiers import Identifier, between, distance, to_bytes

SUCCESSORS = 16
"""r: entries of a full successor list."""


class Mode(Enum):
    """What our node waits for."""

    OUTSIDE = auto()  # not on the ring
    IDLE = auto()
    ASKING_SUCCESSOR = auto()  # STAB1 of the paper
    ASKING_CANDIDATE = auto()  # STAB2: the successor may not change between the two answers
    CHECKING_PREDECESSOR = auto()  # RECTIFY


@dataclass(frozen=True, slots=True)
class View:
    """What a node tells of itself; `padding` placeholders follow its successors."""

    predecessor: Identifier | None
    successors: tuple[Identifier, ...]
    padding: int = 0

    def hash(self) -> bytes:
        """Eight bytes that another view hardly has."""
        before = b"" if self.predecessor is None else to_bytes(self.predecessor)
        named = b"".join(map(to_bytes, self.successors))
        return blake2b(before + b"/" + named + b"/" + bytes([self.padding]), digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class Founded:
    """Event: we are a ring of one."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Event: `contact`, which a lookup named as our predecessor, answered with its view."""

    contact: Identifier
    view: View


@dataclass(frozen=True, slots=True)
class Stabilized:
    """Event: it is time to compare notes with our successor."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Event: the node that we asked told its view."""

    node: Identifier
    view: View


@dataclass(frozen=True, slots=True)
class Pended:
    """Event: the node that we asked lives, but cannot tell its view now."""

    node: Identifier


@dataclass(frozen=True, slots=True)
class Failed:
    """Event: this node is dead or no longer on the ring; also the end of a question to it."""

    node: Identifier


@dataclass(frozen=True, slots=True)
class Alive:
    """Event: the predecessor that we checked answered."""

    node: Identifier


@dataclass(frozen=True, slots=True)
class Notified:
    """Event: `candidate` believes that it precedes us."""

    candidate: Identifier


@dataclass(frozen=True, slots=True)
class Discovered:
    """Event: `candidate` is on the ring; it answered us a moment ago."""

    candidate: Identifier


@dataclass(frozen=True, slots=True)
class Left:
    """Event: we leave the ring."""


Event: TypeAlias = (
    Founded | Joined | Stabilized | Answered | Pended | Failed | Alive | Notified | Discovered | Left
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """Action: ask this node for its view; answer with Answered, Pended or Failed."""

    node: Identifier


@dataclass(frozen=True, slots=True)
class Check:
    """Action: see whether our predecessor lives; answer with Alive or Failed."""

    node: Identifier


@dataclass(frozen=True, slots=True)
class Tell:
    """Action: notify this node that we may precede it."""

    node: Identifier


@dataclass(frozen=True, slots=True)
class Again:
    """Action: stabilize again after a short random pause."""


@dataclass(frozen=True, slots=True)
class JoinAgain:
    """Action: the contact does not precede us (any more); start the join anew."""


@dataclass(frozen=True, slots=True)
class Isolated:
    """Action: no successor is left; find the ring again."""


Action: TypeAlias = Ask | Check | Tell | Again | JoinAgain | Isolated


class Ring:
    """Our node's place on the ring; the same events give the same ring."""

    def __init__(self, me: Identifier, length: int = SUCCESSORS) -> None:
        self.me, self.length = me, length
        self.mode = Mode.OUTSIDE
        self.predecessor: Identifier | None = None
        self.successors: tuple[Identifier, ...] = ()
        self.padding = 0
        self._asked: Identifier | None = None
        self._notified: Identifier | None = None
        self._discovered: Identifier | None = None

    @property
    def member(self) -> bool:
        return self.mode is not Mode.OUTSIDE

    @property
    def head(self) -> Identifier:
        """Our first successor; we ourselves in a ring of one."""
        return self.successors[0] if self.successors else self.me

    def is_near(self, node: Identifier) -> bool:
        """Whether a node stands, or would stand, among our neighbours; in a ring with short lists all do."""
        if len(self.successors) < self.length or node == self.predecessor:
            return True
        return distance(self.me, node) <= distance(self.me, self.successors[-1])

    def view(self) -> View | None:
        """What others may copy; None: pending, they shall ask again."""
        if self.mode is not Mode.IDLE:
            return None
        return View(self.predecessor, self.successors, self.padding)

    def receive(self, event: Event) -> list[Action]:
        """Take one step; an answer that nobody waits for any more changes nothing."""
        match event:
            case Founded():
                if not self.member:
                    self._become(None, (), 0)
                return []
            case Joined(contact, view):
                return [JoinAgain()] if self.member else self._join(contact, view)
            case Left():
                self.mode, self._asked, self._notified, self._discovered = Mode.OUTSIDE, None, None, None
                return []
        if not self.member:
            return []
        match event:
            case Stabilized():
                return self._stabilize() if self.mode is Mode.IDLE else []
            case Answered(node, view):
                return self._take(node, view) if node == self._asked else []
            case Pended(node):
                return [*self._settle(), Again()] if node == self._asked else []
            case Alive(node):
                return self._keep_predecessor() if node == self._asked else []
            case Failed(node):
                return self._fail(node)
            case Notified(candidate):
                return self._hear_notify(candidate)
            case Discovered(candidate):
                return self._discover(candidate)
        assert_never(event)

    def _become(self, predecessor: Identifier | None, successors: tuple[Identifier, ...], padding: int) -> None:
        self.mode, self.predecessor = Mode.IDLE, predecessor
        self.successors, self.padding = successors, padding

    def _join(self, contact: Identifier, view: View) -> list[Action]:
        """Copy the whole list of the node that precedes us; it may have moved since the lookup."""
        list_ = tuple(each for each in view.successors if each != self.me)  # of an earlier life of ours
        padding = view.padding + len(view.successors) - len(list_) if _full(view, self.length) else 0
        first = list_[0] if list_ else contact
        if contact == self.me or not between(contact, self.me, first):
            return [JoinAgain()]
        successors = self._joined_list(contact, list_, padding)
        self._become(contact, *self._cut(successors, padding))
        return self._stabilize()

    def _joined_list(self, contact: Identifier, list_: tuple[Identifier, ...], padding: int) -> tuple[Identifier, ...]:
        complete = len(list_) + padding < self.length
        return (*list_, contact) if complete else list_

    def _stabilize(self) -> list[Action]:
        if self.successors:
            return self._ask(Mode.ASKING_SUCCESSOR, self.successors[0])
        if self.predecessor is not None:
            return self._ask(Mode.ASKING_CANDIDATE, self.predecessor)
        return self._settle()

    def _ask(self, mode: Mode, node: Identifier) -> list[Action]:
        self.mode, self._asked = mode, node
        return [Check(node) if mode is Mode.CHECKING_PREDECESSOR else Ask(node)]

    def _take(self, node: Identifier, view: View) -> list[Action]:
        if self.mode is Mode.ASKING_SUCCESSOR:
            self._adopt(node, view)
            candidate = view.predecessor
            if candidate is not None and between(self.me, candidate, node):
                return self._follow(candidate)
            return [Tell(node), *self._settle()]
        if self.mode is Mode.ASKING_CANDIDATE:
            self._adopt(node, view)
            return [Tell(self.head), *self._settle()]
        return []

    def _follow(self, candidate: Identifier) -> list[Action]:
        """Contact a node before adopting it."""
        return self._ask(Mode.ASKING_CANDIDATE, candidate)

    def _adopt(self, node: Identifier, view: View) -> None:
        self.successors, self.padding = self._cut((node, *view.successors), view.padding)

    def _cut(self, entries: Sequence[Identifier], padding: int) -> tuple[tuple[Identifier, ...], int]:
        """The list as ours: in order, r entries at most, ending before ourselves; with the placeholders it needs."""
        kept: list[Identifier] = []
        for entry in entries[: self.length]:
            if entry == self.me or (kept and distance(self.me, entry) <= distance(self.me, kept[-1])):
                return tuple(kept), 0
            kept.append(entry)
        return tuple(kept), self.length - len(kept) if padding else 0

    def _keep_predecessor(self) -> list[Action]:
        known, candidate = self.predecessor, self._notified
        if known is not None and candidate is not None and not between(known, candidate, self.me):
            self._notified = None
        return self._settle()

    def _fail(self, node: Identifier) -> list[Action]:
        self._notified = None if node == self._notified else self._notified
        self._discovered = None if node == self._discovered else self._discovered
        if node == self._asked:
            match self.mode:
                case Mode.ASKING_SUCCESSOR:
                    return self._lose_head()
                case Mode.ASKING_CANDIDATE:
                    if node == self.predecessor:
                        self.predecessor = None
                    return [*([Tell(self.head)] if self.successors else []), *self._settle()]
                case _:
                    self.predecessor, self._notified = self._notified, None
                    return self._settle()
        if node == self.predecessor and self.mode is not Mode.CHECKING_PREDECESSOR:
            self.predecessor = None
        if self.mode is Mode.IDLE and node == self.head:
            return self._stabilize()
        return []

    def _lose_head(self) -> list[Action]:
        head = self.successors[0]
        self._drop_head()
        if head == self.predecessor:
            self.predecessor = None
        if self.successors:
            return self._stabilize()
        self.padding = 0
        return [Isolated(), *self._settle()]

    def _drop_head(self) -> None:
        if len(self.successors) + self.padding == self.length:
            self.padding += 1
        self.successors = self.successors[1:]

    def _hear_notify(self, candidate: Identifier) -> list[Action]:
        """Keep the closest candidate until there is time: a busy node that drops one may never hear it again."""
        if candidate == self.me:
            return []
        if self._notified is None or between(self._notified, candidate, self.me):
            self._notified = candidate
        return self._settle() if self.mode is Mode.IDLE else []

    def _discover(self, candidate: Identifier) -> list[Action]:
        if not between(self.me, candidate, self.head):
            return []
        if self._discovered is None or between(self.me, candidate, self._discovered):
            self._discovered = candidate
        return self._settle() if self.mode is Mode.IDLE else []

    def _settle(self) -> list[Action]:
        """No question is under way: do what had to wait."""
        self.mode, self._asked = Mode.IDLE, None
        candidate = self._notified
        if candidate is not None:
            if self.predecessor in (None, candidate) or between(self.predecessor, candidate, self.me):
                self.predecessor, self._notified = candidate, None
            elif self.predecessor is not None:
                return self._ask(Mode.CHECKING_PREDECESSOR, self.predecessor)
        candidate, self._discovered = self._discovered, None
        if candidate is not None and between(self.me, candidate, self.head):
            return self._ask(Mode.ASKING_CANDIDATE, candidate)
        return []


def _full(view: View, length: int) -> bool:
    return len(view.successors) + view.padding >= length
