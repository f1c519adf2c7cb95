"""docs/screens.md has every action, key and command, and the tests that it names are there."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui import keys
from p2pchat.tui.chat import render
from p2pchat.tui.chat.commands import COMMANDS
from p2pchat.tui.chat.model import Conversation, Model, Person, Standing

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


class ReadmeTests(SynchronousTestCase):
    """The screens in README.md, which `python -m docs.captures` writes, have the form that is drawn today."""

    def block(self, mark: str) -> list[str]:
        """The rows behind a mark."""
        text = (ROOT / "README.md").read_text("utf-8").partition(f"{mark}\n```\n")[2]
        rows = text.partition("\n```\n")[0].split("\n")
        self.assertTrue(all(0 <= len(row) <= 80 for row in rows))
        return rows

    def test_the_chat_screen(self) -> None:
        rows = self.block("<!-- the chat screen -->")
        standing = re.fullmatch(r" alice │ node ([0-9a-f]{8}) │ ring ([0-9a-f]{8}) │ F1 help", rows[-2])
        assert standing is not None
        bar = render.bar(Model(standing=Standing("alice", "active", standing[1], standing[2], True, link="")))
        self.assertEqual((bar[1], rows[-1]), (rows[-2], ">"))
        person = {"bob": Person("online")}
        title = render.title(Model(open=Conversation("bob"), people=person))
        self.assertEqual(rows[0].split("│")[1], "".join(text for _, text in title))
        quoting = [place for place, row in enumerate(rows) if f"alice: {render.REPLY} bob: " in row]
        self.assertEqual(len(quoting), 1)
        self.assertRegex(rows[quoting[0] + 1], r"you live\? (✓ delivered|✓✓ read)$")

    def test_the_ring_screen(self) -> None:
        rows = self.block("<!-- the ring screen -->")
        self.assertRegex(rows[-1], r" [0-9:]{8} now │ 5 of 5 nodes │ all copies there │ / find │ \? help │ q quit")
        details = [row[52:].split(" ")[0] for row in rows]
        for name in ("state", "address", "arc", "predecessor", "successors", "fingers", "slots", "members", "deficit"):
            self.assertIn(name, details)
