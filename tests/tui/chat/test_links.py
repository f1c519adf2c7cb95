"""Links end where people mean them to, and never show something else than where they lead."""

from typing import Any

import urwid
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.chat.links import found, host, links, markup


class LinkTests(SynchronousTestCase):
    def test_where_they_end(self) -> None:
        for text, expected in (
            ("see https://a.example/x, and http://b.example.", ["https://a.example/x", "http://b.example"]),
            ("(https://a.example/b_(c))", ["https://a.example/b_(c)"]),
            ("<https://a.example/?q=1&r=2#f>", ["https://a.example/?q=1&r=2#f"]),
            ("HTTPS://A.example", ["HTTPS://A.example"]),
            ("nothing: ftp://a.example javascript:alert(1) https:// http://[", []),
            ("https://[::1]:80/x", ["https://[::1]:80/x"]),
            ("two\nhttps://a.example/\nlines", ["https://a.example/"]),
            ("https://a.example/" + "x" * 3000, []),
        ):
            self.assertEqual(links(text), expected)

    def test_a_long_tail_is_looked_at_once(self) -> None:
        looked = 0

        class Counting(str):
            """Counts the characters that are looked at behind a link."""

            __slots__ = ()

            def __getitem__(self, key: Any) -> str:
                nonlocal looked
                looked += 1 if isinstance(key, int) else len(range(*key.indices(len(self))))
                return str(self)[key]

        tail = 20_000
        self.assertEqual(list(found(Counting("https://a.example/" + ")." * tail))), [(0, 18)])
        self.assertLess(looked, 10 * tail)

    def test_letters_that_look_like_others_are_no_link(self) -> None:
        self.assertEqual(links("https://b\u0430nk.example/"), [])
        self.assertEqual(links("https://bank.example/\u2044evil"), [])

    def test_the_host_is_what_counts(self) -> None:
        self.assertEqual(host("https://bank.example@evil.example:8/bank.example"), "evil.example")

    def test_what_a_terminal_opens_is_what_it_shows(self) -> None:
        parts = markup("see https://a.example/x, b", "text")
        self.assertEqual([part[1] for part in parts], ["see ", "https://a.example/x", ", b"])
        attribute = parts[1][0]
        assert isinstance(attribute, urwid.AttrSpec)
        assert attribute.hyperlink is not None
        self.assertEqual(attribute.hyperlink.uri, "https://a.example/x")
        self.assertEqual(markup("", "text"), [("text", "")])
