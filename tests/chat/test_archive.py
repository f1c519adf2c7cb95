"""History on disk: order, paging, search, states, and that each message is kept once."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.archive import MAX_EARLY_RECEIPTS, Archive
from p2pchat.chat.message import Line, sequence
from p2pchat.chat.storage import Database


def line(text: str, seq: int, author: str = "bob", state: str = "received", chat: str = "bob") -> Line:
    """A text whose id follows from author and seq."""
    identifier = f"{author}{seq:08x}".encode()[:16].ljust(16, b".")
    return Line(chat, author, identifier, seq, b"", text, sent_ms=1000 + seq, received_ms=2000, state=state)


class ArchiveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = Database(":memory:")
        self.addCleanup(self.database.close)
        self.archive = Archive(self.database)

    def texts(self, limit: int = 100, **options: object) -> list[str]:
        return [each.text for each in self.archive.lines("bob", limit, **options)]  # type: ignore[arg-type]

    def test_the_same_message_is_kept_once(self) -> None:
        self.assertIsNotNone(self.archive.add(line("one", 1), now_ms=5000))
        self.assertIsNone(self.archive.add(line("one", 1), now_ms=6000))
        self.assertEqual(self.texts(), ["one"])

    def test_a_late_message_stands_before_what_its_author_wrote_later(self) -> None:
        for text, seq, now in (("one", 1, 5000), ("four", 4, 5001), ("three", 3, 5002), ("two", 2, 5003)):
            self.archive.add(line(text, seq), now)
        self.assertEqual(self.texts(), ["one", "two", "three", "four"])

    def test_a_clock_that_goes_back_leaves_the_order_of_arrival(self) -> None:
        self.archive.add(line("mine", 7, author="alice", state="queued"), now_ms=9000)
        self.archive.add(line("answer", 1), now_ms=4000)
        self.assertEqual(self.texts(), ["mine", "answer"])

    def test_a_later_session_of_the_author_stands_behind(self) -> None:
        self.archive.add(line("old home", sequence(1, 9)), 5000)
        self.archive.add(line("new home", sequence(2, 1)), 5001)
        self.assertEqual(self.texts(), ["old home", "new home"])

    def test_a_receipt_may_come_before_the_home_that_wrote_hands_the_message_over(self) -> None:
        mine = line("mine", 7, author="alice", state="stored")
        self.archive.confirmed_early("carol", "alice", mine.id, "delivered", 3)
        self.assertEqual(self.state_of_added(mine), "stored")
        other = line("other", 8, author="alice", state="stored")
        for state in ("read", "delivered"):
            self.archive.confirmed_early("bob", "alice", other.id, state, 4)
        self.assertEqual(self.state_of_added(other), "read")
        self.assertEqual([each.text for each in self.archive.older_acknowledged("bob", "alice", 5, 0, 9)], ["other"])
        self.assertEqual(self.database.query("SELECT chat FROM early"), [("carol",)])

    def state_of_added(self, added: Line) -> str:
        kept = self.archive.add(added, 5000)
        return kept.state if kept is not None else "not kept"

    def test_early_receipts_are_bounded_and_those_of_messages_that_are_here_not_kept(self) -> None:
        self.archive.add(line("here", 1, author="alice", state="stored"), 5000)
        self.archive.confirmed_early("bob", "alice", line("", 1, author="alice").id, "delivered", 1)
        with self.database.transaction():
            for number in range(MAX_EARLY_RECEIPTS + 5):
                self.archive.confirmed_early("bob", "alice", number.to_bytes(16, "big"), "delivered", 1)
        rows = self.database.query("SELECT min(id), count(*) FROM early")
        self.assertEqual(rows, [((5).to_bytes(16, "big"), MAX_EARLY_RECEIPTS)])

    def test_pages_meet_without_gap_or_double(self) -> None:
        for seq in range(1, 26):
            self.archive.add(line(str(seq), seq), 5000)
        page = self.archive.lines("bob", 10)
        seen = [each.text for each in page]
        while page:
            page = self.archive.lines("bob", 10, before=page[0])
            seen = [each.text for each in page] + seen
        self.assertEqual(seen, [str(seq) for seq in range(1, 26)])

    def test_search_finds_parts_of_words_and_other_scripts(self) -> None:
        for seq, text in enumerate(("Wiedersehen", "今日は雨です", 'say "hi"', "100 % sure", "под дождём"), 1):
            self.archive.add(line(text, seq), 5000)
        for search, found in (
            ("derse", "Wiedersehen"),
            ("雨", "今日は雨です"),
            ("日は雨", "今日は雨です"),
            ('"hi"', 'say "hi"'),
            ("%", "100 % sure"),
            ("дожд", "под дождём"),
        ):
            self.assertEqual(self.texts(search=search), [found], search)
        self.assertEqual(self.texts(search="nowhere"), [])

    def test_unread_counts_until_it_is_read(self) -> None:
        kept = [self.archive.add(line(str(seq), seq), 5000 + seq) for seq in (1, 2, 3)]
        self.assertEqual(self.archive.unread(), {"bob": 3})
        self.assertEqual(len(self.archive.mark_read("bob", kept[1])), 2)
        self.assertEqual(self.archive.unread(), {"bob": 1})
        self.assertEqual(len(self.archive.mark_read("bob", None)), 1)
        self.assertEqual(self.archive.mark_read("bob", None), [])
        self.assertEqual(self.archive.unread(), {})

    def test_states_only_advance(self) -> None:
        mine = replace(line("mine", 1, author="alice", state="queued"), received_ms=None)
        self.archive.add(mine, 5000)

        def advance(state: str, copies: int | None = None) -> Line | None:
            return self.archive.advance("bob", "alice", mine.id, state, copies, 7000)

        stored = advance("stored", 5)
        assert stored is not None
        self.assertEqual((stored.state, stored.copies), ("stored", 5))
        delivered = advance("delivered")
        assert delivered is not None
        self.assertEqual((delivered.copies, delivered.received_ms), (5, 7000))
        self.assertIsNone(advance("stored", 3))
        self.assertIsNone(advance("failed"))
        self.assertIsNotNone(advance("read"))

    def test_a_text_comes_back_byte_for_byte(self) -> None:
        text = "a\0b\r\n\t\x1b[31m e\u0301 \U0001f468\u200d\U0001f469 \u202e"
        self.archive.add(line(text, 1), 5000)
        self.assertEqual(self.texts(), [text])

    def test_a_gap_is_one_only_where_something_earlier_is_here(self) -> None:
        first, second, third = line("one", 1), line("two", 2), line("three", 3)
        second, third = replace(second, prev=first.id), replace(third, prev=second.id)
        self.archive.add(third, 5000)
        self.assertFalse(self.archive.follows_a_gap(third))
        self.archive.add(first, 5001)
        self.assertTrue(self.archive.follows_a_gap(third))
        self.archive.add(second, 5002)
        self.assertEqual([self.archive.follows_a_gap(each) for each in (first, second, third)], [False] * 3)

    def test_unconfirmed_are_ours_that_lie_on_the_ring(self) -> None:
        for seq, state in ((1, "stored"), (2, "stored"), (3, "delivered"), (4, "stored"), (5, "queued")):
            mine = line(f"text {seq}", seq, author="alice", state=state)
            self.archive.add(mine, 5000)
            if seq != 2:
                self.archive.lies_in("bob", "alice", mine.id, bytes([seq]) * 32)
        self.archive.add(line("theirs", 1, state="stored"), 5000)
        found = self.archive.unconfirmed("alice", 1000, 2000, 0, 10)
        shown = [(each.line.text, each.envelope) for each in found]
        self.assertEqual(shown, [("text 1", b"\1" * 32), ("text 2", None), ("text 4", b"\4" * 32)])
        later = self.archive.unconfirmed("alice", 1000, 2000, found[0].line.row, 10)
        self.assertEqual(later, found[1:])
        self.assertEqual(self.archive.unconfirmed("alice", 1003, 1003, 0, 10), [])
