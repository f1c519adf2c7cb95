"""The house holds: floors, captions, sizes, names, who may import the reactor, and errors that survive the wire."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

import p2pchat
from p2pchat import errors
from p2pchat.server import parts

ROOT = Path(__file__).resolve().parent.parent

FLOORS = (
    ("errors", "identifiers", "counting", "request"),
    ("settings",),
    ("logs", "notify"),
    ("twistd",),
    ("crypto",),
    ("wire",),
    ("chord", "discovery"),
    ("replication",),
    ("accounts", "heartbeat", "mailbox", "chat"),
    ("server", "client"),
    ("tui", "simulation"),
    ("cli",),
)

BANNED = {
    "manager",
    "handler",
    "engine",
    "processor",
    "helper",
    "helpers",
    "util",
    "utils",
    "common",
    "base",
    "data",
    "info",
}

FOREIGN_NAMES = {"data", "dataReceived", "DataFolder", "info", "kem_info"}
"""Words of Twisted, of the contract (`--data`), and of HKDF and HPKE (`info`); they stand where those demand them."""

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
"""Of its statements; the signature and the docstring are there to be read."""
MAX_CAPTION_CHARACTERS = 120

REACTOR_EDGES = {
    "p2pchat/server/plugin.py",
    "p2pchat/client/plugin.py",
    "p2pchat/cli/running.py",
}


def source_files(*folders: str) -> Iterator[Path]:
    """Every Python file of the project, or of these folders."""
    for folder in folders or ("p2pchat", "tests", "twisted", "docs", "benchmarks"):
        yield from sorted((ROOT / folder).rglob("*.py"))
    if not folders:
        yield ROOT / "setup.py"


def place(path: Path) -> str:
    """A file as people name it."""
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    """The syntax of a file."""
    return ast.parse(path.read_text("utf-8"), place(path))


def floor_of(part: str) -> int:
    """On which floor a part of p2pchat lives."""
    return next(number for number, parts in enumerate(FLOORS) if part in parts)


def imported(node: ast.AST) -> list[str]:
    """The modules that one statement imports."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
    return []


class FloorTests(SynchronousTestCase):
    """Who imports whom."""

    def test_a_module_imports_its_own_part_and_lower_floors_only(self) -> None:
        wrong = []
        for path in source_files("p2pchat"):
            part = path.relative_to(ROOT / "p2pchat").parts[0].removesuffix(".py")
            if part == "__init__":
                continue
            for node in ast.walk(tree(path)):
                for module in imported(node):
                    found = re.match(r"p2pchat\.(\w+)", module)
                    if found is None or found[1] == part or found[1].startswith("__"):
                        continue
                    if floor_of(found[1]) >= floor_of(part):
                        wrong.append(f"{place(path)} imports {module}")
        self.assertEqual(wrong, [])

    def test_crypto_knows_neither_network_nor_database(self) -> None:
        wrong = [
            f"{place(path)} imports {module}"
            for path in source_files("p2pchat/crypto")
            for node in ast.walk(tree(path))
            for module in imported(node)
            if module.split(".")[0] in ("twisted", "sqlite3", "socket", "OpenSSL")
        ]
        self.assertEqual(wrong, [])

    def test_no_import_of_ours_hides_in_a_function_or_under_type_checking(self) -> None:
        wrong = []
        for path in source_files("p2pchat"):
            module = tree(path)
            top = {id(node) for node in module.body}
            wrong += [
                f"{place(path)}:{node.lineno}"
                for node in ast.walk(module)
                if id(node) not in top and isinstance(node, ast.Import | ast.ImportFrom)
                if any(name.split(".")[0] == "p2pchat" for name in imported(node))
            ]
        self.assertEqual(wrong, [])

    def test_only_the_edges_import_the_reactor(self) -> None:
        wrong = [
            place(path)
            for path in source_files("p2pchat")
            if any("twisted.internet.reactor" in imported(node) for node in ast.walk(tree(path)))
        ]
        self.assertEqual(sorted(set(wrong) - REACTOR_EDGES), [])

    def test_the_command_line_starts_without_twisted(self) -> None:
        check = "import sys, p2pchat.cli.arguments as a; a.build_parser(); print('twisted' in sys.modules)"
        answer = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
        self.assertEqual(answer.stdout.strip(), "False")

    def test_the_plugin_imports_nothing_of_ours(self) -> None:
        plugin = ROOT / "twisted/plugins/p2pchat_plugin.py"
        modules = [module for node in ast.walk(tree(plugin)) for module in imported(node)]
        self.assertEqual([module for module in modules if module.startswith("p2pchat")], [])
        self.assertFalse((ROOT / "twisted/__init__.py").exists())
        self.assertFalse((ROOT / "twisted/plugins/__init__.py").exists())


class ShapeTests(SynchronousTestCase):
    """How files and names look."""

    def test_each_file_begins_with_its_caption(self) -> None:
        wrong = []
        for path in source_files():
            caption = (ast.get_docstring(tree(path)) or "").split("\n")[0]
            if not caption or len(caption) > MAX_CAPTION_CHARACTERS:
                wrong.append(f"{place(path)}: {caption!r}")
        self.assertEqual(wrong, [])

    def test_the_list_of_files_in_the_architecture_is_current(self) -> None:
        checked = subprocess.run(
            [sys.executable, str(ROOT / "docs/captions.py"), "--check"], capture_output=True, text=True, check=False
        )
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_no_file_is_too_long(self) -> None:
        lines = {place(path): path.read_text("utf-8").count("\n") for path in source_files()}
        self.assertEqual({name: count for name, count in lines.items() if count > MAX_FILE_LINES}, {})

    def test_no_function_is_longer_than_a_screen(self) -> None:
        wrong = []
        for path in source_files():
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                    length = (node.end_lineno or 0) - first.lineno + 1
                    if length > MAX_FUNCTION_LINES:
                        wrong.append(f"{place(path)}: {node.name} has {length} lines")
        self.assertEqual(wrong, [])

    def test_no_name_says_nothing(self) -> None:
        wrong = []
        for path in source_files("p2pchat", "twisted"):
            names = [path.stem]
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    names.append(node.name)
                elif isinstance(node, ast.arg):
                    names.append(node.arg)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.append(node.id)
            wrong += [f"{place(path)}: {name}" for name in names if says_nothing(name)]
        self.assertEqual(wrong, [])

    def test_only_the_command_line_prints(self) -> None:
        wrong = [
            f"{place(path)}:{node.lineno}"
            for path in source_files("p2pchat")
            if not place(path).startswith("p2pchat/cli/")
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
        self.assertEqual(wrong, [])

    def test_tox_runs_the_unit_tests_of_every_part(self) -> None:
        written = (ROOT / "tox.ini").read_text("utf-8")
        parts = [each.name for each in sorted((ROOT / "tests").iterdir()) if list(each.glob("test_*.py"))]
        modules = [each.stem for each in sorted((ROOT / "tests").glob("test_*.py"))]
        missing = [
            f"tests.{name}"
            for name in [*parts, *modules]
            if name not in ("end_to_end", "cluster") and not re.search(rf"\btests\.{name}\b", written)
        ]
        self.assertEqual(missing, [])


def says_nothing(name: str) -> bool:
    """Whether a name has a banned word in it."""
    if name in FOREIGN_NAMES or name.startswith("__"):
        return False
    words = re.findall(r"[a-z]+|[A-Z][a-z]*", name)
    return name.startswith("do_") or any(word.lower() in BANNED for word in words)


class WireTests(SynchronousTestCase):
    """What AMP would do with each error."""

    def commands(self) -> list[type[amp.Command]]:
        """Every command that p2pchat defines."""
        for module in pkgutil.walk_packages(p2pchat.__path__, "p2pchat."):
            if module.name.endswith(".commands") or module.name.startswith("p2pchat.wire."):
                importlib.import_module(module.name)
        found: list[type[amp.Command]] = []
        waiting: list[type[amp.Command]] = [amp.Command]
        while waiting:
            for each in waiting.pop().__subclasses__():
                waiting.append(each)
                if each.__module__.startswith("p2pchat."):
                    found.append(each)
        return found

    def test_each_error_has_a_code_of_its_own(self) -> None:
        classes = [
            each for each in vars(errors).values() if isinstance(each, type) and each.__module__ == errors.__name__
        ]
        codes = [each.code for each in classes if issubclass(each, errors.P2PChatError)]
        self.assertEqual(len(codes), len(set(codes)))

    def test_no_two_parts_of_a_node_answer_one_name(self) -> None:
        """AMP asks the first locator that knows the name of a command, whichever command was meant."""
        found = [
            each for each in vars(parts).values() if isinstance(each, type) and issubclass(each, amp.CommandLocator)
        ]
        for_nodes = [each for each in found if not each.__name__.startswith("Agent")]
        self.assertGreater(len(for_nodes), 4)
        answered = {command for each in for_nodes for command, _ in vars(each)["_commandDispatch"].values()}
        names = Counter(command.commandName for command in answered)
        self.assertEqual([name for name, count in names.items() if count > 1], [])

    def test_the_errors_of_each_command_survive_the_wire(self) -> None:
        commands = self.commands()
        self.assertGreater(len(commands), 10)
        for command in commands:
            declared = [error for error in command.errors if issubclass(error, errors.P2PChatError)]
            foreign = [error for error in command.errors if not issubclass(error, errors.P2PChatError)]
            self.assertEqual(foreign, [], command.__name__)
            codes = [command.errors[error] for error in declared]
            self.assertEqual(codes, [error.code for error in declared], command.__name__)
            for index, general in enumerate(declared):
                hidden = [each.__name__ for each in declared[index + 1 :] if issubclass(each, general)]
                self.assertEqual(hidden, [], f"{command.__name__}: {general.__name__} stands before what it covers")
            self.assertEqual(dict(command.fatalErrors), {}, command.__name__)
