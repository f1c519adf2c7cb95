"""Several locators as one: what answers the calls of one other end."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from twisted.protocols import amp

from p2pchat.wire.codec import Codec, codec_of

Responder: TypeAlias = tuple[Codec, Callable[..., Any]]
"""How a call is read and answered, and what answers it, given the arguments by name."""


class Locators:
    """One locator made of several; the first that knows a command answers it."""

    def __init__(self, locators: Sequence[amp.CommandLocator] = ()) -> None:
        self.serve(locators)

    def serve(self, locators: Sequence[amp.CommandLocator]) -> None:
        """These, and no others, answer from now on."""
        self._locators = list(locators)
        self._found: dict[bytes, Responder] = {}

    def find(self, name: bytes) -> Responder | None:
        """What answers the command of this name, if anything does."""
        found = self._found.get(name)
        if found is None:
            for locator in self._locators:
                if (known := locator._commandDispatch.get(name)) is not None:  # type: ignore[attr-defined]
                    command, function = known
                    found = self._found[name] = codec_of(command), function.__get__(locator)
                    break
        return found

    def locateResponder(self, name: bytes) -> Callable[[amp.AmpBox], Any] | None:
        """The same as Twisted puts it: what takes a box, and gives one."""
        for locator in self._locators:
            responder: Callable[[amp.AmpBox], Any] | None = locator.locateResponder(name)
            if responder is not None:
                return responder
        return None
