"""The chat screen's widgets: they show, and report keys; what follows from a key decides the controller."""

from collections.abc import Callable
from typing import Any

import urwid

from p2pchat.tui import keys
from p2pchat.tui.chat import render
from p2pchat.tui.chat.compose import Compose, Shortened
from p2pchat.tui.chat.messages import Messages
from p2pchat.tui.chat.model import Model
from p2pchat.tui.preferences import Preferences

LIST_COLUMNS = 22
WHEEL_UP, WHEEL_DOWN, WHEEL_ROWS = 4, 5, 3
_WHEEL = {WHEEL_UP: "up", WHEEL_DOWN: "down"}
NARROW_COLUMNS = 60
"""Below this width the list of chats gives its place to the messages."""


class ChatView(urwid.WidgetWrap[Any]):
    """The whole screen of a chat; keys of the table go to `pressed` as (action, key), what is typed to `sent`."""

    def __init__(
        self,
        preferences: Preferences,
        sent: Callable[[str], None],
        pressed: Callable[[str, str], None],
        complete: Callable[[str], list[str]],
        pasted: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._pressed, self.bindings = pressed, preferences.chat_keys
        self._model = Model()
        self._chats = urwid.SimpleFocusListWalker[Any]([])
        self.messages = Messages()
        self.compose = Compose(sent, complete, pasted, changed, preferences.compose_keys)
        self._title = urwid.Text("", wrap="ellipsis")
        self._bar = urwid.Text("", wrap="ellipsis")
        self._mapped: Any = urwid.AttrMap(self._bar, "bar")
        self._below: Any = urwid.Text("", align="right")
        self._list = urwid.ListBox(self._chats)
        self._head = urwid.Pile([self._title, urwid.Divider("─")])
        self._talk: Any = urwid.Frame(self.messages, header=self._head)
        self._body: Any = urwid.Columns([("weight", 1, self._talk)])
        self._answered = urwid.Text("", wrap="clip")
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
        self.messages.show(render.items(model.open) if model.open else _WELCOME, model.wanted)
        self._talk.header = None if model.bare else self._head
        self._show_below()
        self._show_reply()

    def _show_reply(self) -> None:
        """What is answered stands between the status line and the line that one types."""
        shown = len(self._foot.contents) > 2
        self._answered.set_text(render.replying(self._model.reply))
        if shown != (self._model.reply is not None):
            parts = [self._foot.contents[0], self._foot.contents[-1]]
            if self._model.reply is not None:
                parts.insert(1, (self._answered, self._foot.options("pack")))
            self._foot.contents = parts
            self._foot.focus_position = len(parts) - 1

    def render(self, size: tuple[int, ...], focus: bool = False) -> Any:
        wide = self._model.list_shown and not self._model.bare and size[0] >= NARROW_COLUMNS
        if wide != (len(self._body.contents) > 1):
            given = [(self._talk, self._body.options("weight", 1))]
            if wide:
                given.insert(0, (_with_line(self._list), self._body.options("given", LIST_COLUMNS)))
            self._body.contents = given
        return super().render(size, focus)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        action = None if self.compose.pasting else keys.action_of(self.bindings, key)
        if action in ("older", "newer"):
            ends = self.messages.scroll(self._message_size(size), "page up" if action == "older" else "page down")
            self._show_below()
            self._pressed("scrolled", key)
            if ("top" if action == "older" else "bottom") in ends:
                self._pressed(action, key)
        elif action is not None:
            self._pressed(action, key)
            self._show_below()
        else:
            return super().keypress(size, key)
        return None

    def bind(self, preferences: Preferences) -> None:
        """Have other keys from now on."""
        self.bindings, self.compose.bindings = preferences.chat_keys, preferences.compose_keys

    def mouse_event(  # type: ignore[override]
        self, size: tuple[int, int], event: str, button: int, col: int, row: int, focus: bool
    ) -> bool:
        """The wheel scrolls the messages; a click on a chat of the list opens it."""
        self._pressed("moused", "")
        if event == "mouse press" and button in _WHEEL:
            for _ in range(WHEEL_ROWS):
                ends = self.messages.scroll(self._message_size(size), _WHEEL[button])
            self._show_below()
            self._pressed("scrolled", "")
            action = "older" if button == WHEEL_UP else "newer"
            if ("top" if action == "older" else "bottom") in ends:
                self._pressed(action, "")
        elif event == "mouse press" and button == 1 and len(self._body.contents) > 1 and col < LIST_COLUMNS - 1:
            rows = size[1] - int(self._foot.rows((size[0],)))
            offset, _ = self._list.get_focus_offset_inset((LIST_COLUMNS - 1, rows))
            place = int(self._chats.focus or 0) + row - offset
            users = render.listed_users(self._model)
            if 0 <= place < len(users) and users[place] is not None:
                self._pressed("clicked", str(users[place]))
        return True

    def _message_size(self, size: tuple[int, int]) -> tuple[int, int]:
        columns = size[0] - (LIST_COLUMNS if len(self._body.contents) > 1 else 0)
        below = int(self._foot.rows((size[0],))) + (1 if self._talk.footer is not None else 0)
        above = 0 if self._model.bare else 2
        return columns, max(size[1] - below - above, 1)

    def _show_below(self) -> None:
        count = self.messages.new_below + (self._model.open.below if self._model.open else 0)
        self._below.set_text(("unread", f"{count} new ↓ (Alt-End) ") if count else "")
        self._talk.footer = self._below if count else None


def _with_line(widget: Any) -> urwid.Widget:
    """A widget with a line at its right."""
    line = urwid.SolidFill("│")
    return urwid.Columns([("weight", 1, widget), (1, line)])


_WELCOME = [
    render.Mark("Welcome.", "title"),
    render.Mark("", "text"),
    render.Mark("Ctrl-k and a name opens a chat, F1 shows every key.", "text"),
    render.Mark("Others write to the name at the left of the line below.", "text"),
    render.Mark("", "text"),
    render.Mark("Behind what you write stands how far it is:", "text"),
    render.Mark("  … queued       on your disk, sent when a node answers", "faint"),
    render.Mark("  ◔ stored 5/5   on the ring, sealed for them alone", "faint"),
    render.Mark("  ✓ delivered    on their disk", "faint"),
    render.Mark("  ✓✓ read        seen, if they tell", "faint"),
]
