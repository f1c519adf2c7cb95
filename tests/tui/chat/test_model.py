"""The model changes only by making new values, and keeps what one reads in place."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.chat.model import MAX_LINES, Chat, Conversation, Line, Model, Notice, Person


def line(id: str, state: str = "received", mine: bool = False, at: str = "05") -> Line:  # noqa: A002
    return Line(id, "me" if mine else "bob", "text", f"2026-01-02T03:04:{at}Z", state, 0, mine)


class ConversationTests(SynchronousTestCase):
    def test_a_message_that_comes_twice_stands_once(self) -> None:
        talk = Conversation("bob").added(line("1")).added(line("2")).added(replace(line("1"), state="read"))
        self.assertEqual([each.id for each in talk.lines if isinstance(each, Line)], ["1", "2"])
        first = talk.lines[0]
        assert isinstance(first, Line)
        self.assertEqual(first.state, "read")

    def test_a_receipt_moves_one_message(self) -> None:
        talk = Conversation("bob").added(line("1", "queued", True)).added(line("2", "queued", True))
        states = [each.state for each in talk.moved_on("2", "stored", 5).lines if isinstance(each, Line)]
        self.assertEqual(states, ["queued", "stored"])

    def test_older_messages_come_on_top_and_only_once(self) -> None:
        talk = Conversation("bob", more=True).noted(Notice("n")).added(line("2")).older((line("1"), line("2")), False)
        self.assertEqual([each.id for each in talk.lines if isinstance(each, Line)], ["1", "2"])
        self.assertEqual(talk.oldest, "1")
        self.assertFalse(talk.more)

    def test_an_endless_chat_is_bounded(self) -> None:
        talk = Conversation("bob", tuple(line(str(number)) for number in range(MAX_LINES)))
        self.assertEqual(len(talk.added(line("new")).lines), MAX_LINES)


class ModelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.model = Model().listed((Chat("ann"), Chat("bob", unread=2), Chat("bo")))

    def test_chats_with_something_unread_come_first(self) -> None:
        self.assertEqual([each.user for each in self.model.chats], ["bob", "ann", "bo"])
        self.assertEqual(self.model.unread, 2)

    def test_the_next_chat_goes_around_the_end(self) -> None:
        opened = replace(self.model, open=Conversation("bo"))
        self.assertEqual(opened.beside(1), "bob")
        self.assertEqual(opened.beside(-1), "ann")
        self.assertEqual(self.model.beside(1), "bob")
        self.assertIsNone(Model().beside(1))

    def test_strangers_requests_come_last(self) -> None:
        model = Model().listed((Chat("eve", 3, request=True), Chat("ann"), Chat("bob", 1)))
        self.assertEqual([each.user for each in model.chats], ["bob", "ann", "eve"])

    def test_what_is_told_of_people_is_known(self) -> None:
        model = self.model.met([{"user": "ann", "presence": "online", "verified": True}])
        self.assertEqual(model.person("ann"), Person("online", verified=True))
        self.assertEqual(model.person("bob"), Person())


class LateTests(SynchronousTestCase):
    def test_a_late_message_stands_before_what_its_author_wrote_after_it(self) -> None:
        talk = Conversation("bob").added(line("1", at="01")).added(line("3", at="03")).added(line("me", mine=True))
        shown = [each.id for each in talk.added(line("2", at="02")).lines if isinstance(each, Line)]
        self.assertEqual(shown, ["1", "2", "3", "me"])
