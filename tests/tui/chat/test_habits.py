"""What people are used to from other chats: unread marks, search, copies, notices, pastes, states one can act on."""

from base64 import b64decode
from dataclasses import replace
from typing import Any

from p2pchat.client import commands
from p2pchat.tui.chat.controller import Controller
from p2pchat.tui.chat.opening import DRAFT_SECONDS
from p2pchat.tui.preferences import Preferences
from tests.tui.chat.stage import ChatCase, message


class Written(ChatCase):
    """Sees what is written past the screen: bells, notices, copies."""

    def setUp(self) -> None:
        super().setUp()
        self.written: list[str] = []
        self.patch(self.screen, "_write", self.written.append)

    def comes(self, text: str, chat: str = "bob", name: str = "n") -> None:
        self.agent.push(event="message", chat=chat, **message(name, text, chat))
        self.clock.advance(0.1)

    def type_line(self, text: str) -> None:
        self.enter_text(text)
        self.press("enter")


class UnreadTests(Written):
    def test_who_looks_elsewhere_is_told_and_finds_the_mark_when_back(self) -> None:
        self.start()
        self.press("meta a", "focus out")
        read = len(self.asked(commands.MarkRead))
        self.agent.chats[0]["unread"] = 1
        self.comes("knock")
        self.assertEqual(self.written, ["\x1b]9;A message from bob\a\a"])
        self.assertEqual(len(self.asked(commands.MarkRead)), read)
        self.assertIn("─── new ───", self.text())
        self.press("focus in")
        self.assertEqual(len(self.asked(commands.MarkRead)), read + 1)

    def test_who_looks_hears_nothing_of_the_open_chat_and_a_bell_of_another(self) -> None:
        self.start()
        self.press("meta a", "focus in")
        self.comes("one")
        self.assertEqual(self.written, [])
        self.comes("two", "carol", "m")
        self.assertEqual(self.written, ["\a"])

    def test_who_types_is_here_even_where_the_terminal_did_not_say_so(self) -> None:
        self.start()
        self.press("meta a", "focus out")
        self.agent.chats[0]["unread"] = 1
        self.comes("knock")
        read = len(self.asked(commands.MarkRead))
        self.press("x")
        self.assertEqual(len(self.asked(commands.MarkRead)), read + 1)

    def test_a_notice_cannot_steer_the_terminal(self) -> None:
        self.controller.preferences = Preferences(notify="text")
        self.start()
        self.comes("a\x1b]52;c;eA==\x07b\n" + "x" * 500, "carol")
        (written,) = self.written
        self.assertEqual(written.count("\x1b"), 1)
        self.assertLess(len(written), 140)

    def test_a_terminal_that_would_print_a_notice_only_rings(self) -> None:
        self.screen.loop.screen.term = "linux"  # type: ignore[attr-defined]
        self.start()
        self.comes("knock", "carol")
        self.assertEqual(self.written, ["\a"])

    def test_alt_a_says_when_nothing_is_unread(self) -> None:
        self.agent.chats = [{"user": "carol", "unread": 0}]
        self.start()
        self.press("meta a")
        self.assertIn("nothing is unread", self.text())

    def test_alt_and_a_digit_opens_a_chat_by_its_place(self) -> None:
        self.start()
        self.press("meta 2")
        self.assertEqual(self.asked(commands.History)[-1]["user"], "carol")
        self.press("meta 9")
        self.assertEqual(self.asked(commands.History)[-1]["user"], "carol")

    def test_the_first_unread_message_is_found_far_above(self) -> None:
        self.agent.messages = [message(str(number), f"number {number}") for number in range(150)]
        self.agent.chats[0]["unread"] = 120
        self.start()
        self.press("meta a")
        self.assertGreaterEqual(self.asked(commands.History)[0]["limit"], 120)
        self.assertNotIn("number 30", self.text())
        self.press("meta u")
        self.assertIn("─── new ───", self.text())
        self.assertIn("number 30", self.text())


class LineTests(Written):
    def test_a_pasted_text_of_many_lines_is_asked_about(self) -> None:
        self.start()
        self.press("meta a", "begin paste", *"1", "enter", *"2", "enter", *"3", "enter", *"4", "end paste")
        self.assertIn("You have pasted 4 lines", self.text())
        self.press("down", "enter")
        self.assertEqual([each["text"] for each in self.asked(commands.Send)], ["1\n2\n3\n4"])

    def test_a_draft_is_kept_when_one_pauses(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("half")
        self.assertEqual(self.asked(commands.SetDraft), [])
        self.clock.advance(DRAFT_SECONDS)
        self.assertEqual(self.asked(commands.SetDraft), [{"user": "bob", "text": "half"}])

    def test_what_was_typed_before_is_found(self) -> None:
        self.start()
        self.press("meta a")
        for text in ("first words", "second words"):
            self.type_line(text)
        self.press("ctrl r", *"fir")
        self.assertIn("first words", self.text())
        self.press("enter")
        self.assertIn("> first words", self.text())

    def test_a_message_is_copied_by_osc_52(self) -> None:
        self.agent.messages = [message("1", "one"), message("2", "two\x1b\nlines")]
        self.start()
        self.press("meta a", "meta c")
        (written,) = self.written
        self.assertTrue(written.startswith("\x1b]52;c;"))
        self.assertEqual(b64decode(written[7:-1]).decode(), "two\x1b\nlines")

    def test_bare_mode_shows_nothing_but_messages(self) -> None:
        self.agent.messages = [message("1", "one")]
        self.start()
        self.press("meta a", "meta l")
        self.assertNotIn("carol", self.text())
        self.assertTrue(self.text().split("\n")[0].startswith("─── Friday"))
        self.press("meta l")
        self.assertIn("carol", self.text())


class SearchTests(Written):
    def test_what_is_found_is_gone_to_among_its_neighbours(self) -> None:
        self.agent.messages = [message(str(number), f"number {number}") for number in range(50)]
        self.start()
        self.press("meta a", "ctrl s", *"17")
        asked = self.asked(commands.History)[-1]
        self.assertEqual((asked["user"], asked["search"]), ("bob", "17"))
        self.assertIn("bob: number 0", self.text())
        self.press("enter")
        after = [each for each in self.asked(commands.History) if "after" in each]
        self.assertEqual(len(after), 1)
        self.press("meta end")
        self.assertEqual({"user": "bob", "limit": 100}, self.asked(commands.History)[-1])

    def test_all_chats_are_searched(self) -> None:
        self.start()
        self.type_line("/find needle")
        self.assertEqual([each["user"] for each in self.asked(commands.History)], ["bob", "carol"])


class StateTests(Written):
    def sent(self, state: str) -> None:
        self.agent.messages = [message("a1", "hello", "me", state)]
        self.start()
        self.press("meta a")

    def test_a_queued_message_is_cancelled_and_sent_after_all(self) -> None:
        self.sent("queued")
        self.type_line("/cancel")
        self.assertEqual(self.asked(commands.Cancel), [{"id": "a1"}])
        self.assertIn("tried 2 times", self.text())
        self.type_line("/retry")
        self.assertEqual(self.asked(commands.Retry), [{"id": "a1"}])
        self.type_line("/retry all")
        self.assertEqual(self.asked(commands.Retry)[-1], {})

    def test_there_is_nothing_to_cancel(self) -> None:
        self.sent("delivered")
        self.type_line("/cancel")
        self.assertEqual(self.asked(commands.Cancel), [])
        self.assertIn("no message of yours that is queued", self.text())

    def test_a_hand_over_is_followed_to_its_end(self) -> None:
        self.start()
        self.press("meta a")
        for count, state in ((120, "running"), (500, "done")):
            self.agent.session = {"handover": {"state": state, "messages": count, "total": 500}}
            self.agent.push(event="session", user="me", state="active", **self.agent.session)
            self.clock.advance(0.1)
            self.assertEqual("hand-over: 120 of 500 messages" in self.text(), state == "running")
        self.assertEqual(len(self.asked(commands.Contacts)), 2)

    def test_settings_are_changed_by_commands(self) -> None:
        self.start()
        self.press("meta a")
        for line in ("/handover never", "/receipts off", "/theme light", "/notify none", "/theme pink"):
            self.type_line(line)
        changes: list[Any] = [each["changes"] for each in self.asked(commands.Settings)]
        self.assertEqual(changes, [{"handover": "never"}, {"read_receipts": False}])
        self.assertEqual(self.controller.preferences.notify, "none")
        self.assertIn("dark, light", self.text())


class BoxTests(Written):
    def test_what_a_box_says_cannot_steer_the_terminal(self) -> None:
        self.start()
        self.controller.note("a\x1b[2Jb\u202e")
        self.assertIn("a[2Jb", self.text())
        self.assertNotIn("\x1b", self.text())


class KeyTests(ChatCase):
    preferences = Preferences()

    def test_own_keys_stand_in_the_help(self) -> None:
        bound = [replace(each, keys=("f8",)) if each.action == "help" else each for each in Preferences().chat_keys]
        preferences = Preferences(chat_keys=bound)
        self.controller = Controller(
            self.screen, self.agent.connect, self.clock, self.left.append, preferences=preferences
        )
        self.start()
        self.press("f1")
        self.assertNotIn("this help", self.text())
        self.press("f8")
        self.assertIn("F8 ", self.text())
