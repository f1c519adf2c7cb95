"""Commands for accounts and sessions: register, login, logout, passwd, rekey, unlock, recover, unregister, session."""

import argparse
import contextlib
import getpass
import sys
from collections.abc import Awaitable, Callable

from p2pchat.cli.control import Agent, with_agent
from p2pchat.cli.show import Row, UsageError, json_line, pairs, warn
from p2pchat.client import commands
from p2pchat.errors import P2PChatError, TimedOut, UnknownOutcome

ACCOUNT = ("user", "fingerprint", "ring", "node", "history")

MAX_LINE_BYTES = 4096
"""A first line longer than that is no password."""


def register(options: argparse.Namespace) -> int:
    """Make an account, log in, and print the recovery key for the only time."""
    password = new_password(options.password_file)

    async def act(agent: Agent) -> int:
        answer = await agent.ask(commands.Register, user=text(options.user), password=password)
        tell(options, answer["account"], "Registered and logged in")
        return 0

    return change(options, act)


def login(options: argparse.Namespace) -> int:
    """Log in by name and password; the session moves here."""
    password = one_password(options.password_file, "Password: ")

    async def act(agent: Agent) -> int:
        answer = await agent.ask(
            commands.Login, user=text(options.user), password=password, handover=not options.without_handover
        )
        tell(options, answer["account"], "Logged in")
        return 0

    return change(options, act)


def logout(options: argparse.Namespace) -> int:
    """End the session and delete this home's keys."""

    async def act(agent: Agent) -> int:
        answer = await agent.ask(commands.Logout)
        tell(options, answer["account"], "Logged out; the keys are deleted, the history stays")
        return 0

    return change(options, act)


def passwd(options: argparse.Namespace) -> int:
    """Change the password."""
    lines = lines_of(options.password_file) if options.password_file else []
    old = lines[0] if lines else ask("Password until now: ")
    if options.new_password_file:
        new = lines_of(options.new_password_file)[0]
    else:
        new = lines[1] if len(lines) > 1 else new_password(None)

    async def act(agent: Agent) -> int:
        answer = await agent.ask(commands.ChangePassword, old=old, new=new)
        tell(options, answer["account"], "The password is changed")
        return 0

    return change(options, act)


def rekey(options: argparse.Namespace) -> int:
    """Replace the identity, after somebody else may have had its keys."""
    password = one_password(options.password_file, "Password: ")
    if not options.yes and sys.stdin.isatty():
        warn("Everybody who knows you will be told that your key has changed. The recovery key changes as well.")
        if ask("Write REKEY to go on: ", secret=False) != "REKEY":
            raise UsageError("Nothing was done.")

    async def act(agent: Agent) -> int:
        answer = await agent.ask(commands.Rekey, password=password)
        tell(options, answer["account"], "The identity is new; have your contacts compare its digits (p2pchat verify)")
        return 0

    return change(options, act)


def unlock(options: argparse.Namespace) -> int:
    """Open the encrypted history of this home, to be read."""
    password = one_password(options.password_file, "Password: ")

    async def act(agent: Agent) -> int:
        answer = await agent.ask(commands.OpenHistory, password=password)
        tell(options, answer["account"], "The history is open until the agent ends")
        return 0

    return with_agent(options, act)


def recover(options: argparse.Namespace) -> int:
    """Set a new password by the recovery key."""
    key = one_password(options.recovery_key_file, "Recovery key: ")
    password = new_password(options.password_file)

    async def act(agent: Agent) -> int:
        answer = await agent.ask(commands.Recover, user=text(options.user), recovery_key=key, password=password)
        tell(options, answer["account"], "The password is changed, and you are logged in")
        return 0

    return change(options, act)


def unregister(options: argparse.Namespace) -> int:
    """Delete the account for good."""
    password = one_password(options.password_file, "Password: ")
    if not options.yes and sys.stdin.isatty():
        warn(
            "The account and its waiting mail will be deleted; the name stays closed for 30 days."
            " Nothing brings them back."
        )
        warn(
            "The history stays in a file of this home; one that is encrypted cannot be read afterwards."
            " Export it first: p2pchat export FILE"
        )
        if ask("Write DELETE to go on: ", secret=False) != "DELETE":
            raise UsageError("Nothing was done.")

    async def act(agent: Agent) -> int:
        session = (await agent.ask(commands.Session))["session"]
        answer = await agent.ask(commands.Unregister, user=session.get("user") or "", password=password)
        tell(options, answer["account"], "The account is deleted; the name stays closed for 30 days")
        return 0

    return change(options, act)


def session(options: argparse.Namespace) -> int:
    """Print the session of this home, whatever its state."""

    async def act(agent: Agent) -> int:
        show_session(options, (await agent.ask(commands.Session))["session"])
        return 0

    return with_agent(options, act)


def show_session(options: argparse.Namespace, row: Row) -> None:
    """Whose session it is, and whether it holds."""
    if options.json:
        json_line(row)
        return
    pairs(row, ("user", "state", "epoch", "node", "replaced"))
    if (row.get("handover") or {}).get("state", "none") != "none":
        pairs(row, ("handover",))


def change(options: argparse.Namespace, act: Callable[[Agent], Awaitable[int]]) -> int:
    """Run what changes the account; when the time is over, print how far it is."""

    async def watched(agent: Agent) -> int:
        try:
            return await act(agent)
        except (TimedOut, UnknownOutcome):
            with contextlib.suppress(P2PChatError):
                show_session(options, (await agent.ask(commands.Session))["session"])
            raise

    return with_agent(options, watched)


def tell(options: argparse.Namespace, account: Row, what: str) -> None:
    """An account's row, with the recovery key set apart: it is shown once and never again."""
    if options.json:
        json_line(account)
        return
    print(f"{what}.")
    pairs(account, ACCOUNT)
    if key := account.get("recovery_key"):
        print(f"\nRecovery key, shown only this once. Write it down, apart from this machine:\n\n    {key}\n")


def text(argument: str) -> str:
    """An argument as UTF-8; a terminal in another encoding must not change a name."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise UsageError("An argument is not valid UTF-8. Use a UTF-8 locale, such as C.UTF-8.") from None
    return argument


def new_password(path: str | None) -> str:
    """From the file, or typed twice."""
    if path:
        return lines_of(path)[0]
    first = ask("New password: ")
    if ask("The same again: ") != first:
        raise UsageError("The two passwords differ. Nothing was done.")
    return first


def one_password(path: str | None, prompt: str) -> str:
    """From the file, or typed once."""
    return lines_of(path)[0] if path else ask(prompt)


def ask(prompt: str, secret: bool = True) -> str:
    """What the person types; without a terminal nobody could."""
    if not sys.stdin.isatty():
        raise UsageError("There is no terminal to ask on. Use --password-file FILE (its first line).")
    try:
        return getpass.getpass(prompt) if secret else input(prompt)
    except EOFError:
        raise UsageError("Nothing was typed, nothing was done.") from None


def lines_of(path: str) -> list[str]:
    """The lines of a file that holds secrets; `-` is standard input.  The first one is there and not empty."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MAX_LINE_BYTES)
        else:
            with open(path, "rb") as file:
                content = file.read(MAX_LINE_BYTES)
        lines = content.decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    if not lines or not lines[0]:
        raise UsageError(f"The first line of {path} is empty.")
    return lines
