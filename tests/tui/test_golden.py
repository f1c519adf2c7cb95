"""Whole screens at 80x24 and 160x50, on virtual time, as text."""

import os
import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import ScriptedScreen

from p2pchat.tui.ring.controller import Controller
from p2pchat.tui.ring.model import Row
from p2pchat.tui.screen import Screen
from tests.tui.chat.stage import ChatCase, message
from tests.tui.golden import difference
from tests.tui.ring.test_model import row

SMALL, LARGE = (80, 24), (160, 50)


def in_utc(case: SynchronousTestCase) -> None:
    """Times are shown in the terminal's time zone: have one that is the same everywhere."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()

    def restore() -> None:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()

    case.addCleanup(restore)


def talk() -> list[dict[str, Any]]:
    """Messages of two days, in each state."""
    said: list[tuple[str, str, str, str, int]] = [
        ("bob", "Are you coming on Saturday?", "2026-11-27T21:04:00Z", "read", 0),
        ("me", "Yes, by the train at ten.", "2026-11-27T21:05:00Z", "read", 5),
        ("me", "I bring what is left of the cake.", "2026-11-27T21:06:00Z", "delivered", 5),
        (
            "bob",
            "名前 and 👋 and a line that is so long that it goes on below itself.",
            "2026-11-28T08:00:00Z",
            "read",
            0,
        ),
        ("me", "Two lines,\nthis is the second.", "2026-11-28T08:10:00Z", "stored", 4),
        ("me", "This one waits for a node.", "2026-11-28T08:11:00Z", "queued", 0),
        ("me", "This one was taken back.", "2026-11-28T08:12:00Z", "failed", 0),
        ("bob", "Bring \x1b[31mnothing\x1b[0m else\u202e!", "2026-11-28T08:20:00Z", "received", 0),
    ]
    return [
        {**message(str(number), text, author, state), "sent_at": at, "copies": copies}
        for number, (author, text, at, state, copies) in enumerate(said)
    ]


class ChatTests(ChatCase):
    """The chat screen with an agent that knows four people."""

    def at(self, size: tuple[int, int], *keys: str) -> None:
        """Set up anew with a size, open bob's chat and press keys."""
        self.size = size
        self.setUp()
        in_utc(self)
        self.agent.messages = talk()
        self.agent.chats = [
            {"user": "bob", "unread": 1},
            {"user": "carol", "unread": 0, "draft": "dear carol"},
            {"user": "dave", "unread": 12},
            {"user": "stranger", "unread": 1, "request": True},
        ]
        self.agent.people = [
            {"user": "bob", "presence": "online", "verified": True},
            {"user": "carol", "presence": "offline", "last_seen": "2026-11-27T10:00:00Z"},
            {"user": "dave", "presence": "online", "key_changed": True},
        ]
        self.start()
        self.press("meta 1", *keys)

    def check(self, name: str) -> None:
        self.assertEqual(difference(name, self.text()), "")

    def test_a_chat(self) -> None:
        self.at(SMALL, *"half typed")
        self.check("chat-80x24")

    def test_a_chat_on_a_large_terminal(self) -> None:
        self.at(LARGE, *"half typed")
        self.check("chat-160x50")

    def test_help(self) -> None:
        self.at(SMALL, "f1")
        self.check("help-80x24")

    def test_help_on_a_large_terminal(self) -> None:
        self.at(LARGE, "f1")
        self.check("help-160x50")

    def test_an_answer(self) -> None:
        self.at(SMALL, "meta r", *"yes")
        quoted = {"from": "bob", "text": "Bring nothing else, and come before it is dark, if you can."}
        row = {**message("9", "I bring myself, and https://example.org/cake.", "me", "stored"), "copies": 5}
        row |= {"sent_at": "2026-11-28T08:21:00Z", "reply_to": "7", "quoted": quoted}
        self.agent.push(event="sent", chat="bob", **row)
        self.clock.advance(0.1)
        self.check("answer-80x24")

    def test_a_paste(self) -> None:
        self.at(SMALL, "begin paste", *"1", "enter", *"2", "enter", *"3", "enter", *"4", "end paste")
        self.check("paste-80x24")

    def test_a_replaced_session(self) -> None:
        self.at(SMALL)
        self.agent.state = "replaced"
        self.agent.session = {
            "replaced": {"at": "2026-11-28T09:00:00Z"},
            "handover": {"state": "running", "messages": 120, "total": 500},
        }
        self.agent.push(event="session", user="me", state="replaced", **self.agent.session)
        self.clock.advance(0.1)
        self.check("replaced-80x24")

    def test_the_first_start(self) -> None:
        self.agent.state = "none"
        self.start()
        self.check("login-80x24")


class RingTests(SynchronousTestCase):
    """The ring screen, with a ring of seven of which one dies."""

    def ring(self, size: tuple[int, int]) -> None:
        """A ring screen of this size after ten seconds, in the middle of which a node died."""
        in_utc(self)
        names = ["0c65d416", "2b7810f2", "4c4d9463", "8c74b30a", "9d00aa01", "caedc9fa", "e93b3745"]
        self.rows: list[Row] = [
            row(
                name,
                address=f"192.0.2.{place + 1}:7401",
                predecessor=names[place - 1],
                successors=[names[(place + step) % 7] for step in range(1, 7)],
                fingers=[names[(place + step) % 7] for step in (1, 2, 4)],
                slots=730 + place,
            )
            for place, name in enumerate(names)
        ]
        self.clock = MemoryReactorClock()
        self.screen = Screen(self.clock, ScriptedScreen(size=size), "none")
        self.size = size
        controller = Controller(self.screen, self.look, self.find, self.clock, lambda: None)
        controller.start()
        self.addCleanup(controller.stop)
        for second in range(10):
            if second == 5:
                self.rows[3] = {**self.rows[3], "state": "dead"}
                self.rows[2] = {**self.rows[2], "deficit": 2190}
            self.clock.advance(1.0)

    async def look(self) -> tuple[Sequence[Row], Sequence[Row]]:
        return list(self.rows), [{"user": "alice", "owner": "2b7810f2"}, {"user": "bob", "owner": "8c74b30a"}]

    async def find(self, target: str) -> Row:
        return {
            "target": target, "identifier": "5e630ab9" * 8, "hops": [{"node": "caedc9fa"}, {"node": "4c4d9463"}],
            "slot": 377, "epoch": "3", "owner": "8c74b30a", "copies": 4,
            "members": ["8c74b30a", "9d00aa01", "caedc9fa", "e93b3745", "0c65d416"],
        }  # fmt: skip

    def check(self, name: str, *keys: str) -> None:
        for key in keys:
            self.screen.loop.widget.keypress(self.size, key)
            self.clock.advance(0.1)
        text = "\n".join(self.screen.loop.widget.render(self.size, focus=True).decoded_text)
        self.assertEqual(difference(name, text), "")

    def test_a_node_with_its_arc_and_fingers(self) -> None:
        self.ring(SMALL)
        self.check("ring-80x24", "down", "f")

    def test_a_node_on_a_large_terminal(self) -> None:
        self.ring(LARGE)
        self.check("ring-160x50", "down", "f")

    def test_a_user_s_slot(self) -> None:
        self.ring(SMALL)
        self.check("ring-find-80x24", "/", *"bob", "enter")

    def test_a_user_s_slot_on_a_large_terminal(self) -> None:
        self.ring(LARGE)
        self.check("ring-find-160x50", "/", *"bob", "enter")

    def test_before_the_death(self) -> None:
        self.ring(SMALL)
        self.check("ring-history-80x24", *"[[[[[[[")
