"""`p2pchat simulate`: text tables, JSON lines, pictures, and what is refused."""

import contextlib
import importlib.util
import io
import json
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.cli import main, tables


def ran(*words: str) -> tuple[int, str, str]:
    """Exit status, output and reasons of one command."""
    out, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(wrong):
        status = main.main(["simulate", *words])
    return status, out.getvalue(), wrong.getvalue()


class TableTests(SynchronousTestCase):
    """Rows as text."""

    def test_systems_stand_beside_the_paper(self) -> None:
        rows = [
            {"system": "classic", "p": 0.1, "path": 3.9, "failed": 0},
            {"system": "p2pchat", "p": 0.1, "path": 1.0, "failed": 0},
            {"system": "classic", "p": 0.3, "path": 12.5, "failed": 2},
        ]
        lines = list(tables.compared(rows, "p", lambda row: {"path": 4.03} if row["p"] == 0.1 else {}))
        self.assertEqual(lines[0].split(), ["path", "failed"])
        self.assertEqual(lines[1].split(), ["p", *["paper", "classic", "p2pchat"] * 2])
        self.assertEqual(lines[2].split(), ["0.100", "4.030", "3.900", "1.000", "0", "0"])
        self.assertEqual(lines[3].split(), ["0.300", "12.5", "2"])
        self.assertEqual(lines[2].index("1.000"), lines[1].index("p2pchat") + len("p2pchat") - len("1.000"))

    def test_a_line_does_not_wait_for_the_next_rows(self) -> None:
        def stream() -> Iterator[dict[str, object]]:
            yield {"system": "classic", "nodes": 8, "path": 1.4}
            yield {"system": "p2pchat", "nodes": 8, "path": 0.9}
            self.fail("asked for more than a line needs")

        lines = tables.compared(stream(), "nodes", lambda row: {})
        self.assertEqual([next(lines).split() for _ in range(3)][2], ["8", "1.400", "0.900"])

    def test_other_columns_get_a_head_of_their_own(self) -> None:
        rows = [{"seeds": 1, "lost": 0}, {"seeds": 2, "lost": 0}, {"seeds": 3, "lost": 1, "first_wrong": 9}]
        lines = [line.split() for line in tables.plain(rows)]
        heads = [line for line in lines if line[0] == "seeds"]
        self.assertEqual(heads, [["seeds", "lost"], ["seeds", "lost", "first_wrong"]])
        self.assertEqual(lines[-1], ["3", "1", "9"])


class CommandTests(SynchronousTestCase):
    """The command as a whole."""

    def test_rows_as_json_or_as_a_table(self) -> None:
        small = ("load", "--nodes", "50", "--seeds", "1")
        status, out, _ = ran(*small, "--json")
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual((status, len(rows)), (0, 6))
        self.assertEqual(set(rows[0]), {"system", "virtual", "p1", "p99"})
        self.assertEqual({row["system"] for row in rows}, {"classic", "p2pchat"})
        status, out, wrong = ran(*small)
        self.assertEqual((status, wrong), (0, ""))
        self.assertIn("paper", out.splitlines()[1])

    def test_a_picture(self) -> None:
        file = Path(self.mktemp()).with_suffix(".png")
        status, _, wrong = ran("load", "--nodes", "50", "--seeds", "1", "--plot", str(file))
        self.assertEqual((status, wrong), (0, ""))
        self.assertTrue(file.read_bytes().startswith(b"\x89PNG"))

    def test_pictures_that_cannot_be_are_refused_before_the_work(self) -> None:
        for name, why in (("picture.gif", "ends in .png"), (f"{self.mktemp()}/none/picture.png", "no folder")):
            status, out, wrong = ran("load", "--plot", name)
            self.assertEqual((status, out, wrong.count("\n")), (1, "", 1))
            self.assertIn(why, wrong)

    def test_without_matplotlib_it_says_what_to_install(self) -> None:
        self.patch(importlib.util, "find_spec", lambda name: None)
        status, out, wrong = ran("load", "--plot", "picture.png")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("pip install 'p2pchat[plot]'", wrong)
