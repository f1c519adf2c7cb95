"""Answers the ring's commands by asking the service; one for each link to a node."""

from typing import Any

from twisted.protocols import amp

from p2pchat.chord import commands
from p2pchat.chord.service import ChordService
from p2pchat.chord.status import NodeState
from p2pchat.identifiers import Identifier


class ChordLocator(amp.CommandLocator):
    """Answers one node, whose identity TLS has proved."""

    def __init__(self, chord: ChordService, caller: Identifier) -> None:
        self._chord, self._caller = chord, caller

    @commands.Ping.responder
    def ping(self) -> dict[str, Any]:
        self._chord.seen(self._caller)
        state = self._chord.state
        return {} if state is NodeState.READY else {"state": state.value}

    @commands.AskView.responder
    def ask_view(self, known: bytes | None = None) -> dict[str, Any]:
        self._chord.seen(self._caller)
        view = self._chord.view()
        state = self._chord.state.value
        if view is None:
            return {"state": state, "pending": True}
        if view.hash() == known:
            return {"state": state, "pending": False, "same": True}
        return {
            "state": state,
            "pending": False,
            "predecessor": view.predecessor,
            "successors": view.successors,
            "padding": view.padding,
        }

    @commands.Notify.responder
    def notify(self) -> dict[str, Any]:
        self._chord.notified(self._caller)
        return {}

    @commands.NextHop.responder
    def next_hop(
        self, point: Identifier, without: list[Identifier] | None = None, short: bool | None = None
    ) -> dict[str, Any]:
        step = self._chord.next_step(point, without or ())
        if short:
            return {"owned": step.owned, "records": [], "nodes": list(step.nodes)}
        return {"owned": step.owned, "records": self._chord.records(step.nodes)}

    @commands.SpreadNodes.responder
    def spread_nodes(
        self,
        incarnation: int,
        until: int,
        entries: bytes,
        heard_incarnation: int,
        heard: int,
    ) -> dict[str, Any]:
        return self._chord.compared(self._caller, incarnation, until, entries, heard_incarnation, heard)

    @commands.CompareTables.responder
    def compare_tables(self, salt: bytes, sums: bytes) -> dict[str, Any]:
        return self._chord.likened(salt, sums)

    @commands.MendTables.responder
    def mend_tables(self, salt: bytes, lacking: bytes, entries: bytes, like: int | None = None) -> dict[str, Any]:
        return self._chord.mended(self._caller, salt, lacking, entries, like)

    @commands.FetchRecords.responder
    def fetch_records(self, nodes: list[Identifier], like: int | None = None) -> dict[str, Any]:
        return self._chord.fetched(nodes, like)

    @commands.AnnounceNode.responder
    def announce_node(self, until: bytes, entry: bytes | None = None, record: bytes | None = None) -> dict[str, Any]:
        return {} if self._chord.announced(self._caller, until, entry, record) else {"unread": True}

    @commands.ProbeNode.responder
    async def probe_node(self, node: Identifier) -> dict[str, Any]:
        return {"alive": await self._chord.testify(node)}

    @commands.Leave.responder
    def leave(self) -> dict[str, Any]:
        self._chord.left(self._caller)
        return {}
