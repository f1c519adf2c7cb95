"""The chat screen's controller: alone in talking to the agent, it changes the model and has it shown."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import urwid
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.client import commands
from p2pchat.errors import P2PChatError, UnknownUser
from p2pchat.tui import keys
from p2pchat.tui.agent import AgentLink, Connect
from p2pchat.tui.chat import dialogs, render
from p2pchat.tui.chat.commands import completions, help_lines, parse, text_of
from p2pchat.tui.chat.following import Following
from p2pchat.tui.chat.model import Conversation, Line, Model, Notice, Standing
from p2pchat.tui.chat.slashes import Slashes
from p2pchat.tui.chat.widgets import ChatView
from p2pchat.tui.dialogs import Box, text_box
from p2pchat.tui.screen import Screen

PAGE_LINES = 100
SEND_SECONDS = 20.0
LOGIN_SECONDS = 55.0
LOOK_UP_SECONDS = 10.0
"""For the question who somebody is."""

LEAVE_HINT = "Ctrl-c once more leaves"


class Controller:
    """Runs one chat screen.

    Args:
        connect: opens a link to the agent, starting one if need be.
        user: whose chat is open at first.
        left: called when the person leaves, or with the reason why the screen cannot be used at all.
    """

    _log = Logger()

    def __init__(
        self,
        screen: Screen,
        connect: Connect,
        clock: IReactorTime,
        left: Callable[[P2PChatError | None], None],
        user: str = "",
    ) -> None:
        self._screen, self._left = screen, left
        self.following = Following(self)
        self.link = AgentLink(connect, clock, self.following.happened, self._link_changed, left)
        self.view = ChatView(self._typed, self._pressed, self._complete)
        self.model = Model()
        self.first_open = user
        self._boxes: list[Box] = []
        self._slashes = Slashes(self)
        self._shown: Model | None = None

    def start(self) -> None:
        """Show the screen and connect."""
        self._screen.before_drawing, self._screen.taken = self._draw, self._taken
        self._screen.show(self.view)
        self.link.start()

    def stop(self) -> None:
        """Let go of the agent; it goes on in the background."""
        self.link.stop()

    def show(self, model: Model) -> None:
        """Take over `model`; it is drawn soon."""
        self.model = model
        self._screen.redraw()

    def _draw(self) -> None:
        if self._shown is not self.model:
            self._shown = self.model
            self.view.show(self.model)

    def bell(self) -> None:
        """Ring."""
        self._screen.bell()

    def note(self, *texts: str, failed: bool = False) -> None:
        """Say something between the messages; without an open chat, in a box."""
        if self.model.open is None or self._boxes:
            self.box("p2pchat", list(texts))
            return
        notices = (Notice(text, failed) for text in texts)
        self.show(replace(self.model, open=self.model.open.noted(*notices)))

    def run(self, work: Awaitable[None]) -> None:
        """Do something that may fail; a failure is said, never lost."""

        async def guarded() -> None:
            try:
                await work
            except P2PChatError as error:
                self.note(str(error), failed=True)
            except Exception:
                self._log.failure("an action of the screen failed")
                self.note("That failed in a way nobody foresaw; the log of the screen says why.", failed=True)

        Deferred.fromCoroutine(guarded())

    # Boxes over the chat, one upon the other.

    @property
    def _top(self) -> urwid.Widget:
        return self._boxes[-1] if self._boxes else self.view

    def push(self, box: Box) -> None:
        """Put a box over what is shown."""
        self._boxes.append(box)
        self._screen.show(box)

    def close(self) -> None:
        """Close the topmost box."""
        self._boxes = self._boxes[:-1]
        self._screen.show(self._top)

    def box(self, title: str, lines: list[Any]) -> None:
        """Lines to read."""
        self.push(text_box(title, lines, self._top, self.close))

    def help(self) -> None:
        """Keys and commands in a box."""
        bindings = [("title", "Keys"), *keys.help_lines((*keys.CHAT, *keys.COMPOSE))]
        self.box("help", [*bindings, "", ("title", "Commands"), *help_lines()])

    # What the person does.

    def _taken(self, key: str) -> bool:
        """Keys that do the same wherever one is."""
        action = keys.action_of(keys.CHAT, key)
        again = self.model.hint == LEAVE_HINT
        if self.model.hint:
            self.show(replace(self.model, hint=""))
        if action == "quit" or (action == "interrupt" and again):
            self.leave()
        elif action == "interrupt":
            self._interrupt()
        elif action == "redraw":
            self._screen.clear()
        elif action == "help" and self._boxes:
            self.help()
        else:
            return False
        return True

    def _interrupt(self) -> None:
        if self._boxes and self._boxes[-1].closed is not None:
            self.close()
        elif not self._boxes:
            self.view.compose.put("")
        self.show(replace(self.model, hint=LEAVE_HINT))

    def _typed(self, typed: str) -> None:
        command = parse(typed)
        if command is not None:
            found, rest = command
            if found is None:
                self.note(f"/{rest} is no command. /help lists them; a text that begins with a slash takes two.")
            else:
                self.run(self._slashes.run(found.names[0], rest))
        elif self.model.open is None:
            self.view.compose.put(typed)
            self.note("No chat is open. Ctrl-k and a name opens one.")
        else:
            self.view.messages.to_end()
            self.run(self.send(self.model.open.user, text_of(typed)))

    def _pressed(self, action: str) -> None:
        if action in ("next_chat", "previous_chat"):
            self._open_if(self.model.beside(1 if action == "next_chat" else -1))
        elif action == "next_active":
            self._open_if(next((each.user for each in self.model.chats if each.unread), None))
        elif action == "older":
            self.run(self._load_older())
        elif action == "scrolled":
            self.following.scrolled()
        elif action == "switch":
            users = [each.user for each in self.model.chats]
            self.push(dialogs.SwitchBox(users, self._switch, self.view, self.close))
        elif action == "help":
            self.help()
        elif action == "list":
            self.show(replace(self.model, list_shown=not self.model.list_shown))

    def _open_if(self, user: str | None) -> None:
        if user is not None:
            self.run(self.open(user))

    def _switch(self, typed: str, otherwise: str) -> None:
        self.close()
        self.run(self._open_one_of(typed, otherwise) if otherwise else self.open(typed))

    async def _open_one_of(self, typed: str, otherwise: str) -> None:
        """A part of a name may be a name itself; the ring knows."""
        try:
            await self._meet(typed)
        except P2PChatError:
            typed = otherwise
        await self.open(typed)

    def _complete(self, typed: str) -> list[str]:
        return completions(typed, [each.user for each in self.model.chats])

    def leave(self) -> None:
        """End the screen, keeping what is half typed."""
        self.keep_draft()
        self._left(None)

    # What the agent is asked.

    async def open(self, user: str) -> None:
        """Open the chat with `user`, its last page loaded, and mark it as read."""
        self.keep_draft()
        known, before = self.model.chat(user), self.model.open
        self.view.messages.at_end = True
        await self.load(user)
        self.view.compose.put(known.draft if known else "")
        if known is not None:
            await self.following.read(user)
        if user not in self.model.people:
            await self._introduce(user, before)

    async def load(self, user: str) -> None:
        """Show the last page of the chat with `user`."""
        answer = await self.link.ask(commands.History, user=user, limit=PAGE_LINES)
        lines = tuple(Line.of(row, self.model.standing.user) for row in answer["messages"])
        known, opened = self.model.chat(user), self.model.open
        theirs = [each.id for each in lines if not each.mine]
        first = theirs[-known.unread] if known and 0 < known.unread <= len(theirs) else None
        if first is None and opened is not None and opened.user == user:
            first = opened.first_unread
        self.show(replace(self.model, open=Conversation(user, lines, first, _more(answer))))

    async def _introduce(self, user: str, before: Conversation | None) -> None:
        """Find out who it is whose chat was opened; nobody: back to what was open before."""
        try:
            name = await self._meet(user)
        except UnknownUser as error:
            opened = self.model.open
            if opened is not None and opened.user == user and not opened.lines:
                self.show(replace(self.model, open=before))
            self.note(str(error), failed=True)
        else:
            if name != user and self.model.open is not None and self.model.open.user == user:
                await self.open(name)

    async def _meet(self, user: str) -> str:
        """Ask for somebody; their canonical name."""
        person = (await self.link.ask(commands.Status, user=user, timeout=LOOK_UP_SECONDS))["person"]
        self.show(self.model.met([person]))
        return str(person["user"])

    def keep_draft(self) -> None:
        """Put what is half typed away with its chat."""
        if self.model.open is None or self.model.standing.link:
            return
        user, typed = self.model.open.user, self.view.compose.edit_text
        known = self.model.chat(user)
        if typed != (known.draft if known else ""):
            self.run(self._set_draft(user, typed))

    async def _set_draft(self, user: str, text: str) -> None:
        await self.link.ask(commands.SetDraft, user=user, text=text)
        await self.following.refresh()

    async def send(self, user: str, text: str) -> None:
        """Send a text; it appears as soon as it is on the agent's disk, its state follows by events."""
        try:
            answer = await self.link.ask(commands.Send, to=user, text=text, wait="queued", timeout=SEND_SECONDS)
        except P2PChatError:
            if not self.view.compose.edit_text and self.model.open is not None and self.model.open.user == user:
                self.view.compose.put(text)
            raise
        if answer["status"]:
            self.note(answer["reason"], failed=True)

    async def _load_older(self) -> None:
        opened = self.model.open
        if opened is None or not opened.more or opened.oldest is None:
            return
        answer = await self.link.ask(commands.History, user=opened.user, limit=PAGE_LINES, before=opened.oldest)
        lines = tuple(Line.of(row, self.model.standing.user) for row in answer["messages"])
        if self.model.open is not None and self.model.open.user == opened.user:
            self.show(replace(self.model, open=self.model.open.older(lines, _more(answer))))

    # Logging in.

    def ask_login(self, user: str = "") -> None:
        """Show the form for name and password; Escape leaves it where a session stands."""
        if self._form is None:
            closed = self.close if self.model.standing.state != "none" else None
            place = render.place(self.model.standing)
            self.push(dialogs.LoginForm(place, self._entered, self._top, user, closed))

    @property
    def _form(self) -> dialogs.LoginForm | None:
        return next((box for box in self._boxes if isinstance(box, dialogs.LoginForm)), None)

    def _entered(self, action: str, user: str, password: str) -> None:
        Deferred.fromCoroutine(self._log_in(action, user, password))

    async def _log_in(self, action: str, user: str, password: str) -> None:
        command = commands.Register if action == "register" else commands.Login
        try:
            answer = await self.link.ask(command, user=user, password=password, timeout=LOGIN_SECONDS)
        except P2PChatError as error:
            if self._form is not None:
                self._form.say(str(error))
                self._screen.redraw()
            return
        key = answer["account"].get("recovery_key")
        if key:
            self._close_form()
            self.push(dialogs.recovery_key(str(key), self.view, self.close))
        self.run(self.following.begin())

    def _close_form(self) -> None:
        if self._form is not None:
            self._boxes = [box for box in self._boxes if not isinstance(box, dialogs.LoginForm)]
            self._screen.show(self._top)

    def stand(self, standing: Standing) -> None:
        """Take over what is known of ourselves: the form for logging in comes and goes with the session."""
        before = self.model.standing
        if standing.user != before.user:
            self.show(replace(self.model, open=None, people={}))
        self.show(replace(self.model, standing=standing))
        if standing.state in ("none", "locked"):
            self.ask_login(standing.user)
            if self._form is not None:
                self._form.at(render.place(standing))
        elif before.state != standing.state:
            self._close_form()

    def _link_changed(self, stands: bool, reason: str) -> None:
        if stands:
            self.run(self.following.begin())
        else:
            self.show(replace(self.model, standing=replace(self.model.standing, link=reason)))


def _more(answer: Mapping[str, Any]) -> bool:
    """Whether older messages may exist: the agent has more of this page, or filled it."""
    return bool(answer["more"]) or len(answer["messages"]) >= PAGE_LINES
