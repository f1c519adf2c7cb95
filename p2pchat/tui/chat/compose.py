"""The line one types in: history of inputs, completion, editing keys, pasted texts as one."""

from collections.abc import Callable, Sequence
from typing import Any

import urwid

from p2pchat.tui import keys
from p2pchat.tui.chat.editing import EDITS, MAX_UNDO_STEPS, Typed
from p2pchat.tui.keys import Binding

MAX_ROWS = 6
"""A longer text scrolls in the line."""

MAX_PAST_INPUTS = 100

MAX_PASTE_CHARACTERS = 256 * 1024
"""What is pasted beyond this is dropped; a message holds 48 KiB."""

PASTE_LINES = 3
"""A pasted text of more lines is asked about."""

_PASTED = {"enter": "\n", "ctrl m": "\n", "ctrl j": "\n", "tab": "    "}


class Compose(urwid.Edit):
    """Enter sends, Alt-Enter breaks the line, arrows at the edge recall what was sent.

    Args:
        sent: takes a text that is to be sent.
        complete: what Tab may make of a line typed so far.
        pasted: asked about a pasted text of many lines; it calls `insert_text` or sends, or drops it.
        changed: told that what stands here has changed.
    """

    def __init__(
        self,
        sent: Callable[[str], None],
        complete: Callable[[str], list[str]],
        pasted: Callable[[str], None],
        changed: Callable[[], None],
        bindings: Sequence[Binding] = keys.COMPOSE,
    ) -> None:
        super().__init__(("title", "> "), multiline=True)
        self._sent, self._complete, self._ask_about, self._changed = sent, complete, pasted, changed
        self.bindings = bindings
        self.remembered: Callable[[str], None] = lambda typed: None
        self._pasted: list[str] | None = None
        self.past: list[str] = []
        self._recalled, self._unsent = 0, ""
        self._offers: list[str] = []
        self._cut = ""
        self._undo: list[tuple[str, int]] = []

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
        action = keys.action_of(self.bindings, key)
        if action in ("complete", "complete_back"):
            self._offer(back=action == "complete_back")
            return None
        self._offers = []
        before = (self.edit_text, self.edit_pos)
        left = self._carry_out(action, size, key)
        if self.edit_text != before[0]:
            if action != "undo":
                self._undo = [*self._undo, before][-MAX_UNDO_STEPS:]
            self._changed()
        return left

    def _carry_out(self, action: str | None, size: tuple[int], key: str) -> str | None:
        if action == "send":
            self._send()
        elif action == "break":
            self.insert_text("\n")
        elif action == "undo":
            self._take_back()
        elif action in EDITS:
            edited = EDITS[action](Typed(self.edit_text, self.edit_pos, self._cut))
            self.set_edit_text(edited.text)
            self.set_edit_pos(edited.at)
            self._cut = edited.cut
        elif action == "recall" and "\n" not in self.edit_text:
            self._recall(-1 if key == "up" else 1)
        else:
            return super().keypress(size, key)
        return None

    def _take_back(self) -> None:
        if self._undo:
            *self._undo, (text, at) = self._undo
            self.set_edit_text(text)
            self.set_edit_pos(at)

    def _paste(self, key: str) -> None:
        """Gather what is pasted and put it in at once: key by key, a long text would take seconds."""
        if key == "begin paste" or self._pasted is None:
            self._pasted = []
        elif key == "end paste":
            text, self._pasted = "".join(self._pasted), None
            if text.rstrip("\n").count("\n") >= PASTE_LINES:
                self._ask_about(text)
            else:
                self.insert_text(text)
                self._changed()
        elif (len(key) == 1 or key in _PASTED) and len(self._pasted) < MAX_PASTE_CHARACTERS:
            self._pasted.append(_PASTED.get(key, key))

    def _send(self) -> None:
        typed = self.edit_text
        if not typed.strip():
            return
        self.set_edit_text("")
        self._undo = []
        self.remember(typed)
        self._sent(typed)

    def remember(self, typed: str) -> None:
        """Have this among the past inputs."""
        self.past = [*(each for each in self.past if each != typed), typed][-MAX_PAST_INPUTS:]
        self._recalled, self._unsent = 0, ""
        self.remembered(typed)

    def _recall(self, step: int) -> None:
        """What is half typed comes back below the newest past input."""
        place = self._recalled + step
        if -len(self.past) <= place <= 0:
            if not self._recalled:
                self._unsent = self.edit_text
            self._recalled = place
            self.put(self.past[place] if place else self._unsent)

    def _offer(self, back: bool) -> None:
        if not self._offers:
            offers = self._complete(self.edit_text)
            self._offers = [*offers, self.edit_text] if len(offers) > 1 else offers
            back = back and len(offers) > 1
            if back:
                self._offers = [*self._offers[-1:], *self._offers[:-1]]
        elif back:
            self._offers = [*self._offers[-2:], *self._offers[:-2]]
        if self._offers:
            first, *rest = self._offers
            self._offers = [*rest, first]
            self.put(first)
            self._changed()


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
