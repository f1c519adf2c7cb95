"""What can be typed: global options at either place, options from three sources, wrong usage told in one line."""

import argparse
import contextlib
import importlib
import io
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.cli.arguments import build_parser
from p2pchat.cli.options import CommandParser, fill
from p2pchat.cli.show import UsageError
from p2pchat.identifiers import Address


def read(*words: str, environment: dict[str, str] | None = None) -> argparse.Namespace:
    """The options of a command line."""
    options = build_parser().parse_args(words)
    fill(options, environment or {})
    return options


def parsers_of(parser: argparse.ArgumentParser) -> Iterator[CommandParser]:
    """The parser and those of all its commands."""
    if isinstance(parser, CommandParser):
        yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers_of(inner)


class GrammarTests(SynchronousTestCase):
    """The grammar."""

    def test_global_options_stand_before_or_after_the_command(self) -> None:
        before = read("--home", "/h", "--json", "--timeout", "5", "send", "bob", "hi")
        after = read("send", "bob", "hi", "--home", "/h", "--json", "--timeout", "5")
        nested = read("--json", "ring", "--timeout", "5", "status", "--home", "/h")
        for options in (before, after, nested):
            self.assertEqual((options.home, options.json, options.timeout), (Path("/h"), True, 5.0))

    def test_every_command_names_a_function_that_exists(self) -> None:
        for parser in parsers_of(build_parser()):
            target = parser.get_default("target")
            if target and not target.startswith("simulate:"):
                module, _, function = target.partition(":")
                self.assertTrue(callable(getattr(importlib.import_module(f"p2pchat.cli.{module}"), function)), target)

    def test_every_command_of_the_contract_is_there(self) -> None:
        wanted = (
            "register login logout passwd recover unregister session send history chats status follow why contacts add"
            " verify block unblock export import tui demo ring simulate"
        )
        names = {parser.prog for parser in parsers_of(build_parser())}
        self.assertEqual([each for each in wanted.split() if f"p2pchat {each}" not in names], [])
        rings = "create admit evict status trace view drain backup restore"
        self.assertEqual([each for each in rings.split() if f"p2pchat ring {each}" not in names], [])

    def test_wrong_usage_is_one_line_and_status_2(self) -> None:
        for words in (["send", "bob"], ["nonsense"], ["send", "bob", "hi", "--wait", "read"], ["--ho", "x", "chats"]):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as ended:
                read(*words)
            self.assertEqual(ended.exception.code, 2)
            self.assertEqual(said.getvalue().count("\n"), 1)


class SourceTests(SynchronousTestCase):
    """Where an option's value comes from."""

    def test_flags_win_over_the_environment_and_that_over_the_file(self) -> None:
        file = Path(self.mktemp())
        file.write_text('timeout = 1\nlimit = 2\nserver = ["127.0.0.1:1", "127.0.0.1:2"]\n')
        environment = {"P2PCHAT_CONFIG": str(file), "P2PCHAT_LIMIT": "3"}
        options = read("history", "bob", environment=environment)
        self.assertEqual((options.timeout, options.limit), (1.0, 3))
        self.assertEqual(options.server, (Address("127.0.0.1", 1), Address("127.0.0.1", 2)))
        self.assertEqual(read("history", "bob", "--limit", "4", environment=environment).limit, 4)

    def test_every_option_may_stand_in_the_file(self) -> None:
        for parser in parsers_of(build_parser()):
            for setting in parser.settings:
                file = Path(self.mktemp())
                file.write_text(f"{setting.name} = true\n")
                options = argparse.Namespace(settings=[], config=None)
                options.settings = [each for each in parser.settings if each.name == "config"]
                options.config = str(file)
                fill(options, {})

    def test_lists_and_switches_in_the_environment(self) -> None:
        options = read(
            "chats",
            environment={"P2PCHAT_SERVER": "127.0.0.1:1,[::1]:2", "P2PCHAT_JSON": "1", "P2PCHAT_NO_MULTICAST": "0"},
        )
        self.assertEqual(options.server, (Address("127.0.0.1", 1), Address("::1", 2)))
        self.assertEqual((options.json, options.no_multicast), (True, False))

    def test_a_value_that_does_not_fit_says_where_it_was_given(self) -> None:
        for environment, words in (({"P2PCHAT_TIMEOUT": "soon"}, "P2PCHAT_TIMEOUT"), ({}, "--timeout")):
            arguments = [] if environment else ["--timeout", "-1"]
            error = self.assertRaises(UsageError, read, *arguments, "chats", environment=environment)
            self.assertIn(words, str(error))
            self.assertEqual(error.exit_status, 2)
