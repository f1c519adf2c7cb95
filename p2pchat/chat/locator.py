"""Answers commands of one channel."""

from collections.abc import Awaitable, Callable

from twisted.protocols import amp

from p2pchat.chat import commands
from p2pchat.chat.channel import MAX_FAILURES, Channel
from p2pchat.chat.receiving import Incoming
from p2pchat.chat.turns import Turns
from p2pchat.errors import CannotOpen


class ChannelLocator(amp.CommandLocator):
    """What the other end of a channel may ask.

    Args:
        take: keeps messages; durable when it answers, with our epoch.
        close: hangs up, with the reason.
        turns: opening takes its time, so one call follows the other.
    """

    def __init__(
        self,
        channel: Channel,
        take: Callable[[list[Incoming]], Awaitable[int]],
        close: Callable[[str], None],
        turns: Turns,
    ) -> None:
        self._channel, self._take, self._close, self._turns = channel, take, close, turns

    @commands.AskChannelKey.responder
    def ask_channel_key(self) -> dict[str, object]:
        return {"key": self._channel.key()}

    @commands.Deliver.responder
    async def deliver(
        self, message: bytes, header: bytes | None = None, more: list[bytes] | None = None
    ) -> dict[str, object]:
        await self._turns.next()
        try:
            incoming = [self._channel.open(header, message), *(self._channel.open(None, each) for each in more or ())]
        except CannotOpen:
            if self._channel.failures >= MAX_FAILURES:
                self._close("Too many of its messages do not open.")
            raise
        return {"epoch": await self._take(incoming), "taken": len(incoming)}
