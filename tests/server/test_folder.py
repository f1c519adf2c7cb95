"""A data folder belongs to one running node, and what is written there is written wholly."""

import errno
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Damaged, DiskFull, UserError
from p2pchat.server.folder import DataFolder


class DataFolderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.folder = DataFolder.open(self.path)
        self.addCleanup(self.folder.close)

    def test_it_is_private(self) -> None:
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o700)
        self.folder.write("nodes", b"x")
        self.assertEqual((self.path / "nodes").stat().st_mode & 0o777, 0o600)

    def test_a_second_node_is_refused(self) -> None:
        self.assertIn("--data", str(self.assertRaises(UserError, DataFolder.open, self.path)))

    def test_sequences_grow_over_restarts(self) -> None:
        self.assertEqual([self.folder.next_sequence() for _ in range(3)], [1, 2, 3])
        (self.path / "sequence").write_text("many")
        self.assertRaises(Damaged, self.folder.next_sequence)

    def test_a_full_disk_leaves_what_was_there(self) -> None:
        self.folder.write("nodes", b"old")
        with mock.patch("os.fsync", side_effect=OSError(errno.ENOSPC, "No space left on device")):
            self.assertRaises(DiskFull, self.folder.write, "nodes", b"new")
        self.assertEqual(self.folder.read("nodes"), b"old")

    def test_a_folder_that_cannot_be_made_is_named(self) -> None:
        file = Path(self.mktemp())
        file.write_text("no folder")
        self.assertIn(str(file), str(self.assertRaises(UserError, DataFolder.open, file / "data")))
