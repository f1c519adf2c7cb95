"""A node's database is brought forward step by step, never back."""

import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Damaged, UserError
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.replication import schema
from p2pchat.replication.backup import Backup
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.schema import STEPS, VERSION
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store

ME = Identifier(7)


class MigrationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def write_first_version(self) -> None:
        """A database as the first version of the schema made it, with a record in it."""
        with sqlite3.connect(self.path) as connection:
            connection.executescript(f"BEGIN; {STEPS[0]} PRAGMA user_version = 1; COMMIT;")
            rows = [("node", to_bytes(ME).hex()), ("slots", "4"), ("boots", "3"), ("floor", "2")]
            connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
            connection.execute(
                "INSERT INTO items VALUES (?, ?, 0, 1, 0, 5, 4, x'', x'01020304')", (bytes(32), bytes(32))
            )
        connection.close()

    def objects(self) -> set[str]:
        connection = sqlite3.connect(self.path)
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        connection.close()
        return found

    def open(self, create: bool = False) -> SqliteStore:
        store = SqliteStore(self.path, ME, create=create, slots=4)
        self.addCleanup(store.close)
        return store

    def test_an_earlier_database_becomes_what_a_new_one_is_and_keeps_everything(self) -> None:
        self.write_first_version()
        store = self.open()
        self.assertEqual((store.boots(), store.floor(), store.measure(Identifier(0))), (3, 2, (1, 4)))
        self.assertEqual(store._sql.execute("PRAGMA user_version").fetchone()[0], VERSION)
        migrated = self.objects()
        self.path = Path(self.mktemp()).absolute()
        self.open(create=True)
        self.assertEqual(migrated, self.objects())

    def test_a_step_that_fails_changes_nothing_and_is_tried_again(self) -> None:
        self.write_first_version()
        before = self.objects()
        self.patch(schema, "STEPS", (*STEPS[:1], f"{STEPS[1]} CREATE TABLE meta (again TEXT);"))
        self.assertRaises(Damaged, self.open)
        self.assertEqual(self.objects(), before)
        self.patch(schema, "STEPS", STEPS)
        self.assertEqual(self.open().boots(), 3)

    def test_a_newer_database_is_refused_in_clear_words_and_left_alone(self) -> None:
        self.open(create=True)._sql.execute(f"PRAGMA user_version = {VERSION + 1}")
        before = self.path.read_bytes()
        error = self.assertRaises(UserError, self.open)
        self.assertIn(f"newer p2pchat (version {VERSION + 1}, this program knows {VERSION})", str(error))
        self.assertIn("Install the newer program again", str(error))
        self.assertEqual(self.path.read_bytes(), before)

    def test_a_file_that_is_none_of_ours_is_refused(self) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("CREATE TABLE other (a)")
        connection.close()
        self.assertRaises(Damaged, self.open)

    def test_backups_of_earlier_versions_are_read_and_newer_ones_refused(self) -> None:
        self.write_first_version()
        backup = Backup(self.path)
        self.assertEqual([each.point for each in backup.points()], [Identifier(0)])
        backup.close()
        with sqlite3.connect(self.path) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.close()
        self.assertIn("newer p2pchat", str(self.assertRaises(Damaged, Backup, self.path)))

    def test_a_migrated_database_takes_records(self) -> None:
        self.write_first_version()
        store = self.open()

        def put(into: Store) -> None:
            into.put_slot(SlotRecord(1, Configuration(1, (ME,)), State.ACTIVE))

        store.commit([put])
        self.assertEqual([each.slot for each in store.slots()], [1])
