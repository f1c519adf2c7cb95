"""The manual pages are current, and name every option, command and exit status of the programs."""

import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat import errors
from p2pchat.cli.arguments import build_parser
from p2pchat.settings import CLIENT, COMMAND_LINE, SERVER
from tests.cli.test_arguments import parsers_of

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "p2pchat/share/man"


def plain(name: str) -> str:
    """A page without the marks of roff."""
    text = re.sub(r"\\f[BIR]", "", (PAGES / name).read_text("utf-8"))
    return text.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")


class ManualTests(SynchronousTestCase):
    def test_they_are_what_the_tables_say(self) -> None:
        checked = subprocess.run(
            [sys.executable, str(ROOT / "docs/manuals.py"), "--check"], capture_output=True, text=True, check=False
        )
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_each_option_of_the_programs_has_its_entry(self) -> None:
        for page, table in (("p2pchat-server.8", SERVER), ("p2pchat-client.1", CLIENT)):
            tags = re.findall(r"(?m)^\.TP\n--(\S+)", plain(page))
            self.assertEqual(sorted(tags), sorted(each.name for each in table), page)
        keys = re.findall(r"(?m)^\.TP\n(\S+) = ", plain("p2pchat.toml.5"))
        named = {each.name for each in (*SERVER, *CLIENT, *COMMAND_LINE)} - {"config"}
        self.assertEqual(sorted(keys), sorted(named))
        self.assertEqual([each for each in named if each not in plain("p2pchat.toml.5")], [])

    def test_each_command_and_its_options_are_in_the_page(self) -> None:
        text = plain("p2pchat.1")
        for parser in parsers_of(build_parser()):
            for action in parser._actions:
                flags = [flag for flag in action.option_strings if flag.startswith("--") and flag != "--help"]
                shared = parser.prog.startswith(("p2pchat config", "p2pchat doctor"))
                known = {each.name for each in SERVER}
                for flag in flags:
                    if not (shared and flag[2:] in known):
                        self.assertIn(flag, text, parser.prog)
            if parser.get_default("target"):
                self.assertIn(f"\n{parser.prog} ", f"{text} ".replace("\n", " \n"))

    def test_each_exit_status_is_explained(self) -> None:
        classes = [each for each in vars(errors).values() if isinstance(each, type)]
        used = {each.exit_status for each in classes if issubclass(each, errors.P2PChatError)} | {0, 2}
        told = set(map(int, re.findall(r"(?m)^\.TP\n(\d+)$", plain("p2pchat.1"))))
        self.assertEqual(used - told, set())

    def test_a_line_of_text_is_never_taken_for_a_macro(self) -> None:
        macros = {"TH", "SH", "SS", "TP", "PP", "BR", "EX", "EE"}
        for path in PAGES.iterdir():
            found = set(re.findall(r"(?m)^[.'](\w*)", path.read_text("utf-8")))
            self.assertEqual(found - macros, set(), path.name)
