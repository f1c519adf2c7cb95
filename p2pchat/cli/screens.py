"""Commands that fill the terminal: the chat screen and the ring screen."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.protocols import amp

from p2pchat.cli import running
from p2pchat.cli.control import agent_options, connect
from p2pchat.cli.places import home_of
from p2pchat.cli.ring_watch import Ask, Asked, every_node, every_node_and_lookup, every_user, traced, with_node
from p2pchat.cli.show import Row, UsageError, json_line
from p2pchat.errors import NoNodeReachable, UserError
from p2pchat.tui import preferences, run
from p2pchat.tui.chat.watching import Watch
from p2pchat.tui.palette import theme_of
from p2pchat.tui.ring.controller import Source
from p2pchat.wire.connection import Link

USERS_SECONDS = 10.0
"""Between two questions for all users: they are many, and change seldom."""

LOOK_SECONDS = 1.0


def chat(options: argparse.Namespace) -> int:
    """The chat screen, until the person leaves it; the agent goes on.  A terminal without cells has it by lines."""
    plain = getattr(options, "plain", False)  # `p2pchat` alone has no such option
    if not plain:
        need_terminal()
        plain = os.environ.get("TERM") == "dumb"
    home = home_of(options)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    wishes = preferences.load(home)

    async def act(reactor: Any) -> None:
        def open_link(locator: amp.CommandLocator) -> Awaitable[Link]:
            return connect(reactor, home, agent_options(options), locator, announce=lambda _: None)

        if plain:
            await run.plain(reactor, open_link, home)
        else:
            theme = theme_of(os.environ, wishes.theme)
            await run.chat(reactor, open_link, home, wishes, theme, watch=watching(reactor))

    running.run(act)
    return 0


def view(options: argparse.Namespace) -> int:
    """The ring screen, until the person leaves it; once as text; or what happens as JSON lines."""
    if options.once:
        return view_once(options)
    if options.json:
        return view_events(options)
    need_terminal()
    home = home_of(options)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    wishes = preferences.load(home)

    async def act(reactor: Any) -> None:
        source = await opened(reactor, options)
        try:
            await run.ring(reactor, source, home, wishes, theme_of(os.environ, wishes.theme))
        finally:
            source.close()

    running.run(act)
    return 0


async def opened(reactor: Any, options: argparse.Namespace) -> Source:
    """What the ring screen shows, after a first answer of the node."""
    node = Asked(reactor, options)
    users: list[Row] = []
    asked_at = -USERS_SECONDS

    async def look() -> Any:
        nonlocal users, asked_at
        if reactor.seconds() >= asked_at + USERS_SECONDS:
            users, asked_at = await every_user(node), reactor.seconds()
        return await every_node_and_lookup(node), users

    try:
        await look()
    except BaseException:
        node.close()
        raise
    return Source(look, lambda target: traced(node, target), node.close)


def watching(reactor: Any, usual: Path | None = None) -> Watch:
    """For /ring: a node by its data folder; without one $P2PCHAT_DATA, then `usual`, then the platform's."""

    async def watch(folder: str) -> Source:
        named = folder or os.environ.get("P2PCHAT_DATA") or usual
        data = Path(named).expanduser() if named else None
        try:
            return await opened(reactor, argparse.Namespace(data=data, node=None, operator=None, timeout=None))
        except NoNodeReachable:
            place = data or "the usual folder"
            raise UserError(f"No node runs in {place}. /ring FOLDER asks the node whose data folder that is.") from None

    return watch


def view_once(options: argparse.Namespace) -> int:
    """The ring screen as text, as large as the terminal; with --json the rows of all nodes."""

    async def act(ask: Ask) -> int:
        rows = await every_node(ask)
        if options.json:
            for row in rows:
                json_line(row)
            return 0
        columns, lines = shutil.get_terminal_size((80, 24))
        at = time.strftime("%H:%M:%S")
        for line in run.ring_once(rows, await every_user(ask), at, max(columns, 20), max(lines - 1, 12)):
            print(line)
        return 0

    return with_node(options, act)


def view_events(options: argparse.Namespace) -> int:
    """One JSON object for each change that a node sees, until it is interrupted."""

    async def act(reactor: Any) -> None:
        node = Asked(reactor, options)
        try:
            before = await every_node(node)
            for row in before:
                json_line({"event": "node", **row})
            while True:
                await deferLater(reactor, LOOK_SECONDS)
                after = await every_node(node)
                for change in run.ring_changes(before, after):
                    json_line({**change, "at": datetime.now(UTC).isoformat(timespec="milliseconds")})
                before = after
        finally:
            node.close()

    running.run(act)
    return 0


def need_terminal() -> None:
    """A screen on a pipe is a mistake."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("This is a screen and needs a terminal. In scripts use send, history, follow or ring status.")
