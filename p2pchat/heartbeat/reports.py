"""The gateway's side of beats: gathers them for a moment and reports them to each owner in one call."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pchat.errors import Busy, P2PChatError
from p2pchat.heartbeat.beats import SignedBeat, Standing
from p2pchat.heartbeat.commands import MAX_BEATS_AT_ONCE, ReportBeats
from p2pchat.identifiers import Identifier
from p2pchat.wire.connection import Call

GATHER_SECONDS = 0.1
MAX_WAITING = 20_000


class BeatReports:
    """Beats that wait for their owner's answer."""

    _log = Logger()

    def __init__(self, call: Call, owner_of: Callable[[Identifier], Identifier | None], clock: IReactorTime) -> None:
        self._call, self._owner_of, self._clock = call, owner_of, clock
        self._waiting: list[tuple[SignedBeat, Deferred[Standing | None]]] = []
        self._timer: IDelayedCall | None = None

    async def report(self, beat: SignedBeat) -> Standing | None:
        """What stands, by the account's owner; None where it did not answer."""
        if len(self._waiting) >= MAX_WAITING:
            raise Busy("Too many beats wait here. Use another node.")
        answered: Deferred[Standing | None] = Deferred()
        self._waiting.append((beat, answered))
        if self._timer is None:
            self._timer = self._clock.callLater(GATHER_SECONDS, self._send)
        return await answered

    def stop(self) -> None:
        """No more reports; whoever waits gets no answer from an owner."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for _, answered in waiting:
            answered.callback(None)

    def _send(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        by_owner: dict[Identifier | None, list[tuple[SignedBeat, Deferred[Standing | None]]]] = {}
        for beat, answered in waiting:
            by_owner.setdefault(self._owner_of(beat.account), []).append((beat, answered))
        for owner, beats in by_owner.items():
            for start in range(0, len(beats), MAX_BEATS_AT_ONCE):
                Deferred.fromCoroutine(self._report(owner, beats[start : start + MAX_BEATS_AT_ONCE]))

    async def _report(
        self, owner: Identifier | None, beats: list[tuple[SignedBeat, "Deferred[Standing | None]"]]
    ) -> None:
        standing: dict[Identifier, Standing] = {}
        try:
            if owner is not None:
                rows = [_row(beat) for beat, _ in beats]
                for each in (await self._call(owner, ReportBeats, beats=rows))["answers"]:
                    standing[each["account"]] = Standing(each["epoch"], each["sequence"], each["mailbox_version"])
        except P2PChatError as error:
            self._log.debug("an owner did not take beats: {error}", error=str(error))
        for beat, answered in beats:
            answered.callback(standing.get(beat.account))


def _row(beat: SignedBeat) -> dict[str, object]:
    return {name: getattr(beat, name) for name in SignedBeat.__slots__}
