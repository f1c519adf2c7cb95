"""The benchmarks: each is in the list, the list is complete, those without processes run, and rows have one shape."""

import contextlib
import importlib
import io
import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import benchmarks
from benchmarks import report
from benchmarks.__main__ import main
from benchmarks.programs import PARTS, PROGRAMS, Failed, Program, Row, rows_of, run

FOLDER = Path(benchmarks.__file__).parent
CHEAP = ("link", "sealing")
"""Quick ones that take a second or two; between them a reactor, processes and none."""


class ListTests(SynchronousTestCase):
    """What `python -m benchmarks` knows."""

    def test_every_module_is_a_benchmark_of_the_list_or_a_part(self) -> None:
        modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "__main__"}
        self.assertEqual(modules - {each.name for each in PROGRAMS}, set(PARTS))
        self.assertEqual({each.name for each in PROGRAMS} - modules, set())

    def test_every_benchmark_has_its_own_way_to_be_quick_and_tells_json(self) -> None:
        for program in PROGRAMS:
            source = (FOLDER / f"{program.name}.py").read_text("utf-8")
            self.assertTrue(callable(importlib.import_module(f"benchmarks.{program.name}").main), program.name)
            options = [each for each in program.quick if each.startswith("--")]
            for option in [*options, "--json"]:
                self.assertIn(f'"{option}"', source, program.name)
            self.assertTrue(options, program.name)


class RunTests(SynchronousTestCase):
    """Rows, and quick runs."""

    def test_numbers_become_rows_and_texts_name_the_case(self) -> None:
        told = {"operation": "read", "w": 64, "per_second": 10, "p50_ms": 1.5}
        self.assertEqual(
            list(rows_of("records", told)),
            [Row("records", "read, w 64", "per_second", 10.0), Row("records", "read, w 64", "p50_ms", 1.5)],
        )
        nested = {"a letter": {"median": 2.0}}
        self.assertEqual(list(rows_of("screen", nested)), [Row("screen", "a letter", "median", 2.0)])

    def test_cheap_benchmarks_run_quickly_and_write_their_rows(self) -> None:
        file, shown = Path(self.mktemp()), io.StringIO()
        with contextlib.redirect_stdout(shown):
            status = main([*CHEAP, "--quick", "--json", str(file)])
        self.assertEqual(status, 0, shown.getvalue())
        rows = [Row(**json.loads(line)) for line in file.read_text().splitlines()]
        self.assertEqual({row.benchmark for row in rows}, set(CHEAP))
        self.assertTrue(all(row.value > 0 for row in rows if row.figure == "per_second"))
        self.assertEqual(len({row.case for row in rows if row.benchmark == "link" and row.figure == "per_second"}), 6)

    def test_report_has_a_table_and_a_picture_for_each_benchmark(self) -> None:
        file, folder, shown = Path(self.mktemp()), Path(self.mktemp()), io.StringIO()
        rows = [
            Row("link", "p2pchat, w 1", "per_second", 3000.0),
            Row("link", "stock AMP, w 1", "per_second", 2000.0),
            Row("link", "p2pchat, w 1", "times stock", 1.5),
            Row("history", "", "fill, s", 2.0),
        ]
        file.write_text("".join(f"{row.line()}\n" for row in rows))
        with contextlib.redirect_stdout(shown):
            report.main([str(file), "--plot", str(folder)])
        self.assertIn("| p2pchat, w 1 | 3000 | 1.5 |", shown.getvalue().splitlines())
        self.assertIn("| stock AMP, w 1 | 2000 |  |", shown.getvalue().splitlines())
        for name in ("link", "history"):
            self.assertEqual((folder / f"{name}.png").read_bytes()[:4], b"\x89PNG")

    def test_benchmark_that_fails_is_told_with_its_reason(self) -> None:
        error = self.assertRaises(Failed, run, Program("sealing", ()), ["--no-such-option"])
        self.assertIn("sealing ended with status 2", str(error))
        self.assertIn("--no-such-option", str(error))
