"""What can be typed after a slash: a table, and how a line is taken apart."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slash:
    """A command of the chat screen: its names, what it takes, what it does."""

    names: tuple[str, ...]
    takes: str
    meaning: str


COMMANDS = (
    Slash(("help",), "[COMMAND]", "this list"),
    Slash(("msg", "query"), "USER [TEXT]", "open a chat, and send TEXT if given"),
    Slash(("reply",), "[TEXT]", "answer the message in view, with TEXT at once"),
    Slash(("unread",), "", "count the message in view and all below as unread"),
    Slash(("add", "accept"), "[USER]", "make a contact, or accept a request"),
    Slash(("block", "ignore"), "[USER]", "take no more messages from somebody"),
    Slash(("unblock",), "[USER]", "take messages again"),
    Slash(("verify",), "[USER] [yes]", "show the digits to compare; yes: they match"),
    Slash(("status", "whois"), "[USER]", "presence and fingerprint"),
    Slash(("why",), "[ID]", "what was done for a message, or your last"),
    Slash(("retry",), "[ID|all]", "send a failed or queued message now"),
    Slash(("cancel",), "[ID]", "do not send a queued message"),
    Slash(("search",), "[TEXT]", "find TEXT in this chat"),
    Slash(("find", "searchall"), "[TEXT]", "find TEXT in all chats"),
    Slash(("goto",), "[unread|end]", "to the first unread or the newest message"),
    Slash(("session",), "", "the state of this session"),
    Slash(("handover",), "[always|ask|never]", "what a login elsewhere gets from here"),
    Slash(("receipts",), "[on|off]", "whether others hear that you have read"),
    Slash(("theme",), "NAME", "colours: dark, light, 16 or none"),
    Slash(("notify",), "none|bell|name|text", "what messages do while you look elsewhere"),
    Slash(("hook",), "[on|off]", "whether your command runs for messages you do not see"),
    Slash(("bind",), "[ACTION KEY ...]", "all keys by action, or other keys for one"),
    Slash(("links",), "", "the links of this chat: open or copy one"),
    Slash(("editor",), "", "edit the line in $VISUAL or $EDITOR"),
    Slash(("mouse",), "[on|off]", "whether the wheel scrolls and a click opens a chat"),
    Slash(("ring",), "[FOLDER]", "the ring as a node's data folder here knows it"),
    Slash(("invisible",), "", "show nobody that you are online"),
    Slash(("visible",), "[contacts]", "show everyone, or only contacts, that you are online"),
    Slash(("login",), "", "log in again here"),
    Slash(("logout",), "", "end the session, delete its keys here"),
    Slash(("clear",), "", "empty the screen; nothing is deleted"),
    Slash(("close", "part"), "", "leave this chat; nothing is deleted"),
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


def help_lines(beginning: str = "") -> list[str]:
    """One line for each command, or for those whose name begins so."""
    chosen = [each for each in COMMANDS if any(name.startswith(beginning) for name in each.names)]
    rows = [(f"/{each.names[0]} {each.takes}".strip(), _meaning(each)) for each in chosen]
    width = max((len(left) for left, _ in rows), default=0)
    return [f"{left:<{width}}  {meaning}" for left, meaning in rows]


def _meaning(command: Slash) -> str:
    others = ", ".join(f"/{name}" for name in command.names[1:])
    return f"{command.meaning} (also {others})" if others else command.meaning


def completions(typed: str, users: list[str], emoji: Callable[[str], list[str]]) -> list[str]:
    """What Tab may make of the line typed so far: commands, names as the last word, emoji by :name."""
    if typed.startswith("/") and " " not in typed:
        return [f"/{name} " for each in COMMANDS for name in each.names if name.startswith(typed[1:])]
    start = max(typed.rfind(" "), typed.rfind("\n")) + 1
    left, last = typed[:start], typed[start:]
    if len(last) > 1 and last.startswith(":"):
        return [f"{left}{sign} " for sign in emoji(last[1:].rstrip(":"))]
    return [f"{left}{user} " for user in users if last and user.startswith(last)]
