"""Commands for messages: send, history, chats, follow, why."""

import argparse
import contextlib
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as OutOfTime
from twisted.protocols import amp

from p2pchat.cli.account import text
from p2pchat.cli.control import Agent, with_agent
from p2pchat.cli.show import MARKS, Row, UsageError, cell, emit, json_line, message_line, pairs, preview, warn
from p2pchat.client import commands
from p2pchat.errors import TryElsewhere, UserError

STEP = ("at", "step", "way", "node", "copies", "wanted", "outcome", "request")


def send(options: argparse.Namespace) -> int:
    """Send one message and return when it has reached the wanted state."""
    body = sys.stdin.buffer.read(commands.MAX_TEXT_BYTES + 1) if options.text == "-" else None
    try:
        message = text(options.text) if body is None else body.decode()
    except UnicodeDecodeError:
        raise UsageError("Standard input is not valid UTF-8.") from None
    if len(message.encode()) > commands.MAX_TEXT_BYTES:
        raise UserError(f"A message holds {commands.MAX_TEXT_BYTES // 1024} KiB at most; send it in parts.")

    async def act(agent: Agent) -> int:
        answered = {"reply_to": text(options.reply_to)} if options.reply_to else {}
        answer = await agent.ask(commands.Send, to=text(options.user), text=message, wait=options.wait, **answered)
        sent: Row = answer["sent"]
        if options.json:
            json_line(sent)
        else:
            count = sent.get("copies")
            copies = f", {count} {'copy' if count == 1 else 'copies'} on the ring" if count else ""
            print(f"{MARKS.get(sent['state'], '?')} {sent['state']} to {cell(sent['to'])}{copies}  {sent['id']}")
        if answer["status"]:
            warn(f"p2pchat: {cell(answer['reason'])}")
        return int(answer["status"])

    return with_agent(options, act)


def history(options: argparse.Namespace) -> int:
    """Print a conversation, oldest first, page by page from its end."""

    async def act(agent: Agent) -> int:
        pages: list[list[Row]] = []
        wanted, before, more = options.limit, options.before, True
        while more and wanted > 0:
            arguments = {"before": before} if before else {}
            answer = await agent.ask(
                commands.History,
                user=text(options.user),
                limit=min(wanted, commands.MAX_PAGE_ROWS),
                search=text(options.search),
                shown=not options.json,
                **arguments,
            )
            page = answer["messages"]
            pages.append(page)
            wanted -= len(page)
            more = answer["more"] and bool(page)
            before = page[0]["id"] if page else ""
        for message in (each for page in reversed(pages) for each in page):
            if options.json:
                json_line(message)
            else:
                print(message_line(message))
        return 0

    return with_agent(options, act)


def chats(options: argparse.Namespace) -> int:
    """Print every conversation, the latest first."""

    async def act(agent: Agent) -> int:
        rows = [row async for row in every_row(agent, commands.Chats, "chats")]
        if not options.json:
            rows = [{**row, "last": preview(row.get("last"))} for row in rows]
        emit(rows, options.json, ("user", "unread", "last"))
        return 0

    return with_agent(options, act)


async def every_row(agent: Agent, command: type[amp.Command], name: str) -> Any:
    """Each row of a list that comes in pages."""
    skip, more = 0, True
    while more:
        answer = await agent.ask(command, skip=skip)
        for row in answer[name]:
            yield row
        skip += len(answer[name])
        more = answer["more"] and bool(answer[name])


class Follower(amp.CommandLocator):
    """Prints what the agent says that happened."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    @commands.Happened.responder
    def happened(self, event: dict[str, Any]) -> dict[str, Any]:
        """One event."""
        if self._as_json:
            json_line(event)
        elif event.get("event") == "message":
            print(message_line(event), flush=True)
        else:
            rest = {name: value for name, value in event.items() if name not in ("event", "handover")}
            print(f"{cell(event.get('event'))}: {cell(rest)}", flush=True)
        return {}


def follow(options: argparse.Namespace) -> int:
    """Print events until Ctrl-C, or for as long as an explicit --timeout says."""

    async def act(agent: Agent) -> int:
        await agent.ask(commands.Follow)
        ended: Deferred[None] = Deferred()
        agent.link.when_lost(lambda _: ended.errback(TryElsewhere("The agent has ended.")))
        if options.timeout:
            ended.addTimeout(agent.remaining, agent.clock)
        with contextlib.suppress(OutOfTime):
            await ended
        return 0

    with contextlib.suppress(KeyboardInterrupt):
        return with_agent(options, act, Follower(options.json))
    return 0


def why(options: argparse.Namespace) -> int:
    """Print the delivery trace of a message."""

    async def act(agent: Agent) -> int:
        answer = await agent.ask(commands.Why, id=text(options.id))
        message, steps = answer["message"], answer["steps"]
        if options.json:
            json_line({**message, "steps": steps})
            return 0
        pairs(message, ("id", "from", "to", "state", "copies", "sent_at", "received_at"))
        print()
        emit(steps, False, [name for name in STEP if any(step.get(name) is not None for step in steps)])
        return 0

    return with_agent(options, act)
