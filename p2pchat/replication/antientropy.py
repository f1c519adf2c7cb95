"""Compares what this node holds with other members from time to time, and fetches what it missed.

A member that was away for a while, or whose disk was full, misses what a majority took without it.  Each turn
compares some slots with one other member; only where digests differ records are listed, and only missing ones sent.
"""

from random import Random

from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking
from p2pchat.replication.comparing import Comparing
from p2pchat.replication.configuration import SlotRecord
from p2pchat.replication.digest import keeps

COMPARED_SLOTS = 64
"""Slots that one turn compares."""
MEND_BYTES = 1 << 20
"""Records that one turn fetches; the rest waits for the next one."""


class AntiEntropy:
    """This node's share; `turn` is called from time to time, and never twice at once."""

    def __init__(self, asking: Asking, comparing: Comparing, records: dict[int, SlotRecord], random: Random) -> None:
        """
        Args:
            records: this node's part in each slot, as it is at any time.
        """
        self._asking, self._comparing, self._records, self._random = asking, comparing, records, random
        self._round = set[int]()
        """Slots that are still to be compared before each has had its turn."""
        self._room = 0

    @property
    def mended(self) -> int:
        """Records that were missing here and fetched, since this node started."""
        return self._comparing.mended

    async def turn(self) -> None:
        """Compare the next slots with another member of theirs."""
        slots = self._due()
        if not slots:
            return
        configuration = self._records[slots[0]].configuration
        partners = [node for node in configuration.members if node != self._asking.me and self._asking.is_live(node)]
        compared: tuple[int, ...] = ()
        if partners:
            self._room = MEND_BYTES
            partner: Identifier = self._random.choice(partners)
            compared, _ = await self._comparing.compare(partner, configuration, slots, self._spend)
        self._round.difference_update(compared or slots)

    async def _spend(self, size: int) -> bool:
        self._room -= size
        return self._room > 0

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
