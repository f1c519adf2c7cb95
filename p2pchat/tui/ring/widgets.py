"""The ring screen's widgets: the circle beside the selected node, the events below."""

from collections.abc import Callable
from typing import Any

import urwid

from p2pchat.tui import keys
from p2pchat.tui.ring import render
from p2pchat.tui.ring.model import Model

DETAIL_COLUMNS = 34
NARROW_COLUMNS = 70
EVENT_ROWS = 5


class Circle(urwid.Widget):
    """The circle, drawn to whatever size there is."""

    _sizing = frozenset([urwid.BOX])
    _selectable = True

    def __init__(self) -> None:
        super().__init__()
        self._model = Model()

    def show(self, model: Model) -> None:
        """Draw this from now on."""
        self._model = model
        self._invalidate()

    def keypress(self, size: tuple[int, int], key: str) -> str:  # type: ignore[override]
        return key

    def render(self, size: tuple[int, int], focus: bool = False) -> Any:  # type: ignore[override]
        columns, rows = size
        text = urwid.Text([part for line in render.circle(self._model, columns, rows) for part in (*line, "\n")][:-1])
        return urwid.Filler(text).render(size, focus)


class RingView(urwid.WidgetWrap[Any]):
    """The whole ring screen; keys of the table go to `pressed` as actions."""

    def __init__(self, pressed: Callable[[str], None]) -> None:
        self._pressed = pressed
        self._circle = Circle()
        self._details = urwid.SimpleListWalker[Any]([])
        self._events = urwid.Text("")
        self._bar = urwid.Text("", wrap="ellipsis")
        self._mapped: Any = urwid.AttrMap(self._bar, "bar")
        self._body: Any = urwid.Columns([("weight", 1, self._circle)])
        self._side = urwid.ListBox(self._details)
        below = urwid.Pile([("pack", urwid.Divider("─")), ("pack", self._events), ("pack", self._mapped)])
        super().__init__(urwid.Frame(self._body, footer=below))

    def show(self, model: Model) -> None:
        """Show `model`."""
        self._circle.show(model)
        self._details[:] = [urwid.Text(line) for line in render.details(model)]
        self._events.set_text("\n".join(["", *render.events(model, EVENT_ROWS)][-EVENT_ROWS:]))
        text = render.bar(model)
        self._bar.set_text(text)
        self._mapped.set_attr_map({None: text[0]})

    def render(self, size: tuple[int, ...], focus: bool = False) -> Any:
        wide = size[0] >= NARROW_COLUMNS
        if wide != (len(self._body.contents) > 1):
            given: list[Any] = [(self._circle, self._body.options("weight", 1))]
            if wide:
                given.append((self._side, self._body.options("given", DETAIL_COLUMNS)))
            self._body.contents = given
        return super().render(size, focus)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        action = keys.action_of(keys.RING, key)
        if action is None:
            return key
        if action == "details":
            self._side.keypress((DETAIL_COLUMNS, max(size[1] - EVENT_ROWS - 2, 1)), key)
            return None
        self._pressed(action)
        return None
