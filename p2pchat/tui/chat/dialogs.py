"""Forms over the chat screen: logging in, the recovery key, the chat switch."""

from collections.abc import Callable
from typing import Any

import urwid

from p2pchat.tui.dialogs import Form, button
from p2pchat.tui.text import harmless, one_line

GROUPS_PER_LINE = 7
"""Of the recovery key, so that its lines break between groups."""

MAX_OFFERS = 10
"""Names below the one that is typed."""

PREVIEW_LINES = 5
PREVIEW_CHARACTERS = 66
"""Of a pasted text."""

_STEPS = {"down": 1, "tab": 1, "up": -1, "shift tab": -1}

USER, PASSWORD, AGAIN = 3, 4, 9
"""Rows of the login form that are typed in."""


class LoginForm(Form):
    """User name and password; says below what went wrong.

    Args:
        place: on which ring, for whoever logs in.
        entered: called with "login" or "register", the user name and the password.
    """

    def __init__(
        self,
        place: str,
        entered: Callable[[str, str, str], None],
        below: urwid.Widget,
        user: str = "",
        closed: Callable[[], None] | None = None,
    ) -> None:
        self._entered = entered
        self._place = urwid.Text(("faint", place))
        self._user = urwid.Edit("User name  ", user)
        self._password = urwid.Edit("Password   ", mask="*")
        self._again = urwid.Edit("Once more  ", mask="*")
        self._said = urwid.Text("")
        self._busy = False
        rows: list[Any] = [
            self._place,
            urwid.Text("Log in with your name and password, or make a new account."),
            urwid.Divider(),
            urwid.AttrMap(self._user, "field", "focus"),
            urwid.AttrMap(self._password, "field", "focus"),
            urwid.Divider(),
            button("Log in", lambda: self._enter("login")),
            urwid.Divider(),
            urwid.Text("A new account: type the password once more."),
            urwid.AttrMap(self._again, "field", "focus"),
            button("Register", lambda: self._enter("register")),
            urwid.Divider(),
            self._said,
            urwid.Text(("faint", "Tab: next field   Enter: go on   F1: help   Ctrl-q: leave")),
        ]
        super().__init__("p2pchat", rows, below, closed, focus=PASSWORD if user else USER)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        if key == "enter" and self.listed.focus_position in (USER, PASSWORD, AGAIN):
            self._go_on()
            return None
        return super().keypress(size, key)

    def _go_on(self) -> None:
        place = self.listed.focus_position
        if place == PASSWORD and self._user.edit_text.strip() and self._password.edit_text:
            self._enter("login")
        elif place == AGAIN:
            self._enter("register")
        else:
            self.step(1)

    def at(self, place: str) -> None:
        """Say on which ring we are."""
        self._place.set_text(("faint", place))

    def say(self, text: str, failed: bool = True) -> None:
        """Show what is going on, or what went wrong; then it can be tried again."""
        self._busy = not failed
        self._said.set_text([("failed" if failed else "notice", harmless(text)), "\n"] if text else "")

    def _enter(self, action: str) -> None:
        user, password = self._user.edit_text.strip(), self._password.edit_text
        if self._busy:
            return
        if not user or not password:
            self.say("Type a user name and a password.")
        elif action == "register" and self._again.edit_text != password:
            self.say("The two passwords differ. Type the same one twice.")
        else:
            self.say(
                "One moment: the ring is asked, and keys are made." if action == "register" else "Logging in …", False
            )
            self._entered(action, user, password)


def recovery_key(key: str, below: urwid.Widget, closed: Callable[[], None]) -> Form:
    """The recovery key, shown this once."""
    groups = key.split("-")
    lines = ["-".join(groups[start : start + GROUPS_PER_LINE]) for start in range(0, len(groups), GROUPS_PER_LINE)]
    rows: list[Any] = [
        urwid.Text("This recovery key opens your account when the password is forgotten."),
        urwid.Text("Write it down and keep it apart; it is shown this once."),
        urwid.Divider(),
        urwid.Text(("title", "-\n".join(lines)), align="center"),
        urwid.Divider(),
        button("I have written it down", closed),
    ]
    return Form("recovery key", rows, below, None, focus=len(rows) - 1)


class SwitchBox(Form):
    """Opens a chat by name: what is typed narrows the names, arrows or Tab choose one of them.

    Args:
        chosen: called with the name, and with the one to take if no account is called so.
    """

    def __init__(
        self, users: list[str], chosen: Callable[[str, str], None], below: urwid.Widget, closed: Callable[[], None]
    ) -> None:
        self._users, self._chosen = users, chosen
        self._selected = -1
        self._name = urwid.Edit("Chat with  ")
        self._offers = urwid.Text("")
        field = urwid.AttrMap(self._name, "field", "focus")
        super().__init__("open a chat", [field, urwid.Divider(), self._offers], below, closed, focus=0)
        self._show()

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        if key == "enter":
            self._choose()
            return None
        step = _STEPS.get(key)
        if step is not None:
            count = len(self._matching())
            self._selected = (self._selected + 1 + step) % (count + 1) - 1
            left = None
        else:
            self._selected = -1
            left = super().keypress(size, key)
        self._show()
        return left

    def _choose(self) -> None:
        typed, matching = self._name.edit_text.strip(), self._matching()
        if self._selected >= 0:
            self._chosen(matching[self._selected], "")
        elif typed:
            self._chosen(typed, "" if typed in self._users or not matching else matching[0])
        elif matching:
            self._chosen(matching[0], "")

    def _matching(self) -> list[str]:
        typed = self._name.edit_text.strip()
        fitting = sorted(
            (user for user in self._users if fits(typed, user)), key=lambda user: not user.startswith(typed)
        )
        return fitting[:MAX_OFFERS]

    def _show(self) -> None:
        offers: list[Any] = [
            ("focus" if place == self._selected else "text", f" {one_line(name, PREVIEW_CHARACTERS)} \n")
            for place, name in enumerate(self._matching())
        ]
        self._offers.set_text([*offers, ("faint", "Enter opens this chat; arrows choose, Escape closes.")])


class PickBox(Form):
    """Something is looked for by what is typed; one of what was found is chosen.

    Args:
        asked: told what is typed, at each change; it calls `offer`, now or later.
        chosen: called with the value of what was chosen.
    """

    def __init__(
        self,
        title: str,
        label: str,
        asked: Callable[[str], None],
        chosen: Callable[[Any], None],
        below: urwid.Widget,
        closed: Callable[[], None],
    ) -> None:
        self._asked, self._chosen = asked, chosen
        self._found: list[tuple[str, Any]] = []
        self._selected = 0
        self._field = urwid.Edit(label)
        self._offers = urwid.Text("")
        field = urwid.AttrMap(self._field, "field", "focus")
        super().__init__(title, [field, urwid.Divider(), self._offers], below, closed, focus=0)
        self._show()

    @property
    def typed(self) -> str:
        """What is looked for."""
        return str(self._field.edit_text)

    def put(self, text: str) -> None:
        """Look for this."""
        self._field.set_edit_text(text)
        self._field.set_edit_pos(len(text))
        self._asked(text)

    def offer(self, found: list[tuple[str, Any]]) -> None:
        """Show what was found: labels, fit for the screen, with their values."""
        self._found, self._selected = found, 0
        self._show()

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        if key == "enter":
            if self._found:
                self._chosen(self._found[self._selected][1])
            return None
        if key in _STEPS and self._found:
            self._selected = (self._selected + _STEPS[key]) % len(self._found)
            self._show()
            return None
        before = self.typed
        left = super().keypress(size, key)
        if self.typed != before:
            self._asked(self.typed)
        return left

    def _show(self) -> None:
        offers: list[Any] = [
            ("focus" if place == self._selected else "text", f" {label} \n")
            for place, (label, _) in enumerate(self._found)
        ]
        nothing = "Nothing found. " if self.typed and not self._found else ""
        self._offers.set_text([*offers, ("faint", f"{nothing}Enter takes it; arrows choose, Escape closes.")])


def paste(text: str, decided: Callable[[str], None], below: urwid.Widget, can_send: bool) -> Form:
    """What shall become of a pasted text of many lines: "edit", "send" or "drop"."""
    lines = harmless(text).rstrip("\n").split("\n")
    shown = [one_line(each, PREVIEW_CHARACTERS) for each in lines[:PREVIEW_LINES]]
    more = [f"… {len(lines) - PREVIEW_LINES} more"] if len(lines) > PREVIEW_LINES else []
    rows: list[Any] = [
        urwid.Text(f"You have pasted {len(lines)} lines:"),
        urwid.Divider(),
        urwid.Text(("faint", "\n".join([*shown, *more]))),
        urwid.Divider(),
        button("Put them into the line", lambda: decided("edit")),
        *([button("Send them as one message", lambda: decided("send"))] if can_send else []),
        button("Drop them", lambda: decided("drop")),
    ]
    return Form("paste", rows, below, lambda: decided("drop"), focus=4)


def fits(typed: str, name: str) -> bool:
    """Whether the characters of `typed` occur in `name` in this order."""
    rest = iter(name)
    return all(character in rest for character in typed)
