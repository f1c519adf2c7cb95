"""The chat without a screen: one line for each event, one line for each message or command; for screen readers.

Nothing is redrawn, no cell is addressed: it works with TERM=dumb, in a pipe, and with a braille display.
"""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver

from p2pchat.client import commands
from p2pchat.errors import P2PChatError, UserError
from p2pchat.tui.agent import AgentLink, Connect
from p2pchat.tui.chat import answers
from p2pchat.tui.chat.commands import COMMANDS, Slash, parse, text_of
from p2pchat.tui.text import harmless, one_line

SEND_SECONDS = 20.0
SHOWN_MESSAGES = 20
QUOTED_CHARACTERS = 40

_HERE = ("help", "msg", "add", "block", "unblock", "status", "session", "handover", "retry", "cancel", "why", "quit")
_PEOPLE = {"add": commands.Add, "block": commands.Block, "unblock": commands.Unblock, "status": commands.Status}


class Typed(LineOnlyReceiver):
    """Lines from the keyboard."""

    delimiter = b"\n"
    MAX_LENGTH = commands.MAX_TEXT_BYTES

    def __init__(self, typed: Callable[[str], None], ended: Callable[[], None]) -> None:
        self._typed, self._ended = typed, ended

    def lineReceived(self, line: bytes) -> None:
        self._typed(line.decode(errors="replace").rstrip("\r"))

    def connectionLost(self, reason: Any = None) -> None:
        self._ended()


class Plain:
    """Runs one chat by lines.

    Args:
        say: writes one line, its end included by the callee.
        left: called when the person leaves, or with the reason why the agent cannot be used at all.
    """

    _log = Logger()

    def __init__(
        self,
        connect: Connect,
        clock: IReactorTime,
        say: Callable[[str], None],
        left: Callable[[P2PChatError | None], None],
    ) -> None:
        self._say, self._left = say, left
        self.link = AgentLink(connect, clock, self._happened, self._link_changed, left)
        self._me, self._open = "", ""
        self._waiting: list[str] = []
        self._last = ""  # id of the message that was sent last
        self._stands = self._working = self._ended = False

    def start(self) -> None:
        """Connect, and say how to begin."""
        self._say("p2pchat. /msg USER opens a chat, /help lists the commands, /quit leaves.")
        self.link.start()

    def stop(self) -> None:
        """Let go of the agent; it goes on in the background."""
        self.link.stop()

    def typed(self, line: str) -> None:
        """One line of the person: a command, or a text to the open chat."""
        if line.strip():
            self._waiting.append(line)
            self._go_on()

    def ended(self) -> None:
        """Nothing more will be typed: leave when all of it is done."""
        self._ended = True
        self._go_on()

    def _go_on(self) -> None:
        if self._stands and not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work())

    async def _work(self) -> None:
        """Line after line, so that a text goes to the chat that was opened before it."""
        while self._waiting:
            await self._guarded(self._waiting.pop(0))
        self._working = False
        if self._ended:
            self._left(None)

    async def _guarded(self, line: str) -> None:
        try:
            await self._carry_out(line)
        except P2PChatError as error:
            self._say(f"Error: {harmless(str(error))}")
        except Exception:
            self._log.failure("a line of the person failed")
            self._say("Error: that failed in a way nobody foresaw; the log says why.")

    async def _carry_out(self, line: str) -> None:
        command = parse(line)
        if command is None:
            await self._send(self._open, text_of(line))
            return
        found, rest = command
        name = found.names[0] if found else ""
        if name == "msg":
            user, _, text = rest.partition(" ")
            await (self._send(user, text) if text else self._show(user))
        elif name == "quit":
            self._left(None)
        elif name in _PEOPLE:
            person = (await self.link.ask(_PEOPLE[name], user=rest or self._open))["person"]
            self._say(harmless(". ".join(answers.person(person))))
        elif name == "retry":
            await self.link.ask(commands.Retry, **({"id": rest} if rest not in ("", "all") else {}))
            self._say("It is tried now.")
        elif name == "cancel":
            await self.link.ask(commands.Cancel, id=self._meant(rest))
            self._say("It will not be sent.")
        elif name == "why":
            for step in (await self.link.ask(commands.Why, id=self._meant(rest)))["steps"]:
                self._say(harmless(answers.step(step)))
        elif name == "session":
            self._say(harmless(". ".join(answers.session((await self.link.ask(commands.Session))["session"]))))
        elif name == "handover":
            asked = await self.link.ask(commands.Settings, **({"changes": {"handover": rest}} if rest else {}))
            self._say(answers.handed_over(asked["settings"]))
        else:
            self._help(found, rest)

    def _help(self, found: Slash | None, rest: str) -> None:
        """The commands that work by lines; what was typed is one of the screen's, or none."""
        if found is None:
            self._say(f"/{harmless(rest)} is no command. /help lists them.")
            return
        if found.names[0] != "help":
            self._say(f"/{found.names[0]} works on the screen only. /help lists what works here.")
            return
        self._say("Commands:")
        for each in COMMANDS:
            if each.names[0] in _HERE:
                self._say(f"{f'/{each.names[0]} {each.takes}'.strip()}: {each.meaning}")

    def _meant(self, rest: str) -> str:
        """The message of an ID that was typed, or the last one that was sent."""
        if not (rest or self._last):
            raise UserError("Nothing was sent yet; send a message first, or give an ID.")
        return rest or self._last

    async def _send(self, user: str, text: str) -> None:
        if not user:
            self._say("Error: no chat is open. /msg USER opens one.")
            return
        self._open = user
        answer = await self.link.ask(commands.Send, to=user, text=text, wait="queued", timeout=SEND_SECONDS)
        if answer["status"]:
            self._say(f"Error: {harmless(answer['reason'])}")

    async def _show(self, user: str) -> None:
        answer = await self.link.ask(commands.History, user=user, limit=SHOWN_MESSAGES)
        self._open = user
        self._say(f"Chat with {harmless(user)}, {len(answer['messages'])} messages.")
        for row in answer["messages"]:
            self._message(row)
        await self.link.ask(commands.MarkRead, user=user)

    def _message(self, row: Mapping[str, Any]) -> None:
        at = str(row.get("sent_at") or "")[11:16]
        text = harmless(str(row.get("text", ""))).replace("\n", " / ")
        whose = f"To {row.get('to')}" if row.get("from") == self._me else f"From {row.get('from')}"
        quoted = row.get("quoted")
        answers = f", answering {quoted['from']}: {one_line(quoted['text'], QUOTED_CHARACTERS)}" if quoted else ""
        self._say(harmless(f"{whose}, {at}, {row.get('state')}{answers}: ") + text)

    def _link_changed(self, stands: bool, reason: str) -> None:
        if stands:
            Deferred.fromCoroutine(self._begin()).addErrback(self._not_begun)
        else:
            self._stands = False
            self._say(f"Agent: {harmless(reason)}")

    async def _begin(self) -> None:
        connection = (await self.link.ask(commands.Connection))["connection"]
        self._me = str(connection.get("user") or "")
        if connection.get("state") in ("none", "locked"):
            self._say("Not logged in. Leave with /quit, then p2pchat login USER or p2pchat register USER.")
        else:
            self._say(f"You are {self._me}, session {connection.get('state')}.")
        self._stands = True
        self._go_on()

    def _not_begun(self, failure: Any) -> None:
        """The agent ended at once; it is being started again."""
        failure.trap(P2PChatError)

    def _happened(self, event: Mapping[str, Any]) -> None:
        kind = event.get("event")
        if kind == "message":
            self._message(event)
        elif kind == "sent":
            self._last = str(event.get("id"))
        elif kind == "receipt":
            self._say(f"Message to {harmless(str(event.get('to')))}: {event.get('state')}")
        elif kind == "presence":
            self._say(f"{harmless(str(event.get('user')))} is {event.get('presence')}")
        elif kind == "session":
            self._say(f"Session: {event.get('state')}")
