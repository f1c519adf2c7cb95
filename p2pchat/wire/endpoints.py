"""Plain TCP endpoints for our addresses; TLS is put on top by dialer and listener."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from p2pchat.identifiers import Address


def reaching(reactor: Any) -> Callable[[Address], IStreamClientEndpoint]:
    """What dials; a refused IP address fails at once (HostnameEndpoint would wait 0.3 s for another one)."""

    def reach(address: Address) -> IStreamClientEndpoint:
        match _version(address):
            case 4:
                return TCP4ClientEndpoint(reactor, address.host, address.port)
            case 6:
                return TCP6ClientEndpoint(reactor, address.host, address.port)
        return HostnameEndpoint(reactor, address.host, address.port)

    return reach


def listening(reactor: Any, address: Address) -> IStreamServerEndpoint:
    """What listens on an IP address of this machine, or on all (0.0.0.0, ::)."""
    if _version(address) == 6:
        return TCP6ServerEndpoint(reactor, address.port, interface=address.host)
    return TCP4ServerEndpoint(reactor, address.port, interface=address.host)


def _version(address: Address) -> int | None:
    try:
        return ip_address(address.host).version
    except ValueError:
        return None
