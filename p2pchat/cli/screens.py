"""Commands that fill the terminal: the chat screen and the ring screen."""

import argparse
import os
import sys
from collections.abc import Awaitable
from typing import Any

from twisted.protocols import amp

from p2pchat.cli import running
from p2pchat.cli.control import agent_options, connect
from p2pchat.cli.places import home_of
from p2pchat.cli.ring_watch import Asked, every_node, every_user
from p2pchat.cli.show import UsageError
from p2pchat.tui import preferences, run
from p2pchat.tui.palette import theme_of
from p2pchat.wire.connection import Link


def chat(options: argparse.Namespace) -> int:
    """The chat screen, until the person leaves it; the agent goes on."""
    plain = getattr(options, "plain", False)  # `p2pchat` alone has no such option
    if not plain:
        need_terminal()
    home = home_of(options)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    wishes = preferences.load(home)

    async def act(reactor: Any) -> None:
        def open_link(locator: amp.CommandLocator) -> Awaitable[Link]:
            return connect(reactor, home, agent_options(options), locator, announce=lambda _: None)

        if plain:
            await run.plain(reactor, open_link, home)
        else:
            await run.chat(reactor, open_link, home, wishes, theme_of(os.environ, wishes.theme))

    running.run(act)
    return 0


def view(options: argparse.Namespace) -> int:
    """The ring screen, until the person leaves it."""
    need_terminal()
    home = home_of(options)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def act(reactor: Any) -> None:
        node = Asked(reactor, options)

        async def look() -> Any:
            return await every_node(node), await every_user(node)

        try:
            await look()
            await run.ring(reactor, look, home, theme_of(os.environ))
        finally:
            node.close()

    running.run(act)
    return 0


def need_terminal() -> None:
    """A screen on a pipe is a mistake."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("This is a screen and needs a terminal. In scripts use send, history, follow or ring status.")
