"""What the terminal shows: JSON as it is, tables aligned, and nothing that could steer the terminal."""

import contextlib
import io
import json
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.cli import show


def printed(function: Callable[..., None], *arguments: object) -> str:
    """What a function prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        function(*arguments)
    return output.getvalue()


class ShowTests(SynchronousTestCase):
    """Rows."""

    def test_json_comes_back_as_it_was(self) -> None:
        row = {"text": "żółw 🐢\n\x1b[31m\u202e", "n": 1, "none": None}
        line = printed(show.json_line, row)
        self.assertEqual(line.count("\n"), 1)
        self.assertEqual(json.loads(line), row)

    def test_json_of_half_a_surrogate_pair_is_escaped(self) -> None:
        row = {"text": "\ud83d"}
        line = printed(show.json_line, row)
        line.encode()
        self.assertEqual(json.loads(line), row)

    def test_a_table_is_aligned_with_wide_characters(self) -> None:
        lines = printed(show.table, [["龍龍", "1"], ["ana", "22"]], ("user", "unread")).splitlines()
        self.assertEqual(lines, ["user  unread", "龍龍  1", "ana   22"])

    def test_an_empty_table_prints_nothing(self) -> None:
        self.assertEqual(printed(show.table, [], ("user",)), "")

    def test_what_steers_a_terminal_is_left_out(self) -> None:
        self.assertEqual(show.printable("a\x1b[2Jb\u202ec\x07\u200d"), "a[2Jbc\u200d")
        self.assertEqual(show.cell("two\nlines"), "two lines")

    def test_lines_of_a_message_after_the_first_are_indented(self) -> None:
        line = show.message_line(
            {"from": "ana", "text": "one\ntwo", "state": "read", "sent_at": "2026-11-29T10:00:00Z"}
        )
        self.assertEqual(line, "2026-11-29 10:00 ✓✓ ana: one\n    two")

    def test_a_reply_names_what_it_answers_on_one_line(self) -> None:
        quoted = {"from": "bob", "text": "first\nsecond\x1b[2J"}
        line = show.message_line({"from": "ana", "text": "yes", "state": "read", "sent_at": "", "quoted": quoted})
        self.assertTrue(line.endswith("ana: (to bob: first second[2J) yes"), line)

    def test_a_preview_is_cut(self) -> None:
        self.assertEqual(show.preview({"text": "x" * 60}), "x" * 49 + "…")
        self.assertEqual(show.preview(None), "-")

    def test_pairs_leave_out_what_is_not_known(self) -> None:
        self.assertEqual(printed(show.pairs, {"user": "ana", "last_seen": None}, ("user", "last_seen")), "user  ana\n")
