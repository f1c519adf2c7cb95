"""Key bindings of the screens: tables, from which the help is written as well."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from p2pchat.errors import UserError


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
    Binding("numbered", tuple(f"meta {digit}" for digit in "1234567890"), "the chat at this place of the list"),
    Binding("first_unread", ("meta u",), "to the first unread message"),
    Binding("older", ("page up",), "scroll up; loads older messages"),
    Binding("newer", ("page down",), "scroll down"),
    Binding("bottom", ("meta end",), "go to the newest message"),
    Binding("search", ("ctrl s",), "search in this chat"),
    Binding("past", ("ctrl r",), "search what you typed before"),
    Binding("reply", ("meta r",), "answer a message; again: the one above"),
    Binding("unread", ("meta v",), "count what is in view as unread"),
    Binding("copy", ("meta c",), "copy the last message in view"),
    Binding("links", ("meta o",), "links of this chat: open or copy one"),
    Binding("editor", ("ctrl o",), "edit the line in $VISUAL or $EDITOR"),
    Binding("mouse", ("meta m",), "the wheel and clicks, or not"),
    Binding("list", ("f2",), "show or hide the list of chats"),
    Binding("person", ("f3",), "who this is: presence and fingerprint"),
    Binding("bare", ("meta l",), "only the messages, easy to mark"),
    Binding("redraw", ("ctrl l",), "draw everything again"),
    Binding("close", ("esc",), "close what is open"),
    Binding("interrupt", ("ctrl c",), "empty the line; twice: leave"),
    Binding("quit", ("ctrl q",), "leave"),
)

COMPOSE = (
    Binding("send", ("enter",), "send"),
    Binding("break", ("meta enter", "shift enter", "ctrl j"), "break the line"),
    Binding("complete", ("tab",), "complete a command, a name, an :emoji:"),
    Binding("complete_back", ("shift tab",), "the completion before"),
    Binding("recall", ("up", "down"), "what you sent before"),
    Binding("start", ("ctrl a", "home"), "to the start of the line"),
    Binding("end", ("ctrl e", "end"), "to the end of the line"),
    Binding("left", ("ctrl b",), "one character left"),
    Binding("right", ("ctrl f",), "one character right"),
    Binding("word_left", ("meta b", "ctrl left", "meta left"), "one word left"),
    Binding("word_right", ("meta f", "ctrl right", "meta right"), "one word right"),
    Binding("delete_right", ("ctrl d",), "delete the character under the cursor"),
    Binding("kill_left", ("ctrl u",), "cut to the start"),
    Binding("kill_right", ("meta k",), "cut to the end"),
    Binding("kill_word", ("ctrl w",), "cut back to the last blank"),
    Binding("kill_word_left", ("meta backspace",), "cut a word to the left"),
    Binding("kill_word_right", ("meta d",), "cut a word to the right"),
    Binding("yank", ("ctrl y",), "put in what was cut"),
    Binding("transpose", ("ctrl t",), "swap two characters"),
    Binding("undo", ("ctrl _", "ctrl z"), "take the last change back"),
)
"""Keys of the line that one types in."""

RING = (
    Binding("help", ("f1", "?"), "this help"),
    Binding("next", ("down", "right", "j", "n", "tab"), "next node clockwise"),
    Binding("previous", ("up", "left", "k", "p", "shift tab"), "previous node"),
    Binding("find", ("/",), "find the slot of a user or identifier"),
    Binding("fingers", ("f",), "draw the fingers of the selected node"),
    Binding("details", ("page up", "page down"), "scroll what is said of the node"),
    Binding("back", ("[", ","), "step back in time"),
    Binding("forward", ("]", "."), "step forward in time"),
    Binding("leap_back", ("{", "<"), "30 steps back in time"),
    Binding("leap_forward", ("}", ">"), "30 steps forward in time"),
    Binding("first", ("home",), "to the beginning of the history"),
    Binding("now", ("end",), "back to now"),
    Binding("close", ("esc",), "close what is open"),
    Binding("quit", ("q", "ctrl q", "ctrl c"), "leave"),
)

_SHOWN = {"meta": "Alt", "ctrl": "Ctrl", "esc": "Escape", "page up": "PageUp", "page down": "PageDown"}
_NAMED = {shown.lower(): key for key, shown in _SHOWN.items()}
_MODIFIERS = ("alt-", "meta-", "ctrl-", "shift-")
MANY_KEYS = 4
"""More keys than this are shown as the first and the last one."""


def action_of(bindings: Iterable[Binding], key: str) -> str | None:
    """The action that `key` starts, if any."""
    return next((each.action for each in bindings if key in each.keys), None)


def rebound(tables: Sequence[Sequence[Binding]], wanted: Mapping[str, tuple[str, ...]]) -> list[tuple[Binding, ...]]:
    """Tables that hold at the same time, with other keys for some actions.

    Raises:
        UserError: an action that there is none of, or a key with two meanings.
    """
    known = {each.action for table in tables for each in table}
    for action in wanted:
        if action not in known:
            raise UserError(f"[keys] has no action {action!r}. There are: {', '.join(sorted(known))}.")
    changed = [tuple(replace(each, keys=wanted.get(each.action, each.keys)) for each in table) for table in tables]
    if len(tables) > 1:
        _check_typing(wanted)
    taken: dict[str, str] = {}
    for each in (binding for table in changed for binding in table):
        for key in each.keys:
            if key in taken:
                raise UserError(
                    f"[keys]: {shown(key)} means both {taken[key]} and {each.action}."
                    f" Give {taken[key]} another key, or none: {taken[key]} = []."
                )
            taken[key] = each.action
    return changed


def _check_typing(wanted: Mapping[str, tuple[str, ...]]) -> None:
    """Beside a line that one types in, a character alone is no key."""
    for action, chosen in wanted.items():
        for key in chosen:
            if len(key) == 1 or key in ("backspace", "delete"):
                raise UserError(f"[keys]: {key} is needed for typing; give {action} a key such as Alt-{key[0]} or F5.")


def named(text: str) -> str:
    """urwid's name of a key as people write it: Ctrl-k is `ctrl k`; urwid's own names stay.

    Raises:
        UserError: a character alone, which one could not type any more, or nothing.
    """
    words, last = [], text.strip()
    while modifier := next((each for each in _MODIFIERS if last.lower().startswith(each) and last != each), None):
        words.append(_NAMED.get(modifier[:-1], modifier[:-1]))
        last = last[len(modifier) :]
    if not last:
        raise UserError("a key has a name, such as Ctrl-o, Alt-x or F5.")
    return " ".join([*words, _NAMED.get(last.lower(), last if len(last) == 1 else _lower(last))])


def _lower(key: str) -> str:
    """Names in small letters, as urwid has them; the character of `meta R` stays."""
    *words, last = key.split(" ")
    return " ".join([*(each.lower() for each in words), last if len(last) == 1 else last.lower()])


def shown(key: str) -> str:
    """A key as people write it: `ctrl k` is Ctrl-k."""
    if key in _SHOWN:
        return _SHOWN[key]
    *modifiers, last = key.split(" ")
    named = [_SHOWN.get(each, each.capitalize()) for each in modifiers]
    return "-".join([*named, last if len(last) == 1 else last.capitalize()])


def all_shown(binding: Binding) -> str:
    """The keys of a binding as people write them."""
    names = [shown(key) for key in binding.keys]
    return f"{names[0]} … {names[-1]}" if len(names) > MANY_KEYS else ", ".join(names) or "no key"


def help_lines(bindings: Iterable[Binding]) -> list[str]:
    """One line for each binding: its keys and what it does."""
    rows = [(all_shown(each), each.meaning) for each in bindings]
    width = max(len(keys) for keys, _ in rows)
    return [f"{keys:<{width}}  {meaning}" for keys, meaning in rows]
