"""Lines of a chat on a terminal: beside their heads, in place when the terminal changes, harmless whatever they say."""

from typing import Any

import urwid
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client.commands import MAX_TEXT_BYTES
from p2pchat.tui.chat import render
from p2pchat.tui.chat.messages import Messages
from p2pchat.tui.chat.model import Chat, Conversation, Line, Model, Person
from p2pchat.tui.chat.widgets import ChatView
from p2pchat.tui.preferences import Preferences

SIZE = (60, 12)

STEERING = st.sampled_from(
    [
        "\x1b[2J",
        "\x1b]52;c;eA==\x07",
        "\x9b31m",
        "\x00",
        "\r",
        "\x7f",
        "\u202e",
        "\u2066",
        "\u200b",
        "\ufeff",
        "\u0301" * 300,
    ]
)
HOSTILE = st.lists(st.text() | STEERING | st.sampled_from(["👨‍👩‍👧", "名前", "\n", "x" * 200]), max_size=8).map("".join)


def line(name: str, text: str, author: str = "bob") -> Line:
    return Line(name, author, text, "2026-01-02T03:04:05Z", "received", 0, False)


def shown(widget: Any, size: tuple[int, int]) -> list[str]:
    """What stands on the terminal, row by row."""
    return [str(row) for row in widget.render(size, focus=True).decoded_text]


class PlaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.messages = Messages()
        self.lines = [line(str(number), f"number {number} " + "word " * 20) for number in range(200)]
        self.messages.show(self.lines)
        shown(self.messages, SIZE)

    def test_a_long_text_hangs_beside_its_head(self) -> None:
        rows = shown(self.messages, SIZE)
        (first,) = [place for place, row in enumerate(rows) if "number 199" in row]
        column = rows[first].index("number")
        self.assertEqual(rows[first + 1][:column].strip(), "")
        self.assertTrue(rows[first + 1][column:].startswith("word"))

    def test_only_what_is_looked_at_is_made(self) -> None:
        self.assertLess(len(self.messages._rows._made), 20)

    def test_the_newest_line_stays_at_the_bottom_when_the_terminal_changes(self) -> None:
        for size in ((30, 8), (120, 40), SIZE):
            self.assertIn("number 199", "".join(shown(self.messages, size)))

    def test_the_reading_position_stays_when_the_terminal_changes(self) -> None:
        for _ in range(5):
            self.messages.scroll(SIZE, "page up")
        reading = self.messages.line
        assert reading is not None
        for size in ((40, 8), (120, 40), SIZE):
            self.assertIn(" ".join(reading.text.split()[:2]), " ".join("".join(shown(self.messages, size)).split()))
            self.assertEqual(self.messages.line, reading)

    def test_a_very_narrow_terminal_shows_the_text_below_its_head(self) -> None:
        self.assertIn("number", "".join(shown(self.messages, (18, 8))))


class HostileTests(SynchronousTestCase):
    """Whatever others call themselves and write, each row has its columns, and nothing steers the terminal."""

    def setUp(self) -> None:
        urwid.set_encoding("utf8")
        self.view = ChatView(Preferences(), lambda _: None, lambda *_: None, lambda _: [], lambda _: None, lambda: None)

    def check(self, name: str, text: str) -> None:
        talk = Conversation(name, (line("1", text, name), line("2", "the end")))
        model = Model(open=talk, people={name: Person("online")}).listed((Chat(name, 3), Chat("bob", draft=text)))
        self.view.show(model)
        for size in ((80, 24), (33, 9)):
            canvas = self.view.render(size, focus=True)
            for row in canvas.content():
                self.assertEqual(sum(urwid.calc_width(part, 0, len(part)) for _, _, part in row), size[0])
                said = b"".join(part for _, _, part in row).decode()
                self.assertFalse([each for each in said if ord(each) < 32 or 127 <= ord(each) < 160], repr(said))
                self.assertFalse([each for each in said if each in "\u202e\u2066\u200b\ufeff"])

    @settings(deadline=None, max_examples=60)
    @given(HOSTILE, HOSTILE)
    def test_names_and_texts(self, name: str, text: str) -> None:
        self.check(name or "nobody", text)

    def test_the_longest_text_in_one_line(self) -> None:
        for letter in ("x", "名", "\u0301"):
            self.check("eve", letter * (MAX_TEXT_BYTES // len(letter.encode())))
        self.assertEqual(render.name("n" * 65536)[-1], "…")
