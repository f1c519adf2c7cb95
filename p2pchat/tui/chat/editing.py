"""Editing keys as readline has them: pure functions from a text and a cursor to the next ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace

MAX_UNDO_STEPS = 200


@dataclass(frozen=True, slots=True)
class Typed:
    """A text, the place of the cursor in it, and what was cut out last."""

    text: str = ""
    at: int = 0
    cut: str = ""

    def moved(self, at: int) -> "Typed":
        """With the cursor elsewhere."""
        return replace(self, at=max(0, min(at, len(self.text))))

    def without(self, start: int, end: int) -> "Typed":
        """With a piece cut out, for `yank`."""
        piece = self.text[start:end]
        return Typed(self.text[:start] + self.text[end:], start, piece or self.cut)

    def inserted(self, piece: str) -> "Typed":
        """With a piece at the cursor."""
        return replace(self, text=self.text[: self.at] + piece + self.text[self.at :], at=self.at + len(piece))


def _line_start(typed: Typed) -> int:
    return typed.text.rfind("\n", 0, typed.at) + 1


def _line_end(typed: Typed) -> int:
    end = typed.text.find("\n", typed.at)
    return len(typed.text) if end < 0 else end


def _word_left(typed: Typed) -> int:
    """Where the word begins that the cursor is in or behind."""
    at = typed.at
    while at and not typed.text[at - 1].isalnum():
        at -= 1
    while at and typed.text[at - 1].isalnum():
        at -= 1
    return at


def _word_right(typed: Typed) -> int:
    at, end = typed.at, len(typed.text)
    while at < end and not typed.text[at].isalnum():
        at += 1
    while at < end and typed.text[at].isalnum():
        at += 1
    return at


def _blank_left(typed: Typed) -> int:
    """Where the run of characters begins that blanks end: a whole address or path."""
    at = typed.at
    while at and typed.text[at - 1].isspace():
        at -= 1
    while at and not typed.text[at - 1].isspace():
        at -= 1
    return at


def _transposed(typed: Typed) -> Typed:
    """The two characters around the cursor change places; at the end, the two before it."""
    at = min(max(typed.at, 1), len(typed.text) - 1)
    if at < 1:
        return typed
    text = typed.text
    return replace(typed, text=text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :], at=at + 1)


EDITS: dict[str, Callable[[Typed], Typed]] = {
    "start": lambda typed: typed.moved(_line_start(typed)),
    "end": lambda typed: typed.moved(_line_end(typed)),
    "left": lambda typed: typed.moved(typed.at - 1),
    "right": lambda typed: typed.moved(typed.at + 1),
    "word_left": lambda typed: typed.moved(_word_left(typed)),
    "word_right": lambda typed: typed.moved(_word_right(typed)),
    "delete_right": lambda typed: replace(typed, text=typed.text[: typed.at] + typed.text[typed.at + 1 :]),
    "kill_left": lambda typed: typed.without(_line_start(typed), typed.at),
    "kill_right": lambda typed: typed.without(typed.at, _line_end(typed)),
    "kill_word": lambda typed: typed.without(_blank_left(typed), typed.at),
    "kill_word_left": lambda typed: typed.without(_word_left(typed), typed.at),
    "kill_word_right": lambda typed: typed.without(typed.at, _word_right(typed)),
    "yank": lambda typed: typed.inserted(typed.cut),
    "transpose": _transposed,
}
"""By the actions of `keys.COMPOSE`."""
