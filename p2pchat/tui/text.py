"""Foreign text made harmless for a terminal: no controls, no turning marks, no towers of combining marks."""

import unicodedata

MAX_COMBINING = 4
"""Marks that one character may carry; what stacks higher is meant to smear over other lines."""

MAX_LINE_CHARACTERS = 4096
"""A longer line is cut into several, so that one message cannot stall the layout."""

_JOINER = "\u200d"
_KEPT_FORMAT = (_JOINER, "\ufe0f")


def harmless(text: str) -> str:
    """`text` with line ends kept and everything that could steer the terminal taken out."""
    kept: list[str] = []
    marks = 0
    for character in text.replace("\r\n", "\n").replace("\t", "    "):
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MAX_COMBINING and (character == "\n" or not _steers(character)):
            kept.append(character)
    return "\n".join(_cut(line) for line in "".join(kept).split("\n"))


def one_line(text: str, width: int) -> str:
    """The beginning of `text` on one line of at most `width` characters."""
    line = " ".join(harmless(text).split())
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def _steers(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Cc", "Cs", "Co", "Zl", "Zp") or (category == "Cf" and character not in _KEPT_FORMAT)


def _cut(line: str) -> str:
    pieces = [line[start : start + MAX_LINE_CHARACTERS] for start in range(0, len(line), MAX_LINE_CHARACTERS)]
    return "\n".join(pieces)
