"""Copies ahead: nodes that are to become members of slots fetch the records first, while the slots go on serving.

Whoever drives a change asks the newcomers to follow; each compares digests with members, fetches what it lacks at a
bounded pace, and says when it is in step.  Then the members change, and what is left to hand over is what was
written since.  A copy counts for nothing by itself: who becomes a member still pulls from a majority of those before.
"""

from collections.abc import Awaitable, Callable
from random import Random

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.errors import Misbehaved, P2PChatError
from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking
from p2pchat.replication.comparing import Comparing
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.digest import keeps
from p2pchat.replication.member import Member
from p2pchat.replication.newcomers import Newcomers
from p2pchat.replication.transfers import FollowReply, FollowRequest
from p2pchat.replication.turns import Turns

COPY_BYTES_PER_SECOND = 4 << 20
"""Records that one node fetches ahead; what people do goes first."""
FOLLOW_SECONDS = 1.0
"""How long a newcomer tries before it says how far it is."""
FOLLOW_CALL_SECONDS = 4.0
FRESH_SECONDS = 10.0
"""For so long a slot that was found to be in step counts as such; what is written meanwhile is left to fetch."""
DRIVEN_SECONDS = 4.0
"""So long after its last question, another member may drive a slot's change."""
STALL_SECONDS = 5.0
"""Without progress for so long, slots that are not in step wait for a later turn."""
DRIVE_SECONDS = 300.0
"""After so long the slots that are in step go first; if none is, what newcomers say of their progress is doubted."""
COMPARED_SLOTS = 64
REST_SECONDS = 0.2
LET_GO_SECONDS = 60.0
"""A copy that nobody has asked for since is let go."""
LOOK_SECONDS = 10.0

HeldByMajority = Callable[[Configuration, tuple[int, ...]], Awaitable[tuple[int, ...]]]


class Precopy:
    """Both sides: `drive` for whoever has members changed, `answer` for the newcomers."""

    _log = Logger()

    def __init__(
        self,
        asking: Asking,
        comparing: Comparing,
        member: Member,
        turns: Turns,
        records: dict[int, SlotRecord],
        random: Random,
        mirrors: Callable[[Configuration], bool],
        held: HeldByMajority,
        newcomers: Newcomers,
        now: Callable[[], float],
    ) -> None:
        """
        Args:
            records: this node's part in each slot, as it is at any time.
            mirrors: whether a copy of a slot of this configuration is kept for another reason.
            held: of these slots, those that a majority of the configuration's members serves.
            newcomers: told who does not come into step.
            now: seconds since 1970, for expiry only.
        """
        self._asking, self._comparing, self._member, self._turns = asking, comparing, member, turns
        self._records, self._random, self._mirrors, self._held, self._now = records, random, mirrors, held, now
        self._newcomers = newcomers
        self._in_step: dict[int, tuple[Configuration, float]] = {}
        """By slot, when this node last had all that a member had."""
        self._wanted: dict[Configuration, set[int]] = {}
        """Slots that are being copied."""
        self._asked: dict[int, tuple[Configuration, Identifier, float]] = {}
        """By slot, which member of which configuration asked last, and when."""
        self._next_look = asking.clock.seconds() + LET_GO_SECONDS
        self._free_at = 0.0
        self._fetched = 0

    # -- who drives a change

    async def drive(
        self, configuration: Configuration, members: tuple[Identifier, ...], slots: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Have the newcomers among `members` copy these slots; those that they have when nothing more comes.

        A newcomer that has not all of them then is passed over for a while.
        """
        newcomers = [node for node in members if node not in configuration.members]
        ready: dict[Identifier, FollowReply] = {node: FollowReply((), 0) for node in newcomers}
        best, moved_at = (0, 0), self._asking.clock.seconds()
        until = moved_at + DRIVE_SECONDS
        while True:
            request = FollowRequest(configuration, slots)
            replies = await self._asking.several(newcomers, request, FOLLOW_CALL_SECONDS, lambda so_far: False)
            driven = {slot for reply in replies.values() if isinstance(reply, FollowReply) for slot in reply.driven}
            slots = tuple(slot for slot in slots if slot not in driven)
            for node in newcomers:
                reply = replies.get(node)
                ready[node] = reply if isinstance(reply, FollowReply) else FollowReply((), ready[node].fetched)
            whole = set(slots).intersection(*(each.slots for each in ready.values()))
            if len(whole) == len(slots):
                self._newcomers.came(newcomers if slots else ())
                return slots
            so_far = (len(whole), sum(each.fetched for each in ready.values()))
            now = self._asking.clock.seconds()
            if so_far > best:
                best, moved_at = max(best, so_far), now
            if self._asking.stopped:
                return ()
            if now - moved_at > STALL_SECONDS or (now >= until and not whole):
                for node in newcomers:
                    if not set(slots) <= set(ready[node].slots):
                        self._newcomers.stalled(node, now)
            if now - moved_at > STALL_SECONDS or now >= until:
                return tuple(sorted(whole))
            await self._asking.wait(REST_SECONDS)

    # -- a newcomer

    async def answer(self, caller: Identifier, request: FollowRequest) -> FollowReply:
        """Begin or go on to copy, and say which slots this node has as a member had them a moment ago.

        Raises:
            Misbehaved: the caller is no member, or this node is one already.
        """
        self._member.ground.check_slots(request.slots)
        configuration, me = request.configuration, self._asking.me
        if caller not in configuration.members or me in configuration.members:
            raise Misbehaved("A node was asked to follow slots by somebody who is no member, or as a member.")
        now = self._asking.clock.seconds()
        driven = {slot for slot in request.slots if self._is_driven_by_another(slot, configuration, caller, now)}
        slots = tuple(slot for slot in request.slots if slot not in driven)
        self._asked.update(dict.fromkeys(slots, (configuration, caller, now)))
        if fresh := tuple(slot for slot in slots if not self._keeps(slot, configuration)):
            await self._begin(configuration, fresh)
        late = {slot for slot in slots if not self._is_in_step(slot, configuration, now)}
        if late:
            if configuration in self._wanted:
                self._wanted[configuration] |= late
            else:
                self._wanted[configuration] = late
                Deferred.fromCoroutine(self._copy(configuration))
        until = now + FOLLOW_SECONDS
        while not self._asking.stopped and self._asking.clock.seconds() < until:
            if not self._wanted.get(configuration, set()) & late:
                break
            await self._asking.wait(FOLLOW_SECONDS / 20)
        now = self._asking.clock.seconds()
        done = tuple(slot for slot in slots if self._is_in_step(slot, configuration, now))
        return FollowReply(done, self._fetched, tuple(sorted(driven)))

    def _is_driven_by_another(self, slot: int, configuration: Configuration, caller: Identifier, now: float) -> bool:
        """The lower identifier goes on where two members drive, so that no two wait for each other at two newcomers.

        Who names another configuration drives nothing: it may be no member at all.
        """
        followed, driver, asked = self._asked.get(slot, (configuration, caller, now))
        return followed == configuration and driver < caller and now - asked < DRIVEN_SECONDS

    async def _begin(self, configuration: Configuration, slots: tuple[int, ...]) -> None:
        """Keep copies: of slots that this node was a member of, what it has; else nothing yet."""
        comparer = self._member.comparer
        passed = await self._turns(lambda store, events: comparer.passed_over(store, configuration, slots, events))
        held = await self._held(configuration, passed) if passed else ()
        await self._turns(lambda store, events: comparer.stay(store, configuration, held, self._now(), events))
        wishes = [(slot, configuration) for slot in slots]
        await self._turns(lambda store, events: comparer.follow(store, wishes, events))

    def _keeps(self, slot: int, configuration: Configuration) -> bool:
        record = self._records.get(slot)
        return record is not None and record.state is State.COPY and keeps(record, configuration)

    def _is_in_step(self, slot: int, configuration: Configuration, now: float) -> bool:
        held = self._in_step.get(slot)
        return (
            held is not None
            and held[0] == configuration
            and now - held[1] <= FRESH_SECONDS
            and self._keeps(slot, configuration)
        )

    async def _copy(self, configuration: Configuration) -> None:
        """Go through the slots that are wanted until none is left, or a member cannot be asked."""
        try:
            while slots := self._next(configuration):
                partners = [node for node in configuration.members if self._asking.is_live(node)]
                if not partners:
                    break
                compared, whole = await self._comparing.compare(
                    self._random.choice(partners), configuration, slots, self._spend
                )
                now = self._asking.clock.seconds()
                self._in_step.update(dict.fromkeys(whole, (configuration, now)))
                self._wanted[configuration] -= set(compared or slots)
        except P2PChatError as error:
            self._log.warn("copying slots ahead waits: {error}", error=error)
        except Exception:
            self._log.failure("copying slots ahead failed")
        self._wanted.pop(configuration, None)

    def _next(self, configuration: Configuration) -> tuple[int, ...]:
        wanted = self._wanted.get(configuration, set())
        kept = [slot for slot in wanted if self._keeps(slot, configuration)]
        # Those that were in step before take a moment only, and somebody may wait for them.
        kept.sort(key=lambda slot: (slot not in self._in_step, slot))
        return () if self._asking.stopped else tuple(sorted(kept[:COMPARED_SLOTS]))

    async def _spend(self, size: int) -> bool:
        """Wait until so many bytes may have come."""
        self._fetched += size
        now = self._asking.clock.seconds()
        self._free_at = max(self._free_at, now) + size / COPY_BYTES_PER_SECOND
        await self._asking.wait(self._free_at - now)
        return not self._asking.stopped

    async def look(self) -> None:
        """Let copies go whose change never came."""
        now = self._asking.clock.seconds()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        over = [
            slot
            for slot, record in self._records.items()
            if record.state is State.COPY
            and not self._mirrors(record.configuration)
            and (slot not in self._asked or now - self._asked[slot][2] >= LET_GO_SECONDS)
        ]
        groups: dict[Configuration, list[int]] = {}
        for slot in over:
            groups.setdefault(self._records[slot].newest, []).append(slot)
        for configuration, slots in groups.items():
            # Where the members are gone, this copy may be all that is left.
            if held := await self._held(configuration, tuple(slots)):
                await self._let_go(held)

    async def _let_go(self, slots: tuple[int, ...]) -> None:
        self._log.info("{count} copies that were made ahead are let go", count=len(slots))
        await self._turns(lambda store, events: self._member.comparer.let_go(store, slots, events))
