"""Entry of the p2pchat command: reads what was typed, runs one function, and turns errors into exit statuses."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

import p2pchat
from p2pchat.cli.arguments import build_parser
from p2pchat.cli.options import CommandParser, fill
from p2pchat.errors import P2PChatError

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments` (the process's own by default); the exit status."""
    speak_utf8(sys.stdout, sys.stderr)
    parser = build_parser()
    try:
        options = parser.parse_args(arguments)
        fill(options, os.environ)
        status = run(parser, options)
        sys.stdout.flush()
        return status
    except P2PChatError as error:
        print(f"p2pchat: {one_line(str(error))}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def run(parser: CommandParser, options: argparse.Namespace) -> int:
    """Run what the options name."""
    if options.version:
        print(f"p2pchat {p2pchat.__version__}")
        return 0
    if options.print_completion:
        shtab = importlib.import_module("shtab")
        print(shtab.complete(parser, options.print_completion))
        return 0
    target = options.target
    if not target:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            parser.error("a COMMAND is missing")
        target = "screens:chat"
    module, _, function = target.partition(":")
    command: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"p2pchat.cli.{module}"), function)
    return command(options)


def speak_utf8(*streams: TextIO) -> None:
    """Messages are UTF-8 whatever the locale says."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def one_line(text: str) -> str:
    """The reason, as the one line that a command ends with."""
    return " ".join(text.split()) or "failed"


if __name__ == "__main__":
    sys.exit(main())
