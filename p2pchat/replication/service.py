"""Linearizable registers and sets that survive nodes: what accounts and mailboxes are kept in."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.errors import P2PChatError, TryElsewhere
from p2pchat.identifiers import Identifier
from p2pchat.replication.answering import Answering
from p2pchat.replication.antientropy import AntiEntropy
from p2pchat.replication.asking import Asking
from p2pchat.replication.comparing import Comparing
from p2pchat.replication.configuration import SlotRecord, State, genesis
from p2pchat.replication.coordinator import Coordinator
from p2pchat.replication.directory import Directory
from p2pchat.replication.expiry import Expiry
from p2pchat.replication.formats import Formats
from p2pchat.replication.ground import Added, Event, Moved
from p2pchat.replication.ground import Changed as Accepted
from p2pchat.replication.member import Member
from p2pchat.replication.mirrors import Mirrors
from p2pchat.replication.movement import Movement
from p2pchat.replication.overview import Overview
from p2pchat.replication.precopy import Precopy
from p2pchat.replication.register import Counter
from p2pchat.replication.requests import Reply, Request
from p2pchat.replication.results import Changed, Page, Read, ReplicationStatus, Stored, Trace
from p2pchat.replication.sets import SetCoordinator
from p2pchat.replication.settings import Settings
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey, slot_of
from p2pchat.replication.store import Disk, Store
from p2pchat.replication.succession import Succession
from p2pchat.replication.transfers import FollowRequest
from p2pchat.replication.uset import Item, ItemState
from p2pchat.wire.connection import Call

TURN_SECONDS = 0.5
EXPIRY_TURN_SECONDS = 600.0
QUESTION_SECONDS = 10.0

T = TypeVar("T")


class ReplicationService(Service):
    """Registers and sets; this node's part in them, and the way to them for everything above."""

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        disk: Disk,
        call: Call,
        clock: IReactorTime,
        random: Random,
        settings: Settings,
        formats: Formats,
        wanted: Callable[[Identifier, int], list[Identifier]],
        is_live: Callable[[Identifier], bool],
        now: Callable[[], float],
    ) -> None:
        """
        Args:
            wanted: chord's first live nodes clockwise from a point, this one included.
            now: seconds since 1970, for expiry only.
        """
        self.on_changed: list[Callable[[RegisterKey, bytes | None], None]] = []
        """Called at members after they accepted a value, which may be never chosen: a hint to read again."""
        self.on_added: list[Callable[[Identifier, tuple[bytes, ...]], None]] = []
        """Called at members after they kept new items of a set (point, ids)."""
        self._me, self._disk, self._clock, self._settings, self._now = me, disk, clock, settings, now
        self._member = Member(me, settings.slots, settings.founder, formats)
        self._counter = Counter(me)
        self._asking = Asking(me, self.answer, call, clock, random, is_live)
        self._directory = Directory(settings.slots, self._asking, wanted)
        self._registers = Coordinator(self._asking, self._directory, self._counter, self._member.registers.judge)
        self.movement = Movement(
            self._asking,
            self._directory,
            self._member,
            self._turn,
            self._counter,
            random,
            wanted,
            settings.replicas,
            settings.repair_after,
            now,
        )
        self.succession = Succession(self._member.ground, self._turn, self._directory.learn)
        self._overview = Overview(self._asking, self._directory, self.movement, disk, settings.replicas)
        self._sets = SetCoordinator(self._asking, self._directory, self._registers, formats, self._overview.aim)
        self._mirrors = Mirrors(self._asking, self._directory, self._member, self._turn, self.movement)
        self._compare_with_others(random)
        self._begun: bool | P2PChatError = False
        self._waiting: list[Deferred[None]] = []
        self._kick: IDelayedCall | None = None
        self._loops = [
            (LoopingCall(self._move), TURN_SECONDS),
            (LoopingCall(self._compare), settings.compare_every),
            (LoopingCall(Expiry(disk, now).turn), EXPIRY_TURN_SECONDS),
        ]
        for loop, _ in self._loops:
            loop.clock = clock

    def _compare_with_others(self, random: Random) -> None:
        comparing = Comparing(self._asking, self._member, self._turn, self._directory.heard, self._now)
        held, mirrored = self.movement.election.held_by_majority, self._mirrors.wants
        records = self.movement.records
        self._precopy = Precopy(
            self._asking,
            comparing,
            self._member,
            self._turn,
            records,
            random,
            mirrored,
            held,
            self.movement.newcomers,
            self._now,
        )
        self.movement.copy_ahead = self._precopy.drive
        self.antientropy = AntiEntropy(self._asking, comparing, records, random)
        self._answering = Answering(
            self._asking,
            self._member,
            self._turn,
            self._disk,
            records,
            self._directory.get,
            self._precopy,
            self._mirrors,
            self._settings.is_careful,
            self._now,
        )

    # -- starting and stopping

    def startService(self) -> None:
        super().startService()
        self._disk.run(self._load).addCallbacks(self._begin, self._fail)

    def _load(self, store: Store) -> tuple[int, list[SlotRecord]]:
        return store.next_boot(), store.slots()

    def _begin(self, loaded: tuple[int, list[SlotRecord]]) -> None:
        boot, records = loaded
        self._counter.start(boot)
        if self._settings.founder:
            for slot in range(self._settings.slots):
                self.movement.moved(genesis(slot, self._me))
        for record in records:
            self.movement.moved(record)
        self._begun = True
        if self.running:
            for loop, seconds in self._loops:
                # Nothing expires at first: until clocks were compared, ours alone must not judge.
                stopped = loop.start(seconds, now=seconds == TURN_SECONDS)
                stopped.addErrback(lambda why: self._log.failure("a loop of replication stopped", why))
        self._let_go(None)

    def _fail(self, why: Failure) -> None:
        self._log.failure("the database cannot be used", why)
        self._begun = why.value if isinstance(why.value, P2PChatError) else TryElsewhere("This node cannot start.")
        self._let_go(self._begun)

    def _let_go(self, error: P2PChatError | None) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if error is None:
                each.callback(None)
            else:
                each.errback(error)

    def stopService(self) -> None:
        super().stopService()
        for loop, _ in self._loops:
            if loop.running:
                loop.stop()
        if self._kick is not None and self._kick.active():
            self._kick.cancel()
        self._asking.stop()
        self._let_go(TryElsewhere("This node is stopping."))

    async def _until_begun(self) -> None:
        """Wait until the records of the last run are known."""
        if isinstance(self._begun, P2PChatError):
            raise self._begun
        if not self.running:
            raise TryElsewhere("This node is not running.")
        if not self._begun:
            begun: Deferred[None] = Deferred()
            self._waiting.append(begun)
            await begun

    # -- this node as a member

    async def answer(self, caller: Identifier, request: Request) -> Reply:
        """Another node's request to this member; `caller` is who TLS says it is."""
        if isinstance(request, FollowRequest):
            await self._until_begun()
        self.movement.uses.note(request, self._clock.seconds())
        return await self._answering.answer(caller, request)

    def _turn(self, turn: Callable[[Store, list[Event]], T]) -> Deferred[T]:
        events: list[Event] = []

        def whole(store: Store) -> T:
            events.clear()  # a turn may be run again when its first transaction was refused
            return turn(store, events)

        def durable(result: T) -> T:
            self._tell(events)
            return result

        return self._disk.run(whole).addCallback(durable)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Moved):
                self.movement.moved(event.record)
                if event.record.state is State.LEARN and self.running and self._kick is None:
                    self._kick = self._clock.callLater(0, self._learn)
            elif isinstance(event, Accepted):
                for changed in self.on_changed:
                    changed(event.key, event.value)
            elif isinstance(event, Added):
                for added in self.on_added:
                    added(event.point, event.ids)

    def _learn(self) -> None:
        self._kick = None
        self.movement.learn()

    async def _move(self) -> None:
        try:
            await self.movement.turn()
            await self._mirrors.follow()
            await self._precopy.look()
            await self._overview.note()
        except P2PChatError as error:
            self._log.warn("moving slots waits: {error}", error=error)
        except Exception:
            self._log.failure("a turn of moving slots failed")

    async def _compare(self) -> None:
        """Fetch what this node missed."""
        try:
            await self.antientropy.turn()
        except P2PChatError as error:
            self._log.warn("comparing with other members waits: {error}", error=error)
        except Exception:
            self._log.failure("a comparison with another member failed")

    # -- registers

    async def change(
        self,
        key: RegisterKey,
        decide: Callable[[bytes | None], bytes | None],
        operation: bytes,
        timeout: float = 10.0,
    ) -> Changed:
        """Compute the next value from the current one, linearizably.

        `decide` may be called several times and must only compute.  When it returns the old value (or None, which
        means "leave it"), nothing changes; what it raises is raised here once it is certain that it judged a chosen
        value.  Repeating a change under the same operation id changes nothing twice.
        Raises:
            NoQuorum: certainly not done.
            UnknownOutcome: it may have been done, or be done later; repeat it under the same operation id.
            Moving: certainly not done, the members are changing.
        """
        await self._until_begun()
        return await self._registers.change(key, decide, operation, timeout)

    async def read(self, key: RegisterKey, timeout: float = 10.0) -> Read:
        """The current value, linearizably.

        Raises:
            NoQuorum, Moving: not enough members answer.
        """
        await self._until_begun()
        return await self._registers.read(key, timeout)

    # -- sets

    async def add(self, point: Identifier, key_fence: bytes, items: Sequence[Item], timeout: float = 10.0) -> Stored:
        """Put items into a set: durable at a majority when this returns.  Items that were added before are no error.

        Raises:
            StaleKey: the mail key register names another key than `key_fence`.
            SlowedDown: the set is full.
            UnknownOutcome, NoQuorum, Moving: add the same items again.
        """
        await self._until_begun()
        return await self._sets.add(point, key_fence, items, timeout)

    async def fetch(self, point: Identifier, fence: int, after: bytes = b"", limit: int = 50) -> Page:
        """Items of a set as a majority knows it, one page of at most 62,000 bytes.

        Args:
            fence: the asker's session epoch.
            after: the page before's `next`; b"" begins.
        Raises:
            SessionReplaced: the session register has a higher epoch.
        """
        await self._until_begun()
        return await self._sets.fetch(point, fence, after, limit, QUESTION_SECONDS)

    async def remove(self, point: Identifier, fence: int, ids: Sequence[bytes], proof: bytes) -> None:
        """Turn items into tombstones, as `proof` asks; done at a majority when this returns.

        Raises:
            SessionReplaced: the session register has a higher epoch; the items may or may not be removed.
            Misbehaved: the proof does not ask for this.
        """
        await self._until_begun()
        await self._sets.remove(point, fence, ids, proof, QUESTION_SECONDS)

    async def close(self, point: Identifier) -> int:
        """Bury, in this node's own copy, the set of an account that was deleted; how many items it was.

        Nothing comes in any more from the moment a majority accepted the account's end: each member refuses it.

        Raises:
            NoQuorum, Moving, UnknownOutcome: nobody confirms the end now; what lies there expires in time.
        """
        await self._until_begun()
        await self._registers.agree(RegisterKey(point, KIND_ACCOUNT))
        return await self._disk.run(lambda store: self._member.sets.close(store, point))

    async def state(self, point: Identifier, item_id: bytes) -> ItemState:
        """What a majority knows of an item."""
        await self._until_begun()
        return await self._sets.state(point, item_id, QUESTION_SECONDS)

    async def measure(self, point: Identifier) -> tuple[int, int]:
        """Items present in a set, and their bytes, as this node's own copy has it."""
        return await self._disk.run(lambda store: store.measure(point))

    # -- what stands where

    async def propose(self, slot: int, members: Sequence[Identifier]) -> None:
        """Have other nodes hold a slot, as repairs do; another node's proposal may win instead."""
        await self._until_begun()
        if (configuration := self._directory.get(slot)) is not None:
            await self.movement.propose(slot, configuration, tuple(sorted(members)))

    async def drain(self) -> int:
        """Hand every slot over to other nodes, from now on until this node stops; how many still have records here."""
        await self._until_begun()
        self.movement.is_leaving = True
        return sum(record.state not in (State.RETIRED, State.COPY) for record in self.movement.records.values())

    async def trace(self, point: Identifier) -> Trace:
        """Where the records of an identifier are."""
        await self._until_begun()
        return await self._overview.trace(point)

    def members_of(self, point: Identifier) -> tuple[Identifier, ...]:
        """Who keeps a point's records as far as this node knows, without asking."""
        known = self._directory.get(slot_of(point, self._settings.slots))
        return () if known is None else known.members

    def owner_of(self, point: Identifier) -> Identifier | None:
        """The owner of a point's records as far as this node knows, without asking."""
        return self._overview.owner_of(point)

    async def status(self) -> ReplicationStatus:
        """This node's numbers."""
        await self._until_begun()
        return await self._overview.status()
