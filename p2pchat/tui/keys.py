"""Key bindings of the screens: tables, from which the help is written as well."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Binding:
    """An action, the keys that start it (urwid's names), and what it does."""

    action: str
    keys: tuple[str, ...]
    meaning: str


CHAT = (
    Binding("help", ("f1",), "this help"),
    Binding("switch", ("ctrl k",), "open a chat by name"),
    Binding("next_chat", ("meta down", "ctrl n"), "next chat"),
    Binding("previous_chat", ("meta up", "ctrl p"), "previous chat"),
    Binding("next_active", ("meta a",), "next chat with something unread"),
    Binding("older", ("page up",), "scroll up; loads older messages"),
    Binding("newer", ("page down",), "scroll down"),
    Binding("bottom", ("meta end",), "go to the newest message"),
    Binding("list", ("f2",), "show or hide the list of chats"),
    Binding("redraw", ("ctrl l",), "draw everything again"),
    Binding("close", ("esc",), "close what is open"),
    Binding("interrupt", ("ctrl c",), "empty the line; twice: leave"),
    Binding("quit", ("ctrl q",), "leave"),
)

COMPOSE = (
    Binding("send", ("enter",), "send"),
    Binding("break", ("meta enter", "shift enter", "ctrl j"), "break the line"),
    Binding("complete", ("tab",), "complete a name or a command"),
    Binding("recall", ("up", "down"), "what you sent before"),
    Binding("start", ("ctrl a", "home"), "to the start of the line"),
    Binding("end", ("ctrl e", "end"), "to the end of the line"),
    Binding("kill_left", ("ctrl u",), "delete to the start"),
    Binding("kill_right", ("meta k",), "delete to the end"),
    Binding("kill_word", ("ctrl w", "meta backspace"), "delete a word"),
)
"""Keys of the line that one types in."""

RING = (
    Binding("help", ("f1", "?"), "this help"),
    Binding("next", ("down", "right", "j", "n", "tab"), "next node clockwise"),
    Binding("previous", ("up", "left", "k", "p", "shift tab"), "previous node"),
    Binding("details", ("page up", "page down"), "scroll what is said of the node"),
    Binding("back", ("[",), "step back in time"),
    Binding("forward", ("]",), "step forward in time"),
    Binding("now", ("end",), "back to now"),
    Binding("close", ("esc",), "close what is open"),
    Binding("quit", ("q", "ctrl q", "ctrl c"), "leave"),
)

_SHOWN = {"meta": "Alt", "ctrl": "Ctrl", "esc": "Escape", "page up": "PageUp", "page down": "PageDown"}


def action_of(bindings: Iterable[Binding], key: str) -> str | None:
    """The action that `key` starts, if any."""
    return next((each.action for each in bindings if key in each.keys), None)


def shown(key: str) -> str:
    """A key as people write it: `ctrl k` is Ctrl-k."""
    if key in _SHOWN:
        return _SHOWN[key]
    *modifiers, last = key.split(" ")
    named = [_SHOWN.get(each, each.capitalize()) for each in modifiers]
    return "-".join([*named, last if len(last) == 1 else last.capitalize()])


def help_lines(bindings: Iterable[Binding]) -> list[str]:
    """One line for each binding: its keys and what it does."""
    rows = [(", ".join(shown(key) for key in each.keys), each.meaning) for each in bindings]
    width = max(len(keys) for keys, _ in rows)
    return [f"{keys:<{width}}  {meaning}" for keys, meaning in rows]
