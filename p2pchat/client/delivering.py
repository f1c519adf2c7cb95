"""The way out on one channel: messages are sealed and handed over, as many in a call as fit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chat.channel import Channel
from p2pchat.chat.commands import AskChannelKey, Deliver
from p2pchat.chat.outbox import Waiting
from p2pchat.chat.turns import Turns
from p2pchat.crypto.envelope import sealed_length
from p2pchat.errors import CannotOpen, Misbehaved, P2PChatError, StaleKey
from p2pchat.wire.boxes import LENGTH_BYTES
from p2pchat.wire.connection import Link, call

MAX_MORE_BYTES = 60_000
"""Of sealed messages behind the first one of a call, with their lengths."""
MOST = 16
"""Messages that we put into one call: while the other end opens them, we seal the next ones."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one call carries."""

    header: bytes | None = field(repr=False)
    waiting: list[Waiting]
    sealed: list[bytes] = field(repr=False)


class Delivering:
    """Hands messages to the other end of a channel."""

    _log = Logger()

    def __init__(self, link: Link, channel: Channel, clock: IReactorTime) -> None:
        self._link, self._channel, self._clock = link, channel, clock
        self._asking, self._turns = DeferredLock(), Turns(clock)
        self._many = True
        """Whether the other end takes many in a call, as far as we know."""

    async def deliver(self, messages: Sequence[Waiting], end: float) -> dict[bytes, int]:
        """Seal and hand over; the receiver's epoch by the ids of those that its disk has.

        Args:
            end: until when, by the clock, it waits for that.
        """
        arrived: dict[bytes, int] = {}
        for _ in range(2):  # a second time for a new key, and for an older program that took the first of many
            left = [each for each in messages if each.id not in arrived]
            handed: list[Deferred[dict[bytes, int] | None]] = []
            try:
                while left:
                    await self._turns.next()
                    await self._ensure_key(end)
                    parcel = self._parcel(left)
                    left = left[len(parcel.sealed) :]
                    handed.append(Deferred.fromCoroutine(self._hand_over(parcel, end)))
            except P2PChatError as error:
                self._refused(error, end)
            taken: list[dict[bytes, int] | None] = await gatherResults(handed, consumeErrors=True)
            for each in taken:
                arrived |= each or {}
            if None in taken or left or len(arrived) == len(messages):
                break
        return arrived

    def _parcel(self, messages: Sequence[Waiting]) -> Parcel:
        """The first ones of these, sealed: as many as one call takes, all under one header."""
        header, first = self._channel.seal(messages[0].frame)
        parcel, size = Parcel(header, [messages[0]], [first]), 0
        for each in messages[1 : MOST if self._many else 1]:
            size += LENGTH_BYTES + sealed_length(len(each.frame))
            if size > MAX_MORE_BYTES or not self._channel.header_lasts:
                break
            parcel.waiting.append(each)
            parcel.sealed.append(self._channel.seal(each.frame)[1])
        return parcel

    async def _hand_over(self, parcel: Parcel, end: float) -> dict[bytes, int] | None:
        """The epoch by the ids that were taken; None: they have to go another way."""
        clock, (first, *more) = self._clock, parcel.sealed
        left = end - clock.seconds()
        try:
            answer = await call(
                self._link, clock, Deliver, timeout=left, header=parcel.header, message=first, more=more or None
            )
        except StaleKey:
            self._channel.forget_key()
            return {}
        except P2PChatError as error:
            self._refused(error, end)
            return None
        taken = 1 if answer["taken"] is None else answer["taken"]
        self._many = self._many and taken >= len(parcel.sealed)
        return {each.id: answer["epoch"] for each in parcel.waiting[:taken]}

    def _refused(self, error: P2PChatError, end: float) -> None:
        if isinstance(error, (Misbehaved, CannotOpen)):
            self._link.abort(str(error))
            return
        self._log.debug("{user} did not take a message: {error}", user=self._channel.user, error=str(error))
        if self._clock.seconds() >= end:
            self._link.abort("It does not acknowledge.")

    async def _ensure_key(self, end: float) -> None:
        """The other end's key; one question serves all messages that wait for it."""
        if not self._channel.knows_key:
            await self._asking.run(self._ask_key, end)

    async def _ask_key(self, end: float) -> None:
        if self._channel.knows_key:
            return
        asked = await call(self._link, self._clock, AskChannelKey, timeout=max(0.0, end - self._clock.seconds()))
        self._channel.take_key(asked["key"])
