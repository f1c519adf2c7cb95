"""Presence at one node: its agents' beats and watches, and the accounts that it owns."""

from collections.abc import Callable, Collection, Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.heartbeat.attached import Attached
from p2pchat.heartbeat.beats import SignedBeat, Standing, Verify
from p2pchat.heartbeat.commands import OFFLINE, PresenceChanged
from p2pchat.heartbeat.owner import PresenceOwner
from p2pchat.heartbeat.reports import BeatReports
from p2pchat.heartbeat.tenure import Tenure
from p2pchat.heartbeat.watches import RENEW_SECONDS, Watches
from p2pchat.identifiers import Identifier
from p2pchat.wire.connection import Call, Link

TURN_SECONDS = 0.5
SETTLE_SECONDS = 0.5
"""After a change of the ring: one question for many changes."""


class HeartbeatService(Service):
    """Who is here, as gateway of agents and as owner of accounts.

    Args:
        attached: the links of this gateway by account.
        owner_of: the owner of an account as this node sees the ring; None while there is none.
        slot_of, owned_slots: the slots of the circle, and those that this node owns now.
        verify: checks a signed beat; standing: the session known here, and the mailbox's version.
        doubt: a higher session than the one known here stands somewhere.
        now: seconds since 1970, for last seen.
    """

    _log = Logger()

    def __init__(
        self,
        call: Call,
        attached: Attached,
        owner_of: Callable[[Identifier], Identifier | None],
        slot_of: Callable[[Identifier], int],
        owned_slots: Callable[[], Collection[int]],
        verify: Verify,
        standing: Callable[[str], Standing],
        doubt: Callable[[str], None],
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        self.attached, self._owned_slots, self._verify = attached, owned_slots, verify
        self._standing, self._doubt, self._clock = standing, doubt, clock
        self._tenure = Tenure(slot_of)
        self.owner = PresenceOwner(call, verify, standing, self._tenure, clock, now)
        self._reports = BeatReports(call, owner_of, clock)
        self.watches = Watches(call, owner_of, self._show, clock)
        self._turns, self._renewals = LoopingCall(self.owner.turn), LoopingCall(self.watches.renew)
        self._turns.clock = self._renewals.clock = clock
        self._settling: IDelayedCall | None = None

    def startService(self) -> None:
        """Begin to judge silence."""
        super().startService()
        self._tenure.update(self._owned_slots(), self._clock.seconds())
        for loop, period in ((self._turns, TURN_SECONDS), (self._renewals, RENEW_SECONDS)):
            loop.start(period, now=False).addErrback(lambda why: self._log.failure("presence stopped", why))

    def stopService(self) -> None:
        """Stop; beats that wait are answered from what is known here."""
        super().stopService()
        for loop in (self._turns, self._renewals):
            if loop.running:
                loop.stop()
        if self._settling is not None and self._settling.active():
            self._settling.cancel()
        self._reports.stop()

    async def beat(self, link: Link, beat: SignedBeat) -> Standing:
        """An agent is here; what stands for its account.  Raises what `verify` raises."""
        await beat.check(self._verify)
        self.attached.attach(link, beat.user)
        told = await self._reports.report(beat)
        here = self._standing(beat.user)
        if told is None:
            return here
        if (told.epoch, told.sequence) > (here.epoch, here.sequence):
            self._doubt(beat.user)
        return told

    async def report(self, gateway: Identifier, beats: Sequence[SignedBeat]) -> list[tuple[Identifier, Standing]]:
        """Another gateway (or this one) reports beats of accounts that we own."""
        return await self.owner.receive(gateway, beats)

    def ring_changed(self) -> None:
        """Membership or liveness changed."""
        self._tenure.update(self._owned_slots(), self._clock.seconds())
        self.owner.ring_changed()
        if self.running and (self._settling is None or not self._settling.active()):
            self._settling = self._clock.callLater(SETTLE_SECONDS, self._settled)

    def _settled(self) -> None:
        asked = Deferred.fromCoroutine(self.watches.ring_changed())
        asked.addErrback(lambda why: self._log.failure("new owners were not asked", why))

    def _show(self, link: Link, user: str, presence: str) -> None:
        Deferred.fromCoroutine(self._show_with_time(link, user, presence))

    async def _show_with_time(self, link: Link, user: str, presence: str) -> None:
        last_seen = await self.watches.last_seen(link, user) if presence == OFFLINE else None
        self.attached.tell(link, PresenceChanged, user=user, presence=presence, last_seen=last_seen)
