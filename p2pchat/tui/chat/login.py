"""Logging in at the chat screen: the form comes and goes with the session."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from p2pchat.client import commands
from p2pchat.errors import P2PChatError
from p2pchat.tui.chat import dialogs, render
from p2pchat.tui.chat.model import Standing
from p2pchat.tui.chat.surroundings import Surroundings
from p2pchat.tui.dialogs import Box

LOGIN_SECONDS = 55.0


class Boxes(Surroundings, Protocol):
    """The controller with the boxes that lie over its chat."""

    boxes: list[Box]

    def shown(self) -> None:
        """Put what lies on top on the terminal."""


class LoggingIn:
    """The form for name and password, and what it leads to."""

    def __init__(self, screen: Boxes) -> None:
        self._screen = screen

    @property
    def form(self) -> dialogs.LoginForm | None:
        """The form, while it is shown."""
        return next((box for box in self._screen.boxes if isinstance(box, dialogs.LoginForm)), None)

    def ask(self, user: str = "") -> None:
        """Show the form; Escape leaves it where a session stands."""
        if self.form is None:
            standing = self._screen.model.standing
            closed = self._screen.close if standing.state != "none" else None
            place = render.place(standing)
            self._screen.push(dialogs.LoginForm(place, self._entered, self._screen.top, user, closed))

    def stands(self, standing: Standing, before: Standing) -> None:
        """Our standing has changed, or not."""
        if standing.state in ("none", "locked"):
            self.ask(standing.user)
            if self.form is not None:
                self.form.at(render.place(standing))
        elif before.state != standing.state:
            self._close()

    def _entered(self, action: str, user: str, password: str) -> None:
        Deferred.fromCoroutine(self._log_in(action, user, password))

    async def _log_in(self, action: str, user: str, password: str) -> None:
        screen = self._screen
        command: Any = commands.Register if action == "register" else commands.Login
        try:
            answer = await screen.link.ask(command, user=user, password=password, timeout=LOGIN_SECONDS)
        except P2PChatError as error:
            if self.form is not None:
                self.form.say(str(error))
                screen.screen.redraw()
            return
        key = answer["account"].get("recovery_key")
        if key:
            self._close()
            screen.push(dialogs.recovery_key(str(key), screen.view, screen.close))
        screen.run(screen.begin())

    def _close(self) -> None:
        if self.form is not None:
            self._screen.boxes = [box for box in self._screen.boxes if not isinstance(box, dialogs.LoginForm)]
            self._screen.shown()
