"""What came already is known for as long as it could come again, and no longer."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.message import Line
from p2pchat.chat.seen import DAY_MS, KEPT_DAYS
from p2pchat.chat.stores import Stores
from p2pchat.errors import Misbehaved

AUTHOR, DIGEST = bytes(32), bytes([1]) * 32
BEGAN = 1_790_000_000_000


class SeenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stores = Stores.open(Path(self.mktemp()))
        self.addCleanup(self.stores.database.close)

    def first(self, number: int, day: int, digest: bytes = DIGEST) -> bool:
        return self.stores.seen.first_time(AUTHOR, number.to_bytes(16, "big"), digest, BEGAN + day * DAY_MS)

    def rows(self, table: str) -> int:
        return int(str(self.stores.database.query(f"SELECT count(*) FROM {table}")[0][0]))

    def test_a_message_is_new_once(self) -> None:
        self.assertTrue(self.first(1, 0))
        self.assertFalse(self.first(1, KEPT_DAYS))
        self.assertRaises(Misbehaved, self.first, 1, 0, bytes(32))

    def test_rows_do_not_grow_beyond_what_can_still_come(self) -> None:
        for day in range(4 * KEPT_DAYS):
            self.first(day, day)
        self.assertEqual(self.rows("seen"), KEPT_DAYS + 1)

    def test_rows_from_before_days_were_noted_are_kept_as_if_they_had_come_today(self) -> None:
        with self.stores.database.transaction() as connection:
            connection.execute(
                "INSERT INTO seen (fingerprint, id, digest) VALUES (?, ?, ?)", (AUTHOR, bytes(16), DIGEST)
            )
        self.first(1, 0)
        self.assertFalse(self.first(0, KEPT_DAYS))
        self.first(2, KEPT_DAYS + 1)
        self.assertTrue(self.first(0, KEPT_DAYS + 1))

    def test_an_answer_is_forgotten_unless_its_text_came(self) -> None:
        archive = self.stores.archive
        archive.add(Line("bob", "bob", bytes([7]) * 16, 1, b"", "text", 1, 1, "received", 0), BEGAN)
        for identifier in (bytes([7]) * 16, bytes([8]) * 16):
            archive.refer("bob", identifier, bytes(16))
        for day in (0, KEPT_DAYS, KEPT_DAYS + 1):
            self.assertEqual(self.rows("replies"), 2)
            self.first(day, day)
        self.assertEqual(self.rows("replies"), 1)
        (line,) = archive.lines("bob", 5)
        self.assertEqual(line.reply_to, bytes(16))
