"""The control socket: links of the command line and of screens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from p2pchat.client.agent import Agent
from p2pchat.client.arguments import JSONObject
from p2pchat.client.conversations import Conversations
from p2pchat.client.locator import ControlLocator
from p2pchat.client.people import People
from p2pchat.client.ways import Ways
from p2pchat.errors import UserError
from p2pchat.wire.connection import Link
from p2pchat.wire.limits import CONTROL_LIMITS


class ControlFactory(Factory):
    """A link, with a locator of its own, for each program that connects."""

    noisy = False

    def __init__(
        self, clock: IReactorTime, agent: Agent, connection: Callable[[], JSONObject], stop: Callable[[], None]
    ) -> None:
        self._clock, self._agent, self._connection, self._stop = clock, agent, connection, stop
        self._ways, self._people = Ways(agent), People(agent)
        self._conversations = Conversations(agent, self._people)
        self._links: set[Link] = set()

    def buildProtocol(self, addr: IAddress | None) -> Link:
        """One more screen or command."""
        link = Link(self._clock, (), CONTROL_LIMITS)
        link.serve(
            [
                ControlLocator(
                    self._agent,
                    self._ways,
                    self._people,
                    self._conversations,
                    lambda: link,
                    self._connection,
                    self._stop,
                )
            ]
        )
        self._links.add(link)
        link.when_lost(self._links.discard)
        return link

    def close(self) -> None:
        """Hang up on everybody."""
        for link in list(self._links):
            link.close()


async def listen(reactor: Any, path: Path, factory: ControlFactory) -> Any:
    """Open the socket for this machine's user alone; one that a killed agent left is replaced."""
    endpoint = UNIXServerEndpoint(reactor, str(path), mode=0o600, wantPID=True)
    try:
        return await endpoint.listen(factory)
    except CannotListenError as error:
        raise UserError(f"The control socket {path} cannot be opened ({error.socketError}). Remove it.") from error
