"""Several locators as one: what answers the calls of one other end."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.protocols import amp


class Locators:
    """One locator made of several; the first that knows a command answers it."""

    def __init__(self, locators: Sequence[amp.CommandLocator] = ()) -> None:
        self.locators = list(locators)

    def locateResponder(self, name: bytes) -> Callable[[amp.AmpBox], Any] | None:
        """What answers the command of this name, if anything does."""
        for locator in self.locators:
            responder: Callable[[amp.AmpBox], Any] | None = locator.locateResponder(name)
            if responder is not None:
                return responder
        return None
