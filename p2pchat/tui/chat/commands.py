"""What can be typed after a slash: a table, and how a line is taken apart."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slash:
    """A command of the chat screen: its names, what it takes, what it does."""

    names: tuple[str, ...]
    takes: str
    meaning: str


COMMANDS = (
    Slash(("help",), "", "this list"),
    Slash(("msg", "query"), "USER [TEXT]", "open a chat, and send TEXT if given"),
    Slash(("add", "accept"), "[USER]", "make a contact, or accept a request"),
    Slash(("block",), "[USER]", "take no more messages from somebody"),
    Slash(("unblock",), "[USER]", "take messages again"),
    Slash(("verify",), "[USER] [yes]", "show the digits to compare; yes: they match"),
    Slash(("status", "whois"), "[USER]", "presence and fingerprint"),
    Slash(("why",), "[ID]", "what was done for a message, or your last"),
    Slash(("search",), "TEXT", "find TEXT in this chat"),
    Slash(("session",), "", "the state of this session"),
    Slash(("invisible",), "", "show nobody that you are online"),
    Slash(("visible",), "", "show everyone that you are online"),
    Slash(("login",), "", "log in again here"),
    Slash(("logout",), "", "end the session, delete its keys here"),
    Slash(("clear",), "", "empty the screen; nothing is deleted"),
    Slash(("quit", "exit"), "", "leave; the agent goes on in the background"),
)


def parse(typed: str) -> tuple[Slash | None, str] | None:
    """The command and the rest of a typed line; None for a text to send, (None, word) for an unknown command.

    Blanks before the slash do not make it a text: ` /quit` is meant as a command.  `//` begins a text with one slash.
    """
    line = typed.strip()
    if not line.startswith("/") or line.startswith("//"):
        return None
    word, _, rest = line[1:].partition(" ")
    found = next((each for each in COMMANDS if word.lower() in each.names), None)
    return found, rest.strip() if found else word


def text_of(typed: str) -> str:
    """The text to send for a typed line that is no command."""
    return typed.lstrip()[1:] if typed.lstrip().startswith("//") else typed


def help_lines() -> list[str]:
    """One line for each command."""
    rows = [(f"/{each.names[0]} {each.takes}".strip(), each.meaning) for each in COMMANDS]
    width = max(len(left) for left, _ in rows)
    return [f"{left:<{width}}  {meaning}" for left, meaning in rows]


def completions(typed: str, users: list[str]) -> list[str]:
    """What Tab may make of the line typed so far: commands, or names as the last word."""
    if typed.startswith("/") and " " not in typed:
        return [f"/{name} " for each in COMMANDS for name in each.names if name.startswith(typed[1:])]
    left, blank, last = typed.rpartition(" ")
    return [f"{left}{blank}{user} " for user in users if last and user.startswith(last)]
