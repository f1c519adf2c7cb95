"""What must hold of a ring at every moment, as predicates over a snapshot of all its members.

Source: Zave, IEEE Trans. Software Eng. 43(12), 2017, sections IV to VI.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TypeAlias

from p2pchat.chord.ring import Ring
from p2pchat.identifiers import CIRCLE, Identifier, between


@dataclass(frozen=True, slots=True)
class Place:
    """What one live member believes: predecessor, successor list, and how many placeholders follow it."""

    predecessor: Identifier | None
    successors: tuple[Identifier, ...]
    padding: int = 0

    @classmethod
    def of(cls, ring: Ring) -> "Place":
        return cls(ring.predecessor, ring.successors, ring.padding)

    @property
    def points(self) -> tuple[Identifier, ...]:
        """The list with placeholders as points: each stands right behind the entry before it, so it skips no node."""
        last = self.successors[-1:]
        return self.successors + tuple(
            Identifier((each + i + 1) % CIRCLE) for i in range(self.padding) for each in last
        )


Snapshot: TypeAlias = Mapping[Identifier, Place]
"""All live members and their places."""


def best(snapshot: Snapshot, member: Identifier) -> Identifier | None:
    """The first entry of a member's list that is a live member."""
    return next((entry for entry in snapshot[member].successors if entry in snapshot), None)


def principals(snapshot: Snapshot) -> set[Identifier]:
    """The members that nobody's list skips."""
    pairs = [pair for member, place in snapshot.items() for pair in pairwise((member, *place.points))]
    return {member for member in snapshot if not any(between(start, member, end) for start, end in pairs)}


def ring_members(snapshot: Snapshot) -> set[Identifier]:
    """The members that come back to themselves along best successors."""
    return {member for member in snapshot if member in _way(snapshot, member)}


def _way(snapshot: Snapshot, start: Identifier) -> list[Identifier]:
    """The members met from `start` along best successors until one repeats."""
    way: list[Identifier] = []
    step = best(snapshot, start)
    while step is not None and step not in way:
        way.append(step)
        step = best(snapshot, step)
    return way


def violations(snapshot: Snapshot, length: int) -> list[str]:
    """The names of the predicates that are false of this snapshot; `length` is r."""
    return list(_violations(snapshot, length))


def _violations(snapshot: Snapshot, length: int) -> Iterator[str]:
    protected, cycle = principals(snapshot), ring_members(snapshot)
    if any(best(snapshot, member) is None for member in snapshot):
        yield "OneLiveSuccessor"
    if len(protected) < length + 1:
        yield "SufficientPrincipals"
    lists = [(member, *place.points) for member, place in snapshot.items()]
    if any(len(set(extended)) != length + 1 or len(extended) != length + 1 for extended in lists):
        yield "NoDuplicates"
    if not all(between(x, y, z) for extended in lists for x, y, z in combinations(extended, 3)):
        yield "OrderedSuccessorLists"
    if not cycle:
        yield "AtLeastOneRing"
    ways = {member: set(_way(snapshot, member)) for member in snapshot}
    if any(ways[member] != cycle for member in cycle):
        yield "AtMostOneRing"
    heads = {member: head for member in cycle if (head := best(snapshot, member)) is not None}
    if any(between(member, other, head) for member, head in heads.items() for other in cycle):
        yield "OrderedRing"
    if any(not ways[member] & cycle for member in snapshot if member not in cycle):
        yield "ConnectedAppendages"
    if not protected <= cycle:
        yield "PrincipalsInRing"


def lost_principals(before: Snapshot, after: Snapshot) -> set[Identifier]:
    """Principals that ceased to be, although they live: no step may do that."""
    return (principals(before) & set(after)) - principals(after)


def ideal(snapshot: Snapshot, length: int) -> bool:
    """Whether every member's pointers are those of the true order; lists go once around at most."""
    order = sorted(snapshot)
    return all(
        snapshot[member] == Place(order[i - 1] if len(order) > 1 else None, _true_list(order, i, length))
        for i, member in enumerate(order)
    )


def _true_list(order: list[Identifier], position: int, length: int) -> tuple[Identifier, ...]:
    around = order[position + 1 :] + order[:position]
    return tuple(around[:length])
