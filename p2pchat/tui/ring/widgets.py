"""The ring screen's widgets: the circle beside the selected node, the events below."""

from collections.abc import Callable, Sequence
from typing import Any

import urwid

from p2pchat.tui import keys
from p2pchat.tui.keys import Binding
from p2pchat.tui.ring import render
from p2pchat.tui.ring.circle import circle
from p2pchat.tui.ring.model import Model

DETAIL_COLUMNS, WIDE_DETAIL_COLUMNS = 28, 44
NARROW_COLUMNS, WIDE_COLUMNS = 70, 120
"""Below the first width there is no room for the selected node's details, from the second on there is plenty."""

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
        text = urwid.Text([part for line in circle(self._model, columns, rows) for part in (*line, "\n")][:-1])
        return urwid.Filler(text).render(size, focus)


class Slider(urwid.Widget):
    """The line of the history."""

    _sizing = frozenset([urwid.FLOW])
    _selectable = False

    def __init__(self) -> None:
        super().__init__()
        self._model = Model()

    def show(self, model: Model) -> None:
        """Draw this from now on."""
        self._model = model
        self._invalidate()

    def rows(self, size: tuple[int], focus: bool = False) -> int:
        """One."""
        return 1

    def render(self, size: tuple[int], focus: bool = False) -> Any:  # type: ignore[override]
        return urwid.Text(render.slider(self._model, size[0]), wrap="clip").render(size)


class RingView(urwid.WidgetWrap[Any]):
    """The whole ring screen; keys of the table go to `pressed` as actions."""

    def __init__(self, pressed: Callable[[str], None], bindings: Sequence[Binding] = keys.RING) -> None:
        self._pressed, self._bindings = pressed, bindings
        self._circle = Circle()
        self._details = urwid.SimpleListWalker[Any]([])
        self._events = urwid.Text("", wrap="ellipsis")
        self._given = 0
        self._bar = urwid.Text("", wrap="ellipsis")
        self._mapped: Any = urwid.AttrMap(self._bar, "bar")
        self._body: Any = urwid.Columns([("weight", 1, self._circle)])
        self._side = urwid.ListBox(self._details)
        self._slider = Slider()
        below = urwid.Pile([("pack", self._slider), ("pack", self._events), ("pack", self._mapped)])
        super().__init__(urwid.Frame(self._body, footer=below))

    def show(self, model: Model) -> None:
        """Show `model`."""
        self._circle.show(model)
        self._slider.show(model)
        self._details[:] = [urwid.Text(line) for line in render.details(model)]
        told = render.events(model, EVENT_ROWS)
        lines = [*([""] * (EVENT_ROWS - len(told))), *told]
        self._events.set_text([part for line in lines for part in (line, "\n")][:-1])
        text = render.bar(model)
        self._bar.set_text(text)
        self._mapped.set_attr_map({None: text[0]})

    def render(self, size: tuple[int, ...], focus: bool = False) -> Any:
        wanted = 0 if size[0] < NARROW_COLUMNS else detail_columns(size[0])
        if wanted != self._given:
            self._given = wanted
            given: list[Any] = [(self._circle, self._body.options("weight", 1))]
            if wanted:
                given.append((self._side, self._body.options("given", wanted)))
            self._body.contents = given
        return super().render(size, focus)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        action = keys.action_of(self._bindings, key)
        if action is None:
            return key
        if action == "details":
            self._side.keypress((detail_columns(size[0]), max(size[1] - EVENT_ROWS - 2, 1)), key)
            return None
        self._pressed(action)
        return None


def detail_columns(columns: int) -> int:
    """How wide the selected node's details are on a screen of so many columns."""
    return WIDE_DETAIL_COLUMNS if columns >= WIDE_COLUMNS else DETAIL_COLUMNS


def still(model: Model, columns: int, rows: int) -> list[str]:
    """The whole screen as lines of text, for those who want it once."""
    view = RingView(lambda _: None)
    view.show(model)
    return [line.rstrip() for line in view.render((columns, rows)).decoded_text]
