"""Collects what was chosen before, for slots of which this node became a member, and begins to serve them."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Identifier, name
from p2pchat.replication.asking import Asking
from p2pchat.replication.configuration import Configuration, needed_sources
from p2pchat.replication.copying import copy
from p2pchat.replication.member import Member
from p2pchat.replication.transfers import CopyReply, PullReply
from p2pchat.replication.turns import Turns
from p2pchat.replication.walk import Heard, Walk

STAGGER_SECONDS = 0.3
"""After so long without success, one more member is asked."""


class Learning:
    """One pull: many slots of the same configuration, from as many members as it takes."""

    _log = Logger()

    def __init__(
        self,
        asking: Asking,
        member: Member,
        turn: Turns,
        heard: Heard,
        configuration: Configuration,
        slots: Sequence[int],
        frozen: bool,
    ) -> None:
        """
        Args:
            turn: runs a turn over this node's own store.
            heard: told of later configurations that members answer with.
            frozen: whether this node's own records of the epoch before count.
        """
        self._asking, self._member, self._turn, self._heard = asking, member, turn, heard
        self._configuration = configuration
        self._needed = needed_sources(configuration) if configuration.previous else 1
        self._own = int(frozen)
        self._sources: dict[int, set[Identifier]] = {slot: set() for slot in slots}
        self._open = 0
        self._done: Deferred[None] = Deferred()

    async def run(self) -> None:
        """Ask members, some at once and then one more from time to time; returns when all is done or all were asked."""
        nodes = self._order()
        for index, node in enumerate(nodes):
            if not self._sources:
                break
            self._open += 1
            Deferred.fromCoroutine(self._pull(node))
            if index + 1 >= self._needed - self._own:
                await self._first_of(self._asking.pause(STAGGER_SECONDS))
        if self._open and self._sources:
            await self._done

    def _order(self) -> list[Identifier]:
        """Members that went on, then the others of before, then newcomers; those believed alive first."""
        before, after = set(self._configuration.previous), set(self._configuration.members)
        nodes = sorted((before | after) - {self._asking.me})
        return sorted(
            nodes,
            key=lambda node: (not self._asking.is_live(node), node not in before, node not in after),
        )

    async def _first_of(self, pause: Deferred[None]) -> None:
        """Wait for a pause, or for the end if that comes first."""
        first: Deferred[None] = Deferred()

        def fire(result: None) -> None:
            if not first.called:
                first.callback(None)

        pause.addCallback(fire)
        self._done.addCallback(fire)
        await first

    async def _pull(self, node: Identifier) -> None:
        try:
            await self._pages(node)
        except P2PChatError as error:
            self._log.warn("learning from node {node} stopped: {error}", node=name(node), error=error)
        except Exception:
            self._log.failure("learning from node {node} failed", node=name(node))
        self._open -= 1
        if (not self._open or not self._sources) and not self._done.called:
            self._done.callback(None)

    async def _pages(self, node: Identifier) -> None:
        old: set[int] = set()

        async def keep(page: PullReply) -> bool:
            return await self._copy(node, page)

        async def done(page: PullReply, slots: tuple[int, ...]) -> None:
            await self._count(node, page, slots, old)

        walk = Walk(self._asking, self._member, self._turn, self._heard, node, self._configuration)
        await walk.run(lambda: sorted(self._sources), keep, done)

    async def _copy(self, node: Identifier, page: PullReply) -> bool:
        """Fetch what this node lacks of a page; False when the other member has it no more."""
        missing = await self._turn(
            lambda store, events: self._member.inventory.missing(store, self._configuration, page)
        )
        return await copy(self._asking, node, self._configuration, missing, self._merge)

    async def _merge(self, copies: CopyReply) -> bool:
        await self._turn(lambda store, events: self._member.inventory.merge(store, self._configuration, copies, events))
        return True

    async def _count(self, node: Identifier, page: PullReply, slots: tuple[int, ...], old: set[int]) -> None:
        """Note whom slots were wholly learned from; those with enough begin to serve.

        A slot whose first page was still the member's own old records stays old, whatever it became meanwhile.
        """
        old.update(page.old)
        ready: list[int] = []
        for slot in slots:
            if slot not in self._sources:
                continue
            if slot in old:
                self._sources[slot].add(node)
            known = len(self._sources[slot] & set(self._configuration.previous)) + self._own
            if slot not in old or known >= self._needed:
                ready.append(slot)
        if not ready:
            return
        await self._turn(
            lambda store, events: self._member.inventory.activate(store, self._configuration, tuple(ready), events)
        )
        for slot in ready:
            self._sources.pop(slot, None)
