"""docs/screens.md has every action, key and command, and the tests that it names are there."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui import keys
from p2pchat.tui.chat.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent.parent
TESTED = re.compile(r"`(tests/[a-z_/]+\.py)` `(test_[a-z0-9_]+)`")


class ScreensDocumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rows = (ROOT / "docs" / "screens.md").read_text("utf-8").split("\n")

    def test_every_binding_has_its_row(self) -> None:
        for table in (keys.CHAT, keys.COMPOSE, keys.RING):
            for each in table:
                beginning = f"| `{each.action}` | {keys.all_shown(each)} | {each.meaning} | `tests/"
                self.assertTrue(any(row.startswith(beginning) for row in self.rows), beginning)

    def test_every_command_has_its_row(self) -> None:
        for each in COMMANDS:
            names = ", ".join(f"`/{name}`" for name in each.names)
            rows = [row for row in self.rows if row.startswith(f"| {names} |")]
            self.assertEqual(len(rows), 1, names)
            self.assertIn(f"| {each.meaning} | `tests/", rows[0])

    def test_every_test_that_is_named_is_there(self) -> None:
        named = {found for row in self.rows for found in TESTED.findall(row)}
        self.assertGreater(len(named), 30)
        for path, name in named:
            self.assertIn(f"    def {name}(self)", (ROOT / path).read_text("utf-8"), path)
