"""Steps of the schema: what a database of each version held is there after it was brought forward."""

import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.message import Type
from p2pchat.chat.outbox import Waiting
from p2pchat.chat.schema import STEPS
from p2pchat.chat.stores import Stores
from p2pchat.chat.trace import BEGUN

OLD = """
INSERT INTO messages
    (row, chat, author, id, seq, prev, text, sent_ms, received_ms, state, copies, epoch, place, envelope)
VALUES (1, 'bob', 'me', x'01', 1, x'', 'a first word', 10, NULL, 'queued', 0, 0, 10, NULL),
       (2, 'bob', 'bob', x'02', 1, x'', 'an answer', 11, 12, 'received', 0, 0, 12, NULL),
       (5, 'bob', 'me', x'03', 2, x'01', 'another word', 13, 14, 'stored', 5, 0, 13, x'0e');
INSERT INTO seen (fingerprint, id, digest) VALUES (x'ff', x'02', x'dd'), (x'ff', x'09', x'dd');
INSERT INTO outbox (contact, id, frame, type, attempts) VALUES ('bob', x'08', x'f8', 3, 0), ('bob', x'01', x'f1', 1, 2);
DELETE FROM outbox WHERE id = x'08';
INSERT INTO traces (id, at_ms, step) VALUES (x'01', 10, '{"step": "queued"}');
INSERT INTO replies (author, id, quoted) VALUES ('me', x'03', x'02');
"""
BEFORE_LAZY_INDEX = 7
"""Version whose triggers wrote the index."""


class LazyIndexTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        connection = sqlite3.connect(self.path)
        steps = "".join(STEPS[:BEFORE_LAZY_INDEX])
        connection.executescript(f"BEGIN; {steps} {OLD} PRAGMA user_version = {BEFORE_LAZY_INDEX}; COMMIT;")
        connection.close()
        self.stores = Stores.open(self.path)
        self.addCleanup(self.stores.database.close)

    def test_history_keeps_its_rows_order_states_and_index(self) -> None:
        lines = self.stores.archive.lines("bob", 10)
        self.assertEqual(
            [(each.row, each.text, each.state, each.copies, each.received_ms) for each in lines],
            [
                (1, "a first word", "queued", 0, None),
                (2, "an answer", "received", 0, 12),
                (5, "another word", "stored", 5, 14),
            ],
        )
        self.assertEqual(lines[2].reply_to, b"\2")
        self.assertEqual([each.row for each in self.stores.archive.lines("bob", 10, search="word")], [1, 5])
        self.assertEqual(self.stores.archive.unread(), {"bob": 1})
        (stored,) = self.stores.archive.unconfirmed("me", 0, 20, 0, 10)
        self.assertEqual((stored.line.row, stored.envelope), (5, b"\x0e"))
        self.stores.database.query("INSERT INTO words (words) VALUES ('integrity-check')")

    def test_what_waits_is_sent_as_before_and_what_comes_later_is_behind_it(self) -> None:
        self.stores.outbox.add("bob", b"\7", b"\xf7", Type.TEXT)
        first, second = self.stores.outbox.waiting("bob")
        self.assertEqual((first.id, first.frame, first.attempts), (b"\1", b"\xf1", 2))
        self.assertEqual(second, Waiting("bob", b"\7", b"\xf7", Type.TEXT, 0, first.number + 1))

    def test_messages_that_came_stay_known_and_those_of_other_types_are_still_seen(self) -> None:
        (answer,) = [each for each in self.stores.archive.lines("bob", 10) if each.author == "bob"]
        self.assertIsNone(self.stores.archive.add(answer, 99, BEGUN))
        self.assertTrue(self.stores.archive.same(answer))
        self.assertEqual(self.stores.database.query("SELECT id FROM seen"), [(b"\x09",)])

    def test_the_story_of_an_older_message_is_told_once(self) -> None:
        self.assertEqual(self.stores.traces.steps(b"\1"), [(10, {"step": "queued"})])
        self.assertEqual(self.stores.traces.steps(b"\2"), [])
