"""Foreign text made harmless for a terminal: no controls, no turning marks, no towers of combining marks."""

import unicodedata

MAX_COMBINING = 4
"""Marks that one character may carry; what stacks higher is meant to smear over other lines."""

MAX_LINE_CHARACTERS = 4096
"""A longer line is cut into several, so that one message cannot stall the layout."""

_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_MARKS = ("Mn", "Me")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing, so that two names or texts look alike."""


def harmless(text: str) -> str:
    """`text` with line ends kept and everything that could steer the terminal or deceive the eye taken out."""
    if text.isascii() and text.isprintable() and len(text) <= MAX_LINE_CHARACTERS:
        return text
    kept: list[str] = []
    marks = 0
    for character in text.replace("\r\n", "\n").replace("\t", "    "):
        if character == "\n":
            marks = 0
            kept.append(character)
            continue
        category = unicodedata.category(character)
        if character == _JOINER:
            if kept and _joins(kept[-1]):
                kept.append(character)
            continue
        if _steers(character, category):
            continue
        marks = marks + 1 if category in _MARKS else 0
        if marks <= MAX_COMBINING:
            kept.append(character)
    return "\n".join(_cut(line) for line in "".join(kept).split("\n"))


def one_line(text: str, width: int) -> str:
    """The beginning of `text` on one line of at most `width` characters."""
    line = " ".join(harmless(text).split())
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def _steers(character: str, category: str) -> bool:
    if category in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or character in _INVISIBLE:
        return True
    return ord(character) & 0xFFFE == 0xFFFE or _selects(character)


def _selects(character: str) -> bool:
    """Whether it only chooses between two looks of the character before it; emoji keep theirs."""
    code = ord(character)
    return character != _EMOJI_STYLE and (0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF)


def _joins(before: str) -> bool:
    """Whether a joiner behind this character makes one picture of two; elsewhere it would only hide in a word."""
    return before == _EMOJI_STYLE or unicodedata.category(before) in ("So", "Sk")


def _cut(line: str) -> str:
    pieces = [line[start : start + MAX_LINE_CHARACTERS] for start in range(0, len(line), MAX_LINE_CHARACTERS)]
    return "\n".join(pieces)
