"""The chat screen's widgets: they show, and report keys; what follows from a key decides the controller."""

from collections.abc import Callable, Iterable
from typing import Any

import urwid

from p2pchat.tui import keys
from p2pchat.tui.chat import render
from p2pchat.tui.chat.compose import Compose, Shortened
from p2pchat.tui.chat.model import Line, Model

LIST_COLUMNS = 22
NARROW_COLUMNS = 60
"""Below this width the list of chats gives its place to the messages."""


class Messages(urwid.ListBox[int]):
    """The lines of the open chat; it stays at the end while one has not scrolled up."""

    def __init__(self) -> None:
        self._rows: Any = urwid.SimpleFocusListWalker[Any]([])
        super().__init__(self._rows)
        self._made: dict[Any, Any] = {}
        self._keys: list[object] = []
        self.at_end = True
        self.new_below = 0

    def show(self, shown: Iterable[Any]) -> None:
        """Show these items; who has scrolled up keeps the place where they read, and hears how much is new below."""
        items = list(shown)
        focused = self._keys[self._rows.focus] if self._keys else None
        last = self._keys[-1] if self._keys else None
        self._made = {item: self._made.get(item) or _row(item) for item in items}
        self._keys = [render.key(item) for item in items]
        self._rows[:] = [self._made[item] for item in items]
        if not items:
            return
        if self.at_end or focused not in self._keys:
            self.to_end()
            return
        self._rows.set_focus(self._keys.index(focused))
        if last in self._keys:
            below = items[self._keys.index(last) + 1 :]
            self.new_below += sum(isinstance(item, Line) for item in below)

    def to_end(self) -> None:
        """Show the newest line."""
        self.at_end, self.new_below = True, 0
        if self._rows:
            self._rows.set_focus(len(self._rows) - 1)
            self.set_focus_valign("bottom")

    def scroll(self, size: tuple[int, int], key: str) -> bool:
        """Scroll by a page; whether the top was reached."""
        self.keypress(size, key)
        self.at_end = not self._rows or "bottom" in self.ends_visible(size)
        if self.at_end:
            self.new_below = 0
        return "top" in self.ends_visible(size)


def _row(item: Any) -> Any:
    """An item's widget: the text of a message stands beside its time and author, not below."""
    text = urwid.Text(render.body(item))
    if not isinstance(item, Line):
        return text
    head, columns = render.head(item)
    return urwid.Columns([(columns, urwid.Text(head, wrap="clip")), text])


class ChatView(urwid.WidgetWrap[Any]):
    """The whole screen of a chat; keys of the table go to `pressed` as actions, what is typed to `sent`."""

    def __init__(
        self,
        sent: Callable[[str], None],
        pressed: Callable[[str], None],
        complete: Callable[[str], list[str]],
    ) -> None:
        self._pressed = pressed
        self._model = Model()
        self._chats = urwid.SimpleFocusListWalker[Any]([])
        self.messages = Messages()
        self.compose = Compose(sent, complete)
        self._title = urwid.Text("", wrap="ellipsis")
        self._bar = urwid.Text("", wrap="ellipsis")
        self._mapped: Any = urwid.AttrMap(self._bar, "bar")
        self._below: Any = urwid.Text("", align="right")
        self._list = urwid.ListBox(self._chats)
        self._talk: Any = urwid.Frame(self.messages, header=urwid.Pile([self._title, urwid.Divider("─")]))
        self._body: Any = urwid.Columns([("weight", 1, self._talk)])
        self._foot: Any = urwid.Pile([("pack", self._mapped), ("pack", Shortened(self.compose))], focus_item=1)
        super().__init__(urwid.Frame(self._body, footer=self._foot, focus_part="footer"))

    def show(self, model: Model) -> None:
        """Show `model`."""
        self._model = model
        self._title.set_text(render.title(model))
        text = render.bar(model)
        self._bar.set_text(text)
        self._mapped.set_attr_map({None: text[0]})
        self._chats[:] = [urwid.Text(row, wrap="clip") for row in render.chats(model, LIST_COLUMNS - 1)]
        opened = next(
            (place for place, each in enumerate(model.chats) if model.open and each.user == model.open.user), 0
        )
        self._chats.set_focus(min(opened, len(self._chats) - 1))
        self.messages.show(render.items(model.open) if model.open else _WELCOME)
        self._show_below()

    def render(self, size: tuple[int, ...], focus: bool = False) -> Any:
        wide = self._model.list_shown and size[0] >= NARROW_COLUMNS
        if wide != (len(self._body.contents) > 1):
            given = [(self._talk, self._body.options("weight", 1))]
            if wide:
                given.insert(0, (_with_line(self._list), self._body.options("given", LIST_COLUMNS)))
            self._body.contents = given
        return super().render(size, focus)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        action = None if self.compose.pasting else keys.action_of(keys.CHAT, key)
        if action in ("older", "newer"):
            columns = size[0] - (LIST_COLUMNS if len(self._body.contents) > 1 else 0)
            top = self.messages.scroll((columns, self._message_rows(size)), key)
            self._show_below()
            self._pressed("older" if top and action == "older" else "scrolled")
        elif action == "bottom":
            self.messages.to_end()
            self._show_below()
            self._pressed("scrolled")
        elif action is not None:
            self._pressed(action)
        else:
            return super().keypress(size, key)
        return None

    def _message_rows(self, size: tuple[int, int]) -> int:
        below = int(self._foot.rows((size[0],))) + (1 if self.messages.new_below else 0)
        return max(size[1] - below - 2, 1)

    def _show_below(self) -> None:
        count = self.messages.new_below
        self._below.set_text(("unread", f"{count} new ↓ (Alt-End) ") if count else "")
        self._talk.footer = self._below if count else None


def _with_line(widget: Any) -> urwid.Widget:
    """A widget with a line at its right."""
    line = urwid.SolidFill("│")
    return urwid.Columns([("weight", 1, widget), (1, line)])


_WELCOME = [
    render.Mark("Welcome.", "title"),
    render.Mark("", "text"),
    render.Mark("Ctrl-k and a name opens a chat; F1 shows all keys and commands.", "text"),
    render.Mark("Messages to somebody who is away wait on the ring, sealed for them alone.", "faint"),
]
