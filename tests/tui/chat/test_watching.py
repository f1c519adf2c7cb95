"""The ring screen over the chat."""

from typing import Any

from p2pchat.errors import NoNodeReachable
from p2pchat.tui.ring.controller import Source
from tests.tui.chat.stage import ChatCase, message
from tests.tui.ring.test_model import row


class WatchingTests(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked_for: list[str] = []
        self.closed = 0
        self.make(watch=self.watch)
        self.start()
        self.press("meta 1")

    async def watch(self, folder: str) -> Source:
        self.asked_for.append(folder)
        if folder == "nowhere":
            raise NoNodeReachable("No node runs in nowhere.")
        return Source(self.look, self.find, self.close)

    async def look(self) -> Any:
        return [row("10000000"), row("90000000")], []

    async def find(self, target: str) -> Any:
        raise AssertionError(target)

    def close(self) -> None:
        self.closed += 1

    def test_the_ring_covers_the_chat_until_it_is_left(self) -> None:
        self.press(*"/ring node1", "enter")
        self.assertEqual(self.asked_for, ["node1"])
        self.assertIn("2 of 2 nodes", self.text())
        self.agent.push(event="message", chat="bob", **message("1", "meanwhile"))
        self.agent.push(event="session", user="me", state="active")
        self.clock.advance(1)
        self.assertIn("2 of 2 nodes", self.text())
        self.press("q")
        self.assertIn("meanwhile", self.text())
        self.assertEqual((self.closed, self.left), (1, []))
        self.press(*"x", "ctrl q")
        self.assertEqual(self.left, [None])

    def test_why_there_is_none_is_said(self) -> None:
        self.press(*"/ring nowhere", "enter")
        self.assertIn("No node runs in nowhere.", self.text())

    def test_the_end_of_the_screen_is_the_end_of_the_ring(self) -> None:
        self.press(*"/ring", "enter")
        self.controller.stop()
        self.assertEqual(self.closed, 1)
