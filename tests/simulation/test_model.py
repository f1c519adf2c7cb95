"""The model of docs/model names functions that exist, numbers that are the code's, and mistakes that it can make."""

import importlib
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.replication.configuration import State, majority

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "model"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \|$", re.MULTILINE)
CODE = re.compile(r"`(\w+)\.([\w.]+)`")


class ModelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.model, self.script, self.readme = (
            (FOLDER / name).read_text("utf-8") for name in ("slot.pml", "check.sh", "README.md")
        )

    def defined(self, name: str) -> int:
        """A number of the model."""
        found = re.search(rf"^#define {name} (\d+)", self.model, re.MULTILINE)
        self.assertIsNotNone(found, name)
        return int(found[1]) if found else -1

    def test_the_table_names_steps_of_the_model_and_functions_of_the_code(self) -> None:
        steps = re.findall(r"^inline (\w+)\(", self.model, re.MULTILINE)
        macros = re.findall(r"^#define (\w+)\(", self.model, re.MULTILINE)
        rows: list[tuple[str, str]] = ROW.findall(self.readme.partition("**The code.**")[2])
        self.assertEqual([step for step, _ in rows if step not in {*steps, *macros}], [])
        unexplained = set(steps) - {step for step, _ in rows}
        self.assertEqual(unexplained, set())
        for step, where in rows:
            named: list[tuple[str, str]] = CODE.findall(where)
            self.assertTrue(named, step)
            for module, path in named:
                found: object = importlib.import_module(f"p2pchat.replication.{module}")
                for part in path.split("."):
                    found = getattr(found, part, None)
                self.assertTrue(callable(found), f"{step}: p2pchat/replication/{module}.py has no {path}")

    def test_numbers_are_those_of_the_code(self) -> None:
        for state in (State.LEARN, State.ACTIVE, State.SEALED, State.RETIRED):
            self.assertEqual(self.defined(state.name), state.value)
        found = re.search(r"^#define wanted\(n\) \(\(n\) == 1 -> (\d+) : (\d+)\)", self.model, re.MULTILINE)
        assert found is not None
        for mask in (int(found[1]), int(found[2])):
            self.assertEqual(self.defined("NEEDED"), majority(mask.bit_count()))
            self.assertLess(mask, 1 << self.defined("NODES"))

    def test_each_planted_mistake_is_in_the_model_the_script_and_the_readme(self) -> None:
        planted = {*re.findall(r"defined\((\w+)\)", self.model)} - {"ELECTION"}
        run = {*re.findall(r"^run ([A-Z_]+) 1 ", self.script, re.MULTILINE)}
        self.assertEqual(planted, run)
        self.assertGreaterEqual(len(run), 3)
        for name in [*run, *re.findall(r"^run (\S+) 0", self.script, re.MULTILINE)]:
            self.assertIn(f"| `{name}` |", self.readme)
