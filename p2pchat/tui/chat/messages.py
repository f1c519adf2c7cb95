"""The lines of a chat: widgets are made of those that are looked at, however many are loaded."""

from collections.abc import Iterable, Iterator
from typing import Any

import urwid

from p2pchat.tui.chat import render
from p2pchat.tui.chat.model import Line, Notice

LEAST_TEXT_COLUMNS = 16
"""Where a text would have less beside its head, it goes on below it."""


class Hanging(urwid.StandardTextLayout):
    """A text beside its head: further rows begin where the first one's text does.

    Args:
        characters, columns: how long the head is, and how wide.
    """

    def __init__(self, characters: int, columns: int) -> None:
        super().__init__()
        self._characters, self._columns = characters, columns

    def layout(self, text: Any, width: int, align: Any, wrap: Any) -> list[list[Any]]:
        """Rows of segments, as urwid draws them."""
        start, room = self._characters, width - self._columns
        if room < LEAST_TEXT_COLUMNS:
            return super().layout(text, width, align, wrap)
        rows = super().layout(text[start:], room, align, wrap) or [[]]
        moved = [[_moved(each, start) for each in row] for row in rows]
        return [
            [(self._columns, 0, start) if number == 0 else (self._columns, None), *row]
            for number, row in enumerate(moved)
        ]


def _moved(segment: Any, by: int) -> Any:
    """A segment (columns, offset or None[, end or inserted text]) of a text that has `by` characters before it."""
    columns, offset, *end = segment
    if offset is None:
        return segment
    return (columns, offset + by, *(each + by if isinstance(each, int) else each for each in end))


class Rows(urwid.ListWalker):  # type: ignore[type-arg]
    """Items of a chat; the widget of one is made when it is looked at for the first time."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.focus = 0
        self._wanted_copies = 0
        self._made: dict[Any, Any] = {}

    def put(self, items: list[Any], wanted_copies: int) -> None:
        """Have these items; widgets of those that stay are kept."""
        if wanted_copies != self._wanted_copies:
            self._made = {}
        self._wanted_copies = wanted_copies
        self.items = items
        stay = self._made.keys() & set(items)
        self._made = {item: self._made[item] for item in stay}
        self.focus = min(self.focus, max(len(items) - 1, 0))
        self._modified()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return (self[position] for position in range(len(self.items)))

    def __getitem__(self, position: int) -> Any:
        if not 0 <= position < len(self.items):
            raise IndexError(position)
        item = self.items[position]
        if item not in self._made:
            self._made[item] = _row(item, self._wanted_copies)
        return self._made[item]

    def positions(self, reverse: bool = False) -> Iterable[int]:
        """All places, the last first if wanted so."""
        return range(len(self.items) - 1, -1, -1) if reverse else range(len(self.items))

    def next_position(self, position: int) -> int:
        """The place below."""
        if position + 1 >= len(self.items):
            raise IndexError(position)
        return position + 1

    def prev_position(self, position: int) -> int:
        """The place above."""
        if position <= 0:
            raise IndexError(position)
        return position - 1

    def set_focus(self, position: int) -> None:
        """Look at this place."""
        if not 0 <= position < len(self.items):
            raise IndexError(position)
        self.focus = position
        self._modified()


class Messages(urwid.ListBox[int]):
    """The lines of the open chat; it stays at the end while one has not scrolled up."""

    def __init__(self) -> None:
        self._rows = Rows()
        super().__init__(self._rows)
        self._keys: list[object] = []
        self._looked_for: object = None
        self._size = (0, 0)
        self.at_end = True
        self.new_below = 0

    @property
    def line(self) -> Line | None:
        """The message that one looks at: the last one, or where one has scrolled to."""
        lines = [item for item in self._rows.items if isinstance(item, Line)]
        if self.at_end or not self._rows:
            return lines[-1] if lines else None
        upto = [item for item in self._rows.items[: self._rows.focus + 1] if isinstance(item, Line)]
        return upto[-1] if upto else None

    @property
    def theirs(self) -> Line | None:
        """The last message of somebody else up to the one that one looks at."""
        line = self.line
        while line is not None and line.mine:
            line = self.above(line)
        return line

    def above(self, line: Line) -> Line | None:
        """The message before one that is loaded."""
        lines = [item for item in self._rows.items if isinstance(item, Line)]
        place = next((place for place, each in enumerate(lines) if each.id == line.id), 0)
        return lines[place - 1] if place else None

    def look_for(self, key: object) -> None:
        """Put the item with this key at the top, now or as soon as it is shown."""
        self.at_end = False
        self._looked_for = key
        self._look()

    def _look(self) -> None:
        if self._looked_for in self._keys:
            self._rows.set_focus(self._keys.index(self._looked_for))
            self.set_focus_valign(("relative", 20))
            self._looked_for = None

    def show(self, shown: Iterable[Any], wanted_copies: int = 0) -> None:
        """Show these items; who has scrolled up keeps the place where they read, and hears how much is new below."""
        items = list(shown)
        focused = self._keys[self._rows.focus] if self._keys else None
        last = self._keys[-1] if self._keys else None
        self._keys = [render.key(item) for item in items]
        self._rows.put(items, wanted_copies)
        if not items:
            return
        if self._looked_for in self._keys:
            self._look()
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
        self.at_end, self.new_below, self._looked_for = True, 0, None
        if self._rows:
            self._rows.set_focus(len(self._rows) - 1)
            self.set_focus_valign("bottom")

    def scroll(self, size: tuple[int, int], key: str) -> list[str]:
        """Scroll by a page; which ends are reached: "top", "bottom"."""
        self.keypress(size, key)
        ends: list[str] = list(self.ends_visible(size))
        self.at_end = not self._rows or "bottom" in ends
        if self.at_end:
            self.new_below = 0
        return ends

    def render(self, size: tuple[int, int], focus: bool = False) -> Any:  # type: ignore[override]
        if size != self._size:
            self._size = size
            if self.at_end and self._rows:
                self.to_end()
        return super().render(size, focus)


def _row(item: Any, wanted_copies: int) -> Any:
    """An item's widget: the text of a message stands beside its time and author, not below."""
    if isinstance(item, Notice):
        sign = len(render.NOTICE)
        return urwid.Text(render.body(item, wanted_copies), layout=Hanging(sign, sign))
    if not isinstance(item, Line):
        return urwid.Text(render.body(item, wanted_copies))
    head, columns = render.head(item)
    characters = sum(len(text) for _, text in head)
    return urwid.Text([*head, *render.body(item, wanted_copies)], layout=Hanging(characters, columns))
