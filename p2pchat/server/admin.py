"""The operator's socket in the node's data folder: AMP over UNIX, for this machine's user alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat.wire.connection import Link
from p2pchat.wire.limits import CONTROL_LIMITS

MAX_SOCKET_BYTES = 103
"""A longer path is no UNIX socket's address everywhere."""
_log = Logger()


class AdminFactory(Factory):
    """Links of the socket: whoever can open it owns the data folder."""

    noisy = False

    def __init__(self, clock: IReactorTime, locators: Sequence[amp.CommandLocator]) -> None:
        self._clock, self._locators = clock, locators

    def buildProtocol(self, addr: IAddress | None) -> Link:
        """One more operator."""
        return Link(self._clock, self._locators, CONTROL_LIMITS)


async def open_socket(reactor: Any, path: Path, locators: Sequence[amp.CommandLocator]) -> Any:
    """Listen there; None, with a warning, where the path is too long for a socket."""
    if len(bytes(path)) > MAX_SOCKET_BYTES:
        _log.warn("{path} is too long for a socket: `ring status --data` cannot ask this node", path=str(path))
        return None
    endpoint = UNIXServerEndpoint(reactor, str(path), mode=0o600, wantPID=True)
    return await endpoint.listen(AdminFactory(reactor, locators))
