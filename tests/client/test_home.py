"""The agent's folder: one agent at a time, whole files, short sockets; and what the contract's rows look like."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.message import Line
from p2pchat.client import rows
from p2pchat.client.arguments import Row, Rows
from p2pchat.client.home import MAX_SOCKET_PATH_BYTES, Home, socket_of
from p2pchat.errors import Damaged, UserError
from p2pchat.wire.boxes import MAX_VALUE_BYTES


class HomeTests(SynchronousTestCase):
    def home(self, path: str | None = None) -> Home:
        home = Home(Path(path or self.mktemp()), sync=lambda _: None)
        home.lock()
        self.addCleanup(home.unlock)
        return home

    def test_a_second_agent_is_refused_and_told_which_one_is_there(self) -> None:
        first = self.home()
        second = Home(first.path)
        told = str(self.assertRaises(UserError, second.lock))
        self.assertIn(str(os.getpid()), told)
        self.assertIn(str(first.path), told)
        first.unlock()
        second.lock()
        second.unlock()

    def test_files_are_replaced_as_a_whole_and_for_the_owner_alone(self) -> None:
        home = self.home()
        home.write("keys/one", b"first")
        home.write("keys/one", b"second")
        self.assertEqual(home.read("keys/one"), b"second")
        self.assertEqual(home.names("keys"), ["one"])
        self.assertEqual((home.path / "keys/one").stat().st_mode & 0o777, 0o600)
        self.assertEqual((home.path / "keys").stat().st_mode & 0o777, 0o700)
        home.remove("keys/one")
        self.assertIsNone(home.read("keys/one"))

    def test_a_damaged_file_is_named(self) -> None:
        home = self.home()
        home.write("session.json", b"{not json")
        self.assertIn("session.json", str(self.assertRaises(Damaged, home.read_json, "session.json")))

    def test_the_socket_lies_in_the_home_where_its_path_is_short(self) -> None:
        home = self.home("/tmp/" + self.id()[-20:].replace(".", "_") + str(os.getpid()))
        self.addCleanup(shutil.rmtree, home.path)
        self.assertEqual(home.prepare_socket(), home.path / "agent.sock")
        self.assertEqual(socket_of(home.path), home.path / "agent.sock")

    def test_what_a_killed_agent_left_does_not_stop_the_next_one(self) -> None:
        home = self.home("/tmp/p2pchat-left-" + str(os.getpid()))
        self.addCleanup(shutil.rmtree, home.path)
        (home.path / "agent.sock").touch()
        (home.path / "agent.sock.lock").symlink_to(str(os.getpid()))
        home.prepare_socket()
        self.assertEqual([each.name for each in home.path.iterdir()], ["agent.lock"])

    def test_a_long_path_is_replaced_by_a_short_one_that_others_find(self) -> None:
        home = self.home(self.mktemp() + "/" + "long" * 30)
        short = home.prepare_socket()
        self.addCleanup(short.parent.rmdir)
        self.assertLessEqual(len(bytes(short)), MAX_SOCKET_PATH_BYTES)
        self.assertEqual(socket_of(home.path), short)
        self.assertEqual(short.parent.stat().st_mode & 0o777, 0o700)
        self.assertEqual(home.prepare_socket(), short)


LINE = Line("bob", "bob", b"i" * 16, 5, b"", "hi", 1_700_000_000_123, 1_700_000_001_000, "received", 0, 77, 1)


class RowTests(SynchronousTestCase):
    def test_times_are_utc_and_exact(self) -> None:
        self.assertEqual(rows.iso(1_700_000_000_123), "2023-11-14T22:13:20.123Z")
        self.assertEqual(rows.milliseconds("2023-11-14T22:13:20.123Z"), 1_700_000_000_123)

    def test_a_message_has_the_keys_of_the_contract(self) -> None:
        row = rows.message_row(LINE, "alice", request=True)
        expected = {"id", "from", "to", "text", "sent_at", "received_at", "state", "copies", "request"}
        self.assertEqual(set(row), expected)
        self.assertEqual((row["from"], row["to"]), ("bob", "alice"))

    def test_export_and_import_are_inverse(self) -> None:
        mine = replace(LINE, author="alice", state="stored", copies=5)
        reply = replace(LINE, reply_to=b"q" * 16)
        for line in (LINE, mine, reply):
            self.assertEqual(replace(rows.imported(rows.export_row(line, "alice"), "alice"), row=1), line)

    def test_nonsense_is_refused(self) -> None:
        good = rows.export_row(LINE, "alice")
        for bad in (
            {},
            good | {"id": "zz"},
            good | {"sent_at": "yesterday"},
            good | {"text": 5},
            good | {"reply_to": "beef"},
            good | {"state": "gone"},
            good | {"order": 1 << 70},
            good | {"text": "x" * 50_000},
        ):
            self.assertRaises(UserError, rows.imported, bad, "alice")

    def test_the_longest_text_fits_into_one_value_whatever_its_characters(self) -> None:
        for character in ("\x01", '"', "\\", "\N{GRINNING FACE}", "x", "\udc80"):
            text = character * (48 * 1024 // len(character.encode("utf-8", "surrogatepass")))
            packed = Row().toString({"text": text})
            self.assertLess(len(packed), MAX_VALUE_BYTES)
            self.assertEqual(Row().fromString(packed)["text"], text)

    def test_rows_that_are_no_objects_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            Rows().fromString(Rows().toString([["a"]]))  # type: ignore[list-item]
