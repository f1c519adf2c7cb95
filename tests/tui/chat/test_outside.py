"""What reaches beyond the terminal's text: programs, links, the mouse, own keys, a file of past inputs."""

from pathlib import Path
from typing import Any

from p2pchat.tui.chat.inputs import Inputs
from p2pchat.tui.preferences import Preferences
from p2pchat.tui.programs import Programs
from tests.tui.chat.stage import ChatCase, message
from tests.tui.test_programs import Desk


class OutsideCase(ChatCase):
    """A chat screen that may start programs, none of which starts."""

    def setUp(self) -> None:
        super().setUp()
        self.desk, self.written = Desk(), list[str]()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.patch(self.screen, "_write", self.written.append)

    def begin(self, preferences: Preferences | None = None, **options: Any) -> None:
        programs = Programs(self.desk.spawn, self.clock, self.folder, {"EDITOR": "ed"}, **options)
        self.make(programs=programs, preferences=preferences or Preferences())
        self.start()
        self.press("meta 1")

    def type_line(self, text: str) -> None:
        self.enter_text(text)
        self.press("enter")


class ProgramTests(OutsideCase):
    def test_the_hook_runs_for_what_is_not_seen(self) -> None:
        self.begin(hook=["say", "from {from}"])
        self.press("focus in")
        self.agent.push(event="message", chat="bob", **message("1", "seen"))
        self.assertEqual(self.desk.started, [])
        self.agent.push(event="message", chat="carol", **message("2", "unseen", "carol"))
        self.assertEqual([each.words for each in self.desk.started], [["say", "from carol"]])
        self.desk.started[0].end(2)
        self.clock.advance(0.1)
        self.assertIn("the hook ended with status 2", self.text())
        self.type_line("/hook off")
        self.assertIn("does not run", self.text())
        self.agent.push(event="message", chat="carol", **message("3", "unseen", "carol"))
        self.assertEqual(len(self.desk.started), 1)

    def test_without_a_hook_one_is_told_how_to_have_one(self) -> None:
        self.begin()
        self.type_line("/hook on")
        self.assertIn("There is no hook; in screen.toml", self.text())

    def test_the_line_goes_through_an_editor(self) -> None:
        self.screen.loop.screen.start()
        self.begin()
        self.press(*"half", "ctrl o")
        (started,) = self.desk.started
        self.assertFalse(self.screen.loop.screen.started)
        Path(started.words[-1]).write_text("all of it\n")
        self.agent.push(event="message", chat="bob", **message("1", "meanwhile"))
        self.clock.advance(1)
        started.end()
        self.assertTrue(self.screen.loop.screen.started)
        self.assertIn("> all of it", self.text())
        self.assertIn("meanwhile", self.text())
        self.press("ctrl u")
        self.type_line("/editor")
        self.desk.started[-1].end(1)
        self.clock.advance(0.1)
        self.assertIn("the line is as it was", self.text())

    def test_a_link_is_copied_or_opened(self) -> None:
        self.agent.messages = [message("1", "https://a.example/1 and"), message("2", "https://b@c.example/2.")]
        self.begin()
        self.press("meta o")
        self.assertIn("c.example: https://b@c.example/2", self.text())
        self.press("down", "enter")
        self.assertIn("copied: https://a.example/1", self.text())
        self.assertTrue(self.written[-1].startswith("\x1b]52;c;"))
        self.controller.programs.opener = ("see",)  # type: ignore[union-attr]
        self.type_line("/links")
        self.press("enter")
        self.assertEqual(self.desk.started[-1].words, ["see", "https://b@c.example/2"])

    def test_a_chat_may_have_no_link(self) -> None:
        self.begin()
        self.press("meta o")
        self.assertIn("no message here has a link", self.text())


class MouseTests(OutsideCase):
    def test_the_wheel_scrolls_and_a_click_opens_a_chat(self) -> None:
        self.agent.messages = [message(str(number), f"number {number}") for number in range(60)]
        self.begin()
        self.press("meta m")
        self.assertTrue(self.screen.loop.handle_mouse)
        self.assertIn("hold Shift to mark text", self.text())
        self.click(4, 40, 5)
        self.assertNotIn("number 59", self.text())
        self.assertIn("│ mouse │ F1", self.text())
        self.click(5, 40, 5)
        self.assertIn("number 59", self.text())
        self.click(1, 3, 1)
        self.assertIn(" carol  ", self.text().split("\n")[0])
        self.click(1, 3, 9)
        self.click(1, 40, 0)
        self.assertIn(" carol  ", self.text().split("\n")[0])
        self.type_line("/mouse off")
        self.assertFalse(self.screen.loop.handle_mouse)

    def test_a_heading_between_requests_is_no_chat(self) -> None:
        self.agent.chats = [{"user": "bob", "unread": 0}, {"user": "eve", "unread": 0, "request": True}]
        self.begin(Preferences(mouse=True))
        self.click(1, 3, 1)
        self.assertIn(" bob  ", self.text().split("\n")[0])
        self.click(1, 3, 2)
        self.assertIn(" eve  ", self.text().split("\n")[0])

    def click(self, button: int, column: int, row: int) -> None:
        self.text()
        self.screen.loop.process_input(self.screen.loop.input_filter([("mouse press", button, column, row)], []))
        self.clock.advance(0.1)


class BindTests(OutsideCase):
    def test_keys_are_bound_anew_unless_they_are_taken(self) -> None:
        self.begin()
        self.type_line("/bind help F8")
        self.assertIn('help = ["F8"]', self.text())
        self.assertIn("│ F8 help", self.text())
        self.press("f1")
        self.assertNotIn("this help", self.text())
        self.press("f8")
        self.assertIn("this help", self.text())
        self.press("esc")
        self.type_line("/bind undo Ctrl-k")
        self.assertIn("Ctrl-k means both", self.text())
        self.type_line("/bind help none")
        self.assertIn("│ /help", self.text())
        self.press("f8")
        self.assertNotIn("this help", self.text())
        self.type_line("/bind undo Ctrl-z")
        self.type_line("/bind")
        self.assertRegex(self.text(), r"help +no key")


class InputTests(OutsideCase):
    def test_what_was_typed_is_there_the_next_time(self) -> None:
        kept = Path(self.mktemp())
        for text in ("typed before", ""):
            self.setUp()
            self.make(inputs=Inputs(kept))
            self.start()
            self.press("meta 1")
            self.press(*text, "enter") if text else self.press("up")
        self.assertIn("> typed before", self.text())
