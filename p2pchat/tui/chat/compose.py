"""The line one types in: history of inputs, completion, editing keys, pasted texts as one."""

from collections.abc import Callable
from typing import Any

import urwid

from p2pchat.tui import keys

MAX_ROWS = 6
"""A longer text scrolls in the line."""

MAX_PAST_INPUTS = 100

_PASTED = {"enter": "\n", "ctrl m": "\n", "ctrl j": "\n", "tab": "    "}


class Compose(urwid.Edit):
    """Enter sends, Alt-Enter breaks the line, arrows at the edge recall what was sent."""

    def __init__(self, sent: Callable[[str], None], complete: Callable[[str], list[str]]) -> None:
        super().__init__(("title", "> "), multiline=True)
        self._sent, self._complete = sent, complete
        self._pasted: list[str] | None = None
        self._past: list[str] = []
        self._recalled = 0
        self._offers: list[str] = []

    @property
    def pasting(self) -> bool:
        """Whether what comes now was not typed."""
        return self._pasted is not None

    def put(self, text: str) -> None:
        """Replace what stands here."""
        self.set_edit_text(text)
        self.set_edit_pos(len(text))

    def keypress(self, size: tuple[int], key: str) -> str | None:  # type: ignore[override]
        if self._pasted is not None or key == "begin paste":
            self._paste(key)
            return None
        action = keys.action_of(keys.COMPOSE, key)
        if action == "complete":
            self._offer()
            return None
        self._offers = []
        if action == "send":
            self._send()
        elif action == "break":
            self.insert_text("\n")
        elif action in _EDITING:
            _EDITING[action](self)
        elif action == "recall" and "\n" not in self.edit_text:
            self._recall(-1 if key == "up" else 1)
        else:
            return super().keypress(size, key)
        return None

    def _paste(self, key: str) -> None:
        """Gather what is pasted and put it in at once: key by key, a long text would take seconds."""
        if key == "begin paste" or self._pasted is None:
            self._pasted = []
        elif key == "end paste":
            text, self._pasted = "".join(self._pasted), None
            self.insert_text(text)
        elif len(key) == 1 or key in _PASTED:
            self._pasted.append(_PASTED.get(key, key))

    def _send(self) -> None:
        typed = self.edit_text
        if not typed.strip():
            return
        self.set_edit_text("")
        self._past = [*self._past, typed][-MAX_PAST_INPUTS:]
        self._recalled = 0
        self._sent(typed)

    def _recall(self, step: int) -> None:
        place = self._recalled + step
        if -len(self._past) <= place <= 0:
            self._recalled = place
            self.put(self._past[place] if place else "")

    def _offer(self) -> None:
        if not self._offers:
            self._offers = self._complete(self.edit_text)
        if self._offers:
            first, *rest = self._offers
            self._offers = [*rest, first]
            self.put(first)


def _kill_word(edit: Compose) -> None:
    left = edit.edit_text[: edit.edit_pos].rstrip()
    start = max(left.rfind(" "), left.rfind("\n")) + 1
    right = edit.edit_text[edit.edit_pos :]
    edit.set_edit_text(edit.edit_text[:start] + right)
    edit.set_edit_pos(start)


def _kill_left(edit: Compose) -> None:
    edit.set_edit_text(edit.edit_text[edit.edit_pos :])
    edit.set_edit_pos(0)


_EDITING: dict[str | None, Callable[[Compose], None]] = {
    "start": lambda edit: edit.set_edit_pos(0),
    "end": lambda edit: edit.set_edit_pos(len(edit.edit_text)),
    "kill_left": _kill_left,
    "kill_right": lambda edit: edit.set_edit_text(edit.edit_text[: edit.edit_pos]),
    "kill_word": _kill_word,
}


class Shortened(urwid.WidgetDecoration[Any]):
    """At most `most` rows of a text that is typed in: those around the cursor."""

    _sizing = frozenset([urwid.FLOW])
    _selectable = True

    def __init__(self, edit: Any, most: int = MAX_ROWS) -> None:
        super().__init__(edit)
        self._most = most

    def rows(self, size: tuple[int], focus: bool = False) -> int:
        """The rows it takes."""
        return min(int(self._original_widget.rows(size, focus)), self._most)

    def _top(self, size: tuple[int], focus: bool) -> int:
        hidden = self._original_widget.rows(size, focus) - self._most
        _, row = self._original_widget.get_cursor_coords(size)
        return max(0, min(row - self._most + 1, hidden)) if hidden > 0 else 0

    def render(self, size: tuple[int], focus: bool = False) -> Any:  # type: ignore[override]
        canvas = urwid.CompositeCanvas(self._original_widget.render(size, focus))
        canvas.trim(self._top(size, focus), self.rows(size, focus))
        return canvas

    def get_cursor_coords(self, size: tuple[int]) -> tuple[int, int]:
        """Where the cursor is within the rows that are shown."""
        column, row = self._original_widget.get_cursor_coords(size)
        return column, row - self._top(size, True)

    def keypress(self, size: tuple[int], key: str) -> str | None:  # type: ignore[override]
        """All keys are the text's."""
        left: str | None = self._original_widget.keypress(size, key)
        return left
