"""Nothing in the simulated packages takes time, chance or threads from anywhere but its constructor."""

import ast
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import p2pchat

SIMULATED = ("simulation", "chord", "replication")
MODULES = frozenset({"time", "secrets", "uuid", "threading", "socket", "subprocess", "multiprocessing", "asyncio"})
FOREIGN = frozenset({"twisted.internet.reactor", "twisted.internet.threads"})
CALLS = frozenset({"os.urandom", "os.getpid", "datetime.now", "datetime.datetime.now", "date.today", "id", "hash"})
ALLOWED_CALLS = {"p2pchat/simulation/clock.py": frozenset({"id"})}  # a dict's key, never an order
NOT_SIMULATED = frozenset({"p2pchat/replication/writer.py"})  # the thread of the database; disk.py stands in for it
STORM = """
from p2pchat.simulation.papers import Papers
from p2pchat.simulation.ring import Storm
storm = Storm(Papers("storm"), 5, 5)
storm.over()
print(storm.mesh.network.digest)
"""


def offences(source: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    """What in this module could differ between two runs of one seed."""
    found = [each for node in ast.walk(ast.parse(source)) if (each := _offence(node)) and each not in allowed]
    return found + ["LoopingCall without a clock"] * ("LoopingCall(" in source and ".clock = " not in source)


def _offence(node: ast.AST) -> str:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [each.name for each in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        if node.module == "random":
            return ", ".join(f"random.{each.name}" for each in node.names if each.name != "Random")
    elif isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name if name in CALLS or (name == "Random" and not node.args) else ""
    wrong = [name for name in names if name in FOREIGN or name == "random" or name.split(".")[0] in MODULES]
    return wrong[0] if wrong else ""


class DeterminismTests(SynchronousTestCase):
    def test_no_simulated_module_has_a_clock_or_chance_of_its_own(self) -> None:
        root = Path(p2pchat.__file__).parent
        wrong, seen = [], 0
        for part in SIMULATED:
            for path in sorted((root / part).rglob("*.py")):
                seen += 1
                place = path.relative_to(root.parent).as_posix()
                if place in NOT_SIMULATED:
                    continue
                found = offences(path.read_text("utf-8"), ALLOWED_CALLS.get(place, frozenset()))
                wrong += [f"{place}: {each}" for each in found]
        self.assertEqual(wrong, [])
        self.assertGreater(seen, 40)

    def test_offenders_are_found(self) -> None:
        for source in (
            "import time",
            "import random",
            "from random import choice",
            "from twisted.internet import reactor",
            "from twisted.internet.threads import deferToThread",
            "import threading",
            "import os\nos.urandom(3)",
            "from datetime import datetime\ndatetime.now()",
            "from random import Random\nRandom()",
            "sorted(nodes, key=lambda node: id(node))",
            "loop = LoopingCall(look)\nloop.start(1.0)",
        ):
            self.assertNotEqual(offences(source), [], source)
        self.assertEqual(offences("from random import Random\nRandom(3)"), [])

    def test_a_seed_gives_the_same_events_in_every_process(self) -> None:
        digests = {self.digest(hash_seed) for hash_seed in ("1", "2")}
        self.assertEqual(len(digests), 1)

    def digest(self, hash_seed: str) -> str:
        """What another process says, in which sets of strings have another order."""
        surroundings = os.environ | {"PYTHONHASHSEED": hash_seed}
        return subprocess.run(
            [sys.executable, "-c", STORM], env=surroundings, capture_output=True, text=True, check=True
        ).stdout
