"""How a person wants the screens: `screen.toml` in the home, with theme, notifications and keys."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from p2pchat.errors import UserError
from p2pchat.tui import keys
from p2pchat.tui.keys import Binding
from p2pchat.tui.notices import WAYS
from p2pchat.tui.palette import THEMES
from p2pchat.tui.programs import checked_hook

SETTINGS = ("theme", "notify", "notify-by", "mouse", "keep-inputs", "hook", "opener", "editor", "keys", "ring-keys")
FILE_NAME = "screen.toml"
MAX_FILE_BYTES = 64 * 1024
NOTIFY = ("none", "bell", "name", "text")
"""What a message does to somebody who does not look: nothing; ring; also say from whom; also say its text."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What holds for one screen."""

    theme: str = "auto"
    notify: str = "name"
    notify_by: str = "auto"
    mouse: bool = False
    keep_inputs: bool = True
    hook: Sequence[str] = ()
    opener: Sequence[str] = ()
    editor: Sequence[str] = ()
    chat_keys: Sequence[Binding] = keys.CHAT
    compose_keys: Sequence[Binding] = keys.COMPOSE
    ring_keys: Sequence[Binding] = keys.RING
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def load(folder: Path) -> Preferences:
    """The preferences in a home; the defaults where there is no file.

    Raises:
        UserError: the file cannot be used; it says what to change.
    """
    path = folder / FILE_NAME
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return Preferences()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        if len(text) > MAX_FILE_BYTES:
            raise ValueError(f"it is longer than {MAX_FILE_BYTES} bytes")
        return parsed(tomllib.loads(text.decode()))
    except (ValueError, UserError) as error:
        raise UserError(f"{path}: {error}") from error


def parsed(table: Mapping[str, Any]) -> Preferences:
    """Preferences out of a TOML table; UserError names what is wrong and what may stand there."""
    for name in table:
        if name not in SETTINGS:
            raise UserError(f"there is no setting {name!r}; there are {', '.join(SETTINGS)}.")
    theme = _choice(table, "theme", ("auto", *THEMES))
    notify = _choice(table, "notify", NOTIFY, "name")
    chosen, ring = _keys(table, "keys"), _keys(table, "ring-keys")
    chat, compose = keys.rebound((keys.CHAT, keys.COMPOSE), chosen)
    (watching,) = keys.rebound((keys.RING,), ring)
    return Preferences(
        theme,
        notify,
        _choice(table, "notify-by", WAYS),
        _switch(table, "mouse", False),
        _switch(table, "keep-inputs", True),
        checked_hook(_command(table, "hook")),
        _command(table, "opener"),
        _command(table, "editor"),
        chat,
        compose,
        watching,
        chosen,
    )


def _switch(table: Mapping[str, Any], name: str, default: bool) -> bool:
    value = table.get(name, default)
    if not isinstance(value, bool):
        raise UserError(f"{name} is true or false, not {value!r}.")
    return value


def _command(table: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) and "\0" not in each for each in value):
        raise UserError(f"{name} is a list of words, such as ['notify-send', 'p2pchat']; no shell reads it.")
    if value and not value[0]:
        raise UserError(f"{name} begins with the program to run.")
    return tuple(value)


def _choice(table: Mapping[str, Any], name: str, choices: Sequence[str], default: str = "auto") -> str:
    value = table.get(name, default)
    if value not in choices:
        raise UserError(f"{name} is one of {', '.join(choices)}, not {value!r}.")
    return str(value)


def _keys(table: Mapping[str, Any], name: str) -> dict[str, tuple[str, ...]]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise UserError(f"{name} is a table: [{name}], below it lines such as switch = 'ctrl o'.")
    changes = {}
    for action, value in found.items():
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(each, str) and each for each in listed):
            raise UserError(f"[{name}] {action} is a key such as 'ctrl o', or a list of keys.")
        changes[action] = tuple(keys.named(each) for each in listed)
    return changes
