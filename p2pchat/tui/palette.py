"""Colours of the screens: a table for each theme; nothing is told by colour alone."""

from collections.abc import Mapping
from typing import TypeAlias

Entry: TypeAlias = tuple[str, str, str, str, str, str]

_NAMES = {
    # name: (dark foreground, light foreground, background on dark, background on light, without colour)
    "bar": ("white", "white", "dark blue", "dark blue", "standout"),
    "alert": ("white", "white", "dark red", "dark red", "standout,bold"),
    "title": ("white,bold", "black,bold", "default", "default", "bold"),
    "selected": ("black", "white", "light gray", "dark gray", "standout"),
    "unread": ("yellow,bold", "dark magenta,bold", "default", "default", "bold"),
    "me": ("light cyan", "dark blue", "default", "default", "bold"),
    "them": ("light green", "dark green", "default", "default", "bold"),
    "text": ("default", "default", "default", "default", "default"),
    "faint": ("dark gray", "dark gray", "default", "default", "default"),
    "state": ("dark cyan", "dark cyan", "default", "default", "default"),
    "failed": ("light red,bold", "dark red,bold", "default", "default", "bold"),
    "notice": ("brown", "brown", "default", "default", "underline"),
    "marker": ("light red", "dark red", "default", "default", "bold"),
    "online": ("light green", "dark green", "default", "default", "default"),
    "field": ("white", "black", "dark gray", "light gray", "underline"),
    "button": ("black", "white", "light gray", "dark gray", "standout"),
    "focus": ("white,bold", "white,bold", "dark magenta", "dark magenta", "standout,bold"),
    "qr": ("black", "black", "white", "white", "default"),
    "arc": ("yellow", "brown", "default", "default", "bold"),
    "finger": ("dark gray", "light gray", "default", "default", "default"),
    "lookup": ("light magenta", "dark magenta", "default", "default", "bold"),
    "ring": ("dark cyan", "dark cyan", "default", "default", "default"),
    "node": ("light green,bold", "dark green,bold", "default", "default", "bold"),
    "dead": ("light red", "dark red", "default", "default", "underline"),
}

THEMES = ("dark", "light", "16", "none")
"""`dark` and `light` use 256 colours where the terminal has them, `16` the terminal's own ones, `none` no colour."""

_FINE = {
    # name: (dark foreground, light foreground, background on dark, background on light), in 256 colours
    "bar": ("#fff", "#fff", "#036", "#068"),
    "alert": ("#fff", "#fff", "#800", "#a00"),
    "selected": ("#fff", "#fff", "g27", "g35"),
    "faint": ("g54", "g46", "default", "default"),
    "state": ("#0aa", "#068", "default", "default"),
    "field": ("#fff", "#000", "g23", "g85"),
    "ring": ("#06a", "#06a", "default", "default"),
    "arc": ("#fa0", "#a60", "default", "default"),
    "finger": ("g42", "g70", "default", "default"),
}


def palette(theme: str) -> list[Entry]:
    """The entries of a theme (one of THEMES) as urwid takes them: name, 16 colours, monochrome, 256 colours."""
    if theme == "none":
        return [(name, _plain(mono), "", mono, _plain(mono), "") for name, (_, _, _, _, mono) in _NAMES.items()]
    side = int(theme == "light")
    entries: list[Entry] = []
    for name, row in _NAMES.items():
        simple = row[side], row[2 + side]
        fine = (_FINE[name][side], _FINE[name][2 + side]) if name in _FINE and theme != "16" else simple
        entries.append((name, *simple, row[4], *fine))
    return entries


def _plain(mono: str) -> str:
    return mono.replace("default", "")


def theme_of(environment: Mapping[str, str], wish: str = "auto") -> str:
    """The theme that somebody wishes; else by the environment: NO_COLOR, a light background by COLORFGBG, else dark."""
    if wish != "auto":
        return wish
    if environment.get("NO_COLOR"):
        return "none"
    behind = environment.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if behind in ("7", "15") else "dark"
