"""Listening: a port in use or an address that is not ours ends with one clear line."""

import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from p2pchat.errors import UserError
from p2pchat.identifiers import Address

BACKLOG = 200


class Entrance(Factory):
    """What a port listens with before the node behind it is built: its address goes into the node's record."""

    noisy = False

    def __init__(self) -> None:
        self.behind: TLSMemoryBIOFactory | None = None

    def buildProtocol(self, addr: Any) -> Any:
        """A connection for the node, or None (closed at once) while there is none."""
        return None if self.behind is None else self.behind.buildProtocol(addr)

    def close(self) -> None:
        """Hang up on everybody, and let nobody in."""
        behind, self.behind = self.behind, None
        if behind is not None:
            behind.wrappedFactory.close()


def listen(reactor: Any, address: Address, factory: Any, what: str) -> Any:
    """A listening port; `what` names it in an error.

    Raises:
        UserError: the port is in use, or the address is not one of this machine.
    """
    try:
        return reactor.listenTCP(address.port, factory, backlog=BACKLOG, interface=_numeric(address.host))
    except CannotListenError as error:
        code = getattr(error.socketError, "errno", None)
        if code == errno.EADDRINUSE:
            why = "the port is in use; stop the other program or choose another port"
        elif code == errno.EADDRNOTAVAIL:
            why = "no interface of this machine has that address"
        elif code == errno.EACCES:
            why = "this port needs rights that this program does not have; choose one above 1023"
        else:
            why = str(error.socketError)
        raise UserError(f"Cannot listen on {address} for {what}: {why}.") from error


def bound(port: Any) -> Address:
    """Where a port listens, with the number that was chosen for port 0."""
    host = port.getHost()
    return Address(host.host, host.port)


def dialable(listening: Address, advertise: str | None, interfaces: Callable[[], Sequence[str]]) -> Address:
    """The address that others are told: the one given, the one bound to, or that of the first interface."""
    host = advertise or listening.host
    if advertise is None and host in ("0.0.0.0", "::"):
        host = next(iter(interfaces()), "127.0.0.1")
    return Address(host, listening.port)


def _numeric(host: str) -> str:
    try:
        ipaddress.ip_address(host)
        return host
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UserError(f"{host} is no address of this machine: {error.strerror}.") from error
    return str(found[0][4][0])
