"""Answers commands of one channel."""

from collections.abc import Awaitable, Callable

from twisted.protocols import amp

from p2pchat.chat import commands
from p2pchat.chat.channel import MAX_FAILURES, Channel
from p2pchat.chat.receiving import Incoming
from p2pchat.errors import CannotOpen


class ChannelLocator(amp.CommandLocator):
    """What the other end of a channel may ask.

    Args:
        take: keeps a message; durable when it answers.
        close: hangs up, with the reason.
    """

    def __init__(
        self, channel: Channel, take: Callable[[Incoming], Awaitable[int]], close: Callable[[str], None]
    ) -> None:
        self._channel, self._take, self._close = channel, take, close

    @commands.AskChannelKey.responder
    def ask_channel_key(self) -> dict[str, object]:
        return {"key": self._channel.key()}

    @commands.Deliver.responder
    async def deliver(self, message: bytes, header: bytes | None = None) -> dict[str, object]:
        try:
            incoming = self._channel.open(header, message)
        except CannotOpen:
            if self._channel.failures >= MAX_FAILURES:
                self._close("Too many of its messages do not open.")
            raise
        return {"epoch": await self._take(incoming)}
