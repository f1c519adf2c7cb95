"""Parsers whose options are settings: each may also stand in the environment or in the TOML file."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from p2pchat.cli.show import UsageError
from p2pchat.errors import UserError
from p2pchat.identifiers import Address
from p2pchat.settings import CLIENT, COMMAND_LINE, CONFIG, Setting, Shape, folder, resolve

DEFAULT_TIMEOUT = 30.0
"""Seconds that a command may take."""

MAX_NATURAL = 1_000_000

Commands = Any
"""What `add_subparsers` returns; argparse keeps its type to itself."""

FILES = {"bash": "_shtab_compgen_files", "zsh": "_files"}
FOLDERS = {"bash": "_shtab_compgen_dirs", "zsh": "_files -/"}

GLOBAL = (
    Setting("home", None, "the agent's folder", folder, metavar="DIR"),
    CONFIG,
    *(each for each in COMMAND_LINE if each.name == "json"),
    *(Setting(each.name, None, f"{each.meaning} (30)", each.convert, metavar="S") for each in COMMAND_LINE[1:]),
)
"""They stand before or after COMMAND.  The time is None unless given, because `follow` has no end of its own."""

AGENT = tuple(each for each in CLIENT if each.name not in ("home", "config"))
"""Options for an agent that has to be started."""


class CommandParser(argparse.ArgumentParser):
    """A parser that takes the global options before and after its own command."""

    def __init__(self, **keywords: Any) -> None:
        keywords.setdefault("allow_abbrev", False)
        super().__init__(**keywords)
        self.settings: list[Setting] = []
        self.set_defaults(settings=self.settings)
        add_options(self.add_argument_group("options of every command"), self.settings, GLOBAL)

    def error(self, message: str) -> NoReturn:
        """One line with what to do; a whole usage text would hide the reason."""
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help\n")

    def option(self, *settings: Setting) -> None:
        """Take these options."""
        add_options(self, self.settings, settings)

    def choice(self, setting: Setting, choices: Sequence[str]) -> None:
        """Take an option that has one of these values, wherever it comes from."""
        add_options(self, self.settings, [setting], choices)

    def agent(self) -> None:
        """Take the options of an agent to start."""
        add_options(self.add_argument_group("for an agent that is not yet running"), self.settings, AGENT)


def add_options(
    group: Any, known: list[Setting], settings: Sequence[Setting], choices: Sequence[str] | None = None
) -> None:
    """Put settings into a parser or group.  SUPPRESS leaves a mark only of what was given, at whichever place."""
    for setting in settings:
        flag, keywords = f"--{setting.name}", {"default": argparse.SUPPRESS, "help": setting.meaning}
        if setting.shape is Shape.SWITCH:
            group.add_argument(flag, action="store_true", **keywords)
        else:
            action = "append" if setting.shape is Shape.MANY else "store"
            argument = group.add_argument(flag, action=action, metavar=setting.metavar, choices=choices, **keywords)
            if setting.metavar in ("FILE", "DIR"):
                argument.complete = FILES if setting.metavar == "FILE" else FOLDERS
    known.extend(settings)


def fill(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Give each option its value: as typed, else from the environment, else from the file, else its default."""
    flags = {
        each.name: getattr(options, attribute(each)) for each in options.settings if hasattr(options, attribute(each))
    }
    try:
        values = resolve(options.settings, flags, environment)
    except UserError as error:
        raise UsageError(str(error)) from error
    for setting in options.settings:
        setattr(options, attribute(setting), values[setting.name])


def attribute(setting: Setting) -> str:
    """An option's name in the namespace."""
    return setting.name.replace("-", "_")


def file(name: str, meaning: str) -> Setting:
    """An option that names a file."""
    return Setting(name, None, meaning, folder, metavar="FILE")


def secret_file(name: str, meaning: str) -> Setting:
    """A file whose first line is a secret; `-` is standard input."""
    return Setting(name, None, meaning, lambda text: text if text == "-" else str(folder(text)), metavar="FILE")


def directory(name: str, meaning: str) -> Setting:
    """An option that names a folder."""
    return Setting(name, None, meaning, folder, metavar="DIR")


def switch(name: str, meaning: str) -> Setting:
    """An option that is on or off."""
    return Setting(name, False, meaning, shape=Shape.SWITCH)


def natural(text: str) -> int:
    """A whole number, zero or more."""
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_NATURAL):
        raise ValueError(f"{text!r} is no whole number from 0 to {MAX_NATURAL}")
    return int(text)


def address(text: str) -> Address:
    """HOST:PORT as a positional argument, its mistakes told by Address."""
    try:
        return Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
