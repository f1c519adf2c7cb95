"""Keys and commands of the chat screen that no other test presses or types: each does what its table says."""

from p2pchat.client import commands
from tests.tui.chat.stage import ChatCase, message


class KeyTests(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.agent.messages = [message("1", "one")]
        self.start()
        self.press("meta a")

    def opened(self) -> str:
        return str(self.asked(commands.History)[-1]["user"])

    def test_next_and_previous_chat(self) -> None:
        self.press("meta down")
        self.assertEqual(self.opened(), "carol")
        self.press("meta up")
        self.assertEqual(self.opened(), "bob")
        self.press("ctrl n")
        self.assertEqual(self.opened(), "carol")
        self.press("ctrl p")
        self.assertEqual(self.opened(), "bob")

    def test_the_list_goes_and_comes(self) -> None:
        self.press("f2")
        self.assertNotIn("carol", self.text())
        self.press("f2")
        self.assertIn("carol", self.text())

    def test_who_this_is(self) -> None:
        self.press("f3")
        self.assertEqual(self.asked(commands.Status)[-1]["user"], "bob")
        self.assertIn("bob: ● online, not verified", self.text())

    def test_everything_is_drawn_anew(self) -> None:
        cleared: list[bool] = []
        self.patch(self.screen.loop.screen, "clear", lambda: cleared.append(True))
        self.press("ctrl l")
        self.assertEqual(cleared, [True])

    def test_ctrl_c_empties_the_line_and_twice_leaves(self) -> None:
        self.enter_text("typed")
        self.press("ctrl c")
        self.assertNotIn("typed", self.text())
        self.assertEqual(self.left, [])
        self.press("ctrl c")
        self.assertEqual(self.left, [None])

    def test_a_key_between_two_ctrl_c_keeps_the_screen(self) -> None:
        self.press("ctrl c", "x", "ctrl c")
        self.assertEqual(self.left, [])


class CommandTests(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.press("meta a")

    def type_line(self, text: str) -> None:
        self.enter_text(text)
        self.press("enter")

    def test_help_of_one_command(self) -> None:
        self.type_line("/help verify")
        self.assertIn("show the digits to compare", self.text())
        self.assertNotIn("in all chats", self.text())

    def test_msg_opens_a_chat_and_sends(self) -> None:
        self.type_line("/msg carol hello there")
        self.assertEqual(self.asked(commands.History)[-1]["user"], "carol")
        (sent,) = self.asked(commands.Send)
        self.assertEqual((sent["to"], sent["text"]), ("carol", "hello there"))

    def test_people_are_added_and_unblocked(self) -> None:
        self.type_line("/add")
        self.type_line("/unblock carol")
        self.assertEqual(self.asked(commands.Add), [{"user": "bob"}])
        self.assertEqual(self.asked(commands.Unblock), [{"user": "carol"}])

    def test_a_chat_is_left_and_its_draft_stays(self) -> None:
        self.type_line("/close")
        self.assertIn("Welcome.", self.text())
        self.press("meta 1", *"half")
        self.controller.run(self.controller.slash("close", ""))
        self.assertEqual(self.asked(commands.SetDraft)[-1], {"user": "bob", "text": "half"})
        self.assertNotIn("half", self.text())

    def test_status_and_session_are_told(self) -> None:
        self.type_line("/status carol")
        self.assertIn("carol: ● online, not verified", self.text())
        self.type_line("/session")
        self.assertIn("me: active", self.text())

    def test_one_is_visible_to_whom_one_likes(self) -> None:
        self.type_line("/invisible")
        self.type_line("/visible")
        self.type_line("/visible contacts")
        changes = [each["changes"] for each in self.asked(commands.Settings)]
        self.assertEqual(changes, [{"visible_to": each} for each in ("nobody", "everyone", "contacts")])

    def test_search_begins_with_what_was_typed(self) -> None:
        self.type_line("/search needle")
        self.assertEqual(self.asked(commands.History)[-1]["search"], "needle")

    def test_goto_says_where_one_can_go(self) -> None:
        self.type_line("/goto moon")
        self.assertIn("/goto unread", self.text())
        self.type_line("/goto end")

    def test_clear_empties_the_screen_alone(self) -> None:
        self.agent.push(event="message", chat="bob", **message("3", "knock knock"))
        self.clock.advance(0.1)
        self.type_line("/clear")
        self.assertNotIn("knock knock", self.text())

    def test_login_asks_and_logout_ends_the_session(self) -> None:
        self.type_line("/login")
        self.assertIn("Password", self.text())
        self.press("esc")
        self.agent.state = "none"
        self.type_line("/logout")
        self.assertEqual(len(self.asked(commands.Logout)), 1)
        self.assertIn("Password", self.text())

    def test_quit_and_exit_leave(self) -> None:
        self.type_line("/exit")
        self.assertEqual(self.left, [None])
