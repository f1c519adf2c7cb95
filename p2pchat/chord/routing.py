"""Where a lookup goes next: the closest live nodes before a point, among successors, fingers and node table."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from p2pchat.identifiers import BITS, CIRCLE, Arc, Identifier, between, distance

ALTERNATIVES = 3
"""Nodes named for the next hop, so that a dead one costs the asker no step back."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a lookup: the owner and the nodes behind it, or whom to ask next, closest to the point first."""

    owned: bool
    nodes: tuple[Identifier, ...]


def next_step(
    me: Identifier, point: Identifier, successors: Iterable[Identifier], others: Iterable[Identifier]
) -> Step:
    """What a node answers to "who owns this point?".

    Args:
        successors: the live ones, in order; none in a ring of one.
        others: further live nodes in any order (fingers, node table).
    """
    ahead = list(successors)
    if not ahead:
        return Step(True, (me,))
    if point in Arc(me, ahead[0]):
        return Step(True, tuple(ahead[:ALTERNATIVES]))
    before = {node for node in (*ahead, *others) if between(me, node, point)}
    return Step(False, tuple(sorted(before, key=lambda node: distance(node, point))[:ALTERNATIVES]))


def closest_before(live: list[Identifier], point: Identifier, count: int = ALTERNATIVES) -> list[Identifier]:
    """The last `count` nodes before `point` in a sorted list, closest first: what a big table offers `next_step`."""
    end = bisect_left(live, point)
    return [live[(end - 1 - i) % len(live)] for i in range(min(count, len(live)))]


def finger_target(me: Identifier, index: int) -> Identifier:
    """The point that finger `index` stands for: half the circle away for the highest, 255."""
    return Identifier((me + (1 << index)) % CIRCLE)


class Fingers:
    """The finger table: for each power of two the first node at least so far away, as lookups found it."""

    def __init__(self, me: Identifier) -> None:
        self._me = me
        self._found: dict[int, Identifier] = {}
        self._next = BITS - 1

    def next_index(self, last_successor: Identifier) -> int | None:
        """Which finger to look up now; None where the successor list answers for all of them."""
        reach = distance(self._me, last_successor)
        if reach >= (1 << (BITS - 1)):
            return None
        if (1 << self._next) <= reach:
            self._next = BITS - 1
        index, self._next = self._next, self._next - 1
        return index

    def found(self, index: int, node: Identifier) -> None:
        """A lookup found this node for a finger."""
        if node == self._me:
            self._found.pop(index, None)
        else:
            self._found[index] = node

    def nodes(self) -> set[Identifier]:
        """All nodes that lookups found."""
        return set(self._found.values())

    def drop(self, node: Identifier) -> None:
        """A node died."""
        self._found = {index: each for index, each in self._found.items() if each != node}

    def shown(self, first_live: Callable[[Identifier], Identifier | None]) -> tuple[Identifier, ...]:
        """The distinct fingers, nearest first, each the better of what a lookup and what the node table says."""
        shown: list[Identifier] = []
        for index in range(BITS):
            target = finger_target(self._me, index)
            known = [node for node in (first_live(target), self._found.get(index)) if node not in (None, self._me)]
            finger = min(known, key=lambda node: distance(target, node), default=None)
            if finger is not None and finger not in shown:
                shown.append(finger)
        return tuple(shown)
