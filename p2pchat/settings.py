"""Options of the three programs: flags win over the environment, that over the TOML file.

One table for each program; a program reads its flags itself and hands those that were given to `resolve`.
`--repair-after` is `P2PCHAT_REPAIR_AFTER` in the environment and `repair-after` in the file.
"""

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from p2pchat.errors import UserError
from p2pchat.identifiers import Address

PREFIX = "P2PCHAT_"
MAX_FILE_BYTES = 1 << 20
MAX_SLOTS = 65_536
MAX_SECONDS = 86_400.0


class Shape(Enum):
    """How often and in which form an option is given."""

    ONE = "one"
    MANY = "many"  # repeatable; separated by commas in the environment, a list in the file
    SWITCH = "switch"  # 1 or 0 in the environment, true or false in the file


@dataclass(frozen=True, slots=True)
class Setting:
    """One option: `convert` reads its text and raises ValueError with what is wrong."""

    name: str
    default: Any
    meaning: str
    convert: Callable[[str], Any] = str
    shape: Shape = Shape.ONE
    metavar: str = "TEXT"
    overrules: str = ""  # an option that is switched off when this one comes from a stronger source

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name.replace("-", "_").upper()


def seconds(text: str) -> float:
    """A duration above 0, one day at most."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number of seconds") from None
    if not 0 < value <= MAX_SECONDS:
        raise ValueError(f"seconds must be above 0 and at most {MAX_SECONDS:.0f}, not {text}")
    return value


def folder(text: str) -> Path:
    """A path; `~` is the home folder.  It need not exist."""
    if not text:
        raise ValueError("a path is empty")
    return Path(os.path.abspath(Path(text).expanduser()))


def group(text: str) -> Address:
    """GROUP:PORT of a multicast group."""
    address = Address.parse(text)
    if not ipaddress.ip_address(address.host).is_multicast or not address.port:
        raise ValueError(f"{text!r} is no multicast group and port, such as 239.192.74.1:7400")
    return address


def interface(text: str) -> str:
    """The address of one of this machine's interfaces."""
    return str(ipaddress.ip_address(text))


def reachable(text: str) -> Address:
    """HOST:PORT that can be dialled, so not port 0."""
    address = Address.parse(text)
    if not address.port:
        raise ValueError(f"{text!r} needs a port that somebody listens on")
    return address


def replicas(text: str) -> int:
    """Copies beside the owner's: an even number, so that majorities are clear."""
    if text not in ("0", "2", "4", "6"):
        raise ValueError(f"replicas must be 0, 2, 4 or 6, not {text}")
    return int(text)


def slots(text: str) -> int:
    """How many parts the circle has."""
    count = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= count <= MAX_SLOTS:
        raise ValueError(f"slots must be a number from 1 to {MAX_SLOTS}, not {text}")
    return count


def host(text: str) -> str:
    """A host name or address without a port."""
    return Address.parse(f"[{text}]:0" if ":" in text else f"{text}:0").host


def one_of(*choices: str) -> Callable[[str], str]:
    """A word out of few."""

    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return convert


CONFIG = Setting("config", None, "read options from this TOML file", folder, metavar="FILE")
DISCOVERY = (
    Setting(
        "multicast",
        Address("239.192.74.1", 7400),
        "group by which nodes find each other",
        group,
        metavar="GROUP:PORT",
        overrules="no-multicast",
    ),
    Setting("no-multicast", False, "neither ask nor answer by multicast", shape=Shape.SWITCH),
    Setting(
        "interface",
        (),
        "address of an interface to use for multicast; repeatable",
        interface,
        Shape.MANY,
        "ADDRESS",
    ),
)
LOGS = (
    Setting("log-format", "text", "text, or json: one object a line", one_of("text", "json"), metavar="FORMAT"),
    Setting(
        "log-level",
        "info",
        "what is written: debug, info, warn or error",
        one_of("debug", "info", "warn", "error"),
        metavar="LEVEL",
    ),
)
SERVER = (
    Setting("data", None, "folder of identity, certificate and database", folder, metavar="DIR"),
    Setting("ring", Address("0.0.0.0", 7401), "where other nodes connect", Address.parse, metavar="HOST:PORT"),
    Setting("clients", Address("0.0.0.0", 7402), "where agents connect", Address.parse, metavar="HOST:PORT"),
    Setting("advertise", None, "the address that others are told", host, metavar="HOST"),
    Setting("join", (), "ring address of any node of the ring; repeatable", reachable, Shape.MANY, "HOST:PORT"),
    *DISCOVERY,
    Setting("authority", None, "admit ourselves with this ring authority", folder, metavar="DIR"),
    Setting("replicas", 4, "copies beside the owner's, when a ring is created", replicas, metavar="K"),
    Setting("slots", 1024, "parts of the circle, when a ring is created", slots, metavar="S"),
    Setting("repair-after", 15.0, "replace a lost member after so many seconds", seconds, metavar="SECONDS"),
    Setting("metrics", None, "serve /metrics, /livez and /readyz there", Address.parse, metavar="HOST:PORT"),
    *LOGS,
    CONFIG,
)
CLIENT = (
    Setting("home", None, "folder of this person's agent", folder, metavar="DIR"),
    Setting("server", (), "clients address of a node; repeatable", reachable, Shape.MANY, "HOST:PORT"),
    Setting("listen", None, "where other agents connect; any free port by default", Address.parse, metavar="HOST:PORT"),
    Setting("advertise", None, "the address that contacts are told", host, metavar="HOST"),
    Setting("ring-certificate", None, "the ring's certificate, instead of first use", folder, metavar="FILE"),
    *DISCOVERY,
    Setting("ask-password", False, "keep no key on disk and wait for `login`", shape=Shape.SWITCH),
    Setting("encrypt-history", False, "keep the history encrypted; needs p2pchat[encrypted]", shape=Shape.SWITCH),
    Setting("irc", None, "serve IRC programs there", Address.parse, metavar="HOST:PORT"),
    *LOGS,
    CONFIG,
)
COMMAND_LINE = (
    Setting("json", False, "print one JSON object a line", shape=Shape.SWITCH),
    Setting("timeout", 30.0, "seconds that a command may take", seconds, metavar="S"),
)
OF_COMMANDS = (
    *("password-file", "new-password-file", "recovery-key-file", "without-handover", "yes"),
    *("wait", "reply-to", "limit", "before", "search", "matched", "plain", "check", "logs"),
    *("name", "out", "operator", "users", "once"),
    *("nodes", "seeds", "seed", "rates", "lookups", "plot"),
)
"""Options of single commands, which the command line defines; they may stand in the file as well."""
_EVERY = {each.name for each in (*SERVER, *CLIENT, *COMMAND_LINE)} | set(OF_COMMANDS)


@dataclass(frozen=True, slots=True)
class Chosen:
    """An option's value and where it comes from: `--NAME`, a variable, `FILE, line N`, or `default`."""

    value: Any
    origin: str
    strength: int = 0


def resolve(table: Sequence[Setting], flags: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Every option of `table` with its value: from `flags`, else `environment`, else the file, else its default.

    Args:
        flags: only what was given: text for one, a list of texts for many, True for a switch.
    Raises:
        UserError: a value does not fit; the text names the option and where it was given.
    """
    chosen, mistakes = examine(table, flags, environment)
    if mistakes:
        raise UserError(mistakes[0])
    return {name: each.value for name, each in chosen.items()}


def examine(
    table: Sequence[Setting], flags: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[dict[str, Chosen], list[str]]:
    """As `resolve`, but with the origin of every value, and with all mistakes instead of the first.

    An option with a mistake has its default.
    """
    path = flags.get("config") or environment.get(CONFIG.variable)
    written, mistakes = _read(folder(path)) if path else (Written("", {}, {}), [])
    chosen: dict[str, Chosen] = {}
    for setting in table:
        if setting.name in flags:
            strength, raw, origin = 3, flags[setting.name], f"--{setting.name}"
            where = origin
        elif environment.get(setting.variable, "") != "":
            strength, raw, origin = 2, _split(setting, environment), setting.variable
            where = origin
        elif setting.name in written.values:
            strength, raw, origin = 1, written.values[setting.name], written.place(setting.name)
            where = f"{setting.name} in {origin}"
        else:
            chosen[setting.name] = Chosen(setting.default, "default")
            continue
        try:
            chosen[setting.name] = Chosen(_convert(setting, raw), origin, strength)
        except ValueError as error:
            mistakes.append(f"{where}: {error}.")
            chosen[setting.name] = Chosen(setting.default, "default")
    for setting in table:
        if setting.overrules and chosen[setting.name].strength > chosen[setting.overrules].strength > 0:
            chosen[setting.overrules] = Chosen(False, f"overruled by {chosen[setting.name].origin}")
    return chosen, mistakes


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that begins as ours do and is none: most often a slip of the fingers."""
    known = {PREFIX + name.replace("-", "_").upper() for name in _EVERY}
    return [
        f"{name}: no option has this variable{_near(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    ]


def as_flags(table: Sequence[Setting], values: Mapping[str, Any]) -> list[str]:
    """The flags that give another program of this table the same values (defaults are left out)."""
    flags: list[str] = []
    for setting in table:
        value = values.get(setting.name, setting.default)
        if value == setting.default or setting is CONFIG:
            continue
        if setting.shape is Shape.SWITCH:
            flags.append(f"--{setting.name}")
            continue
        for each in value if setting.shape is Shape.MANY else [value]:
            flags += [f"--{setting.name}", str(each)]
    return flags


def _split(setting: Setting, environment: Mapping[str, str]) -> Any:
    text = environment[setting.variable]
    if setting.shape is Shape.MANY:
        return [each.strip() for each in text.split(",") if each.strip()]
    return text


def _convert(setting: Setting, raw: Any) -> Any:
    """The value; ValueError says what is wrong with it."""
    if setting.shape is Shape.SWITCH:
        return _switch(raw)
    if setting.shape is Shape.MANY:
        return tuple(setting.convert(str(each)) for each in (raw if isinstance(raw, list | tuple) else [raw]))
    if isinstance(raw, list | dict | bool):
        raise ValueError("one value is wanted here")
    return setting.convert(str(raw))


def _switch(raw: Any) -> bool:
    if raw in (True, "1"):
        return True
    if raw in (False, "0"):
        return False
    raise ValueError(f"1 or 0 is wanted, not {raw!r}")


@dataclass(frozen=True, slots=True)
class Written:
    """What a file of options says: its values, and the line of each (tomllib keeps them to itself)."""

    path: str
    values: dict[str, Any]
    lines: dict[str, int]

    def place(self, name: str) -> str:
        """Where an option stands."""
        line = self.lines.get(name)
        return self.path if line is None else f"{self.path}, line {line}"


_KEY = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))\s*=|\s*\[\s*([A-Za-z0-9_-]+)""")


def _read(path: Path) -> tuple[Written, list[str]]:
    """The file's options, and a line for each mistake that needs no table to be seen."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return Written(str(path), {}, {}), [f"{path} is too long for a file of options."]
        text = path.read_text("utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        return Written(str(path), {}, {}), [f"Cannot read {path}: {error.strerror}."]
    except ValueError as error:
        return Written(str(path), {}, {}), [f"{path} is no TOML file: {error}."]
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if (key := _KEY.match(line)) is not None:
            lines.setdefault(next(each for each in key.groups() if each), number)
    written = Written(str(path), values, lines)
    return written, [
        f"{written.place(key)}: no option is called {key!r}{_near(key, _EVERY)}" for key in values if key not in _EVERY
    ]


def _near(name: str, known: Iterable[str]) -> str:
    """A guess at what was meant."""
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"; {near[0]}?" if near else "."
