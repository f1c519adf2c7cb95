"""Which links of this gateway belong to which account, as signed beats have shown."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.wire.connection import Link, call

MAX_LINKS = 8
"""Links of one account at one gateway: a second agent, or one that came back before its old link was missed."""


class Attached:
    """Links by account; an account that has none is not here."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, ask: Callable[..., Awaitable[dict[str, Any]]] = call) -> None:
        """`ask` is `wire.connection.call`."""
        self._clock, self._ask = clock, ask
        self._links: dict[Identifier, dict[Link, None]] = {}
        self._users: dict[Link, str] = {}

    def attach(self, link: Link, user: str) -> None:
        """A verified beat of `user` came over this link."""
        if self._users.get(link) == user:
            return
        known = link in self._users
        self.detach(link)
        self._users[link] = user
        links = self._links.setdefault(account_identifier(user), {})
        links[link] = None
        while len(links) > MAX_LINKS:
            self.detach(next(iter(links)))
        if not known:
            link.when_lost(self.detach)

    def detach(self, link: Link) -> None:
        """The link is gone, or belongs to nobody any more."""
        user = self._users.pop(link, None)
        if user is None:
            return
        account = account_identifier(user)
        links = self._links.get(account, {})
        links.pop(link, None)
        if not links:
            self._links.pop(account, None)

    def user(self, link: Link) -> str | None:
        """Whose link this is."""
        return self._users.get(link)

    def user_of(self, account: Identifier) -> str | None:
        """The name of an account that is attached here."""
        links = self._links.get(account)
        return self._users[next(iter(links))] if links else None

    def push(self, user: str, command: type[amp.Command], /, **arguments: Any) -> int:
        """Tell every link of `user`, without waiting; how many were told."""
        links = list(self._links.get(account_identifier(user), {}))
        for link in links:
            self.tell(link, command, **arguments)
        return len(links)

    def tell(self, link: Link, command: type[amp.Command], /, **arguments: Any) -> None:
        """Tell one link, without waiting: the next beat repeats what matters."""
        Deferred.fromCoroutine(self._tell(link, command, arguments))

    async def _tell(self, link: Link, command: type[amp.Command], arguments: dict[str, Any]) -> None:
        try:
            await self._ask(link, self._clock, command, **arguments)
        except P2PChatError as error:
            self._log.debug("{command} was not taken: {error}", command=command.__name__, error=str(error))

    def __len__(self) -> int:
        return len(self._users)
