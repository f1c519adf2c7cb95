"""Writes the manual pages in p2pchat/share/man from the tables of options and commands, so that they cannot go stale.

`python docs/manuals.py` writes them, `--check` only says whether they are current.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from p2pchat import __version__
from p2pchat.cli.arguments import build_parser
from p2pchat.cli.options import AGENT, GLOBAL
from p2pchat.settings import CLIENT, COMMAND_LINE, SERVER, Setting, Shape

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "p2pchat/share/man"
DATE = "2026-11-29"
"""Of the last change that a reader should notice."""
STATUSES = (
    ("0", "done"),
    ("1", "failed; one line on standard error says why and what to do"),
    ("2", "wrong usage, or a mistake in the options"),
    ("3", "not admitted, or the ring is unknown"),
    ("4", "wrong user or password"),
    ("5", "the name is taken"),
    ("6", "no quorum: certainly not done"),
    ("7", "no node reachable"),
    ("8", "the session was replaced, or nobody is logged in"),
    ("9", "timed out; running it again is safe"),
    ("10", "slowed down; try later"),
)
EXAMPLE = [
    ".SH EXAMPLE",
    ".EX",
    'data = "/srv/p2pchat"',
    'ring = "192.0.2.1:7401"',
    'clients = "192.0.2.1:7402"',
    'join = ["192.0.2.2:7401", "192.0.2.3:7401"]',
    "no\\-multicast = true",
    'metrics = "127.0.0.1:7403"',
    'log\\-format = "json"',
    ".EE",
]
SOURCES = (
    "Every option may also stand in the environment and in the TOML file of \\fB\\-\\-config\\fR; flags win over the"
    " environment, that over the file. p2pchat.toml(5) has the names."
)


def escaped(text: str) -> str:
    """Text as roff takes it literally."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe


def bold(text: str) -> str:
    """What is typed as it stands."""
    return f"\\fB{escaped(text)}\\fR"


def slanted(text: str) -> str:
    """What is replaced by a value."""
    return f"\\fI{escaped(text)}\\fR"


def tagged(tag: str, *lines: str) -> Iterator[str]:
    """A term and what it means."""
    yield from (".TP", tag, *lines)


def head(name: str, section: int, text: str) -> list[str]:
    """The first lines of a page."""
    title = f'.TH {escaped(name.upper())} {section} {DATE} "p2pchat {__version__}" "p2pchat"'
    return [title, ".SH NAME", f"{escaped(name)} \\- {escaped(text)}"]


def option(setting: Setting) -> Iterator[str]:
    """An option as a flag."""
    value = "" if setting.shape is Shape.SWITCH else f" {slanted(setting.metavar)}"
    default = "" if setting.default in (None, False, (), "") else f" Default: {escaped(str(setting.default))}."
    yield from tagged(f"{bold('--' + setting.name)}{value}", f"{escaped(sentence(setting.meaning))}{default}")


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command that does something, in the order of help."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield parser
    for action in inner:
        for each in dict.fromkeys(action.choices.values()):
            yield from parsers(each)


def command(parser: argparse.ArgumentParser, known: set[str]) -> Iterator[str]:
    """One command with what belongs to it alone."""
    positional = [action for action in parser._actions if not action.option_strings]
    words = " ".join(f"[{slanted(shown(each))}]" if each.nargs == "?" else slanted(shown(each)) for each in positional)
    name = parser.prog.removeprefix("p2pchat ")
    yield from (f".SS {escaped(name)}", f"{bold('p2pchat ' + name)} {words}".rstrip(), ".PP")
    yield escaped(parser.description or "")
    for action in parser._actions:
        if action.option_strings and action.dest not in known and action.dest != "help":
            value = "" if action.nargs == 0 else f" {slanted(shown(action))}"
            yield from tagged(f"{bold(action.option_strings[-1])}{value}", escaped(sentence(action.help or "")))


def shown(action: argparse.Action) -> str:
    """How a value is called."""
    return str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())


def statuses() -> Iterator[str]:
    """The exit statuses of every command."""
    yield ".SH EXIT STATUS"
    for status, text in STATUSES:
        yield from tagged(bold(status), escaped(sentence(text)))


def see_also(*pages: str) -> list[str]:
    """Other pages."""
    named = [page.partition("(") for page in pages]
    return [
        ".SH SEE ALSO",
        *(
            f".BR {escaped(name)} ({rest}{',' * (index < len(named) - 1)}"
            for index, (name, _, rest) in enumerate(named)
        ),
    ]


def p2pchat_page() -> list[str]:
    """p2pchat(1)."""
    parser = build_parser()
    settings = list({each.name: each for each in (*GLOBAL, *AGENT)}.values())
    known = {each.name.replace("-", "_") for each in settings}
    lines = [
        *head("p2pchat", 1, "a chat without a central server"),
        ".SH SYNOPSIS",
        f"{bold('p2pchat')} [{slanted('OPTIONS')}] [{slanted('COMMAND')}]",
        ".SH DESCRIPTION",
        "Talks to the agent of a home, which p2pchat\\-client(1) is, and starts one in the background if none runs."
        " Without a command it is the chat screen. The",
        f"{bold('ring')} commands look after nodes, {bold('config')} and {bold('doctor')} after a host.",
        ".PP",
        SOURCES,
        ".SH OPTIONS",
        "They may stand before or after the command.",
        *(line for each in GLOBAL for line in option(each)),
        *tagged(bold("--version"), "Print the version."),
        *tagged(f"{bold('--print-completion')} {slanted('bash|zsh')}", "Print a completion script for a shell."),
        ".SH OPTIONS FOR AN AGENT THAT IS STARTED",
        *(line for each in AGENT for line in option(each)),
        ".SH COMMANDS",
    ]
    for each in parsers(parser):
        programs = each.prog.startswith(("p2pchat config", "p2pchat doctor"))
        lines += command(each, known | {each.name.replace("-", "_") for each in SERVER} if programs else known)
        if programs:
            lines += [".PP", "It takes the options of all programs."]
    lines += statuses()
    lines += [
        ".SH FILES",
        *tagged("\\fI~/.local/share/p2pchat\\fR", "The home, unless \\fB\\-\\-home\\fR names another."),
    ]
    return lines + see_also("p2pchat-client(1)", "p2pchat.toml(5)", "p2pchat-server(8)")


def program_page(name: str, section: int, text: str, table: Sequence[Setting], rest: Iterable[str]) -> list[str]:
    """A program under twistd."""
    return [
        *head(name, section, text),
        ".SH SYNOPSIS",
        f"{bold('twistd')} [{bold('-n')}] {bold(name)} [{slanted('OPTIONS')}]",
        ".SH DESCRIPTION",
        *rest,
        ".PP",
        SOURCES,
        ".SH OPTIONS",
        *(line for each in table for line in option(each)),
        ".SH SIGNALS",
        *tagged("SIGTERM, SIGINT", "Finish what is under way, tell the others, and end."),
        *tagged("SIGHUP", "Open the log file anew, after it was moved away."),
        ".SH EXIT STATUS",
        *(line for status, means in STATUSES[:4] for line in tagged(bold(status), escaped(sentence(means)))),
    ]


def server_page() -> list[str]:
    """p2pchat-server(8)."""
    rest = [
        "A node of a ring: it keeps accounts, sessions and sealed mail together with other nodes, which it finds by"
        " multicast or by \\fB\\-\\-join\\fR. It prints one line when it is on the ring and listens; under systemd it"
        " says so to the service manager as well, and answers its watchdog.",
        ".PP",
        "Without a certificate and without an authority, a node that finds no ring creates one of its own; a node that"
        " finds a ring says how to be admitted and ends with status 3.",
    ]
    files = [
        ".SH FILES",
        *tagged("\\fIDATA/admission.pem\\fR", "The node's key and certificates. Who has it is this node."),
        *tagged(
            "\\fIDATA/node.sqlite3\\fR",
            "Accounts and mail. Never put a copy back; \\fBp2pchat ring restore\\fR takes one.",
        ),
        *tagged("\\fIDATA/admin.sock\\fR", "Where \\fBp2pchat ring\\fR asks this node."),
    ]
    page = program_page("p2pchat-server", 8, "a node of a p2pchat ring", SERVER, rest)
    return [*page, *files, *see_also("p2pchat(1)", "p2pchat-client(1)", "p2pchat.toml(5)", "twistd(1)")]


def client_page() -> list[str]:
    """p2pchat-client(1)."""
    rest = [
        "One person's agent: it keeps keys and history in its home, talks to the ring and to other agents, and goes on"
        " while no screen is open. Each person needs a home of their own."
    ]
    files = [
        ".SH FILES",
        *tagged(
            "\\fIHOME/agent.sock\\fR", "Where \\fBp2pchat\\fR asks this agent; or the path in \\fIHOME/agent.path\\fR."
        ),
    ]
    page = program_page("p2pchat-client", 1, "one person's p2pchat agent", CLIENT, rest)
    return [*page, *files, *see_also("p2pchat(1)", "p2pchat.toml(5)", "p2pchat-server(8)", "twistd(1)")]


def toml_page() -> list[str]:
    """p2pchat.toml(5)."""
    of = {"p2pchat-server(8)": SERVER, "p2pchat-client(1)": CLIENT, "p2pchat(1)": COMMAND_LINE}
    every = {each.name: each for table in of.values() for each in table if each.name != "config"}
    lines = [
        *head("p2pchat.toml", 5, "options of the p2pchat programs"),
        ".SH DESCRIPTION",
        "A TOML file without tables: one key for each option, named like it. \\fB\\-\\-config\\fR or"
        " \\fBP2PCHAT_CONFIG\\fR names the file; none is read otherwise. One file may serve all programs: each takes"
        " the keys that are its own, and a key that no program knows is a mistake.",
        ".PP",
        "Flags win over the environment, that over the file. A switch is true or false here and 1 or 0 in the"
        " environment; what is repeatable is a list here and separated by commas there.",
        ".PP",
        "\\fBp2pchat config check\\fR says what is wrong with a file, each mistake with its line;"
        " \\fBp2pchat config show \\-\\-origin\\fR says what holds, and why.",
        ".PP",
        "No key holds a secret. Where one is needed, an option names a file (\\fBpassword\\-file\\fR and the like),"
        " whose first line it is.",
        ".SH KEYS",
    ]
    for name in sorted(every):
        setting = every[name]
        programs = ", ".join(page for page, table in of.items() if name in [each.name for each in table])
        kind = {Shape.SWITCH: "true or false", Shape.MANY: f"list of {setting.metavar}"}.get(
            setting.shape, setting.metavar
        )
        default = "none" if setting.default in (None, (), "") else str(setting.default).lower()
        means = f"{sentence(setting.meaning)} Default: {default}."
        text = escaped(f"{means} {setting.variable}; {programs}.")
        lines += tagged(f"{bold(name)} = {slanted(kind)}", text)
    return lines + EXAMPLE + see_also("p2pchat(1)", "p2pchat-client(1)", "p2pchat-server(8)")


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    made = {
        "p2pchat.1": p2pchat_page(),
        "p2pchat-client.1": client_page(),
        "p2pchat.toml.5": toml_page(),
        "p2pchat-server.8": server_page(),
    }
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    stale = [
        name
        for name, text in pages().items()
        if not (PAGES / name).exists() or (PAGES / name).read_text("utf-8") != text
    ]
    if "--check" in arguments:
        if stale:
            print(f"stale: {', '.join(stale)}; run python docs/manuals.py", file=sys.stderr)
        return 1 if stale else 0
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (PAGES / name).write_text(pages()[name], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
