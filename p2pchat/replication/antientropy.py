"""Compares what this node holds with other members from time to time, and fetches what it missed.

A member that was away for a while, or whose disk was full, misses what a majority took without it.  Each turn
compares some slots with one other member; only where digests differ records are listed, and only missing ones sent.
"""

from collections.abc import Callable
from random import Random

from twisted.logger import Logger

from p2pchat.identifiers import Identifier, name
from p2pchat.replication.asking import Asking
from p2pchat.replication.configuration import Configuration, SlotRecord
from p2pchat.replication.copying import copy
from p2pchat.replication.digest import keeps
from p2pchat.replication.learning import PULL_SECONDS, Turns
from p2pchat.replication.member import Member
from p2pchat.replication.packing import packed_size
from p2pchat.replication.transfers import CopyReply, DigestReply, DigestRequest, Position, PullReply, PullRequest

COMPARED_SLOTS = 64
"""Slots that one turn compares."""
MEND_BYTES = 1 << 20
"""Records that one turn fetches; the rest waits for the next one."""
DIGEST_SECONDS = 3.0


class AntiEntropy:
    """This node's share; `turn` is called from time to time, and never twice at once."""

    _log = Logger()

    def __init__(
        self,
        asking: Asking,
        member: Member,
        turns: Turns,
        records: dict[int, SlotRecord],
        heard: Callable[[int, Configuration], object],
        random: Random,
        now: Callable[[], float],
    ) -> None:
        """
        Args:
            records: this node's part in each slot, as it is at any time.
            heard: told of later configurations that members answer with.
            now: seconds since 1970, for expiry only.
        """
        self._asking, self._member, self._turns, self._records = asking, member, turns, records
        self._heard, self._random, self._now = heard, random, now
        self._round = set[int]()
        """Slots that are still to be compared before each has had its turn."""
        self._room = 0
        self.mended = 0
        """Records that were missing here and fetched, since this node started."""

    async def turn(self) -> None:
        """Compare the next slots with another member of theirs."""
        slots = self._due()
        if not slots:
            return
        configuration = self._records[slots[0]].configuration
        partners = [node for node in configuration.members if node != self._asking.me and self._asking.is_live(node)]
        compared = slots
        if partners:
            compared = await self._compare(self._random.choice(partners), configuration, slots)
        self._round.difference_update(compared)

    def _due(self) -> tuple[int, ...]:
        """The next slots of one configuration; each slot once in a round."""
        due = sorted(slot for slot in self._round if self._is_shared(slot))
        if not due:
            self._round = {slot for slot in self._records if self._is_shared(slot)}
            due = sorted(self._round)
        if not due:
            return ()
        configuration = self._records[due[0]].configuration
        alike = [slot for slot in due if self._records[slot].configuration == configuration]
        return tuple(alike[:COMPARED_SLOTS])

    def _is_shared(self, slot: int) -> bool:
        """Whether another node holds the same records."""
        record = self._records[slot]
        return keeps(record, record.configuration) and record.configuration.members != (self._asking.me,)

    async def _compare(
        self, partner: Identifier, configuration: Configuration, slots: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Mend what differs; the slots that are done with for this time."""
        reply = await self._asking.attempt(partner, DigestRequest(configuration.epoch, slots), DIGEST_SECONDS)
        if not isinstance(reply, DigestReply) or not reply.digests:
            return slots
        asked = set(slots)
        digests = [each for each in reply.digests if each.slot in asked]
        differing = await self._turns(
            lambda store, events: self._member.comparer.differing(store, configuration, digests)
        )
        if differing:
            self._log.debug("{count} slots differ from {node}", count=len(differing), node=name(partner))
            await self._mend(partner, configuration, differing)
        return tuple(each.slot for each in digests) or slots

    async def _mend(self, partner: Identifier, configuration: Configuration, slots: tuple[int, ...]) -> None:
        """Fetch what this node lacks in these slots, a bounded number of bytes."""
        self._room = MEND_BYTES
        slot_of = self._member.ground.slot_of
        position: Position | None = None
        while self._room > 0:
            left = tuple(slot for slot in slots if position is None or slot >= slot_of(position.point))
            page = await self._asking.attempt(partner, PullRequest(configuration, left, position), PULL_SECONDS)
            if not isinstance(page, PullReply):
                return
            for group in page.others:
                for slot in group.slots:
                    self._heard(slot, group.configuration)
            if not await self._fetch(partner, configuration, page) or page.next is None:
                return
            position = page.next

    async def _fetch(self, partner: Identifier, configuration: Configuration, page: PullReply) -> bool:
        missing = await self._turns(
            lambda store, events: self._member.comparer.lacking(store, configuration, page, self._now(), events)
        )

        async def keep(copies: CopyReply) -> bool:
            self._room -= packed_size(copies)
            kept = await self._turns(
                lambda store, events: self._member.comparer.mend(
                    store, configuration, copies.registers, copies.items, self._now(), events
                )
            )
            self.mended += len(copies.registers) + len(copies.items)
            return kept and self._room > 0

        return await copy(self._asking, partner, configuration, missing, keep)
