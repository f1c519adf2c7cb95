"""The ring screen over the chat: it takes the terminal, and gives it back when it is left."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from p2pchat.errors import UserError
from p2pchat.tui.chat.surroundings import Surroundings
from p2pchat.tui.ring.controller import Controller, Source

Watch = Callable[[str], Awaitable[Source]]
"""Opens what tells of a ring, by a node's data folder (empty: the usual one); a P2PChatError says what is missing."""


class Covered(Surroundings, Protocol):
    """The chat's controller, whose screen may be covered."""

    def shown(self) -> None:
        """Put what lies on top on the terminal."""


class Watching:
    """Opens and closes the ring screen."""

    def __init__(self, screen: Covered, clock: IReactorTime, watch: Watch | None) -> None:
        self._screen, self._clock, self._watch = screen, clock, watch
        self._ring: Controller | None = None
        self._source: Source | None = None

    @property
    def on(self) -> bool:
        """Whether the terminal shows the ring."""
        return self._ring is not None

    async def open(self, folder: str) -> None:
        """Show the ring as the node in a folder knows it; only who may read that folder sees names."""
        if self._watch is None:
            raise UserError("Here is no node to ask. On a node's host: p2pchat ring view --data FOLDER")
        if self.on:
            return
        source = await self._watch(folder)
        screen = self._screen.screen
        self._taken, self._source = screen.taken, source
        bindings = self._screen.preferences.ring_keys
        self._ring = Controller(screen, source.look, source.find, self._clock, self.close, bindings)
        self._ring.start()

    def close(self) -> None:
        """Show the chat again."""
        if self._ring is None or self._source is None:
            return
        self._ring.stop()
        self._source.close()
        self._ring = self._source = None
        self._screen.screen.taken = self._taken
        self._screen.shown()
