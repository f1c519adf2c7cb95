"""What a terminal is told so that the desktop shows a notice: OSC 9 or OSC 777, through tmux as well."""

from collections.abc import Mapping

from p2pchat.tui.text import one_line

WAYS = ("auto", "9", "777")
"""Of both a terminal would show the notice twice: one is chosen."""

MAX_NOTICE_CHARACTERS = 120
TITLE = "p2pchat"

_OSC_777 = ("rxvt", "foot")
"""Terminals (as in TERM) that know this one alone."""


def way_of(environment: Mapping[str, str], wish: str = "auto") -> str:
    """`9` or `777`: as somebody wishes, else what the terminal is known to take; those built on VTE know 777 alone."""
    if wish != "auto":
        return wish
    return "777" if environment.get("VTE_VERSION") or environment.get("TERM", "").startswith(_OSC_777) else "9"


def notice(text: str, way: str, in_tmux: bool = False) -> str:
    """The command for a line of text, whatever stands in it; tmux hands it on where `allow-passthrough` is on."""
    line = one_line(text, MAX_NOTICE_CHARACTERS)
    command = f"\x1b]777;notify;{TITLE};{line}\a" if way == "777" else f"\x1b]9;{line}\a"
    return "\x1bPtmux;" + command.replace("\x1b", "\x1b\x1b") + "\x1b\\" if in_tmux else command
