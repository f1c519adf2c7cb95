"""Colours of the screens: a table for each theme; nothing is told by colour alone."""

from collections.abc import Mapping
from typing import TypeAlias

Entry: TypeAlias = tuple[str, str, str, str]

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
    "ring": ("dark cyan", "dark cyan", "default", "default", "default"),
    "node": ("light green,bold", "dark green,bold", "default", "default", "bold"),
    "dead": ("light red", "dark red", "default", "default", "underline"),
}

THEMES = ("dark", "light", "mono")


def palette(theme: str) -> list[Entry]:
    """The entries of a theme (one of THEMES) as urwid takes them: name, foreground, background, monochrome."""
    if theme == "mono":
        return [(name, mono.replace("default", ""), "", mono) for name, (_, _, _, _, mono) in _NAMES.items()]
    light = theme == "light"
    return [
        (name, on_light if light else on_dark, behind_light if light else behind_dark, mono)
        for name, (on_dark, on_light, behind_dark, behind_light, mono) in _NAMES.items()
    ]


def theme_of(environment: Mapping[str, str]) -> str:
    """The theme that the environment asks for: NO_COLOR, a light background by COLORFGBG, else dark."""
    if environment.get("NO_COLOR"):
        return "mono"
    behind = environment.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if behind in ("7", "15") else "dark"
