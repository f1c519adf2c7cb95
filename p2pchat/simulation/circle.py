"""A whole ring at a glance: sorted points, who owns what, and the tables that a settled ring would have."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from random import Random

from p2pchat.identifiers import BITS, CIRCLE, Identifier, distance


class Circle:
    """The points of all nodes, sorted."""

    def __init__(self, points: Iterable[Identifier]) -> None:
        self.points = sorted(points)

    @classmethod
    def random(cls, count: int, random: Random) -> "Circle":
        """So many nodes at random points."""
        return cls(point(random) for _ in range(count))

    def __len__(self) -> int:
        return len(self.points)

    def __contains__(self, node: Identifier) -> bool:
        place = bisect_left(self.points, node)
        return self.points[place : place + 1] == [node]

    def add(self, node: Identifier) -> None:
        self.points.insert(bisect_left(self.points, node), node)

    def remove(self, node: Identifier) -> None:
        del self.points[bisect_left(self.points, node)]

    def owner(self, key: Identifier) -> Identifier:
        """The first node at the key or clockwise from it."""
        points = self.points
        return points[bisect_left(points, key) % len(points)]

    def predecessor(self, key: Identifier) -> Identifier:
        """The last node before the key."""
        return self.points[bisect_left(self.points, key) - 1]

    def successors(self, node: Identifier, count: int) -> list[Identifier]:
        """The first `count` nodes behind a point, in order; fewer in a small ring, never the node itself."""
        points = self.points
        start = bisect_right(points, node)
        own = bisect_left(points, node) < start
        return [points[(start + i) % len(points)] for i in range(min(count, len(points) - own))]

    def fingers(self, node: Identifier) -> list[Identifier]:
        """The distinct fingers of a node, nearest first: the owners of node + 2**i."""
        found: list[Identifier] = []
        following = self.successors(node, 1)
        lowest = distance(node, following[0]).bit_length() - 1 if following else BITS
        for index in range(max(0, lowest), BITS):
            finger = self.owner(Identifier((node + (1 << index)) % CIRCLE))
            if finger != node and (not found or found[-1] != finger):
                found.append(finger)
        return found


def point(random: Random) -> Identifier:
    """A random point of the circle."""
    return Identifier(random.getrandbits(BITS))


def mean(values: Iterable[float]) -> float:
    """The mean, rounded to what a table shows; 0 of nothing."""
    listed = list(values)
    return round(sum(listed) / len(listed), 4) if listed else 0.0
