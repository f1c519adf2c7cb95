"""Asks what became of mail that was stored and never confirmed; what does not lie there any more is sealed anew.

That may be because the ring lost it, because nobody can open it, or because its receipt went to a home of ours that was
replaced meanwhile: whoever has the message already knows its id, and only sends the receipt again.
"""

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.chat.archive import Stored
from p2pchat.chat.service import ChatService
from p2pchat.client.gateway import Ask
from p2pchat.errors import P2PChatError, UserError
from p2pchat.mailbox.commands import PRESENT, UNKNOWN, AskState

ROUND_SECONDS = 600.0
YOUNG_MS = 60_000
"""A message is not asked about before: its receipt is under way."""
OLD_MS = 29 * 24 * 3600 * 1000
"""Nor after: the ring keeps mail for 30 days."""
AT_ONCE = 50
"""Messages asked about in one round; the next round goes on behind them."""
MAX_ANEW = 3
"""Times that one message is sealed anew while the agent runs."""
MAX_REMEMBERED = 10_000


class Inquiry(Service):
    """Every 10 minutes: the states of our oldest unconfirmed envelopes.

    Args:
        chat: how it stands now, for its stores and to send anew.
        now_ms: milliseconds since 1970.
    """

    _log = Logger()

    def __init__(
        self, ask: Ask, chat: Callable[[], ChatService], clock: IReactorTime, now_ms: Callable[[], int]
    ) -> None:
        self._ask, self._chat, self._now_ms = ask, chat, now_ms
        self._loop = LoopingCall(self._turn)
        self._loop.clock = clock
        self._behind = 0
        self._anew: dict[bytes, int] = {}

    def startService(self) -> None:
        super().startService()
        self._loop.start(ROUND_SECONDS, now=False).addErrback(
            lambda why: self._log.failure("asking after stored mail stopped", why)
        )

    def stopService(self) -> None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    async def _turn(self) -> None:
        try:
            await self.look()
        except P2PChatError as error:
            self._log.info("what became of stored mail could not be asked: {error}", error=str(error))
        except Exception:
            self._log.failure("asking after stored mail failed")

    async def look(self) -> int:
        """One round; how many messages are sealed anew."""
        chat, now = self._chat(), self._now_ms()
        asked = chat.stores.archive.unconfirmed(chat.me, now - OLD_MS, now - YOUNG_MS, self._behind, AT_ONCE)
        self._behind = asked[-1].line.row if len(asked) == AT_ONCE else 0
        lost: list[Stored] = []
        for stored in asked:
            if await self._state(stored) != PRESENT and self._may_again(stored.line.id):
                lost.append(stored)
        if not self.running:
            return 0
        return chat.seal_anew([stored.line.id for stored in lost])

    async def _state(self, stored: Stored) -> str:
        if stored.envelope is None:
            return UNKNOWN
        try:
            answer: dict[str, Any] = await self._ask(AskState, user=stored.line.chat, envelope_id=stored.envelope)
        except UserError:
            return PRESENT  # the account is gone; nothing can be done for its mail
        return str(answer["state"])

    def _may_again(self, identifier: bytes) -> bool:
        count = self._anew.pop(identifier, 0)
        self._anew[identifier] = min(count + 1, MAX_ANEW)
        if len(self._anew) > MAX_REMEMBERED:
            self._anew.pop(next(iter(self._anew)))
        return count < MAX_ANEW
