"""Before this node goes on to a later configuration, it asks the members of the one that it knows.

Who holds a slot is not signed.  So that no single node can end what a slot's members do, an announcement alone changes
nothing at a node that has a part in the slot, unless it voted for those members itself: it asks the members that it
knows, over its own links to them, and stays as long as a majority of them stand against the news.  Of a configuration
that was really decided a majority voted, so that less than a majority can.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from twisted.logger import Logger

from p2pchat.identifiers import Identifier, name
from p2pchat.replication.asking import Asking, Replies
from p2pchat.replication.configuration import (
    Configuration,
    Group,
    SlotRecord,
    majority,
    shown_epoch,
    stands_against,
    voted_for,
)
from p2pchat.replication.member import Member
from p2pchat.replication.requests import StandReply, StandRequest
from p2pchat.replication.turns import Turns

STAND_SECONDS = 2.0
REST_SECONDS = 1.0
"""For so long nobody is asked again about what was refused."""
MAX_REFUSED = 10_000

Doubt = tuple[Configuration, Configuration]
"""What this node knows, and what somebody says came after."""


class Doubts:
    """This node's questions about configurations that it hears of.

    Args:
        records: this node's part in each slot, as it is at any time.
        known: the configuration of a slot as this node has heard of it otherwise.
    """

    _log = Logger()

    def __init__(
        self,
        asking: Asking,
        member: Member,
        turns: Turns,
        records: Mapping[int, SlotRecord],
        known: Callable[[int], Configuration | None],
    ) -> None:
        self._asking, self._member, self._turns, self._records = asking, member, turns, records
        self._known = known
        self._refused: dict[tuple[int, Doubt], float] = {}

    async def look(self, caller: Identifier, groups: Sequence[Group], follows: bool = False) -> set[int]:
        """Ask about what is news and doubtful among these, and go on where it is true; the slots where it is not.

        Args:
            follows: this node is asked to copy the slots, which makes the news matter where it has no part in them.
        Raises:
            Misbehaved: these are too many slots, or some that this ring does not have.
        """
        self._member.ground.check_slots(tuple(slot for group in groups for slot in group.slots))
        doubtful: dict[Doubt, list[int]] = {}
        refused: set[int] = set()
        for group in groups:
            for slot in group.slots:
                known = self._ended_by(slot, group.configuration, follows)
                if known is not None and not self._is_due(slot, (known, group.configuration)):
                    refused.add(slot)
                elif known is not None:
                    doubtful.setdefault((known, group.configuration), []).append(slot)
        for doubt, slots in doubtful.items():
            refused.update(await self._settle(caller, doubt, slots))
        return refused

    def _ended_by(self, slot: int, decided: Configuration, follows: bool) -> Configuration | None:
        """The configuration that this news would end here, unless it is no news or this node voted for it."""
        record = self._records.get(slot)
        if record is not None:
            is_known = decided.epoch <= record.newest.epoch or voted_for(record, decided)
            return None if is_known else record.newest
        if self._asking.me not in decided.members and not follows:
            return None
        # Where this node has no part yet, what it heard of the slot counts, and else the first news.
        return self._known(slot) or decided

    def _is_due(self, slot: int, doubt: Doubt) -> bool:
        """Whether asking may help: not about what is older than what is known, and not again at once."""
        known, decided = doubt
        refused_at = self._refused.get((slot, doubt))
        is_rested = refused_at is None or self._asking.clock.seconds() - refused_at >= REST_SECONDS
        return is_rested and (known.epoch < decided.epoch or known == decided)

    async def _settle(self, caller: Identifier, doubt: Doubt, slots: Sequence[int]) -> list[int]:
        known, decided = doubt
        others = [node for node in known.members if node != self._asking.me and known != decided]
        request = StandRequest(known.epoch, decided, tuple(slots))
        replies = await self._asking.several(others, request, STAND_SECONDS, lambda so_far: False)
        against = self._against(doubt, slots, others, replies)
        needed = majority(len(known.members))
        believed = tuple(slot for slot in slots if against[slot] < needed)
        refused = [slot for slot in slots if against[slot] >= needed]
        if refused:
            self._refuse(doubt, refused)
            if None not in replies.values():
                self._warn(caller, decided, len(refused))
        if believed:
            await self._turns(
                lambda store, events: [
                    self._member.ground.adopt(store, slot, decided, events, is_sure=True) for slot in believed
                ]
            )
        return refused

    def _against(
        self, doubt: Doubt, slots: Sequence[int], others: Sequence[Identifier], replies: Replies
    ) -> dict[int, int]:
        """By slot, how many members stand against the news, or are believed alive and do not say."""
        known, decided = doubt
        against = dict.fromkeys(slots, 0)
        for node in others:
            reply = replies.get(node)
            if isinstance(reply, StandReply):
                standing: Iterable[int] = reply.slots
            else:
                standing = slots if self._asking.is_live(node) else ()
            for slot in set(standing).intersection(against):
                against[slot] += 1
        if self._asking.me in known.members:
            for slot in slots:
                record = self._records.get(slot)
                against[slot] += record is not None and stands_against(record, known.epoch, decided)
        return against

    def _refuse(self, doubt: Doubt, slots: Sequence[int]) -> None:
        now = self._asking.clock.seconds()
        self._refused = {key: at for key, at in self._refused.items() if now - at < REST_SECONDS}
        for slot in slots[: MAX_REFUSED - len(self._refused)]:
            self._refused[slot, doubt] = now

    def _warn(self, caller: Identifier, decided: Configuration, count: int) -> None:
        self._log.warn(
            "node {node} says that {count} slots have the members of epoch {epoch}, and a majority of those before"
            " knows nothing of it; if it goes on, evict that node",
            node=name(caller),
            count=count,
            epoch=shown_epoch(decided.epoch),
        )
