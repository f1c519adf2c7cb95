"""What stands on the chat screen, as text."""

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.chat import render
from p2pchat.tui.chat.model import Chat, Conversation, Line, Model, Notice, Person, Standing

MINE = Line("1", "me", "hi", "2026-01-02T03:04:05Z", "stored", 5, True)
THEIRS = Line("2", "bob", "yes", "2026-01-03T03:04:05Z", "received", 0, False)


def plain(markup: Any) -> str:
    """The text of a markup."""
    if isinstance(markup, str):
        return markup
    if isinstance(markup, tuple):
        return plain(markup[1])
    return "".join(plain(each) for each in markup)


def row(shown: Line) -> str:
    """A message as it stands on one wide row."""
    return plain(render.head(shown)[0]) + plain(render.body(shown, 5))


class LineTests(SynchronousTestCase):
    def test_stored_says_how_many_copies(self) -> None:
        self.assertTrue(row(MINE).endswith("me: hi ◔ stored 5/5"))

    def test_each_state_has_a_sign_of_its_own(self) -> None:
        shown = {row(replace(MINE, state=state, copies=0))[-12:] for state in render.STATES}
        self.assertEqual(len(shown), len(render.STATES))

    def test_what_one_received_has_no_state(self) -> None:
        self.assertTrue(row(THEIRS).endswith("bob: yes"))

    def test_hostile_names_and_texts_are_harmless(self) -> None:
        shown = row(replace(THEIRS, author="b\x1b]0;x\x07ob\n", text="\x1b[31mred\u202e"))
        self.assertTrue(shown.endswith("b]0;xob: [31mred"), shown)

    def test_an_unreadable_time_is_left_out(self) -> None:
        self.assertTrue(row(replace(MINE, at="yesterday")).startswith("      me"))

    def test_a_long_name_leaves_room_for_the_text(self) -> None:
        _, columns = render.head(replace(THEIRS, author="m" * 32))
        self.assertEqual(columns, render.CLOCK_COLUMNS + render.MAX_AUTHOR_CHARACTERS + 2)

    def test_the_columns_of_a_wide_name_are_counted(self) -> None:
        self.assertEqual(render.head(replace(THEIRS, author="名前"))[1], render.CLOCK_COLUMNS + 6)


class ConversationTests(SynchronousTestCase):
    def test_days_and_the_first_unread_message_are_marked(self) -> None:
        talk = Conversation("bob", (MINE, Notice("n"), THEIRS), first_unread="2", more=True)
        texts = [plain(render.body(each)) for each in render.items(talk)]
        self.assertIn("older messages", texts[0])
        self.assertEqual(len([each for each in texts if "2026" in each]), 2)
        self.assertEqual(texts.index("─── new ───"), len(texts) - 2)
        self.assertIn("* n", texts)

    def test_the_list_shows_presence_name_and_count(self) -> None:
        self.assertEqual(plain(render.chat(Chat("bob", 3), Person("online"), False, 20)), "● bob 3")
        self.assertEqual(plain(render.chat(Chat("eve"), Person("offline", key_changed=True), True, 20)), "○ eve !")
        self.assertEqual(len(plain(render.chat(Chat("m" * 32, 120), Person(), True, 20))), 19)

    def test_requests_stand_apart(self) -> None:
        model = Model().listed((Chat("eve", 1, request=True), Chat("bob")))
        self.assertEqual([plain(each) for each in render.chats(model, 20)], ["? bob", "─ requests ─", "? eve 1"])

    def test_the_title_says_what_to_know_about_somebody(self) -> None:
        model = replace(Model().listed((Chat("eve", request=True),)), open=Conversation("eve"))
        self.assertIn("/add", plain(render.title(model)))
        self.assertIn("verified", plain(render.title(model.met([{"user": "eve", "verified": True}]))))
        self.assertIn("/verify", plain(render.title(model.met([{"user": "eve", "key_changed": True}]))))
        seen = {"user": "eve", "presence": "offline", "last_seen": "2026-01-02T03:04:05Z"}
        self.assertIn("last seen", plain(render.title(model.met([seen]))))


class StatusTests(SynchronousTestCase):
    def bar(self, **changes: Any) -> str:
        """The status line of somebody who is well but for the changes."""
        well = Standing("me", "active", "1a2b3c4d", "ff" * 32, True, link="")
        return plain(render.bar(replace(Model(), standing=replace(well, **changes))))

    def test_each_standing_says_what_to_do(self) -> None:
        self.assertIn("node 1a2b3c4d", self.bar())
        self.assertIn("/login", self.bar(state="replaced"))
        self.assertIn("02 Jan", self.bar(state="replaced", replaced_at="2026-01-02T12:04:05Z"))
        self.assertIn("sent later", self.bar(connected=False))
        self.assertIn("has ended", self.bar(link="The agent has ended."))
        self.assertIn("not logged in", self.bar(state="none"))

    def test_unread_messages_are_counted(self) -> None:
        self.assertIn("2 unread", plain(render.bar(Model().listed((Chat("bob", 2),)))))

    def test_a_hint_goes_before_all(self) -> None:
        self.assertIn("once more", plain(render.bar(replace(Model(), hint="once more leaves"))))

    def test_whoever_logs_in_sees_the_ring(self) -> None:
        self.assertIn("ffffffff", render.place(Standing(ring="ff" * 32, node="1a2b3c4d", connected=True, link="")))
        self.assertIn("reachable", render.place(Standing(ring="ff" * 32, link="")))
        self.assertIn("--server", render.place(Standing(link="")))
