"""Moves slots: decides next configurations, learns slots that this node was given, lets go of others."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import cache
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking
from p2pchat.replication.configuration import Configuration, Group, SlotRecord, State, voted_for
from p2pchat.replication.directory import Directory
from p2pchat.replication.election import Election
from p2pchat.replication.learning import Learning
from p2pchat.replication.member import Member
from p2pchat.replication.newcomers import Newcomers
from p2pchat.replication.plan import View, Walks, members_without, next_members
from p2pchat.replication.register import Counter
from p2pchat.replication.requests import AnnounceRequest
from p2pchat.replication.slots import end_of
from p2pchat.replication.turns import Turns
from p2pchat.replication.uses import Uses

CopyAhead = Callable[[Configuration, tuple[Identifier, ...], tuple[int, ...]], Awaitable[tuple[int, ...]]]
"""Has the newcomers among next members copy slots, and says in which of them they are in step."""

CHUNK_SLOTS = 256
"""Slots that are copied, learned and told of together, and change together unless they are in use."""
CHANGES_AT_ONCE = 2
"""Such chunks that are copied ahead at the same time; members change in one after the other."""
RANK_SECONDS = 3.0
"""So much later, for each better-placed live member, another member takes a change in hand."""
RETIRE_SECONDS = 5.0
RETIRED_SLOTS = 16
"""Slots whose records are deleted in one turn; what people do comes in between."""
LEAST_WORDS = 2
"""Where this node did not vote for those who came after, it deletes records on the word of so many nodes at least."""
COMPARE_SECONDS = 20.0
ANNOUNCE_SECONDS = 5.0
ASKED_NODES = 3
"""Where one of them tells of later configurations, the next is asked as well."""
MAX_NODES = 10_000

Wish = tuple[Configuration, tuple[Identifier, ...]]


class Movement:
    """This node's share in moving slots; `turn` is called twice a second."""

    _log = Logger()

    def __init__(
        self,
        asking: Asking,
        directory: Directory,
        member: Member,
        turns: Turns,
        counter: Counter,
        random: Random,
        wanted: Callable[[Identifier, int], list[Identifier]],
        replicas: int,
        repair_after: float,
        now: Callable[[], float],
    ) -> None:
        """
        Args:
            now: seconds since 1970, for expiry only.
        """
        self._now = now
        self._asking, self._directory, self._member, self._turns = asking, directory, member, turns
        self.election = Election(asking, directory, counter)
        self._random, self._wanted, self.replicas, self._repair_after = random, wanted, replicas, repair_after
        self.records: dict[int, SlotRecord] = {}
        """This node's part in each slot, as its store has it."""
        self.electing: list[tuple[Identifier, ...]] = []
        """Members that this node is about to have elected, a group for each change under way."""
        self.live_since: dict[Identifier, float] = {}
        self.newcomers = Newcomers()
        self.is_leaving = False
        """Whether every slot is handed over to others, whatever its place."""
        self._lost_since: dict[Identifier, float] = {}
        self._wished_since: dict[int, tuple[Configuration, float]] = {}
        self._ends = [end_of(slot, directory.slots) for slot in range(directory.slots)]
        self.copy_ahead: CopyAhead = _nothing_ahead
        self._busy: set[int] = set()
        self.uses = Uses(directory.slots)
        self._changing = DeferredLock()
        self._copying: set[int] = set()
        """Slots whose next members copy them; they serve meanwhile."""
        self._seen: tuple[int, int] = (-1, -1)
        self._quiet_at: tuple[object, ...] = ()
        self.revision = 0
        self._next_compare = 0.0
        self._next_retire = 0.0

    def moved(self, record: SlotRecord) -> None:
        """Note this node's part in a slot, as it is now."""
        self.records[record.slot] = record
        self._directory.learn(record.slot, record.newest)
        self.revision += 1

    def propose(self, slot: int, configuration: Configuration, members: tuple[Identifier, ...]) -> Deferred[None]:
        """Have these members follow a configuration, whatever this node would plan; fires when that was tried."""
        return self._start((slot,), self._change([((configuration, members), (slot,))]))

    # -- each turn

    async def turn(self) -> None:
        """See who is alive, and do what is due; changes and pulls run on by themselves."""
        now = self._asking.clock.seconds()
        live = self._wanted(Identifier(0), MAX_NODES)
        self._watch(live, now)
        if now >= self._next_compare:
            self._next_compare = now + COMPARE_SECONDS * (0.5 + self._random.random())
            self._compare(live)
        if (seen := (self._directory.revision, self.revision)) != self._seen:
            self._seen = seen
            await self._catch_up()
            self.learn()
        if now >= self._next_retire:
            self._next_retire = now + RETIRE_SECONDS
            self._retire()
        state = (tuple(live), self._directory.revision, self.revision)
        if state != self._quiet_at and not self._plan(live, now):
            self._quiet_at = state

    def _watch(self, live: list[Identifier], now: float) -> None:
        for node in live:
            self.live_since.setdefault(node, now)
            self._lost_since.pop(node, None)
        gone = set(self.live_since) - set(live)
        self.newcomers.forget(gone)
        for node in gone:
            del self.live_since[node]
            self._lost_since[node] = now

    def _compare(self, live: list[Identifier]) -> None:
        """Hear from another node whether slots moved on without this one."""
        others = [node for node in live if node != self._asking.me]
        if others:
            first = others.index(self._random.choice(others))
            asked = [*others[first:], *others[:first]][:ASKED_NODES]
            self._start((), self._directory.compare(asked))

    async def _catch_up(self) -> None:
        """Take note, on disk, of configurations that were only heard of."""
        behind = [
            (slot, known)
            for slot, record in self.records.items()
            if (known := self._directory.get(slot)) is not None and known.epoch > record.newest.epoch
        ]
        for configuration, slots in _by_configuration(behind):
            request = AnnounceRequest((Group(configuration, slots),))
            await self._asking.attempt(self._asking.me, request, ANNOUNCE_SECONDS)

    # -- learning and letting go

    def learn(self) -> None:
        """Pull every slot that waits for it."""
        waiting: dict[tuple[Configuration, bool], list[int]] = {}
        for slot, record in sorted(self.records.items()):
            if record.state is State.LEARN and slot not in self._busy:
                waiting.setdefault((record.configuration, record.frozen), []).append(slot)
        for (configuration, frozen), slots in waiting.items():
            for chunk in _chunks(slots):
                self._start(chunk, self._learned(configuration, chunk, frozen))

    async def _learned(self, configuration: Configuration, slots: tuple[int, ...], frozen: bool) -> None:
        if not frozen:
            # What is left of a membership before may be old.
            await self._turns(lambda store, events: self._member.comparer.drop_over(store, slots, self._now()))
        learning = Learning(
            self._asking, self._member, self._turns, self._directory.heard, configuration, slots, frozen
        )
        await learning.run()

    def _start(self, slots: Iterable[int], work: Coroutine[Any, Any, None]) -> Deferred[None]:
        """Run work on slots that nothing else touches meanwhile."""
        held = set(slots)
        self._busy |= held

        async def run() -> None:
            try:
                await work
            except P2PChatError as error:
                self._log.warn("moving slots waits: {error}", error=error)
            except Exception:
                self._log.failure("moving slots failed")
            self._busy -= held
            self.revision += 1

        return Deferred.fromCoroutine(run())

    def _retire(self) -> None:
        """Forget records whose later members hold everything."""
        passed = [
            (slot, record.successor)
            for slot, record in self.records.items()
            if record.successor is not None and slot not in self._busy
        ]
        for configuration, slots in _by_configuration(passed):
            self._start(slots, self._retired(configuration, slots))

    async def _retired(self, configuration: Configuration, slots: tuple[int, ...]) -> None:
        words = 1 if all(voted_for(self.records[slot], configuration) for slot in slots) else LEAST_WORDS
        done = await self.election.held_by_majority(configuration, slots, words)
        for start in range(0, len(done), RETIRED_SLOTS):
            await self._forgotten(done[start : start + RETIRED_SLOTS])

    def _forgotten(self, slots: tuple[int, ...]) -> Deferred[None]:
        return self._turns(lambda store, events: self._member.elections.retire(store, slots, events))

    # -- changes

    def _plan(self, live: list[Identifier], now: float) -> bool:
        """Begin the changes that are this node's to make; False when nothing is wished for, now or soon."""
        walks = Walks(live, 2 * (self.replicas + 1))
        passed_over = self.newcomers.passed_over(now)
        view = View(now, self.live_since, self._lost_since, self._repair_after, passed_over)
        verdict = cache(lambda configuration, place: self._verdict(configuration, walks.walk(place), view))
        due: dict[Wish, list[int]] = {}
        held = self._busy | self._copying
        unsettled = bool(held)
        for slot, record in sorted(self.records.items()):
            if record.state is not State.ACTIVE or record.successor is not None:
                continue
            place = walks.place(self._ends[slot])
            members, rank, is_open = verdict(record.configuration, place)
            unsettled = unsettled or is_open
            if members is None:
                self._wished_since.pop(slot, None)
            elif slot not in held and self._is_due(slot, record.configuration, rank, now):
                due.setdefault((record.configuration, members), []).append(slot)
        self._carry_out(due)
        return unsettled

    def _verdict(
        self, configuration: Configuration, walk: tuple[Identifier, ...], view: View
    ) -> tuple[tuple[Identifier, ...] | None, int, bool]:
        """The wished members, this node's turn to bring them about, and whether time alone may change the answer."""
        if self.is_leaving:
            return members_without(self._asking.me, configuration, walk, view), 0, True
        members = next_members(configuration, walk, view, self.replicas)
        alive = [node for node in walk if node in configuration.members]
        rank = alive.index(self._asking.me) if self._asking.me in alive else len(alive)
        near = walk[: self.replicas + 1]
        is_open = (
            members is not None
            or any(member not in view.live_since for member in configuration.members)
            or any(node not in configuration.members for node in near)
        )
        return members, rank, is_open

    def _is_due(self, slot: int, configuration: Configuration, rank: int, now: float) -> bool:
        """Whether the change is this node's to make: the owner at once, the members after it later and later."""
        held, since = self._wished_since.get(slot, (configuration, now))
        if held != configuration or slot not in self._wished_since:
            since = now
            self._wished_since[slot] = (configuration, now)
        return now - since >= rank * RANK_SECONDS

    def _carry_out(self, due: dict[Wish, list[int]]) -> None:
        chunks = [(wish, chunk) for wish, slots in due.items() for chunk in _chunks(slots)]
        lanes = [chunks[start::CHANGES_AT_ONCE] for start in range(CHANGES_AT_ONCE)]
        for lane in lanes:
            if lane:
                Deferred.fromCoroutine(self._prepare(lane))

    async def _prepare(self, lane: list[tuple[Wish, tuple[int, ...]]]) -> None:
        """Change one chunk after the other, each once its newcomers have nearly everything."""
        held = {slot for _, chunk in lane for slot in chunk}
        self._copying |= held
        try:
            for (configuration, members), slots in lane:
                copied = await self.copy_ahead(configuration, members, slots)
                for part in self.uses.parts(copied, self._asking.clock.seconds()):
                    if not await self._changing.run(self._change_part, (configuration, members), part):
                        break
        except Exception:
            self._log.failure("preparing a change of members failed")
        self._copying -= held
        self.revision += 1

    async def _change_part(self, wish: Wish, slots: tuple[int, ...]) -> bool:
        """Change those of these slots that still stand as they did; whether it is worth going on with others."""
        configuration, members = wish
        if not all(self._asking.is_live(node) for node in set(members) - set(configuration.members)):
            return False
        ready = tuple(slot for slot in slots if slot not in self._busy and self._stands(slot, configuration))
        if ready:
            await self._start(ready, self._change([(wish, ready)]))
        return not ready or not all(self._stands(slot, configuration) for slot in ready)

    def _stands(self, slot: int, configuration: Configuration) -> bool:
        """Whether nothing has moved the slot on meanwhile."""
        record = self.records[slot]
        return record.state is State.ACTIVE and record.successor is None and record.configuration == configuration

    async def _change(self, lane: list[tuple[Wish, tuple[int, ...]]]) -> None:
        """Change configurations one chunk after the other; each is learned here before the next one stops."""
        for (configuration, members), slots in lane:
            self.electing.append(members)
            try:
                decided = await self.election.run(configuration, members, slots)
            finally:
                self.electing.remove(members)
            for group in decided:
                learning = [
                    slot
                    for slot in group.slots
                    if (record := self.records.get(slot)) is not None
                    and record.state is State.LEARN
                    and record.configuration == group.configuration
                ]
                if learning:
                    frozen = all(self.records[slot].frozen for slot in learning)
                    await self._learned(group.configuration, tuple(learning), frozen)


async def _nothing_ahead(
    configuration: Configuration, members: tuple[Identifier, ...], slots: tuple[int, ...]
) -> tuple[int, ...]:
    return slots


def _chunks(slots: list[int]) -> list[tuple[int, ...]]:
    return [tuple(slots[start : start + CHUNK_SLOTS]) for start in range(0, len(slots), CHUNK_SLOTS)]


def _by_configuration(
    known: Iterable[tuple[int, Configuration]],
) -> list[tuple[Configuration, tuple[int, ...]]]:
    groups: dict[Configuration, list[int]] = {}
    for slot, configuration in known:
        groups.setdefault(configuration, []).append(slot)
    return [(configuration, chunk) for configuration, slots in groups.items() for chunk in _chunks(slots)]
