"""How this node's member answers others: mostly in one turn; for some it asks around first, or writes elsewhere."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking
from p2pchat.replication.configuration import Configuration, Group, SlotRecord
from p2pchat.replication.doubts import Doubts
from p2pchat.replication.ground import Event
from p2pchat.replication.member import Member
from p2pchat.replication.mirrors import Mirrors
from p2pchat.replication.plan import is_sound
from p2pchat.replication.precopy import Precopy
from p2pchat.replication.requests import AnnounceRequest, ElectRequest, Question, Reply, Request, VoteReply
from p2pchat.replication.store import Disk, Store
from p2pchat.replication.transfers import FollowRequest, PullRequest
from p2pchat.replication.turns import Turns


class Answering:
    """This node's own member, as other nodes (and this one) ask it."""

    def __init__(
        self,
        asking: Asking,
        member: Member,
        turns: Turns,
        disk: Disk,
        records: Mapping[int, SlotRecord],
        known: Callable[[int], Configuration | None],
        precopy: Precopy,
        mirrors: Mirrors,
        is_careful: bool,
        now: Callable[[], float],
    ) -> None:
        """
        Args:
            records: this node's part in each slot, as it is at any time.
            known: the configuration of a slot as this node has heard of it otherwise.
            is_careful: whether it votes only for members that keep a slot as safe as it is.
            now: seconds since 1970, for expiry only.
        """
        self._asking, self._member, self._turns, self._disk, self._records = asking, member, turns, disk, records
        self._precopy, self._mirrors, self._is_careful, self._now = precopy, mirrors, is_careful, now
        self._doubts = Doubts(asking, member, turns, records, known)

    async def answer(self, caller: Identifier, request: Request) -> Reply:
        """See Member.answer; `caller` is who TLS says it is.  Questions wait for no turn."""
        if isinstance(request, Question):
            return self._disk.look(partial(self._member.look, request=request))
        if isinstance(request, AnnounceRequest):
            await self._doubts.look(caller, request.groups)
        elif isinstance(request, PullRequest):
            await self._doubts.look(caller, (Group(request.configuration, request.slots),))
        elif isinstance(request, ElectRequest) and not self._votes_for(caller, request):
            return VoteReply(unknown=request.slots)
        if isinstance(request, FollowRequest):
            group = Group(request.configuration, request.slots)
            refused = await self._doubts.look(caller, (group,), follows=True)
            slots = tuple(slot for slot in request.slots if slot not in refused)
            return await self._precopy.answer(caller, replace(request, slots=slots))

        def turn(store: Store, events: list[Event]) -> Reply:
            reply, happened = self._member.answer(store, caller, request, self._now())
            events += happened
            return reply

        reply = await self._turns(turn)
        await self._mirrors.write(request, reply, self._now())
        return reply

    def _votes_for(self, caller: Identifier, request: ElectRequest) -> bool:
        """Whether the members that are proposed are sound ones for these slots."""
        known = [self._records[slot].configuration for slot in request.slots if slot in self._records]
        return not self._is_careful or all(
            is_sound(part, request.members, caller, self._is_live) for part in set(known) if part.epoch == request.epoch
        )

    def _is_live(self, node: Identifier) -> bool:
        return node == self._asking.me or self._asking.is_live(node)
