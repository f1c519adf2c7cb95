"""The line is edited as in a shell."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.chat.compose import MAX_PASTE_CHARACTERS, Compose
from p2pchat.tui.chat.editing import EDITS, Typed

SIZE = (60,)


class EditTests(SynchronousTestCase):
    def edited(self, text: str, *actions: str) -> str:
        """The text after some edits, the cursor shown as |."""
        typed = Typed(text.replace("|", ""), text.index("|"))
        for each in actions:
            typed = EDITS[each](typed)
        return f"{typed.text[: typed.at]}|{typed.text[typed.at :]}"

    def test_each_edit(self) -> None:
        for action, before, after in (
            ("start", "ab\ncd|e", "ab\n|cde"),
            ("end", "a|b\ncd", "ab|\ncd"),
            ("left", "|ab", "|ab"),
            ("right", "ab|", "ab|"),
            ("word_left", "one two-three|", "one two-|three"),
            ("word_right", "one| two three", "one two| three"),
            ("delete_right", "a|bc", "a|c"),
            ("kill_left", "one\ntwo |three", "one\n|three"),
            ("kill_right", "one |two\nthree", "one |\nthree"),
            ("kill_word", "see https://a.b/c |now", "see |now"),
            ("kill_word_left", "see two-three|", "see two-|"),
            ("kill_word_right", "see |two three", "see | three"),
            ("transpose", "ab|", "ba|"),
            ("transpose", "|a", "|a"),
        ):
            self.assertEqual(self.edited(before, action), after, action)

    def test_what_was_cut_is_put_in_again(self) -> None:
        self.assertEqual(self.edited("one two|", "kill_word", "start", "yank"), "two|one ")


class ComposeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sent: list[str] = []
        self.asked_about: list[str] = []
        self.changes = 0
        offers = ["/help ", "/handover "]
        self.edit = Compose(self.sent.append, lambda _: list(offers), self.asked_about.append, self.changed)

    def changed(self) -> None:
        self.changes += 1

    def press(self, *pressed: str) -> str:
        for key in pressed:
            self.edit.keypress(SIZE, key)
        return str(self.edit.edit_text)

    def test_changes_are_taken_back_one_by_one(self) -> None:
        self.assertEqual(self.press(*"ab", "ctrl u"), "")
        self.assertEqual(self.press("ctrl _"), "ab")
        self.assertEqual(self.press("ctrl _", "ctrl _", "ctrl _"), "")

    def test_lines_are_broken_without_sending(self) -> None:
        self.assertEqual(self.press("a", "meta enter", "b", "ctrl j", "c"), "a\nb\nc")
        self.assertEqual(self.sent, [])
        self.press("enter")
        self.assertEqual(self.sent, ["a\nb\nc"])

    def test_past_inputs_come_back_and_so_does_what_is_half_typed(self) -> None:
        self.press("a", "enter", "b", "enter", "h", "a", "l", "f")
        self.assertEqual(self.press("up"), "b")
        self.assertEqual(self.press("up", "up"), "a")
        self.assertEqual(self.press("down", "down"), "half")

    def test_tab_goes_through_offers_in_both_directions_and_back_to_what_was_typed(self) -> None:
        self.assertEqual(self.press(*"/h", "tab"), "/help ")
        self.assertEqual(self.press("tab"), "/handover ")
        self.assertEqual(self.press("shift tab"), "/help ")
        self.assertEqual(self.press("tab", "tab"), "/h")

    def test_a_short_paste_is_put_in_and_a_long_one_is_asked_about(self) -> None:
        self.assertEqual(self.press("begin paste", *"a", "enter", *"b", "tab", "end paste"), "a\nb    ")
        self.press("begin paste", *"1", "enter", *"2", "enter", *"3", "enter", *"4", "end paste")
        self.assertEqual(self.asked_about, ["1\n2\n3\n4"])
        self.assertEqual(self.sent, [])

    def test_an_endless_paste_is_cut(self) -> None:
        self.press("begin paste")
        for _ in range(MAX_PASTE_CHARACTERS + 10):
            self.edit.keypress(SIZE, "x")
        self.assertEqual(len(self.press("end paste")), MAX_PASTE_CHARACTERS)

    def test_changes_are_told_and_moves_are_not(self) -> None:
        self.press("a", "b", "left", "home")
        self.assertEqual(self.changes, 2)
