"""The agent's database: transactions, damage, versions, contacts and counts."""

import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.contacts import BLOCKED, CONTACT, REQUEST, ContactStore
from p2pchat.chat.message import Mark, Receipt, Reply, read_ids, sequence
from p2pchat.chat.schema import STEPS
from p2pchat.chat.storage import Database, Settings
from p2pchat.chat.trace import MAX_STEPS, TraceStore
from p2pchat.errors import Damaged, Misbehaved


class DatabaseTests(SynchronousTestCase):
    def test_what_was_written_is_there_after_a_restart(self) -> None:
        path = Path(self.mktemp())
        first = Database(path)
        Settings(first).put("handover", "ask")
        first.close()
        second = Database(path)
        self.addCleanup(second.close)
        self.assertEqual(Settings(second).get("handover", "always"), "ask")

    def test_a_failure_takes_the_whole_transaction_back(self) -> None:
        database = Database(":memory:")
        self.addCleanup(database.close)
        contacts, settings = ContactStore(database), Settings(database)
        with self.assertRaises(ZeroDivisionError), database.transaction():
            contacts.set_standing("bob", CONTACT)
            settings.put("a", "1")
            raise ZeroDivisionError
        self.assertIsNone(contacts.get("bob"))
        self.assertEqual(settings.get("a", "none"), "none")
        contacts.set_standing("bob", CONTACT)
        self.assertIsNotNone(contacts.get("bob"))

    def test_a_damaged_file_is_named_and_left_alone(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"this is no database, and long enough to be seen as such" * 30)
        before = path.read_bytes()
        error = self.assertRaises(Damaged, Database, path)
        self.assertIn(str(path), str(error))
        self.assertEqual(path.read_bytes(), before)

    def test_a_database_of_an_earlier_version_is_brought_forward(self) -> None:
        path = Path(self.mktemp())
        connection = sqlite3.connect(path)
        connection.executescript(f"BEGIN; {STEPS[0]} PRAGMA user_version = 1; COMMIT;")
        connection.execute("INSERT INTO settings VALUES ('handover', 'ask')")
        connection.commit()
        connection.close()
        database = Database(path)
        self.addCleanup(database.close)
        self.assertEqual(database.query("PRAGMA user_version"), [(len(STEPS),)])
        self.assertEqual(Settings(database).get("handover", "always"), "ask")

    def test_a_newer_database_is_refused(self) -> None:
        path = Path(self.mktemp())
        Database(path).close()
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
        connection.close()
        self.assertRaises(Damaged, Database, path)


class ContactTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = Database(":memory:")
        self.addCleanup(self.database.close)
        self.contacts = ContactStore(self.database)

    def test_meeting_does_not_demote_a_contact(self) -> None:
        self.contacts.meet("bob", REQUEST)
        self.contacts.set_standing("bob", CONTACT)
        self.contacts.meet("bob", REQUEST)
        self.contacts.set_standing("eve", BLOCKED)
        self.contacts.meet("eve", CONTACT)
        self.assertEqual(
            [(each.user, each.standing) for each in self.contacts.all()], [("bob", CONTACT), ("eve", BLOCKED)]
        )

    def test_texts_count_from_one_in_each_session_and_name_the_one_before(self) -> None:
        self.contacts.meet("bob", CONTACT)
        self.assertEqual(self.contacts.next_text("bob", 1, b"a" * 16), (sequence(1, 1), b""))
        self.assertEqual(self.contacts.next_text("bob", 1, b"b" * 16), (sequence(1, 2), b"a" * 16))
        self.assertEqual(self.contacts.next_text("bob", 2, b"c" * 16), (sequence(2, 1), b""))

    def test_a_changed_pin_is_not_verified_and_forgets_what_the_old_one_had_reached(self) -> None:
        self.contacts.meet("bob", CONTACT)
        self.contacts.pin("bob", b"1" * 32)
        self.contacts.verify("bob", True)
        self.contacts.saw("bob", version=3, mail_key=9, epoch=2)
        self.contacts.pin("bob", b"1" * 32)
        bob = self.contacts.get("bob")
        assert bob is not None
        self.assertEqual((bob.verified, bob.version), (True, 3))
        self.contacts.offer("bob", b"2" * 32)
        self.contacts.pin("bob", b"2" * 32)
        bob = self.contacts.get("bob")
        assert bob is not None
        self.assertEqual((bob.verified, bob.version, bob.mail_key, bob.offered), (False, 0, 0, None))


class TraceTests(SynchronousTestCase):
    def test_first_and_last_steps_of_a_long_story_stay(self) -> None:
        database = Database(":memory:")
        self.addCleanup(database.close)
        traces = TraceStore(database)
        for number in range(MAX_STEPS + 50):
            traces.add(b"i" * 16, number, "tried", outcome=None)
        steps = traces.steps(b"i" * 16)
        self.assertEqual((len(steps), steps[0][0], steps[-1][0]), (MAX_STEPS, 0, MAX_STEPS + 49))
        self.assertEqual(steps[0][1], {"step": "tried"})


class ReceiptTests(SynchronousTestCase):
    def test_receipts_survive_their_body(self) -> None:
        receipt = Receipt(Mark.READ, 7, (b"a" * 16, b"b" * 16))
        self.assertEqual(Receipt.from_bytes(receipt.to_bytes()), receipt)

    def test_a_reply_of_a_later_program_is_understood_as_far_as_we_know_it(self) -> None:
        reply = Reply(b"i" * 16, b"q" * 16)
        self.assertEqual(Reply.from_bytes(reply.to_bytes() + b"something new"), reply)
        self.assertRaises(Misbehaved, Reply.from_bytes, b"i" * 31)

    def test_nonsense_is_misbehaviour(self) -> None:
        for body in (b"", b"\1", b"\x09" + bytes(8), b"\1" + bytes(8) + b"short"):
            self.assertRaises(Misbehaved, Receipt.from_bytes, body)
        self.assertRaises(Misbehaved, read_ids, bytes(16 * 501))
