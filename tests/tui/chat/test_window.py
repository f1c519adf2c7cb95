"""However long a chat is, only a window of it is loaded, and one goes through it in both directions."""

from typing import Any

from p2pchat.client import commands
from p2pchat.tui.chat.model import MAX_LINES
from tests.tui.chat.stage import ChatCase, message

COUNT = 3 * MAX_LINES


class WindowTests(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.everything = [message(f"{number:04}", f"number {number:04}") for number in range(COUNT)]
        usual = self.agent._answer
        self.patch(
            self.agent,
            "_answer",
            lambda command, given: self.page(**given) if command is commands.History else usual(command, given),
        )
        self.start()
        self.press("meta a")

    def page(self, user: str, limit: int, before: str = "", after: str = "") -> dict[str, Any]:
        start, end = int(after) + 1 if after else 0, int(before) if before else COUNT
        found = self.everything[start:end]
        return {"messages": found[:limit] if after else found[-limit:], "more": False}

    @property
    def loaded(self) -> list[str]:
        opened = self.controller.model.open
        assert opened is not None
        return [line.id for line in opened.lines]  # type: ignore[union-attr]

    def test_one_goes_up_and_down_through_a_long_chat_within_a_bounded_window(self) -> None:
        for _ in range(COUNT // 10):
            self.press("page up")
            self.assertLessEqual(len(self.loaded), MAX_LINES)
        self.assertIn("number 0000", self.text())
        for _ in range(COUNT // 10):
            self.press("page down")
            self.assertLessEqual(len(self.loaded), MAX_LINES)
        self.assertIn(f"number {COUNT - 1:04}", self.text())
        self.assertEqual(self.loaded, sorted(set(self.loaded)))

    def test_what_comes_while_the_end_is_not_loaded_is_counted_and_not_lost(self) -> None:
        for _ in range(COUNT // 10):
            self.press("page up")
        before = self.text()
        self.everything.append(message(f"{COUNT:04}", "the latest"))
        self.agent.push(event="message", chat="bob", **self.everything[-1])
        self.clock.advance(0.1)
        self.assertIn("1 new ↓", self.text())
        self.assertIn(before.split("\n")[5], self.text())
        self.patch(self, "page", lambda user, limit, **_: {"messages": self.everything[-limit:], "more": False})
        self.press("meta end")
        self.assertIn("the latest", self.text())
        self.assertNotIn("new ↓", self.text())
