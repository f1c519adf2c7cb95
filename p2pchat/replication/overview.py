"""What stands where, as one node sees it: owners of slots, traces, numbers, and how safe the ring's records are."""

from twisted.logger import Logger

from p2pchat.identifiers import Identifier, distance
from p2pchat.replication.asking import Asking, Trial
from p2pchat.replication.configuration import Configuration, State
from p2pchat.replication.directory import Directory
from p2pchat.replication.movement import Movement
from p2pchat.replication.plan import target_size
from p2pchat.replication.results import ReplicationStatus, Trace
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_SESSION, end_of, slot_of
from p2pchat.replication.store import Disk

TRACE_SECONDS = 10.0
LEAST_TOLERANT = 3
"""With fewer nodes than this none may be lost."""
WARN_SECONDS = 10.0
"""For so long there are too few nodes before that is said: a node that starts meets the others first."""


class Overview:
    """Answers questions, and keeps the table of owners for people who look into the database."""

    _log = Logger()

    def __init__(self, asking: Asking, directory: Directory, movement: Movement, disk: Disk, replicas: int) -> None:
        self._asking, self._directory, self._movement = asking, directory, movement
        self._disk, self._replicas = disk, replicas
        self._owners: dict[int, Identifier] = {}
        self._owners_seen: tuple[object, ...] = ()
        self._few = (0, 0.0)
        self._warned = 0

    async def trace(self, point: Identifier) -> Trace:
        """See ReplicationService.trace."""
        slot = slot_of(point, self._directory.slots)
        configuration = await self._directory.current(slot, Trial(self._asking, TRACE_SECONDS, "The question"))
        copies = sum(self._believes_in(node) for node in configuration.members)
        owner = self._owner(configuration, slot)
        return Trace(slot, configuration.epoch, configuration.members, owner, copies)

    def owner_of(self, point: Identifier) -> Identifier | None:
        """See ReplicationService.owner_of."""
        slot = slot_of(point, self._directory.slots)
        configuration = self._directory.get(slot)
        return None if configuration is None else self._owner(configuration, slot)

    def _owner(self, configuration: Configuration, slot: int) -> Identifier:
        """The first live member clockwise from the slot's end; the first of all when none is alive."""
        end = end_of(slot, self._directory.slots)
        alive = [node for node in configuration.members if self._believes_in(node)]
        return min(alive or configuration.members, key=lambda node: distance(end, node))

    def _believes_in(self, node: Identifier) -> bool:
        return node == self._asking.me or self._asking.is_live(node)

    def _target(self) -> int:
        return target_size(len(self._movement.live_since), self._replicas)

    def aim(self, configuration: Configuration) -> int:
        """How many copies the ring aims at for a slot of this configuration."""
        return max(len(configuration.members), self._target())

    async def status(self) -> ReplicationStatus:
        """See ReplicationService.status."""
        held: dict[int, dict[int, int]] = {}
        for slot, kind, count in await self._disk.run(lambda store: store.tally()):
            held.setdefault(slot, {})[kind] = count
        records = self._movement.records.values()
        parts = [each for each in records if self._asking.me in each.newest.members]
        users = sessions = deficit = 0
        backups = sum(held.get(each.slot, {}).get(KIND_ACCOUNT, 0) for each in records if each.state is State.COPY)
        for part in parts:
            counts = held.get(part.slot, {})
            if self._owner(part.newest, part.slot) != self._asking.me:
                backups += counts.get(KIND_ACCOUNT, 0)
                continue
            users += counts.get(KIND_ACCOUNT, 0)
            sessions += counts.get(KIND_SESSION, 0)
            copies = sum(self._believes_in(node) for node in part.newest.members)
            deficit += (self.aim(part.newest) - copies) * sum(counts.values())
        return ReplicationStatus(
            users,
            backups,
            sessions,
            slots=len(parts),
            least=min((len(part.newest.members) for part in parts), default=0),
            wanted=self._target(),
            deficit=deficit,
            moving=sum(part.state is State.LEARN for part in parts),
            passed_over=tuple(sorted(self._movement.newcomers.passed_over(self._asking.clock.seconds()))),
        )

    async def note(self) -> None:
        """Take note of what changed: owners for people who look into the file, and whether any node may be lost."""
        self._warn()
        seen = (tuple(sorted(self._movement.live_since)), self._movement.revision)
        if seen == self._owners_seen:
            return
        records = self._movement.records
        owners = {slot: self._owner(record.newest, slot) for slot, record in records.items()}
        news = {slot: owner for slot, owner in owners.items() if self._owners.get(slot) != owner}
        if news:
            await self._disk.run(lambda store: store.put_owners(news))
            self._owners.update(news)
        self._owners_seen = seen

    def _warn(self) -> None:
        """Say aloud, once for each number of nodes that lasts, that the loss of one node loses records."""
        live, now = len(self._movement.live_since), self._asking.clock.seconds()
        if live >= LEAST_TOLERANT or self._replicas == 0:
            if self._warned:
                self._log.info("the ring tolerates the loss of a node now")
            self._few, self._warned = (0, now), 0
            return
        if live != self._few[0]:
            self._few = (live, now)
        if live != self._warned and now - self._few[1] >= WARN_SECONDS:
            self._warned = live
            self._log.warn(
                "{live} of at least {least} nodes are there: this ring has no fault tolerance, and a lost disk loses"
                " accounts and mail. Start more nodes.",
                live=live,
                least=LEAST_TOLERANT,
            )
