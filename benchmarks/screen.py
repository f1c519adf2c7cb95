"""The chat screen with 50,000 messages in the open chat: milliseconds from an event to the drawn terminal.

python -m benchmarks.screen [--messages N] [--json]

History lies in SQLite as the agent keeps it and is paged as the agent pages it; the screen, its widgets and urwid's raw
display are the real ones, drawing into a file.  Between screen and agent there is no socket, whose round trip
(`benchmarks.spine` measures such) comes on top.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urwid
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols import amp

from benchmarks.history import fill
from p2pchat.chat.stores import Stores
from p2pchat.client import commands, rows
from p2pchat.tui.chat.controller import Controller
from p2pchat.tui.screen import Screen

SIZE = (160, 50)
TURNS = 50


class Agent:
    """Answers the screen out of a history on disk."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self.locator: Any = None

    async def connect(self, locator: amp.CommandLocator) -> Any:
        """The link is this object."""
        self.locator = locator
        return self

    def callRemote(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """One answer, at once."""
        answer: Deferred[dict[str, Any]] = Deferred()
        answer.callback(self._answer(command, arguments))
        return answer

    def when_lost(self, tell: Callable[[Any], None]) -> None:
        """It is not lost."""

    def close(self) -> None:
        """There is nothing to close."""

    def _answer(self, command: type[amp.Command], arguments: dict[str, Any]) -> dict[str, Any]:
        if command is commands.History:
            return self._history(**arguments)
        answers: dict[type[amp.Command], dict[str, Any]] = {
            commands.Connection: {"connection": {"user": "me", "state": "active", "node": "1", "connected": True}},
            commands.Session: {"session": {}},
            commands.Chats: {"chats": [{"user": "bob", "unread": 0}], "more": False},
            commands.Contacts: {"people": [{"user": "bob", "presence": "online"}], "more": False},
            commands.Why: {"message": {}, "steps": []},
        }
        return answers.get(command, {})

    def _history(
        self, user: str, limit: int = 50, before: str = "", after: str = "", search: str = ""
    ) -> dict[str, Any]:
        archive = self._stores.archive
        start, end = (archive.find(bytes.fromhex(each)) if each else None for each in (before, after))
        page = archive.lines(user, limit, start, search, end)
        return {"messages": [rows.message_row(each, "me") for each in page], "more": False}


class Display:
    """A chat screen that draws into a file."""

    def __init__(self, stores: Stores) -> None:
        self.clock = MemoryReactorClock()
        self.agent = Agent(stores)
        self._nowhere = open(os.devnull, "w")  # noqa: SIM115
        raw: Any = urwid.display.raw.Screen(output=self._nowhere)
        raw.get_cols_rows = lambda: SIZE
        raw._started = True  # drawn as on a terminal, whose modes there are none of here
        self.screen = Screen(self.clock, raw, "dark")
        self.controller = Controller(self.screen, self.agent.connect, self.clock, lambda reason: None, "bob")
        self.controller.start()
        self.draw()

    def draw(self) -> None:
        """What the screen does REDRAW_SECONDS after a change."""
        self.screen.before_drawing()
        self.screen.loop.draw_screen()

    def press(self, key: str) -> None:
        """A key, until it is drawn."""
        self.screen.loop.process_input(self.screen.loop.input_filter([key], []))
        self.draw()

    def push(self, number: int) -> None:
        """A new message of the open chat, until it is drawn."""
        row = {"id": f"new{number}", "from": "bob", "to": "me", "text": f"new {number}", "state": "received"}
        self.agent.locator.happened({"event": "message", "chat": "bob", "sent_at": "2026-11-29T12:00:00Z", **row})
        self.draw()


def milliseconds(turn: Callable[[], object], turns: int = TURNS) -> dict[str, float]:
    """Of several turns: the middle one, the one that 95 of 100 do not pass, and the processor's time in the middle one.

    The last is what an idle machine would take; on a busy one the others are longer.
    """
    taken, worked = [], []
    for _ in range(turns):
        began, busy = time.perf_counter(), time.process_time()
        turn()
        taken.append(1000 * (time.perf_counter() - began))
        worked.append(1000 * (time.process_time() - busy))
    return {
        "median": statistics.median(taken),
        "p95": sorted(taken)[int(0.95 * (turns - 1))],
        "cpu": statistics.median(worked),
    }


def measure(messages: int) -> dict[str, dict[str, float]]:
    """All figures."""
    figures = {}
    with tempfile.TemporaryDirectory(prefix="p2pchat-screen-") as folder:
        stores = Stores.open(Path(folder) / "history")
        fill(stores, messages)
        figures["start and first page"] = milliseconds(lambda: Display(stores), 5)
        display = Display(stores)
        figures["a letter"] = milliseconds(lambda: display.press("x"))
        counted = iter(range(TURNS))
        figures["a message comes"] = milliseconds(lambda: display.push(next(counted)))
        figures["page up, older ones loaded"] = milliseconds(lambda: display.press("page up"), 20 * TURNS)
        figures["a letter, far up"] = milliseconds(lambda: display.press("x"))
        figures["page down"] = milliseconds(lambda: display.press("page down"), 4 * TURNS)
        figures["to the newest"] = milliseconds(lambda: display.press("meta end"), 5)
        stores.database.close()
    return figures


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=50_000, help="messages in the open chat (50000)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    urwid.set_encoding("utf8")
    figures = measure(options.messages)
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{'ms':<32} {'median':>8} {'p95':>8} {'cpu':>8}")
    for name, value in figures.items():
        print(f"{name:<32} {value['median']:8.1f} {value['p95']:8.1f} {value['cpu']:8.1f}")


if __name__ == "__main__":
    main()
