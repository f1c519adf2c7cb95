"""Encrypted histories: nothing in them can be read, and a plain one becomes one whenever the power fails on the way."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat import encryption
from p2pchat.chat.message import Line, Type
from p2pchat.chat.stores import Stores
from p2pchat.errors import Damaged, DiskFull, UserError

KEY = bytes(range(32))
WORDS = ("ornithology", "perambulate", "quicksilver")
CRASH_STATUS = 9
CRASH = """
import os, sys
from pathlib import Path
from p2pchat.chat import encryption

left = int(sys.argv[3])

def sync(descriptor):
    global left
    left -= 1
    if left < 0:
        os._exit(9)

encryption.convert(Path(sys.argv[1]), Path(sys.argv[2]), bytes(range(32)), sync)
"""


def line(word: str, number: int) -> Line:
    return Line("bob", "bob", bytes([number]) * 16, number, b"", f"about {word} today", 1_000 + number, 5_000, "read")


def everything(folder: Path) -> bytes:
    """Every byte of every file."""
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


class EncryptionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.plain, self.sealed = self.folder / "chat.sqlite", self.folder / "chat.sqlcipher"

    def fill(self, stores: Stores, words: tuple[str, ...] = WORDS, first: int = 1) -> None:
        stores.contacts.meet("bob", "contact")
        for number, word in enumerate(words, first):
            stores.archive.add(line(word, number), 5_000)
        stores.outbox.add("bob", bytes(16), b"a frame of xylophones", Type.TEXT)
        stores.settings.put("a", "zymurgy")

    def torn(self, words: tuple[str, ...] = WORDS) -> None:
        """A plain history whose last words are still in SQLite's log, as a killed agent leaves it."""
        source = self.folder.with_name(f"{self.folder.name}-source")
        source.mkdir()
        stores = Stores.open(source / "chat.sqlite")
        self.fill(stores, words)
        for each in source.iterdir():
            shutil.copy(each, self.folder / each.name)
        self.assertIn(words[0].encode(), (self.folder / "chat.sqlite-wal").read_bytes())
        stores.database.close()
        shutil.rmtree(source)

    def assert_whole(self) -> None:
        stores = Stores.open(self.sealed, KEY)
        texts = [each.text for each in stores.archive.lines("bob", 10)]
        self.assertEqual(texts, [f"about {word} today" for word in WORDS])
        found = [each.text for each in stores.archive.lines("bob", 10, search="silver")]
        self.assertEqual(found, ["about quicksilver today"])
        self.assertEqual(stores.settings.get("a", ""), "zymurgy")
        stores.outbox.add("bob", bytes([1]) * 16, b"next", Type.TEXT)
        self.assertEqual([each.frame for each in stores.outbox.waiting("bob", 9)], [b"a frame of xylophones", b"next"])
        stores.outbox.remove("bob", [bytes([1]) * 16])
        stores.database.close()

    def assert_unreadable(self) -> None:
        found = everything(self.folder)
        for word in (*WORDS, "xylophones", "zymurgy", "SQLite format"):
            self.assertNotIn(word.encode(), found)


class EncryptedTests(EncryptionCase):
    def test_nothing_is_readable_while_it_is_open_and_afterwards(self) -> None:
        stores = Stores.open(self.sealed, KEY)
        self.fill(stores)
        self.assert_unreadable()
        self.assertTrue((self.folder / "chat.sqlcipher-wal").stat().st_size)
        stores.database.close()
        self.assert_unreadable()
        self.assert_whole()
        self.assertEqual(self.sealed.stat().st_mode & 0o777, 0o600)

    def test_another_key_and_no_key_open_nothing(self) -> None:
        Stores.open(self.sealed, KEY).database.close()
        for key in (bytes(32), None):
            self.assertRaises(Damaged, Stores.open, self.sealed, key)
        self.assertRaises(sqlite3.DatabaseError, sqlite3.connect(self.sealed).execute, "SELECT * FROM messages")

    def test_an_altered_page_is_noticed(self) -> None:
        stores = Stores.open(self.sealed, KEY)
        self.fill(stores)
        stores.database.close()
        content = bytearray(self.sealed.read_bytes())
        content[100] ^= 1
        self.sealed.write_bytes(content)
        self.assertRaises(Damaged, Stores.open, self.sealed, KEY)

    def test_without_the_library_one_reads_how_to_get_it(self) -> None:
        self.patch(sys, "modules", {**sys.modules, "sqlcipher3": None, "sqlcipher3.dbapi2": None})
        error = self.assertRaises(UserError, Stores.open, self.sealed, KEY)
        self.assertIn("pip install 'p2pchat[encrypted]'", str(error))
        self.fill(Stores.open(self.plain))

    def test_a_full_disk_is_told_as_in_a_plain_one(self) -> None:
        stores = Stores.open(self.sealed, KEY)
        self.addCleanup(stores.database.close)
        stores.database.query("PRAGMA max_page_count = 1")
        self.assertRaises(DiskFull, stores.settings.put, "a", "x" * 500_000)


class ConversionTests(EncryptionCase):
    def test_everything_comes_along_and_nothing_plain_is_left(self) -> None:
        self.torn()
        encryption.convert(self.plain, self.sealed, KEY)
        self.assertEqual([each.name for each in self.folder.iterdir()], ["chat.sqlcipher"])
        self.assert_unreadable()
        self.assert_whole()

    def test_removed_files_were_overwritten(self) -> None:
        self.torn()
        kept = self.folder.with_name(f"{self.folder.name}-links")
        kept.mkdir()
        for name in ("chat.sqlite", "chat.sqlite-wal"):
            (kept / name).hardlink_to(self.folder / name)
        encryption.convert(self.plain, self.sealed, KEY)
        for each in kept.iterdir():
            content = each.read_bytes()
            self.assertEqual((each.name, content.strip(b"\0")), (each.name, b""))
            self.assertTrue(content)

    def test_whenever_it_is_cut_short_the_next_attempt_finishes_it(self) -> None:
        """The process ends at its nth sync, for each n; then it begins again, as an agent does."""
        for count in range(100):
            for each in self.folder.iterdir():
                each.unlink()
            self.torn()
            done = subprocess.run(
                [sys.executable, "-c", CRASH, str(self.plain), str(self.sealed), str(count)], check=False
            )
            if done.returncode == 0:
                break
            self.assertEqual(done.returncode, CRASH_STATUS)
            self.assertTrue(self.plain.exists() or self.sealed.exists(), count)
            encryption.convert(self.plain, self.sealed, KEY)
            self.assertEqual([each.name for each in self.folder.iterdir()], ["chat.sqlcipher"], count)
            self.assert_unreadable()
            self.assert_whole()
        self.assertGreater(count, 5)

    def failing(self, at: int) -> Callable[[int], None]:
        left = [at]

        def sync(_: int) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")

        return sync

    def test_a_full_disk_leaves_the_plain_one_as_it_was(self) -> None:
        self.torn()
        self.assertRaises(DiskFull, encryption.convert, self.plain, self.sealed, KEY, self.failing(0))
        self.assertFalse(self.sealed.exists())
        stores = Stores.open(self.plain)
        self.assertEqual(len(stores.archive.lines("bob", 10)), len(WORDS))
        stores.database.close()
        encryption.convert(self.plain, self.sealed, KEY)
        self.assert_whole()

    def test_a_copy_that_differs_is_no_copy(self) -> None:
        self.torn()
        self.patch(encryption, "SAME_FORM", "SELECT 'table', '{0}', random()")
        self.assertRaises(Damaged, encryption.convert, self.plain, self.sealed, KEY)
        self.assertEqual((self.plain.exists(), self.sealed.exists()), (True, False))

    def test_messages_that_an_older_program_wrote_beside_it_are_not_thrown_away(self) -> None:
        stores = Stores.open(self.sealed, KEY)
        self.fill(stores)
        stores.database.close()
        plain = Stores.open(self.plain)
        self.fill(plain, ("unheard",), first=50)
        plain.database.close()
        error = self.assertRaises(Damaged, encryption.convert, self.plain, self.sealed, KEY)
        self.assertIn("holds 1 messages", str(error))
        self.assertTrue(self.plain.exists())

    def test_what_is_no_history_is_left_as_it_is(self) -> None:
        self.plain.write_bytes(b"something else" * 100)
        self.assertRaises(Damaged, encryption.convert, self.plain, self.sealed, KEY)
        self.assertTrue(self.plain.read_bytes().startswith(b"something else"))
        self.assertFalse(self.sealed.exists())
