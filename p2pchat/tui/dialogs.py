"""Boxes over a screen: a frame as high as what stands in it, a form with fields, lines to read."""

from collections.abc import Callable, Iterable
from typing import Any

import urwid

BOX_COLUMNS = 72
FRAME = 2
"""Rows, and columns, that the frame takes."""


class Box(urwid.WidgetWrap[Any]):
    """A framed box in the middle of the screen; Escape calls `closed` where there is one.

    Args:
        rows: how high the content wants to be at a width; on a low screen it gets less and scrolls.
    """

    def __init__(
        self,
        title: str,
        content: Any,
        rows: Callable[[int], int],
        below: urwid.Widget,
        closed: Callable[[], None] | None,
    ) -> None:
        self.closed = closed
        self._rows, self._shown_title = rows, title
        self._title, self._framed = title, urwid.LineBox(content, title=title)
        self._overlay: Any = urwid.Overlay(self._framed, below, "center", BOX_COLUMNS, "middle", FRAME + 1)
        super().__init__(self._overlay)

    def render(self, size: tuple[int, ...], focus: bool = False) -> Any:
        columns, rows = size
        width = min(BOX_COLUMNS, columns)
        wanted = self._rows(width - FRAME) + FRAME
        height = max(min(wanted, rows), 1)
        title = f"{self._title} (PageDown: more)" if wanted > rows else self._title
        if title != self._shown_title:
            self._shown_title = title
            self._framed.set_title(title)
        if (width, height) != (self._overlay.width_amount, self._overlay.height_amount):
            self._overlay.set_overlay_parameters("center", width, "middle", height)
        return super().render(size, focus)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        if key == "esc" and self.closed is not None:
            self.closed()
            return None
        return super().keypress(size, key)


class Form(Box):
    """A box with fields and buttons; Tab goes from one to the next."""

    def __init__(
        self, title: str, rows: list[Any], below: urwid.Widget, closed: Callable[[], None] | None, focus: int
    ) -> None:
        self.listed: Any = urwid.Pile(rows, focus_item=focus)
        content = urwid.Filler(self.listed, valign="top")
        super().__init__(title, content, lambda columns: int(self.listed.rows((columns,))), below, closed)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        if key in ("tab", "shift tab"):
            self.step(1 if key == "tab" else -1)
            return None
        return super().keypress(size, key)

    def step(self, steps: int) -> None:
        """Move the focus by so many places that can have it, around the end."""
        places = [place for place, (row, _) in enumerate(self.listed.contents) if row.selectable()]
        self.listed.focus_position = places[(places.index(self.listed.focus_position) + steps) % len(places)]


def button(label: str, pressed: Callable[[], None]) -> urwid.Widget:
    """A button as wide as its label."""
    made = urwid.Button(label, lambda _: pressed())
    return urwid.Padding(urwid.AttrMap(made, "button", "focus"), width=len(label) + 4)


def ask_box(
    title: str, label: str, entered: Callable[[str], None], below: urwid.Widget, closed: Callable[[], None]
) -> Form:
    """One field; Enter gives what is typed to `entered`."""
    return _Question(title, urwid.Edit(label), entered, below, closed)


class _Question(Form):
    def __init__(
        self, title: str, field: Any, entered: Callable[[str], None], below: urwid.Widget, closed: Callable[[], None]
    ) -> None:
        self._field, self._entered = field, entered
        hint = urwid.Text(("faint", "Enter: go on   Escape: close"))
        super().__init__(title, [urwid.AttrMap(field, "field", "focus"), urwid.Divider(), hint], below, closed, 0)

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        if key == "enter":
            self._entered(self._field.edit_text.strip())
            return None
        return super().keypress(size, key)


def text_box(title: str, lines: Iterable[Any], below: urwid.Widget, closed: Callable[[], None]) -> Box:
    """Lines to read; Escape and Enter close."""
    rows = [urwid.Text(line) for line in lines]
    content = _Read(urwid.SimpleListWalker[Any](rows), closed)
    return Box(title, content, lambda columns: sum(row.rows((columns,)) for row in rows), below, closed)


class _Read(urwid.ListBox[int]):
    """Lines that scroll; there is nothing to enter, so Enter closes."""

    def __init__(self, lines: Any, closed: Callable[[], None]) -> None:
        super().__init__(lines)
        self._closed = closed

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]
        if key == "enter":
            self._closed()
            return None
        return super().keypress(size, key)
