"""What the agent's port listens with: whoever has a session decides who comes in."""

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory


class Door(Factory):
    """Open while a session stands behind it; else a connection is closed at once."""

    noisy = False

    def __init__(self) -> None:
        self.behind: TLSMemoryBIOFactory | None = None

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return None if self.behind is None else self.behind.buildProtocol(addr)

    def close(self) -> None:
        """Hang up on everybody, and let nobody in."""
        behind, self.behind = self.behind, None
        if behind is not None:
            behind.wrappedFactory.close()
