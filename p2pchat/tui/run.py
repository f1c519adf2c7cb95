"""Entries of the screens: put one on the terminal, and return when the person leaves."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import urwid
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from p2pchat.client.home import INPUTS, encrypted_history
from p2pchat.errors import P2PChatError, UserError
from p2pchat.tui.agent import Connect
from p2pchat.tui.chat.controller import Controller
from p2pchat.tui.chat.inputs import Inputs
from p2pchat.tui.chat.watching import Watch
from p2pchat.tui.notices import way_of
from p2pchat.tui.plain import Plain, Typed
from p2pchat.tui.preferences import Preferences
from p2pchat.tui.programs import Programs
from p2pchat.tui.ring.controller import Controller as RingController
from p2pchat.tui.ring.controller import Source
from p2pchat.tui.ring.model import Model as RingModel
from p2pchat.tui.ring.model import Row, Snapshot, changes
from p2pchat.tui.ring.widgets import still
from p2pchat.tui.screen import WITHOUT_COMMANDS, Screen

LOG_NAME = "screen.log"

Left = Callable[[P2PChatError | None], None]


async def chat(
    reactor: Any,
    connect: Connect,
    log_folder: Path,
    preferences: Preferences,
    theme: str,
    user: str = "",
    watch: Watch | None = None,
) -> None:
    """The chat screen; the agent goes on when it is left.

    Args:
        connect: opens a link to the agent, starting one if need be.
        user: whose chat is open at first.
        watch: opens what the ring screen over the chat shows.
        log_folder: `screen.log` there takes what must not be printed over the screen.
    """
    await _on_terminal(
        reactor,
        log_folder,
        theme,
        lambda screen, left: Controller(
            screen,
            connect,
            reactor,
            left,
            user,
            preferences,
            _programs(reactor, log_folder, preferences),
            _inputs(log_folder) if preferences.keep_inputs else None,
            watch,
        ),
        preferences,
    )


def _inputs(home: Path) -> Inputs:
    return Inputs(home / INPUTS, lambda: not encrypted_history(home))


def _programs(reactor: Any, folder: Path, wishes: Preferences) -> Programs:
    return Programs(reactor.spawnProcess, reactor, folder, os.environ, wishes.hook, _opener(wishes), wishes.editor)


def _opener(wishes: Preferences) -> Sequence[str]:
    """What opens links: as somebody wishes, else the desktop's own program where there is a desktop."""
    desktop = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if wishes.opener or not (desktop and shutil.which("xdg-open")):
        return wishes.opener
    return ("xdg-open",)


async def plain(reactor: Any, connect: Connect, log_folder: Path) -> None:
    """The chat by lines, over standard input and output, until /quit or the end of the input."""
    with open(log_folder / LOG_NAME, "a", encoding="utf-8") as log:
        _log_to(log)
        done, left = _leaving()

        def say(line: str) -> None:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

        lines = Plain(connect, reactor, say, left)
        StandardIO(Typed(lines.typed, lines.ended), reactor=reactor)
        lines.start()
        try:
            await done
        finally:
            lines.stop()


async def ring(reactor: Any, source: Source, log_folder: Path, preferences: Preferences, theme: str) -> None:
    """The ring screen."""
    await _on_terminal(
        reactor,
        log_folder,
        theme,
        lambda screen, left: RingController(
            screen, source.look, source.find, reactor, lambda: left(None), preferences.ring_keys
        ),
        preferences,
    )


def ring_once(rows: Sequence[Row], users: Sequence[Row], at: str, columns: int, lines: int) -> list[str]:
    """The ring screen as text."""
    urwid.set_encoding("utf8")
    return still(RingModel().seen(Snapshot.of(rows, users, at)), columns, lines)


def ring_changes(before: Sequence[Row], after: Sequence[Row]) -> list[dict[str, str]]:
    """What happened between two answers of a node, as rows."""
    found = changes(Snapshot.of(before, (), ""), Snapshot.of(after, (), ""))
    return [{"event": each.kind, "node": each.node, "text": each.text} for each in found]


async def _on_terminal(
    reactor: Any, log_folder: Path, theme: str, make: Callable[[Screen, Left], Any], preferences: Preferences
) -> None:
    urwid.set_encoding("utf8")
    with open(log_folder / LOG_NAME, "a", encoding="utf-8") as log:
        _log_to(log)
        done, left = _leaving()
        display = urwid.display.raw.Screen(bracketed_paste_mode=True, focus_reporting=True)
        display.set_terminal_properties(hyperlinks=display.term not in WITHOUT_COMMANDS)
        screen = Screen(reactor, display, theme)
        screen.notices = way_of(os.environ, preferences.notify_by)
        screen.in_tmux = bool(os.environ.get("TMUX"))
        controller = make(screen, left)
        try:
            screen.start()
        except OSError as error:
            raise UserError(f"The screen needs a terminal: {error}") from error
        try:
            controller.start()
            await done
        finally:
            controller.stop()
            screen.stop()


def _leaving() -> tuple[Deferred[None], Left]:
    """What to wait for, and what ends it: without a reason, or as a failure."""
    done: Deferred[None] = Deferred()

    def left(reason: P2PChatError | None) -> None:
        if done.called:
            return
        if reason is None:
            done.callback(None)
        else:
            done.errback(reason)

    return done, left


def _log_to(file: TextIO) -> None:
    """What a person must mend or heals by itself; a screen has nothing else to tell that its agent has not."""
    serious = LogLevelFilterPredicate(LogLevel.warn)
    observer = FilteringLogObserver(textFileLogObserver(file), [serious])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
