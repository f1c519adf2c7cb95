"""Foreign text cannot steer the terminal."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.text import MAX_COMBINING, MAX_LINE_CHARACTERS, harmless, one_line


class HarmlessTests(SynchronousTestCase):
    def test_controls_and_escapes_are_gone(self) -> None:
        self.assertEqual(harmless("a\x1b[2Jb\x07c\x9bd\x00e"), "a[2Jbcde")

    def test_marks_that_turn_the_direction_are_gone(self) -> None:
        self.assertEqual(harmless("\u202eabc\u2066def\u200b"), "abcdef")

    def test_line_ends_stay_and_tabs_become_blanks(self) -> None:
        self.assertEqual(harmless("a\r\nb\nc\td"), "a\nb\nc    d")

    def test_emoji_keep_their_joiners(self) -> None:
        family = "👨\u200d👩\u200d👧"
        self.assertEqual(harmless(family), family)

    def test_towers_of_marks_are_cut(self) -> None:
        self.assertEqual(len(harmless("a" + "\u0301" * 500)), 1 + MAX_COMBINING)

    def test_marks_without_a_combining_class_are_counted_too(self) -> None:
        self.assertEqual(len(harmless("a" + "\u20dd" * 500)), 1 + MAX_COMBINING)
        self.assertEqual(len(harmless("ก" + "\u0e31" * 500)), 1 + MAX_COMBINING)

    def test_what_shows_nothing_hides_in_no_word(self) -> None:
        for hidden in ("\u200d", "\u200c", "\u2060", "\u3164", "\u034f", "\ufe0e", "\U000e0101", "\U000e0041"):
            self.assertEqual(harmless(f"bo{hidden}b"), "bob", hex(ord(hidden)))

    def test_a_line_of_64_kib_is_cut_into_lines(self) -> None:
        lines = harmless("x" * 65536).split("\n")
        self.assertEqual({len(line) for line in lines}, {MAX_LINE_CHARACTERS})

    @given(st.text())
    def test_nothing_that_is_left_is_a_control(self, text: str) -> None:
        self.assertFalse(
            [each for each in harmless(text) if each != "\n" and not each.isprintable() and ord(each) < 160]
        )

    @given(st.text(), st.integers(1, 40))
    def test_one_line_is_one_line_of_that_width(self, text: str, width: int) -> None:
        line = one_line(text, width)
        self.assertNotIn("\n", line)
        self.assertLessEqual(len(line), width)
