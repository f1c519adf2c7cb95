"""Goes through what another member holds of many slots, page by page, past all that this node has as well.

First slots are compared by their roots; of small ones that differ the member lists everything, of large ones it sends
the tree, and then lists the buckets that differ.
"""

from collections.abc import Awaitable, Callable, Sequence

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.ground import Ground
from p2pchat.replication.member import Member
from p2pchat.replication.transfers import ITEMS, Position, PullReply, PullRequest
from p2pchat.replication.turns import Turns

PULL_SECONDS = 5.0
DEEP_SLOTS = 64
"""Slots in one question for buckets, so that it fits into one value."""

Heard = Callable[[int, Configuration, Identifier], object]
"""Told of a later configuration of a slot, and who says so."""
Left = Callable[[], Sequence[int]]
Keep = Callable[[PullReply], Awaitable[bool]]
Done = Callable[[PullReply, tuple[int, ...]], Awaitable[None]]


class Walk:
    """One walk through one other member."""

    def __init__(
        self,
        asking: Asking,
        member: Member,
        turns: Turns,
        heard: Heard,
        node: Identifier,
        configuration: Configuration,
    ) -> None:
        """
        Args:
            turns: runs turns of this node's own member.
            heard: told of later configurations that the other member answers with.
        """
        self._asking, self._member, self._turns, self._heard = asking, member, turns, heard
        self._node, self._configuration = node, configuration
        self._trees: dict[int, bytes] = {}
        """By slot, buckets that the member is still to be asked for."""

    async def run(self, left: Left, keep: Keep, done: Done) -> bool:
        """Ask until nothing is left; whether it came to an end.

        Args:
            left: slots that are still of interest, ascending; asked before each question.
            keep: writes what a page lists and this node lacks; whether to go on.
            done: told of slots with the last page about them, when all that they lack here was kept.
        """
        slots = tuple(left())
        roots = await self._turns(lambda store, events: self._member.inventory.digests(store, slots))
        if not await self._pages(left, keep, done, dict(zip(slots, roots, strict=True)), {}):
            return False
        while deep := [slot for slot in left() if slot in self._trees][:DEEP_SLOTS]:
            buckets = {slot: self._trees.pop(slot) for slot in deep}

            def still(asked: dict[int, bytes] = buckets) -> Sequence[int]:
                return [slot for slot in left() if slot in asked]

            if not await self._pages(still, keep, done, {}, buckets):
                return False
        return True

    async def _pages(
        self, left: Left, keep: Keep, done: Done, roots: dict[int, bytes], buckets: dict[int, bytes]
    ) -> bool:
        after: Position | None = None
        ground = self._member.ground
        while slots := tuple(slot for slot in left() if after is None or slot >= ground.slot_of(after.point)):
            request = PullRequest(
                self._configuration,
                slots,
                after,
                tuple(roots[slot] for slot in slots) if roots else (),
                tuple(buckets[slot] for slot in slots) if buckets else (),
            )
            page = await self._asking.attempt(self._node, request, PULL_SECONDS)
            if not isinstance(page, PullReply):
                return False
            for group in page.others:
                for slot in group.slots:
                    self._heard(slot, group.configuration, self._node)
            deep = await self._deep(page) if page.trees and roots else set[int]()
            if not await keep(page):
                return False
            unfinished = {ground.slot_of(page.next.point)} if page.next is not None else set[int]()
            await done(page, tuple(slot for slot in (*page.full, *page.old) if slot not in deep | unfinished))
            after = following(ground, after, page)
            if after is None:
                return True
        return True

    async def _deep(self, page: PullReply) -> set[int]:
        """Note the buckets that have to be asked for; of which slots."""
        lacking = await self._turns(lambda store, events: self._member.inventory.lacking(store, page.trees))
        self._trees.update(lacking)
        return set(lacking)


def following(ground: Ground, after: Position | None, page: PullReply) -> Position | None:
    """Where the next page begins, None behind the last one; Misbehaved where that is not behind this one."""

    def order(position: Position) -> tuple[int, bool, Identifier, int, bytes]:
        slot = ground.slot_of(position.point)
        return slot, position.kind == ITEMS, position.point, position.kind, position.id

    if page.next is not None and after is not None and order(page.next) <= order(after):
        raise Misbehaved("A page of records was sent that goes back.")
    return page.next
