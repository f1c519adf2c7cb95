"""Leaving for good: hand everything over, tell the others that nothing is missed with us, and end."""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat.chord.service import ChordService
from p2pchat.chord.status import NodeState
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import P2PChatError, UserError
from p2pchat.identifiers import Identifier, from_bytes, name, to_bytes
from p2pchat.replication.service import ReplicationService
from p2pchat.server import commands
from p2pchat.wire.connection import Call

MAX_DRAINED = 10_000
TELL_SECONDS = 2.0
END_SECONDS = 0.5
"""So long after the operator was told: the answer must get there."""
IDENTIFIER_BYTES = 32


class DrainedNodes:
    """Nodes that left for good and held nothing: a later count of who is missing leaves them out.

    Args:
        kept: what `keep` was given last.
        keep: writes the list to disk.
    """

    def __init__(self, kept: bytes, keep: Callable[[bytes], None]) -> None:
        whole = len(kept) - len(kept) % IDENTIFIER_BYTES
        starts = range(0, whole, IDENTIFIER_BYTES)
        self.nodes = {from_bytes(kept[start : start + IDENTIFIER_BYTES]) for start in starts}
        self._keep = keep

    def left(self, node: Identifier) -> None:
        """A node said that it holds nothing any more."""
        if node not in self.nodes and len(self.nodes) < MAX_DRAINED:
            self._change(self.nodes | {node})

    def met(self, record: NodeRecord) -> None:
        """A node is here (again)."""
        if record.identifier in self.nodes:
            self._change(self.nodes - {record.identifier})

    def _change(self, nodes: set[Identifier]) -> None:
        self._keep(b"".join(map(to_bytes, sorted(nodes))))
        self.nodes = nodes


class Departure:
    """One node's drain.

    Args:
        end: ends the program in an orderly way.
    """

    _log = Logger()

    def __init__(
        self,
        chord: ChordService,
        replication: ReplicationService,
        call: Call,
        clock: IReactorTime,
        end: Callable[[], None],
    ) -> None:
        self._chord, self._replication, self._call, self._clock, self._end = chord, replication, call, clock, end
        self._is_over = self.begun = False

    async def drain(self) -> int:
        """Go on handing over; how many slots are left.  After the answer 0 the node ends.

        Raises:
            UserError: there is nobody to take them.
        """
        others = [node for node in self._chord.live() if node != self._chord.me]
        if not others:
            raise UserError(
                "This is the last live node of its ring: nobody could take its records over. Start another node first,"
                " or make a copy with `p2pchat ring backup`."
            )
        self.begun = True
        left = await self._replication.drain()
        if self._chord.state is NodeState.READY:
            self._log.info("draining: {left} slots are handed over", left=left)
            await self._chord.leave()
        if left == 0 and not self._is_over:
            self._is_over = True
            for node in others:
                await self._tell(node)
            self._clock.callLater(END_SECONDS, self._end)
        return left

    async def _tell(self, node: Identifier) -> None:
        try:
            await self._call(node, commands.Drained, timeout=TELL_SECONDS)
        except P2PChatError as error:
            self._log.info("{node} was not told that we left: {error}", node=name(node), error=str(error))


class DrainLocator(amp.CommandLocator):
    """Answers whoever owns the data folder."""

    def __init__(self, departure: Departure) -> None:
        self._departure = departure

    @commands.Drain.responder
    async def drain(self) -> dict[str, Any]:
        return {"left": await self._departure.drain()}


class DrainedLocator(amp.CommandLocator):
    """Answers another node."""

    def __init__(self, drained: DrainedNodes, caller: Identifier) -> None:
        self._drained, self._caller = drained, caller

    @commands.Drained.responder
    def drained(self) -> dict[str, Any]:
        self._drained.left(self._caller)
        return {}
