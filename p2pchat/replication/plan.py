"""Which members a slot should have next: growth, repair, shrinking and better places, as a pure function of a view."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, majority

STABLE_SECONDS = 2.0
"""A newcomer has answered for so long before it is given slots."""
BETTER_PLACE_SECONDS = 120.0
"""A better-placed node has been there for so long before it replaces a live member."""
LEAST_SHRUNK = 3


@dataclass(frozen=True, slots=True)
class View:
    """What a node believes about the others.

    Attributes:
        now: seconds on the clock that the other times are from.
        live_since: by node that is alive, since when it is known to be.
        lost_since: by member that is not, since when.
        repair_after: seconds until a silent member is replaced.
        passed_over: nodes that cannot take slots over at present.
    """

    now: float
    live_since: Mapping[Identifier, float]
    lost_since: Mapping[Identifier, float]
    repair_after: float
    passed_over: frozenset[Identifier] = frozenset()

    def has_been_live(self, node: Identifier, seconds: float) -> bool:
        """Whether a node is alive and was for so long."""
        since = self.live_since.get(node)
        return since is not None and self.now - since >= seconds

    def newcomers(self, walk: Sequence[Identifier], members: Sequence[Identifier], seconds: float) -> list[Identifier]:
        """Nodes of a walk that could become members: alive for so long, and able to."""
        return [
            node
            for node in walk
            if node not in members and node not in self.passed_over and self.has_been_live(node, seconds)
        ]

    def is_lost(self, node: Identifier) -> bool:
        """Whether a node has been silent for too long."""
        since = self.lost_since.get(node)
        return node not in self.live_since and since is not None and self.now - since >= self.repair_after


class Walks:
    """The live nodes clockwise from any point; points between the same two nodes share a walk."""

    def __init__(self, live: Sequence[Identifier], longest: int) -> None:
        self._live, self._longest = sorted(live), longest

    def place(self, point: Identifier) -> int:
        """Which node comes first from a point on (the point itself included)."""
        return bisect_left(self._live, point) % max(1, len(self._live))

    def walk(self, place: int) -> tuple[Identifier, ...]:
        """The nodes from there on, once round at most."""
        return tuple((self._live[place:] + self._live[:place])[: self._longest])


def target_size(live: int, replicas: int) -> int:
    """How many members a slot should have among so many live nodes: an odd number, at most K + 1."""
    most = min(live, replicas + 1)
    return max(1, most if most % 2 else most - 1)


def next_members(
    configuration: Configuration, walk: Sequence[Identifier], view: View, replicas: int
) -> tuple[Identifier, ...] | None:
    """The members that this slot should have instead, or None when it is well as it is, or cannot change now.

    Args:
        walk: live nodes clockwise from the slot's end, all of them or at least 2 (K + 1).
    """
    members = configuration.members
    alive = [member for member in members if member in view.live_since]
    if len(alive) < majority(len(members)):
        return None
    newcomers = view.newcomers(walk, members, STABLE_SECONDS)
    lost = [member for member in members if view.is_lost(member)]
    if lost:
        return _repaired(members, alive, lost, newcomers)
    target = target_size(len(view.live_since), replicas)
    if len(members) < target:
        return _grown(members, newcomers, target)
    if len(members) == target and len(alive) == len(members):
        return _better_placed(members, walk, view)
    return None


def members_without(
    leaving: Identifier, configuration: Configuration, walk: Sequence[Identifier], view: View
) -> tuple[Identifier, ...] | None:
    """The members that go on when a live one hands over: somebody else in its place, or fewer, but an odd number.

    None: nobody could go on, or too few members are alive to agree.
    """
    members = configuration.members
    others = [member for member in members if member != leaving]
    alive = [member for member in others if member in view.live_since]
    if leaving not in members or len(alive) + 1 < majority(len(members)):
        return None
    newcomers = view.newcomers(walk, members, STABLE_SECONDS)
    if newcomers:
        return tuple(sorted([*others, newcomers[0]]))
    if len(alive) > 2 and len(alive) % 2 == 0:
        # With two, both must answer; that is less than three, but each keeps everything.
        place = {node: index for index, node in enumerate(walk)}
        alive.remove(max(alive, key=lambda member: place.get(member, len(place))))
    return tuple(sorted(alive)) or None


def is_sound(
    configuration: Configuration,
    members: Sequence[Identifier],
    proposer: Identifier,
    is_live: Callable[[Identifier], bool],
) -> bool:
    """Whether a member votes for these next members: every plan of this module passes, and no node takes a slot away.

    A majority goes on (not counting who proposes to leave), nobody joins who is not there, and the slot does not shrink
    while those who would be dropped are alive; who leaves may take one more along, so that their number stays odd.
    """
    before = set(configuration.members)
    leaves = proposer in before and proposer not in members
    dropped = before - set(members) - {proposer}
    added = set(members) - before
    keeps_majority = len(dropped) <= (len(before) - 1) // 2
    live_dropped = sum(is_live(node) for node in dropped)
    return keeps_majority and all(map(is_live, added)) and live_dropped <= len(added) + leaves


def _repaired(
    members: tuple[Identifier, ...], alive: list[Identifier], lost: list[Identifier], newcomers: list[Identifier]
) -> tuple[Identifier, ...] | None:
    replaced = lost[: len(newcomers)]
    if replaced:
        kept = [member for member in members if member not in replaced]
        return tuple(sorted([*kept, *newcomers[: len(replaced)]]))
    if len(alive) == majority(len(members)) and LEAST_SHRUNK <= len(alive) < len(members):
        return tuple(sorted(alive))
    return None


def _grown(members: tuple[Identifier, ...], newcomers: list[Identifier], target: int) -> tuple[Identifier, ...] | None:
    """Two more (from an even number: one), so that the members of before are nearly a majority of the next."""
    size = min(target, len(members) + 2 - (len(members) + 1) % 2)
    added = newcomers[: size - len(members)]
    if len(members) + len(added) < size:
        return None
    return tuple(sorted([*members, *added]))


def _better_placed(
    members: tuple[Identifier, ...], walk: Sequence[Identifier], view: View
) -> tuple[Identifier, ...] | None:
    """Replace a minority at most: the farthest members by the nearest nodes that have been there for long."""
    wanted = walk[: len(members)]
    better = view.newcomers(wanted, members, BETTER_PLACE_SECONDS)
    place = {node: index for index, node in enumerate(walk)}
    farther = sorted(
        (member for member in members if member not in wanted),
        key=lambda member: place.get(member, len(place)),
        reverse=True,
    )
    count = min(len(better), len(farther), len(members) - majority(len(members)))
    if count == 0:
        return None
    kept = [member for member in members if member not in farther[:count]]
    return tuple(sorted([*kept, *better[:count]]))
