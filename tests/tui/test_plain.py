"""The chat by lines: what is typed reaches the agent, what happens is one line."""

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client import commands
from p2pchat.errors import P2PChatError, TryElsewhere
from p2pchat.tui.plain import Plain
from tests.tui.chat.stage import Agent, message


class PlainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.agent = Agent(self.clock)
        self.said: list[str] = []
        self.left: list[P2PChatError | None] = []
        self.plain = Plain(self.agent.connect, self.clock, self.said.append, self.left.append)
        self.plain.start()

    def test_it_says_who_one_is(self) -> None:
        self.assertEqual(self.said[-1], "You are me, session active.")

    def test_a_chat_is_opened_and_a_text_is_sent(self) -> None:
        self.agent.messages = [message("1", "two\nlines\x1b[2J")]
        self.plain.typed("/msg bob")
        self.assertEqual(self.said[-1], "From bob, 03:04, received: two / lines[2J")
        self.plain.typed("hello")
        sent = [arguments for command, arguments in self.agent.asked if command is commands.Send]
        self.assertEqual((sent[0]["to"], sent[0]["text"]), ("bob", "hello"))

    def test_each_event_is_one_line(self) -> None:
        self.agent.push(event="message", chat="bob", **message("2", "hi"))
        self.agent.push(event="receipt", id="1", to="bob", state="delivered")
        self.agent.push(event="presence", user="bob", presence="offline")
        self.assertEqual(
            self.said[-3:], ["From bob, 03:04, received: hi", "Message to bob: delivered", "bob is offline"]
        )

    def test_an_answer_names_what_it_answers(self) -> None:
        row = {**message("2", "yes"), "reply_to": "1", "quoted": {"from": "me", "text": "shall\nwe?\x1b[2J"}}
        self.agent.push(event="message", chat="bob", **row)
        self.assertEqual(self.said[-1], "From bob, 03:04, received, answering me: shall we?[2J: yes")

    def test_a_reason_is_said(self) -> None:
        self.plain.typed("to nobody")
        self.assertIn("no chat is open", self.said[-1])
        self.agent.failures[commands.History] = TryElsewhere("No node reachable.")
        self.plain.typed("/msg bob")
        self.assertEqual(self.said[-1], "Error: No node reachable.")

    def test_the_last_message_is_cancelled_tried_again_and_explained(self) -> None:
        self.plain.typed("/cancel")
        self.assertIn("Nothing was sent yet", self.said[-1])
        self.agent.push(event="sent", chat="bob", **message("a7", "hi", "me", "queued"))
        for line in ("/cancel", "/retry", "/why"):
            self.plain.typed(line)
        asked = [(command, given) for command, given in self.agent.asked if given.get("id") == "a7"]
        self.assertEqual([command for command, _ in asked], [commands.Cancel, commands.Why])
        self.assertIn((commands.Retry, {}), self.agent.asked)
        self.assertTrue(self.said[-1].endswith("add 5 of 5"), self.said[-1])

    def test_people_and_the_session_are_told_in_words(self) -> None:
        self.plain.typed("/status carol")
        self.assertTrue(self.said[-1].startswith("carol: ● online, not verified"), self.said[-1])
        self.plain.typed("/session")
        self.assertEqual(self.said[-1], "me: active")
        self.plain.typed("/handover never")
        self.assertIn((commands.Settings, {"changes": {"handover": "never"}}), self.agent.asked)
        self.assertTrue(self.said[-1].startswith("When you log in elsewhere, this place hands"), self.said[-1])

    def test_the_help_has_what_works_by_lines_alone(self) -> None:
        self.plain.typed("/theme light")
        self.assertEqual(self.said[-1], "/theme works on the screen only. /help lists what works here.")
        self.plain.typed("/fly\x1b[2J")
        self.assertEqual(self.said[-1], "/fly[2J is no command. /help lists them.")
        self.plain.typed("/help")
        self.assertIn("/session: the state of this session", self.said)
        self.assertFalse([line for line in self.said if line.startswith("/theme NAME")])
        self.assertTrue([line for line in self.said if line.startswith("/msg USER")])

    def test_quit_leaves(self) -> None:
        self.plain.typed("/quit")
        self.assertEqual(self.left, [None])
