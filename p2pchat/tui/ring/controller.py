"""The ring screen's controller: asks a node once a second, and turns keys into what is shown."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.errors import P2PChatError
from p2pchat.tui import keys
from p2pchat.tui.dialogs import ask_box, text_box
from p2pchat.tui.keys import Binding
from p2pchat.tui.ring.model import Found, Model, Row
from p2pchat.tui.ring.render import LEGEND
from p2pchat.tui.ring.widgets import RingView
from p2pchat.tui.screen import Screen

LOOK_SECONDS = 1.0
LEAP = 30
"""Snapshots: half a minute."""

LEAVING = ("ctrl q", "ctrl c")

Find = Callable[[str], Awaitable[Row]]
"""Asks a node where a user or an identifier belongs: what `ring trace` prints."""

Look = Callable[[], Awaitable[tuple[Sequence[Row], Sequence[Row]]]]
"""Asks a node for every node and for the users it keeps, as rows of `ring status`."""


@dataclass(frozen=True, slots=True)
class Source:
    """What tells of a ring: a look at all nodes, a search, and how to let go of it."""

    look: Look
    find: Find
    close: Callable[[], None]


class Controller:
    """Runs one ring screen."""

    _log = Logger()

    def __init__(
        self,
        screen: Screen,
        look: Look,
        find: Find,
        clock: IReactorTime,
        left: Callable[[], None],
        bindings: Sequence[Binding] = keys.RING,
    ) -> None:
        self._screen, self._look, self._find, self._clock, self._left = screen, look, find, clock, left
        self._bindings = bindings
        self._view = RingView(self._pressed, bindings)
        self.model = Model()
        self._loop = LoopingCall(self._turn)
        self._loop.clock = clock

    def start(self) -> None:
        """Show the screen and begin to look."""
        self._screen.taken = self._taken
        self._screen.show(self._view)
        stopped = self._loop.start(LOOK_SECONDS)
        stopped.addErrback(lambda why: self._log.failure("the ring screen looks no more", why))

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()

    def _show(self, model: Model) -> None:
        self.model = model
        self._view.show(model)
        self._screen.redraw()

    async def _turn(self) -> None:
        try:
            rows, users = await self._look()
        except P2PChatError as error:
            self._show(replace(self.model, problem=str(error)))
            return
        except Exception:
            self._log.failure("a look at the ring failed")
            self._show(replace(self.model, problem="The node's answer was not understood; the log says why."))
            return
        at = datetime.fromtimestamp(self._clock.seconds()).strftime("%H:%M:%S")
        self._show(self.model.looked_at(rows, users, at))

    def _taken(self, key: str) -> bool:
        """Leaving works over the help as well."""
        if key not in LEAVING:
            return False
        self._left()
        return True

    def _pressed(self, action: str) -> None:
        if action == "quit":
            self._left()
        elif action == "help":
            self._help()
        elif action == "find":
            self._screen.show(
                ask_box("find a user's slot", "User or identifier  ", self._sought, self._view, self._back)
            )
        else:
            self._show(_AFTER.get(action, lambda model: model)(self.model))

    def _help(self) -> None:
        lines: list[Any] = [*keys.help_lines(self._bindings), "", *LEGEND]
        self._screen.show(text_box("help", lines, self._view, self._back))

    def _back(self) -> None:
        self._screen.show(self._view)

    def _sought(self, target: str) -> None:
        self._back()
        if target:
            Deferred.fromCoroutine(self._trace(target))

    async def _trace(self, target: str) -> None:
        try:
            self._show(self.model.traced(Found.of(await self._find(target))))
        except P2PChatError as error:
            self._show(replace(self.model, problem=str(error)))
        except Exception:
            self._log.failure("a search on the ring failed")
            self._show(replace(self.model, problem="The node's answer was not understood; the log says why."))


_AFTER: dict[str, Callable[[Model], Model]] = {
    "next": lambda model: model.stepped(1),
    "previous": lambda model: model.stepped(-1),
    "back": lambda model: model.looked(1),
    "forward": lambda model: model.looked(-1),
    "leap_back": lambda model: model.looked(LEAP),
    "leap_forward": lambda model: model.looked(-LEAP),
    "first": lambda model: model.looked(len(model.snapshots)),
    "now": lambda model: replace(model, back=0),
    "fingers": lambda model: replace(model, fingers_drawn=not model.fingers_drawn),
    "close": lambda model: replace(model, found=None, problem=""),
}
