"""Spreads the node table: two nodes compare what changed since they last did, and fetch the records they lack."""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from p2pchat.chord.commands import (
    MAX_ENTRIES_BYTES,
    MAX_MENDED,
    MAX_MENDED_BYTES,
    MAX_RECORDS,
    CompareTables,
    FetchRecords,
    MendTables,
    SpreadNodes,
)
from p2pchat.chord.packing import pack
from p2pchat.chord.packing import unpack as unpack_record
from p2pchat.chord.sketch import SALT_BYTES, count_of, parts_for
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import ENTRY_BYTES, MAX_NODES, Hearsay, NodeTable, unpack
from p2pchat.chord.watch import Spawn
from p2pchat.chord.weighing import Weighing
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved, TryElsewhere
from p2pchat.identifiers import Identifier, name
from p2pchat.wire.arguments import joined, split
from p2pchat.wire.boxes import LENGTH_BYTES
from p2pchat.wire.connection import Call

SPREAD_TO = 3
"""Random nodes that hear of a change at once, besides our successor."""
PAGE_ENTRIES = MAX_ENTRIES_BYTES // ENTRY_BYTES
SETTLE_SECONDS = 3.0
FEW = 16
"""If tables differ by no more nodes, news is probably on its way: they are compared again after SETTLE_SECONDS."""
MAX_PAGES = MAX_NODES // PAGE_ENTRIES + 2
"""Pages in one comparison; what then is left comes with the next one."""


class Spreading:
    """Comparisons of our node table with others'.

    Args:
        weighing: judges what others say about nodes' lives.
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
        weighing: Weighing,
        spawn: Spawn,
        again: Callable[[], None],
    ) -> None:
        self._me, self._table, self._call, self._clock = me, table, call, clock
        self._chance, self._weighing, self._spawn, self._again = chance, weighing, spawn, again
        self._compared = False
        self._incarnation = 1 + chance.getrandbits(63)  # of this run of our table: its numbers start anew
        self._comparing: set[Identifier] = set()
        self._newest = self._rounds = 0  # the last change, and in how many rounds it is still told
        self._heard: dict[Identifier, tuple[int, int]] = {}  # by partner: incarnation, last change heard
        self._told: dict[Identifier, int] = {}  # by partner: our last change that it heard
        self._fetching: set[Identifier] = set()

    def forget(self, partner: Identifier) -> None:
        """A partner died; it starts anew when it returns."""
        self._heard.pop(partner, None)
        self._told.pop(partner, None)

    def go_round(self, always: Sequence[Identifier]) -> None:
        """Compare with these, and with a few random nodes that have not heard of all our changes.

        Each change is told in a few rounds, log2(nodes) and some: then all have it, from us or from others.
        """
        others = [] if self._weighing.is_big else [node for node in self._table.live() if node != self._me]
        if self._table.changes != self._newest:
            self._newest, self._rounds = self._table.changes, len(others).bit_length() + 2
        behind = [node for node in others if self._told.get(node, 0) < self._newest] if self._rounds else []
        first = not self._compared and bool(always)  # a newcomer needs the whole table once
        partners = [] if first else self._chance.sample(behind, min(SPREAD_TO, len(behind)))
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
            if self._weighing.is_big:
                await self._liken(partner)
            else:
                await self.compare(partner)
        except (TryElsewhere, Misbehaved) as error:
            self._log.debug("could not compare with {node}: {error}", node=name(partner), error=error)
        finally:
            self._comparing.discard(partner)
        if self._table.changes != changes and not self._weighing.is_big:
            self._again()

    # -- big rings

    async def _liken(self, partner: Identifier) -> None:
        """See where a partner takes other nodes for live, and mend that on both sides."""
        if self._table.full:
            return
        salt, parts = self._chance.randbytes(SALT_BYTES), parts_for(len(self._table.live()))
        sketch = self._table.sketch(salt, parts)
        answer = await self._call(partner, CompareTables, salt=salt, sums=sketch.sums())
        self._compared = True
        unlike = [part for part in answer["unlike"] if part < parts]
        told, lacking = sketch.difference(unlike, answer["hashes"])
        if 0 < len(told) + len(lacking) <= FEW:
            await deferLater(self._clock, SETTLE_SECONDS)
            now = self._table.sketch(salt, parts)
            still, lacking = now.difference(unlike, answer["hashes"])
            told = [node for node in told if node in still]
        if told or lacking:
            await self._mend(partner, salt, lacking, told)
            self._again()

    async def _mend(self, partner: Identifier, salt: bytes, lacking: list[bytes], told: list[Identifier]) -> None:
        """Fetch the records behind these hashes, page by page, and tell of these nodes."""
        states: dict[Identifier, NodeState] = {}
        for _ in range(MAX_PAGES):
            page, told = told[:PAGE_ENTRIES], told[PAGE_ENTRIES:]
            known = self._table.heard(partner)
            answer = await self._call(
                partner,
                MendTables,
                salt=salt,
                lacking=b"".join(lacking[:MAX_MENDED]),
                entries=b"".join(self._table.packed(node) for node in page if node in self._table),
                like=None if known is None else known.sequence,
            )
            states.update((each.identifier, each.state) for each in unpack(answer["entries"]))
            whole = answer["records"]
            if answer["packed"] and known is not None:
                whole = unpack_record(whole, known.encode(), MAX_MENDED_BYTES)
            records = split(whole, MAX_MENDED)
            states.update((node, NodeState.READY) for node in self.learn(records, {}))
            lacking = lacking[len(records) :] if records else []
            if not (lacking or told):
                break
        states.pop(self._me, None)
        self._weighing.weigh(states)

    def likened(self, salt: bytes, sums: bytes) -> dict[str, Any]:
        """Where a partner's table is not as ours."""
        parts = count_of(sums)
        if self._table.full:
            return {"unlike": b"", "hashes": b""}
        sketch = self._table.sketch(salt, parts)
        unlike = sketch.unlike(sums)
        return {"unlike": bytes(unlike), "hashes": sketch.hashes(unlike)}

    def mended(
        self, partner: Identifier, salt: bytes, lacking: bytes, entries: bytes, like: int | None
    ) -> dict[str, Any]:
        """What a partner lacks; what it tells of is weighed, and what we know otherwise goes back."""
        heard = unpack(entries)
        if heard:
            self._spawn(self._hear_mended(partner, heard))
        known = (each.identifier for each in heard if self._table.state(each.identifier) is NodeState.DEAD)
        named = self._table.sketch(salt, 1).nodes(lacking)[:MAX_MENDED] if lacking else []
        records = [record.encode() for node in named if (record := self._table.heard(node)) is not None]
        while sum(map(len, records)) + LENGTH_BYTES * len(records) > MAX_MENDED_BYTES:
            records.pop()
        whole, own = joined(records), self._table.heard(self._me)
        answer: dict[str, Any] = {"entries": b"".join(map(self._table.packed, known)), "records": whole}
        if own is not None and own.sequence == like:
            answer.update(records=pack(whole, own.encode()), packed=True)
        return answer

    async def _hear_mended(self, partner: Identifier, heard: list[Hearsay]) -> None:
        try:
            await self._take(partner, heard)
        except (TryElsewhere, Misbehaved) as error:
            self._log.info("the node table of {node} was not taken: {error}", node=name(partner), error=error)

    # -- small rings

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
            if answer["big"]:
                await self._take_whole(partner)
                return
            self._compared = True
            restarted = incarnation not in (0, answer["incarnation"])
            self._told[partner] = 0 if restarted else until
            if not await self._take(partner, unpack(answer["entries"])):
                return
            self._heard[partner] = (answer["incarnation"], answer["until"])
            if not (more or answer["more"] or restarted):
                return

    async def _take_whole(self, partner: Identifier) -> None:
        """We know few nodes of what a partner says is a big ring."""
        self._weighing.told_big = True
        try:
            await self._liken(partner)
        finally:
            self._weighing.told_big = False

    def answer(self, partner: Identifier, heard_incarnation: int, heard: int) -> dict[str, Any]:
        """What changed since this partner last heard of us."""
        if self._weighing.is_big:
            return {"incarnation": self._incarnation, "until": 0, "entries": b"", "more": False, "big": True}
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
        if self._table.changes != changes and not self._weighing.is_big:
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
        self._weighing.weigh(states)
        return len(wanted) == len(lacking)

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
            self.learn(self._read(answer, known), states or {})

    def _read(self, answer: dict[str, Any], known: NodeRecord | None) -> list[bytes]:
        """The records of an answer; `known` is the one that they may be deflated against."""
        records: list[bytes] = answer["records"]
        if answer["packed"] and known is not None:
            return [unpack_record(each, known.encode()) for each in records]
        return records

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
