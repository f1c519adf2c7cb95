"""Links in messages: found, shown with their host first, and drawn so that a terminal can open them (OSC 8)."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import urwid
from urwid.display.common import Hyperlink

LINK = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)
"""Printable ASCII alone: letters that only look like others would hide where a link leads."""

MAX_LINK_CHARACTERS = 2000
_CLOSING = ".,;:!?'*_"
_PAIRS = {")": "(", "]": "["}


def found(text: str) -> Iterator[tuple[int, int]]:
    """Where links begin and end; punctuation behind one is not part of it, nor a bracket that was opened before it."""
    for match in LINK.finditer(text):
        start, end = match.start(), _end(text, *match.span())
        following = text[end : end + 1]
        whole = not following or ord(following) < 128 or following.isspace()
        if whole and end - start <= MAX_LINK_CHARACTERS and host(text[start:end]):
            yield start, end


def _end(text: str, start: int, end: int) -> int:
    """Where a link ends that reaches to `end` with what stands behind it; one pass, however long the text is."""
    unopened = {last: text.count(last, start, end) - text.count(first, start, end) for last, first in _PAIRS.items()}
    while end > start:
        last = text[end - 1]
        if unopened.get(last, 0) > 0:
            unopened[last] -= 1
        elif last not in _CLOSING:
            break
        end -= 1
    return end


def links(text: str) -> list[str]:
    """The links of a text, in their order."""
    return [text[start:end] for start, end in found(text)]


def host(link: str) -> str:
    """Where a link leads, without what may stand before it (`bank.example@elsewhere.example`); empty for nowhere."""
    try:
        return urlsplit(link).hostname or ""
    except ValueError:
        return ""


def markup(text: str, attribute: str) -> list[Any]:
    """A harmless text with its links as such: what is shown is where they lead, so nothing can hide in them."""
    parts: list[Any] = []
    at = 0
    for start, end in found(text):
        parts += [(attribute, text[at:start])] if start > at else []
        link = Hyperlink(text[start:end], id=f"{crc32(text[start:end].encode()):x}")
        parts.append((urwid.AttrSpec("underline", "default", hyperlink=link), text[start:end]))
        at = end
    return [*parts, (attribute, text[at:])] if at < len(text) or not parts else parts
