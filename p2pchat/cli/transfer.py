"""Commands that carry a history from one place to another: export and import."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from p2pchat.cli.control import Agent, with_agent
from p2pchat.cli.show import Row, json_line
from p2pchat.client import commands
from p2pchat.errors import UserError


def export_history(options: argparse.Namespace) -> int:
    """Write the whole history as JSON lines."""

    async def act(agent: Agent) -> int:
        after, more, count = 0, True, 0
        with contextlib.ExitStack() as stack:
            to = sys.stdout if options.file == "-" else stack.enter_context(open_private(options.file))
            while more:
                answer = await agent.ask(commands.Export, after=after)
                for row in answer["messages"]:
                    to.write(json.dumps(row, ensure_ascii=True) + "\n")
                count += len(answer["messages"])
                after, more = answer["after"], answer["more"]
        if options.file != "-":
            report(options, {"exported": count}, f"{count} messages are in {options.file}.")
        return 0

    return with_agent(options, act)


def open_private(path: str) -> Any:
    """A new file that only its owner can read."""
    try:
        return open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def import_history(options: argparse.Namespace) -> int:
    """Read a history that was exported."""
    try:
        with contextlib.ExitStack() as stack:
            lines = sys.stdin if options.file == "-" else stack.enter_context(open(options.file, encoding="utf-8"))
            rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"{options.file} cannot be read: {error}") from None

    async def act(agent: Agent) -> int:
        added = 0
        for page in pages_of(rows):
            added += (await agent.ask(commands.Import, messages=page))["added"]
        report(options, {"read": len(rows), "added": added}, f"{added} of {len(rows)} messages are new here.")
        return 0

    return with_agent(options, act)


def pages_of(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows in pages that fit one call, however long the texts are."""
    page: list[Row] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row))
        if page and (len(page) == commands.MAX_PAGE_ROWS or size + length > commands.PAGE_BYTES):
            yield page
            page, size = [], 0
        page.append(row)
        size += length
    if page:
        yield page


def report(options: argparse.Namespace, row: Row, sentence: str) -> None:
    """What was done, for a program or a person."""
    if options.json:
        json_line(row)
    else:
        print(sentence)
