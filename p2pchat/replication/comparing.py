"""Compares slots with one other node and fetches what this node lacks of them, at a pace that the caller sets."""

from collections.abc import Awaitable, Callable, Sequence

from twisted.logger import Logger

from p2pchat.identifiers import Identifier, name
from p2pchat.replication.asking import Asking
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.copying import copy
from p2pchat.replication.inventory import LISTED_BYTES
from p2pchat.replication.member import Member
from p2pchat.replication.packing import packed_size
from p2pchat.replication.transfers import CopyReply, DigestReply, DigestRequest, PullReply
from p2pchat.replication.turns import Turns
from p2pchat.replication.walk import Heard, Walk

DIGEST_SECONDS = 3.0
MEND_SECONDS = 120.0
"""One comparison takes no longer, whatever the other node lists; what was fetched stays."""

Spend = Callable[[int], Awaitable[bool]]
"""Told how many bytes of records have come; whether to go on, when it is time for that."""


class Comparing:
    """Finds and mends differences in slots that this node keeps in the same configuration as the other node."""

    _log = Logger()

    def __init__(
        self,
        asking: Asking,
        member: Member,
        turns: Turns,
        heard: Heard,
        now: Callable[[], float],
    ) -> None:
        """
        Args:
            turns: runs turns of this node's own member.
            heard: told of later configurations that the other node answers with.
            now: seconds since 1970, for expiry only.
        """
        self._asking, self._member, self._turns, self._heard, self._now = asking, member, turns, heard, now
        self.mended = 0
        """Records that were missing here and fetched, since this node started."""

    async def compare(
        self, partner: Identifier, configuration: Configuration, slots: tuple[int, ...], spend: Spend
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Fetch what is missing here.

        Returns:
            Slots that the other node compared (the first of those asked for; none when it did not answer), and those
            of them in which this node now has all that it has.
        """
        reply = await self._asking.attempt(partner, DigestRequest(configuration.epoch, slots), DIGEST_SECONDS)
        if not isinstance(reply, DigestReply) or not reply.digests:
            return (), ()
        asked = set(slots)
        digests = [each for each in reply.digests if each.slot in asked]
        compared = tuple(each.slot for each in digests)
        differing = await self._turns(
            lambda store, events: self._member.comparer.differing(store, configuration, digests)
        )
        whole = {each.slot for each in digests if each.digest} - set(differing)
        if differing:
            self._log.debug("{count} slots differ from {node}", count=len(differing), node=name(partner))
            whole.update(await self._mend(partner, configuration, differing, spend))
        return compared, tuple(sorted(whole))

    async def _mend(
        self, partner: Identifier, configuration: Configuration, slots: Sequence[int], spend: Spend
    ) -> set[int]:
        """Fetch what this node lacks in these slots; those in which it found everything."""
        mended: set[int] = set()
        until = self._asking.clock.seconds() + MEND_SECONDS

        def left() -> Sequence[int]:
            return slots if self._asking.clock.seconds() < until else ()

        async def keep(page: PullReply) -> bool:
            return await self._fetch(partner, configuration, page, spend)

        async def done(page: PullReply, slots: tuple[int, ...]) -> None:
            mended.update(set(slots) & set(page.full))

        walk = Walk(self._asking, self._member, self._turns, self._heard, partner, configuration)
        await walk.run(left, keep, done)
        return mended

    async def _fetch(self, partner: Identifier, configuration: Configuration, page: PullReply, spend: Spend) -> bool:
        missing = await self._turns(
            lambda store, events: self._member.comparer.lacking(store, configuration, page, self._now(), events)
        )

        async def keep(copies: CopyReply) -> bool:
            kept = await self._turns(
                lambda store, events: self._member.comparer.mend(
                    store, configuration, copies.registers, copies.items, self._now(), events
                )
            )
            self.mended += len(copies.registers) + len(copies.items)
            return await spend(packed_size(copies)) and kept

        is_whole = await copy(self._asking, partner, configuration, missing, keep)
        # A long list is paid for as well, whatever of it was missing.
        return await spend(LISTED_BYTES * (len(page.registers) + len(page.items))) and is_whole
