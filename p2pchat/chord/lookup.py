"""The iterative lookup: ask ever closer nodes until one names the owner.

Source: Stoica et al., "Chord", IEEE/ACM Trans. Networking 11(1), 2003, section IV.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chord.ring import Ring
from p2pchat.chord.routing import ALTERNATIVES, Fingers, Step, closest_before, finger_target, next_step
from p2pchat.chord.status import Found, Hop, NodeState
from p2pchat.chord.table import LIVE, NodeTable
from p2pchat.counting import HOPS, SECONDS, Histogram
from p2pchat.errors import LookupFailed, TryElsewhere
from p2pchat.identifiers import CIRCLE, Arc, Identifier, distance, name

MAX_HOPS = 32
"""Questions that one lookup may ask; about log2(nodes) / 2 are expected without a complete table."""

MAX_RECENT = 4
"""Lookups that are remembered, for those who watch the ring."""

MAX_ROUNDS = 6
"""So often a lookup goes on behind owners that turn out to be dead."""

MAX_WITHOUT = 32
"""Silent nodes that a question may name."""

AskStep: TypeAlias = Callable[[Identifier, Identifier, tuple[Identifier, ...]], Awaitable[Step]]
"""Ask a node (first) for the next step to a point (second) over none of the third; TryElsewhere if it is silent."""

Answers: TypeAlias = Callable[[Identifier], Coroutine[Any, Any, bool]]
"""Whether a node answers a short question."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A finished lookup: the owner and some of its successors, the node that named them, and who was asked."""

    owners: tuple[Identifier, ...]
    named_by: Identifier
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """A lookup that has just ended: who was asked, in order, and who was found."""

    number: int
    hops: tuple[Identifier, ...]
    owner: Identifier


class Way:
    """One lookup: whom to ask next.  The closest node before the point that answered is asked again without the silent
    ones that it named; so who only has dead nodes between itself and the point finds its first live successor."""

    def __init__(self, point: Identifier, start: Iterable[Identifier], most: int = MAX_HOPS) -> None:
        self.point, self.silent = point, dict[Identifier, None]()
        self.found: tuple[Identifier, Step] | None = None
        self._candidates, self._asked = set(start), set[Identifier]()
        self._nearest: Identifier | None = None
        self._told = 0  # silent nodes that the nearest knew of when it answered
        self._left = most

    def next(self) -> Identifier | None:
        """The node to ask now; None: there is nobody left, or it takes too long."""
        best = min(self._candidates, key=self._rest, default=None)
        if self._left == 0 or self.found is not None:
            return None
        nearest, news = self._nearest, len(self.silent) > self._told
        if nearest is not None and news and (best is None or self._rest(best) >= self._rest(nearest)):
            best = nearest
        if best is not None:
            self._candidates.discard(best)
            self._asked.add(best)
            self._left -= 1
        return best

    def _rest(self, node: Identifier) -> int:
        return distance(node, self.point) or CIRCLE

    def answered(self, node: Identifier, step: Step) -> None:
        """The node that was asked gave this step."""
        if step.owned:
            self.found = (node, step)
            return
        if self._nearest is None or self._rest(node) <= self._rest(self._nearest):
            self._nearest, self._told = node, len(self.silent)
        self._candidates.update(each for each in step.nodes if each not in self._asked)

    def missed(self, node: Identifier) -> None:
        """The node that was asked is silent."""
        self.silent[node] = None

    def reopen(self, owner: Identifier) -> None:
        """The owner that was found is silent: whoever named it is asked again."""
        if self.found is not None:
            self._nearest, self._told, self.found = self.found[0], len(self.silent), None
        self.silent[owner] = None


async def walk(
    point: Identifier,
    start: Iterable[Identifier],
    ask: AskStep,
    clock: IReactorTime,
    me: Identifier | None = None,
    doubted: Callable[[Identifier], bool] = lambda _: False,
    most: int = MAX_HOPS,
) -> Walk:
    """Ask from `start` on, always the closest node before the point; what `me` answers is no hop.

    Where all owners that somebody names are `doubted`, it is asked for those behind them; if it knows none, they stand.

    Raises:
        LookupFailed: nobody named an owner; the ring is changing, retry in a few seconds.
    """
    way, hops = Way(point, start, most), list[Hop]()
    second_best: tuple[Identifier, Step] | None = None
    while (node := way.next()) is not None:
        began = clock.seconds()
        try:
            step = await ask(node, point, tuple(way.silent)[-MAX_WITHOUT:])
        except TryElsewhere:
            way.missed(node)
            hops.append(Hop(node, None))
            continue
        if node != me:
            hops.append(Hop(node, (clock.seconds() - began) * 1000))
        way.answered(node, step)
        if way.found is not None and all(map(doubted, step.nodes)):
            second_best = second_best or way.found
            for each in step.nodes:
                way.reopen(each)
    if (found := way.found or second_best) is None:
        raise LookupFailed(f"No owner of {name(point)} was found in {len(hops)} hops. Try again in a few seconds.")
    named_by, step = found
    return Walk(step.nodes, named_by, tuple(hops))


class Lookups:
    """Our node's lookups: those that others ask us a step of, and its own, which keep the fingers right."""

    _log = Logger()

    def __init__(
        self, ring: Ring, table: NodeTable, ask: AskStep, answers: Answers, clock: IReactorTime, chance: Random
    ) -> None:
        self._ring, self._table, self._ask, self._answers = ring, table, ask, answers
        self._clock, self._chance = clock, chance
        self._fingers = Fingers(ring.me)
        self.hops, self.seconds, self.failed = Histogram(HOPS), Histogram(SECONDS), 0
        """Of the lookups that found somebody, and how many did not."""
        self.recent: deque[Passed] = deque(maxlen=MAX_RECENT)
        self._count = 0

    def next_step(self, point: Identifier, without: Sequence[Identifier] = ()) -> Step:
        """One step of a lookup over none of the nodes `without`; TryElsewhere if we are not on the ring."""
        if not self._ring.member:
            raise TryElsewhere("This node is not on the ring.")
        passed = set(without)
        successors = [node for node in self._ring.successors if node not in passed and self._lives(node)]
        fingers = [node for node in self._fingers.nodes() if self._lives(node)]
        others = [*fingers, *closest_before(self._table.live(), point, ALTERNATIVES + len(passed))]
        return next_step(self._ring.me, point, successors, [node for node in others if node not in passed])

    def _lives(self, node: Identifier) -> bool:
        return self._table.state(node) in LIVE

    async def find_owner(self, point: Identifier) -> Found:
        """Who owns `point`; LookupFailed while the ring changes too much, retry in a few seconds."""
        if not self._ring.member:
            raise LookupFailed("This node is not on the ring yet. Try again in a few seconds.")
        predecessor = self._ring.predecessor
        if predecessor is not None and self._lives(predecessor) and point in Arc(predecessor, self._ring.me):
            return Found(self._ring.me, ())
        began = self._clock.seconds()
        try:
            found = await self._find(point)
        except LookupFailed:
            self.failed += 1
            raise
        self.hops.observe(len(found.hops))
        self.seconds.observe(self._clock.seconds() - began)
        self._count += 1
        self.recent.append(Passed(self._count, tuple(hop.identifier for hop in found.hops), found.owner))
        return found

    async def _find(self, point: Identifier) -> Found:
        hops: tuple[Hop, ...] = ()
        for _ in range(MAX_ROUNDS):
            found = await walk(point, [self._ring.me], self._step_of, self._clock, self._ring.me, self._is_doubted)
            hops += found.hops
            healthy = not any(map(self._is_doubted, found.owners)) and all(
                hop.milliseconds is not None for hop in found.hops
            )
            owner = found.owners[0] if healthy else await self._first_that_answers(found.owners)
            if owner is not None:
                return Found(owner, hops)
        return Found(found.owners[0], hops)

    async def _first_that_answers(self, owners: Iterable[Identifier]) -> Identifier | None:
        """Nodes died where the owner is: the first of these that lives, all asked at once."""
        asked = [node for node in owners if not self._is_doubted(node)]
        answers = await gatherResults([Deferred.fromCoroutine(self._answers(node)) for node in asked])
        return next((node for node, lives in zip(asked, answers, strict=True) if lives), None)

    def _is_doubted(self, node: Identifier) -> bool:
        """Whether it did not answer us, lately or just now."""
        return self._table.state(node) in (NodeState.SUSPECTED, NodeState.LEAVING, NodeState.DEAD)

    async def _step_of(self, node: Identifier, point: Identifier, without: tuple[Identifier, ...]) -> Step:
        if node == self._ring.me:
            return self.next_step(point, without)
        return await self._ask(node, point, without)

    def fingers(self) -> tuple[Identifier, ...]:
        """The distinct fingers, nearest first."""
        return self._fingers.shown(lambda point: next(iter(self._table.first_live(point, 1)), None))

    def drop(self, node: Identifier) -> None:
        """A node died."""
        self._fingers.drop(node)

    async def fix_finger(self) -> None:
        """Look one finger up, unless the successor list answers for all of them."""
        last = self._ring.successors[-1:]
        index = self._fingers.next_index(last[0]) if last else None
        if index is None:
            return
        try:
            found = await self.find_owner(finger_target(self._ring.me, index))
        except TryElsewhere as error:
            self._log.debug("finger {index} was not found: {error}", index=index, error=error)
        else:
            self._fingers.found(index, found.owner)

    async def look_up_ourselves(self, others: Sequence[Identifier]) -> None:
        """Let the view of one of these nodes find us: where it finds somebody else, our rings are apart."""
        if not others:
            return
        try:
            await walk(self._ring.me, [self._chance.choice(others)], self._ask, self._clock)
        except TryElsewhere as error:
            self._log.debug("nobody finds us: {error}", error=error)
