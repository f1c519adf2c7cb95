"""Gathers what an operator asks of a ring: the row of this node, of all nodes, traces and names."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.chord.service import ChordService
from p2pchat.chord.status import Hop, NodeStatus
from p2pchat.crypto.names import canonical_user
from p2pchat.errors import P2PChatError, UserError
from p2pchat.identifiers import BITS, Identifier, account_identifier
from p2pchat.replication.results import Trace
from p2pchat.replication.service import ReplicationService
from p2pchat.server.commands import MAX_PAGE_NODES, AskStatus
from p2pchat.server.passing import pack
from p2pchat.server.status import NodeRow
from p2pchat.wire.connection import Call

ASK_SECONDS = 3.0
MAX_SHOWN = 8


class RingRows:
    """Answers questions about the ring by asking this node's services, and the other nodes."""

    _log = Logger()

    def __init__(self, chord: ChordService, replication: ReplicationService, call: Call) -> None:
        self._chord, self._replication, self._call = chord, replication, call

    async def own(self) -> NodeRow:
        """This node's row."""
        ring, kept = self._chord.status(), await self._replication.status()
        mine = next(each for each in ring.nodes if each.identifier == ring.me)
        return NodeRow(
            node=ring.me,
            address=str(mine.record.ring_address),
            clients=str(mine.record.clients_address),
            state=ring.state.value,
            predecessor=ring.predecessor,
            successors=ring.successors,
            fingers=ring.fingers,
            users=kept.users,
            backups=kept.backups,
            sessions=kept.sessions,
            slots=kept.slots,
            members_least=kept.least,
            members_wanted=kept.wanted,
            deficit=kept.deficit,
            lookups=pack(self._chord.lookups.recent),
            passed_over=kept.passed_over[:MAX_SHOWN],
        )

    async def page(self, after: int) -> tuple[list[NodeRow], int]:
        """Rows of all known nodes in ring order, from number `after`; the number of the next page, 0 after the last."""
        nodes = self._chord.status().nodes
        asked = [Deferred.fromCoroutine(self._row(each)) for each in nodes[after : after + MAX_PAGE_NODES]]
        rows = [await each for each in asked]
        following = after + MAX_PAGE_NODES
        return rows, following if following < len(nodes) else 0

    async def _row(self, node: NodeStatus) -> NodeRow:
        if node.identifier == self._chord.me:
            return await self.own()
        state = node.state.value
        if self._chord.is_live(node.identifier):
            try:
                answer = await self._call(node.identifier, AskStatus, timeout=ASK_SECONDS)
                row = NodeRow.parse(answer)
                if row.node == node.identifier:
                    return row
            except P2PChatError as error:
                self._log.debug("a node does not say how it is: {error}", error=str(error))
                state = "suspected"
        record = node.record
        return NodeRow(node.identifier, str(record.ring_address), str(record.clients_address), state)

    async def trace(self, target: str) -> tuple[Identifier, tuple[Hop, ...], Trace]:
        """The way to a user's or identifier's slot, and who holds it."""
        point = self._point(target)
        found = await self._chord.find_owner(point)
        return point, found.hops, await self._replication.trace(point)

    def _point(self, target: str) -> Identifier:
        """64 hex digits are an identifier, everything else is a user's name."""
        if len(target) == BITS // 4:
            try:
                return Identifier(int(target, 16))
            except ValueError:
                raise UserError(f"{target} is neither a user name nor 64 hex digits.") from None
        return account_identifier(canonical_user(target))


def hop_values(hops: tuple[Hop, ...]) -> list[dict[str, Any]]:
    """Hops as values of a command; a node that did not answer took no time that counts."""
    return [{"node": hop.identifier, "milliseconds": hop.milliseconds} for hop in hops]
