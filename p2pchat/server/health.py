"""Whether this node does its work: on the ring, not leaving, not sealed, and able to write to its disk."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp

from p2pchat.chord.status import NodeState
from p2pchat.errors import DiskFull, P2PChatError
from p2pchat.replication.configuration import State, generation_of
from p2pchat.replication.store import Disk, Store
from p2pchat.server import commands
from p2pchat.server.clocks import RingClock

LEAST_FREE_BYTES = 4 << 20
"""With less on the disk than this a node takes no more upon itself: SQLite needs room for its log."""
PROBE_SECONDS = 2.0
"""A write to the disk answers all who ask within so many seconds."""

NOT_YET = {
    NodeState.JOINING: "not on the ring yet",
    NodeState.LEAVING: "leaving the ring",
}


class Health:
    """One node's readiness, as it is when somebody asks.

    Args:
        state: of the node on the ring.
        draining: whether the node hands over what it has.
        disk: written to, because only a write says whether it takes one.
        folder: on that disk.
    """

    def __init__(
        self,
        state: Callable[[], NodeState],
        draining: Callable[[], bool],
        disk: Disk,
        folder: Path,
        clock: IReactorTime,
    ) -> None:
        self._state, self._draining, self._disk, self._folder, self._clock = state, draining, disk, folder, clock
        self._probed: tuple[float, str] | None = None

    async def why_not(self) -> str:
        """Why this node is not ready, in a few words; empty when it is."""
        if self._draining():
            return "draining: it hands over what it has"
        if (state := self._state()) is not NodeState.READY:
            return NOT_YET.get(state, state.value)
        if (free := self.free()) < LEAST_FREE_BYTES:
            return f"the disk of {self._folder} is full: {free} bytes are left"
        now = self._clock.seconds()
        if self._probed is None or now - self._probed[0] >= PROBE_SECONDS:
            self._probed = (now, await self._probe())
        return self._probed[1]

    def free(self) -> int:
        """Bytes that are left for us on the disk."""
        return shutil.disk_usage(self._folder).free

    async def _probe(self) -> str:
        try:
            sealed = await self._disk.run(_written)
        except DiskFull as error:
            return str(error)
        except P2PChatError as error:
            return f"the database cannot be used: {error}"
        return "sealed: this generation of the ring is over, and no plan for the next one is here" if sealed else ""


def _written(store: Store) -> bool:
    """Write something that changes nothing; whether slots wait for a plan of the authority."""
    floor = store.floor()
    store.put_floor(floor)
    return any(
        record.state is State.SEALED and generation_of(record.configuration.epoch) < floor for record in store.slots()
    )


class HealthLocator(amp.CommandLocator):
    """Answers whoever owns the data folder."""

    def __init__(self, health: Health, ring_clock: RingClock) -> None:
        self._health, self._ring_clock = health, ring_clock

    @commands.AskHealth.responder
    async def ask_health(self) -> dict[str, Any]:
        await self._ring_clock.compare()
        return {
            "why": await self._health.why_not(),
            "ahead": -self._ring_clock.others * 1000,
            "compared": self._ring_clock.compared,
        }
