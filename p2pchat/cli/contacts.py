"""Commands for people: status, contacts, add, verify, block, unblock."""

import argparse
import sys

from twisted.protocols import amp

from p2pchat.cli.account import text
from p2pchat.cli.chat import every_row
from p2pchat.cli.control import Agent, with_agent
from p2pchat.cli.show import Row, emit, json_line, pairs
from p2pchat.client import commands
from p2pchat.tui import qr

PERSON = ("user", "presence", "last_seen", "fingerprint", "verified")
MARKS = ("request", "blocked", "key_changed", "key_renewed")


def status(options: argparse.Namespace) -> int:
    """A person's presence; without one, the agent's own connection."""

    async def act(agent: Agent) -> int:
        if options.user:
            answer = await agent.ask(commands.Status, user=text(options.user))
            tell(options, answer["person"])
            return 0
        connection = (await agent.ask(commands.Connection))["connection"]
        if options.json:
            json_line(connection)
        else:
            pairs(connection, list(connection))
        return 0

    return with_agent(options, act)


def contacts(options: argparse.Namespace) -> int:
    """Contacts, requests and blocked people."""

    async def act(agent: Agent) -> int:
        rows = [row async for row in every_row(agent, commands.Contacts, "people")]
        columns = [*PERSON, *(name for name in MARKS if any(name in row for row in rows))]
        emit(rows, options.json, columns)
        return 0

    return with_agent(options, act)


def add(options: argparse.Namespace) -> int:
    """Make a contact, or accept a request."""
    return change(options, commands.Add)


def block(options: argparse.Namespace) -> int:
    """Take nothing more from somebody."""
    return change(options, commands.Block)


def unblock(options: argparse.Namespace) -> int:
    """Take messages again."""
    return change(options, commands.Unblock)


def change(options: argparse.Namespace, command: type[amp.Command]) -> int:
    """Put a command about one person."""

    async def act(agent: Agent) -> int:
        tell(options, (await agent.ask(command, user=text(options.user)))["person"])
        return 0

    return with_agent(options, act)


def verify(options: argparse.Namespace) -> int:
    """Print the digits that two people compare, then take their word for it."""

    async def look(agent: Agent) -> int:
        person = (await agent.ask(commands.Verify, user=text(options.user)))["person"]
        if options.json:
            json_line(person)
            return 0
        print(f"{person['user']}'s digits, to compare with what {person['user']} sees as their own:\n")
        print(groups(person["digits"]))
        print(f"\nYour own, for {person['user']} to compare:\n\n{groups(person['own_digits'])}\n")
        print("The same as a QR code, for a phone that shows what it reads:\n")
        print("\n".join(code_lines("".join(person["own_digits"]))), flush=True)
        return 0

    async def mark(agent: Agent) -> int:
        tell(options, (await agent.ask(commands.Verify, user=text(options.user), matched=True))["person"])
        return 0

    if options.matched:
        return with_agent(options, mark)
    return with_agent(options, look)


def code_lines(digits: str) -> list[str]:
    """The QR code of one's own digits, black on white where a terminal takes colours."""
    rows = qr.lines(digits)
    return [f"    \x1b[30;107m{row}\x1b[0m" for row in rows] if sys.stdout.isatty() else rows


def groups(digits: list[str]) -> str:
    """Twelve groups in three lines."""
    return "\n".join("    " + " ".join(digits[first : first + 4]) for first in range(0, len(digits), 4))


def tell(options: argparse.Namespace, person: Row) -> None:
    """One person."""
    if options.json:
        json_line(person)
    else:
        pairs(person, [name for name in PERSON if name in PERSON[:5] or person.get(name)])
