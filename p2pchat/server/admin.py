"""The operator's socket in the node's data folder: AMP over UNIX, for this machine's user alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat.errors import UserError
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
    """Listen there; None, with a warning, where the path is too long for a socket.

    What a killed node left there is removed: the folder's lock proves that nobody uses it, while the process number in
    the socket's own lock may be anybody's, and is always our own in a container.

    Raises:
        UserError: the socket cannot be opened.
    """
    if len(bytes(path)) > MAX_SOCKET_BYTES:
        _log.warn("{path} is too long for a socket: `ring status --data` cannot ask this node", path=str(path))
        return None
    for left in (path, path.with_name(f"{path.name}.lock")):
        left.unlink(missing_ok=True)
    endpoint = UNIXServerEndpoint(reactor, str(path), mode=0o600, wantPID=True)
    try:
        return await endpoint.listen(AdminFactory(reactor, locators))
    except CannotListenError as error:
        raise UserError(f"The operator's socket {path} cannot be opened ({error.socketError}). Remove it.") from error
