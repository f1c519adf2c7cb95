"""Answers that show what they answer, and messages that count as unread again."""

from p2pchat.client import commands
from p2pchat.errors import TryElsewhere
from tests.tui.chat.stage import ChatCase, message


class ReplyTests(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.agent.messages = [message("1", "first"), message("2", "second"), message("3", "mine", "me", "read")]
        self.start()
        self.press("meta 1")

    def reply(self, quoted: dict[str, str] | None) -> None:
        row = {**message("4", "so be it"), "reply_to": "1"} | ({"quoted": quoted} if quoted else {})
        self.agent.push(event="message", chat="bob", **row)
        self.clock.advance(0.1)

    def test_an_answer_names_what_it_answers(self) -> None:
        self.press("meta r", "meta r")
        self.assertIn("↪ bob: second", self.text().split("\n")[-2])
        self.press(*"yes", "enter")
        self.assertEqual([(each["text"], each["reply_to"]) for each in self.asked(commands.Send)], [("yes", "2")])
        self.assertNotIn("↪", self.text())
        self.press(*"and", "enter")
        self.assertNotIn("reply_to", self.asked(commands.Send)[-1])

    def test_an_answer_is_typed_as_a_command(self) -> None:
        self.press(*"/reply no", "enter")
        self.assertEqual([(each["text"], each["reply_to"]) for each in self.asked(commands.Send)], [("no", "3")])
        self.press(*"/reply", "enter")
        self.assertIn("↪ me: mine", self.text())

    def test_escape_and_another_chat_let_go_of_it(self) -> None:
        self.press("meta r", "esc")
        self.assertNotIn("↪", self.text())
        self.press("meta r", "meta 2")
        self.assertNotIn("↪", self.text())

    def test_what_was_not_taken_still_answers(self) -> None:
        self.agent.failures[commands.Send] = TryElsewhere("not now")
        self.press("meta r", *"yes", "enter")
        self.assertIn("↪ me: mine", self.text())
        self.assertIn("> yes", self.text())

    def test_what_is_answered_stands_above_the_answer_beside_its_head(self) -> None:
        self.reply({"from": "bob", "text": "first\x1b[2J\nand " + "more " * 50})
        lines = self.text().split("\n")
        (place,) = [place for place, line in enumerate(lines) if "so be it" in line]
        self.assertIn("bob: ↪ bob: first[2J and more", lines[place - 1])
        self.assertTrue(lines[place - 1].rstrip().endswith("…"))
        self.assertEqual(lines[place].index("so be it"), lines[place - 1].index("↪"))

    def test_an_answer_to_what_is_not_here_says_so(self) -> None:
        self.reply(None)
        self.assertIn("↪ a message that is not here", self.text())


class UnreadAgainTests(ChatCase):
    def test_what_was_seen_counts_as_unread_until_the_chat_is_opened_anew(self) -> None:
        self.agent.messages = [message("1", "first"), message("2", "second"), message("3", "mine", "me", "read")]
        self.start()
        self.press("meta 1")
        self.agent.chats[0]["unread"] = 1
        read = len(self.asked(commands.MarkRead))
        self.press(*"/unread", "enter")
        self.assertEqual(self.asked(commands.MarkUnread), [{"user": "bob", "id": "2"}])
        lines = [line[22:].rstrip() for line in self.text().split("\n")]
        self.assertTrue(lines[lines.index("─── new ───") + 1].endswith("bob: second"))
        self.agent.push(event="message", chat="bob", **message("4", "another"))
        self.press("meta end", "focus out", "focus in")
        self.assertEqual(len(self.asked(commands.MarkRead)), read)
        self.press("meta 2", "meta 1")
        self.assertEqual([each["user"] for each in self.asked(commands.MarkRead)[read:]], ["carol", "bob"])

    def test_there_may_be_nothing_of_theirs(self) -> None:
        self.agent.messages = [message("3", "mine", "me", "read")]
        self.start()
        self.press("meta 1", "meta v")
        self.assertEqual(self.asked(commands.MarkUnread), [])
        self.assertIn("nothing of theirs", self.text())
