"""Spreads the node table: two nodes compare what changed since they last did, and fetch the records they lack."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chord.commands import MAX_ENTRIES_BYTES, MAX_RECORDS, FetchRecords, SpreadNodes
from p2pchat.chord.packing import pack
from p2pchat.chord.packing import unpack as unpack_record
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
WHOLE_NODES = 64
"""Rings of up to so many nodes compare tables with random nodes at each change; in bigger ones changes are announced,
and a node compares with its successor only."""
MOST_UNLIKE = 4
"""So often two tables of a big ring may be unlike before they are compared in detail."""
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
        self._fetching: set[Identifier] = set()
        self._unlike = 0  # comparisons one after the other that found another table than ours

    @property
    def is_big(self) -> bool:
        """Whether changes are announced."""
        return self._table.awake() > WHOLE_NODES

    def forget(self, partner: Identifier) -> None:
        """A partner died; it starts anew when it returns."""
        self._heard.pop(partner, None)
        self._told.pop(partner, None)

    def go_round(self, always: Iterable[Identifier]) -> None:
        """Compare with these, and with a few random nodes that have not heard of all our changes.

        Each change is told in a few rounds, log2(nodes) and some: then all have it, from us or from others.
        """
        others = [] if self.is_big else [node for node in self._table.live() if node != self._me]
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
            if self.is_big:
                await self._liken(partner)
            else:
                await self.compare(partner)
        except (TryElsewhere, Misbehaved) as error:
            self._log.debug("could not compare with {node}: {error}", node=name(partner), error=error)
        finally:
            self._comparing.discard(partner)
        if self._table.changes != changes and not self.is_big:
            self._again()

    async def _liken(self, partner: Identifier) -> None:
        """Ask whether a partner's table is as ours; compare in detail if it was not for a while.

        In a big ring some news is always on its way to one of two nodes.
        """
        changes = self._table.changes
        answer = await self._call(
            partner,
            SpreadNodes,
            incarnation=self._incarnation,
            until=changes,
            entries=b"",
            heard_incarnation=0,
            heard=0,
            digest=self._table.digest(),
        )
        if answer["alike"]:
            self._unlike = 0
            self._told[partner], self._heard[partner] = changes, (answer["incarnation"], answer["until"])
            return
        self._unlike += 1
        if self._unlike > MOST_UNLIKE:
            self._unlike = 0
            await self.compare(partner)
        else:
            self._again()

    def likened(self, partner: Identifier, incarnation: int, until: int, digest: bytes) -> dict[str, Any]:
        """Whether a partner's table is as ours."""
        alike = digest == self._table.digest()
        if alike:
            self._told[partner], self._heard[partner] = self._table.changes, (incarnation, until)
        return {
            "incarnation": self._incarnation,
            "until": self._table.changes,
            "entries": b"",
            "more": False,
            "alike": alike,
        }

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
            if not await self._take(partner, unpack(answer["entries"])):
                return
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
            whole = await self._take(partner, unpack(entries))
        except (TryElsewhere, Misbehaved) as error:
            self._log.info("the node table of {node} was not taken: {error}", node=name(partner), error=error)
        else:
            if whole:
                self._heard[partner] = (incarnation, until)
        if self._table.changes != changes and not self.is_big:
            self._again()

    async def _take(self, partner: Identifier, hearsay: list[Hearsay]) -> bool:
        """Learn what a partner says; False if a part of it is just being fetched elsewhere, and must be told again."""
        states = {each.identifier: each.state for each in hearsay if each.identifier != self._me}
        lacking = [each for each in self._table.unknown(hearsay) if each != self._me]
        wanted = [each for each in lacking if each not in self._fetching]
        self._fetching.update(wanted)
        try:
            await self.fetch(partner, wanted, states)
        finally:
            self._fetching.difference_update(wanted)
        self.weigh(states)
        return len(wanted) == len(lacking)

    def weigh(self, states: dict[Identifier, NodeState]) -> None:
        """Compare what another node says of nodes' lives with what we believe, and ask those where that differs."""
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

    def fetched(self, nodes: Iterable[Identifier], like: int | None) -> dict[str, Any]:
        """The records of these nodes that we have, in the words of our own if the asker has that one."""
        records = [record.encode() for node in nodes if (record := self._table.heard(node)) is not None]
        own = self._table.heard(self._me)
        if own is None or own.sequence != like:
            return {"records": records}
        return {"records": [pack(each, own.encode()) for each in records], "packed": True}

    async def fetch(
        self, partner: Identifier, nodes: Iterable[Identifier], states: dict[Identifier, NodeState] | None = None
    ) -> None:
        """Get these nodes' records from a node that should have them."""
        lacking = list(nodes)
        for start in range(0, len(lacking), MAX_RECORDS):
            known, wanted = self._table.heard(partner), lacking[start : start + MAX_RECORDS]
            like = None if known is None else known.sequence
            answer = await self._call(partner, FetchRecords, nodes=wanted, like=like)
            records: list[bytes] = answer["records"]
            if answer["packed"] and known is not None:
                records = [unpack_record(each, known.encode()) for each in records]
            self.learn(records, states or {})

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
