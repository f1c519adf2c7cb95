"""Copies in a ring of two: what the only member of a slot writes waits for the other node, while that is reachable.

The copy is no member: it serves nothing, votes for nothing, and answers no pull.  It counts only when an operator says
that the only member is lost for ever (a new generation).
"""

from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking
from p2pchat.replication.configuration import Configuration, State
from p2pchat.replication.directory import Directory
from p2pchat.replication.member import Member
from p2pchat.replication.movement import Movement
from p2pchat.replication.requests import PAGE_BYTES, AcceptRequest, AddRequest, BuryRequest, Reply, Request, Status
from p2pchat.replication.transfers import CopiedItem, CopiedRegister, MirrorRequest
from p2pchat.replication.turns import Turns
from p2pchat.replication.uset import ItemState, StoredItem

MIRROR_SECONDS = 1.0
"""How long a write waits for the copy; a node that is silent for longer is believed dead soon, and compared later."""
FRAME_BYTES = 128
NODES = 2


class Mirrors:
    """Both sides: this node as the only member, and as the keeper of copies."""

    def __init__(self, asking: Asking, directory: Directory, member: Member, turns: Turns, movement: Movement) -> None:
        self._asking, self._directory, self._member, self._turns = asking, directory, member, turns
        self._movement = movement

    def _other(self) -> Identifier | None:
        """The other one of exactly two live nodes, where more than one copy is wanted."""
        live = self._movement.live_since
        if self._movement.replicas == 0 or len(live) != NODES:
            return None
        return next((node for node in live if node != self._asking.me and self._asking.is_live(node)), None)

    def wants(self, configuration: Configuration) -> bool:
        """Whether this node keeps a copy of such slots as one of two."""
        return (other := self._other()) is not None and configuration.members == (other,)

    async def follow(self) -> None:
        """Begin to keep copies of the slots that the other node has alone."""
        if self._movement.is_leaving or (other := self._other()) is None:
            return
        wishes = [
            (slot, known)
            for slot in range(self._directory.slots)
            if (known := self._directory.get(slot)) is not None
            and known.members == (other,)
            and ((record := self._movement.records.get(slot)) is None or record.state is State.RETIRED)
        ]
        if wishes:
            await self._turns(lambda store, events: self._member.comparer.follow(store, wishes, events))

    async def write(self, request: Request, reply: Reply, now: float) -> None:
        """This node as a member has done what `request` asks: wait until the copy has it too."""
        if (
            not isinstance(request, AcceptRequest | AddRequest | BuryRequest)
            or getattr(reply, "status", 0) != Status.OK
        ):
            return
        if (other := self._other()) is None:
            return
        point = request.key.point if isinstance(request, AcceptRequest) else request.point
        record = self._movement.records.get(self._member.ground.slot_of(point))
        if record is None or record.state is not State.ACTIVE or record.configuration.members != (self._asking.me,):
            return
        if isinstance(request, AcceptRequest):
            copied = (CopiedRegister(request.key, request.ballot, request.content),)
            await self._asking.attempt(other, MirrorRequest(record.configuration, copied), MIRROR_SECONDS)
            return
        items = [CopiedItem(point, item) for item in _items(request, int(now))]
        for part in _parts(items):
            await self._asking.attempt(other, MirrorRequest(record.configuration, (), part), MIRROR_SECONDS)


def _items(request: AddRequest | BuryRequest, now: int) -> list[StoredItem]:
    if isinstance(request, BuryRequest):
        return [StoredItem(item_id, request.reason, now) for item_id in request.ids]
    return [StoredItem(item.id, ItemState.PRESENT, now, item.payload, item.meta) for item in request.items]


def _parts(items: list[CopiedItem]) -> list[tuple[CopiedItem, ...]]:
    """Items in order, each part small enough for one request."""
    parts: list[list[CopiedItem]] = []
    room = -1
    for each in items:
        size = len(each.item.payload) + len(each.item.meta) + FRAME_BYTES
        room -= size
        if room < 0:
            parts.append([])
            room = PAGE_BYTES - size
        parts[-1].append(each)
    return [tuple(part) for part in parts]
