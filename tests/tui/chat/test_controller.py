"""The chat screen on a virtual terminal: keys in, agent's answers and events in, text out."""

from p2pchat.client import commands
from p2pchat.errors import NameTaken, TryElsewhere
from tests.tui.chat.stage import ChatCase, message


class ScreenTests(ChatCase):
    def test_the_list_and_the_own_state_are_shown(self) -> None:
        self.start()
        self.assertIn("bob 1", self.text())
        self.assertIn("carol", self.text())
        self.assertIn("me │ node 1a2b3c4d", self.text())

    def test_a_chat_is_opened_by_name_and_counts_as_read(self) -> None:
        self.agent.messages = [message("1", "hello there")]
        self.start()
        self.press("ctrl k", *"bob", "enter")
        self.assertIn("bob: hello there", self.text())
        self.assertIn("─── new ───", self.text())
        self.assertEqual(self.asked(commands.MarkRead), [{"user": "bob"}])

    def test_ctrl_k_takes_a_new_name(self) -> None:
        self.start()
        self.press("ctrl k", *"dora", "enter")
        self.assertEqual(self.asked(commands.History)[-1]["user"], "dora")

    def test_what_is_typed_is_sent_and_its_state_follows(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("hi")
        self.press("enter")
        self.assertEqual(self.asked(commands.Send)[-1]["text"], "hi")
        self.agent.push(event="sent", chat="bob", **message("9", "hi", "me", "queued"))
        self.clock.advance(0.1)
        self.assertIn("me: hi … queued", self.text())
        self.agent.push(event="receipt", id="9", to="bob", state="stored", copies=5)
        self.clock.advance(0.1)
        self.assertIn("me: hi ◔ stored 5/5", self.text())
        self.agent.push(event="receipt", id="9", to="bob", state="delivered", copies=5)
        self.clock.advance(0.1)
        self.assertIn("me: hi ✓ delivered", self.text())

    def test_a_pasted_text_is_one_message(self) -> None:
        self.start()
        self.press("meta a", "begin paste", *"a", "enter", *"b", "end paste")
        self.assertEqual(self.asked(commands.Send), [])
        self.press("enter")
        self.assertEqual([each["text"] for each in self.asked(commands.Send)], ["a\nb"])

    def test_an_event_from_outside_is_drawn_without_a_key(self) -> None:
        self.start()
        self.press("meta a")
        self.agent.push(event="message", chat="bob", **message("3", "knock knock"))
        self.clock.advance(0.1)
        self.assertIn("bob: knock knock", self.text())

    def test_a_draft_is_kept_with_its_chat(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("half")
        self.press("meta down")
        self.assertEqual(self.asked(commands.SetDraft), [{"user": "bob", "text": "half"}])

    def test_scrolled_up_new_messages_are_counted_and_do_not_jump(self) -> None:
        self.agent.messages = [message(str(number), f"number {number}") for number in range(100)]
        self.start()
        self.press("meta a", "page up", "page up")
        before = self.text()
        self.agent.push(event="message", chat="bob", **message("new", "below"))
        self.clock.advance(0.1)
        self.assertIn("1 new ↓", self.text())
        self.assertNotIn("bob: below", self.text())
        shown = next(line for line in before.split("\n") if "number" in line)
        self.assertIn(shown, self.text())
        self.press("meta end")
        self.assertIn("bob: below", self.text())

    def test_without_a_session_one_logs_in_or_registers(self) -> None:
        self.agent.state = "none"
        self.start()
        self.assertIn("User name", self.text())
        self.enter_text("me")
        self.press("tab")
        self.enter_text("secret")
        self.assertNotIn("secret", self.text())
        self.press("tab", "tab")
        self.enter_text("secret")
        self.agent.state = "active"
        self.press("enter")
        self.assertEqual(self.asked(commands.Register)[0]["user"], "me")
        self.assertIn("RECOVERY-KEY-1234", self.text())
        self.press("enter")
        self.assertNotIn("RECOVERY-KEY-1234", self.text())
        self.assertIn("node 1a2b3c4d", self.text())

    def test_a_refused_registration_says_why(self) -> None:
        self.agent.state = "none"
        self.agent.failures[commands.Register] = NameTaken("The name me is taken. Choose another.")
        self.start()
        self.enter_text("me")
        self.press("tab", *"pw", "tab", "tab", *"pw", "enter")
        self.assertIn("The name me is taken", self.text())

    def test_help_lists_keys_and_commands_and_escape_closes_it(self) -> None:
        self.start()
        self.press("f1")
        self.assertIn("open a chat by name", self.text())
        self.press("esc")
        self.assertNotIn("open a chat by name", self.text())

    def test_commands_are_carried_out(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("/block")
        self.press("enter")
        self.assertEqual(self.asked(commands.Block), [{"user": "bob"}])
        self.assertIn("bob is blocked", self.text())
        self.enter_text("/why 12")
        self.press("enter")
        self.assertIn("5 of 5", self.text())
        self.enter_text("/nonsense")
        self.press("enter")
        self.assertIn("/nonsense is no command", self.text())
        self.enter_text("/quit")
        self.press("enter")
        self.assertEqual(self.left, [None])

    def test_digits_are_shown_as_a_code_too(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("/verify")
        self.press("enter")
        self.assertIn("▀", self.text())
        self.press("esc")
        self.assertIn("00001 00002", self.text())
        self.enter_text("/verify bob yes")
        self.press("enter")
        self.assertEqual(self.asked(commands.Verify)[-1], {"user": "bob", "matched": True})
        self.assertIn("bob counts as verified", self.text())

    def test_a_reason_of_the_agent_is_shown(self) -> None:
        self.start()
        self.press("meta a")
        self.agent.failures[commands.Send] = TryElsewhere("The disk is full. Make room.")
        self.enter_text("hi")
        self.press("enter")
        self.assertIn("The disk is full. Make room.", self.text())

    def test_an_agent_that_ends_is_said_and_comes_back(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("typed")
        self.agent.end()
        self.clock.advance(0.1)
        self.assertIn("The agent has ended", self.text())
        self.agent.running = True
        self.clock.advance(2)
        self.clock.advance(0.1)
        self.assertIn("node 1a2b3c4d", self.text())
        self.assertEqual(len(self.asked(commands.Follow)), 2)
        self.assertIn("> typed", self.text())

    def test_a_narrow_terminal_shows_the_chat_alone(self) -> None:
        self.start()
        self.press("meta a")
        narrow = self.screen.loop.widget.render((40, 12), focus=True).decoded_text
        self.assertNotIn("carol", "\n".join(narrow))

    def test_ctrl_q_leaves(self) -> None:
        self.start()
        self.press("ctrl q")
        self.assertEqual(self.left, [None])
