"""Spreads the node table: two nodes compare what changed since they last did, and fetch the records they lack."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chord.commands import MAX_ENTRIES_BYTES, MAX_RECORDS, FetchRecords, SpreadNodes
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import ENTRY_BYTES, LIVE, MAX_NODES, Hearsay, NodeTable, unpack
from p2pchat.chord.watch import Spawn
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved, TryElsewhere
from p2pchat.identifiers import Identifier, name
from p2pchat.wire.connection import Call

SPREAD_TO = 3
"""Random nodes that hear of a change at once, besides our successor."""
PAGE_ENTRIES = MAX_ENTRIES_BYTES // ENTRY_BYTES
MAX_PAGES = MAX_NODES // PAGE_ENTRIES + 2
"""Pages in one comparison; what then is left comes with the next one."""


class Spreading:
    """Comparisons of our node table with others'.

    Args:
        doubt: another node says something else about this node than we believe; it asks the node itself.
        again: a comparison brought news, which others should have soon.
    """

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        table: NodeTable,
        call: Call,
        clock: IReactorTime,
        chance: Random,
        doubt: Callable[[Identifier], None],
        spawn: Spawn,
        again: Callable[[], None],
    ) -> None:
        self._me, self._table, self._call, self._clock = me, table, call, clock
        self._chance, self._doubt, self._spawn, self._again = chance, doubt, spawn, again
        self._incarnation = 1 + chance.getrandbits(63)  # of this run of our table: its numbers start anew
        self._comparing: set[Identifier] = set()
        self._newest = self._rounds = 0  # the last change, and in how many rounds it is still told
        self._heard: dict[Identifier, tuple[int, int]] = {}  # by partner: incarnation, last change heard
        self._told: dict[Identifier, int] = {}  # by partner: our last change that it heard

    def forget(self, partner: Identifier) -> None:
        """A partner died; it starts anew when it returns."""
        self._heard.pop(partner, None)
        self._told.pop(partner, None)

    def go_round(self, always: Iterable[Identifier]) -> None:
        """Compare with these, and with a few random nodes that have not heard of all our changes.

        Each change is told in a few rounds, log2(nodes) and some: then all have it, from us or from others.
        """
        others = [node for node in self._table.live() if node != self._me]
        if self._table.changes != self._newest:
            self._newest, self._rounds = self._table.changes, len(others).bit_length() + 2
        behind = [node for node in others if self._told.get(node, 0) < self._newest] if self._rounds else []
        partners = self._chance.sample(behind, min(SPREAD_TO, len(behind)))
        self._rounds = max(0, self._rounds - 1)
        if len(behind) > len(partners):
            self._again()
        for partner in dict.fromkeys([*always, *partners]):
            if partner not in self._comparing:
                self._spawn(self._compare_once(partner))

    async def _compare_once(self, partner: Identifier) -> None:
        self._comparing.add(partner)
        changes = self._table.changes
        try:
            await self.compare(partner)
        except (TryElsewhere, Misbehaved) as error:
            self._log.debug("could not compare with {node}: {error}", node=name(partner), error=error)
        finally:
            self._comparing.discard(partner)
        if self._table.changes != changes:
            self._again()

    async def compare(self, partner: Identifier) -> None:
        """Exchange changes with one node; TryElsewhere or Misbehaved where it fails."""
        for _ in range(MAX_PAGES):
            entries, until, more = self._table.changes_after(self._told.get(partner, 0), PAGE_ENTRIES)
            incarnation, heard = self._heard.get(partner, (0, 0))
            answer = await self._call(
                partner,
                SpreadNodes,
                incarnation=self._incarnation,
                until=until,
                entries=entries,
                heard_incarnation=incarnation,
                heard=heard,
            )
            restarted = incarnation not in (0, answer["incarnation"])
            self._told[partner] = 0 if restarted else until
            await self._take(partner, unpack(answer["entries"]))
            self._heard[partner] = (answer["incarnation"], answer["until"])
            if not (more or answer["more"] or restarted):
                return

    def answer(self, partner: Identifier, heard_incarnation: int, heard: int) -> dict[str, Any]:
        """What changed since this partner last heard of us."""
        after = heard if heard_incarnation == self._incarnation else 0
        entries, until, more = self._table.changes_after(after, PAGE_ENTRIES)
        return {"incarnation": self._incarnation, "until": until, "entries": entries, "more": more}

    async def hear(self, partner: Identifier, incarnation: int, until: int, entries: bytes) -> None:
        """Take what a partner sent along when it asked us."""
        changes = self._table.changes
        try:
            await self._take(partner, unpack(entries))
        except (TryElsewhere, Misbehaved) as error:
            self._log.info("the node table of {node} was not taken: {error}", node=name(partner), error=error)
        else:
            self._heard[partner] = (incarnation, until)
        if self._table.changes != changes:
            self._again()

    async def _take(self, partner: Identifier, hearsay: list[Hearsay]) -> None:
        states = {each.identifier: each.state for each in hearsay if each.identifier != self._me}
        await self.fetch(partner, [each for each in self._table.unknown(hearsay) if each != self._me], states)
        for identifier, said in states.items():
            believed = self._table.state(identifier)
            if believed is None:
                continue
            if (believed in LIVE) != (said is NodeState.READY) or believed is NodeState.JOINING:
                if said in (NodeState.READY, NodeState.JOINING):
                    self._table.hasten(identifier, self._clock.seconds())
                elif believed not in LIVE:
                    continue
                self._doubt(identifier)

    async def fetch(
        self, partner: Identifier, nodes: Iterable[Identifier], states: dict[Identifier, NodeState] | None = None
    ) -> None:
        """Get these nodes' records from a node that should have them."""
        lacking = list(nodes)
        for start in range(0, len(lacking), MAX_RECORDS):
            answer = await self._call(partner, FetchRecords, nodes=lacking[start : start + MAX_RECORDS])
            self.learn(answer["records"], states or {})

    def learn(self, records: list[bytes], states: dict[Identifier, NodeState]) -> list[Identifier]:
        """Take encoded records into the table; a false one is left out.  The nodes that they name."""
        nodes = []
        for encoded in records:
            try:
                record = NodeRecord.parse(encoded)
                if record.identifier != self._me:
                    dead = states.get(record.identifier) is NodeState.DEAD
                    state = NodeState.DEAD if dead else NodeState.JOINING
                    self._table.learn(record, self._clock.seconds(), state)
            except Misbehaved as error:
                self._log.warn("a node record was refused: {error}", error=error)
            else:
                nodes.append(record.identifier)
        return nodes
