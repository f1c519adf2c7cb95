"""config show and config check: what the options are, where each comes from, and what is wrong with them."""

import argparse
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from p2pchat.cli.options import attribute
from p2pchat.cli.show import json_line, table, warn
from p2pchat.identifiers import Address
from p2pchat.settings import CLIENT, COMMAND_LINE, CONFIG, SERVER, Chosen, Setting, examine, unknown_variables

USAGE_STATUS = 2
PROGRAMS = {"server": SERVER, "client": CLIENT, "command": (*COMMAND_LINE, CONFIG)}
LISTENING = ("ring", "clients", "metrics", "listen", "irc")
THERE = ("authority", "ring-certificate")
"""Options that name what must exist."""


def every_setting(program: str | None = None) -> list[Setting]:
    """Options of one program, or of all; what two programs share stands once."""
    tables = [PROGRAMS[program]] if program else list(PROGRAMS.values())
    return list({each.name: each for each in itertools.chain(*tables)}.values())


def show(options: argparse.Namespace) -> int:
    """Print every option with its value, as a file of options; with --origin as a table that says where it is from."""
    settings = every_setting(options.program)
    chosen, mistakes = examined(options, settings)
    if mistakes:
        return told(mistakes)
    if chosen["json"].value:
        for setting in settings:
            each = chosen[setting.name]
            json_line({"option": setting.name, "value": plain(each.value), "origin": each.origin})
    elif options.origin:
        rows = [[each.name, in_toml(chosen[each.name].value), chosen[each.name].origin] for each in settings]
        table(rows, ("option", "value", "origin"))
    else:
        for setting in settings:
            if setting is not CONFIG:
                value = chosen[setting.name].value
                print(f"# {setting.name} =" if value is None else f"{setting.name} = {in_toml(value)}")
    return 0


def check(options: argparse.Namespace) -> int:
    """Say everything that is wrong with the options as they would be now; status 2 if anything is."""
    settings = every_setting(None)
    chosen, mistakes = examined(options, settings)
    mistakes += contradictions(chosen)
    if mistakes:
        return told(mistakes)
    given = sum(each.strength > 0 for each in chosen.values())
    path = chosen["config"].value
    if chosen["json"].value:
        json_line({"config": None if path is None else str(path), "given": given, "mistakes": 0})
    else:
        print(f"{'No file of options is named' if path is None else path}: no mistake; {given} options are given.")
    return 0


def examined(options: argparse.Namespace, settings: list[Setting]) -> tuple[dict[str, Chosen], list[str]]:
    """Values, origins and mistakes; `json`, which decides how we print, is always among them."""
    table_ = list({each.name: each for each in (*settings, *PROGRAMS["command"])}.values())
    flags = {each.name: getattr(options, attribute(each)) for each in table_ if hasattr(options, attribute(each))}
    chosen, mistakes = examine(table_, flags, os.environ)
    for line in unknown_variables(os.environ):
        warn(f"p2pchat: warning: {line}")
    return chosen, mistakes


def told(mistakes: Iterable[str]) -> int:
    """A line for each mistake; the status of wrong usage."""
    for mistake in mistakes:
        warn(f"p2pchat: {' '.join(mistake.split())}")
    return USAGE_STATUS


def contradictions(chosen: Mapping[str, Chosen]) -> list[str]:
    """Values that are right alone and wrong together, or name what does not exist."""
    found = []
    listening = [(name, chosen[name]) for name in LISTENING if isinstance(chosen[name].value, Address)]
    for (name, one), (other, two) in itertools.combinations(listening, 2):
        if one.value.port and one.value == two.value:
            found.append(
                f"{name} ({one.origin}) and {other} ({two.origin}) are both {one.value}; give one another port."
            )
    for name in THERE:
        path = chosen[name].value
        if isinstance(path, Path) and not path.exists():
            found.append(f"{name} ({chosen[name].origin}): {path} does not exist; correct the path or make it.")
    return found


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, Path | Address) else value


def in_toml(value: Any) -> str:
    """A value as it stands in a file of options; JSON's strings, numbers, lists and switches are TOML's as well."""
    return "-" if value is None else json.dumps(plain(value), ensure_ascii=False)
