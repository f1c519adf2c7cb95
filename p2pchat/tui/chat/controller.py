"""The chat screen's controller: alone in talking to the agent, it changes the model and has it shown."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import urwid
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.client import commands
from p2pchat.errors import P2PChatError
from p2pchat.tui import keys
from p2pchat.tui.agent import AgentLink, Connect
from p2pchat.tui.chat.actions import Actions
from p2pchat.tui.chat.commands import completions, help_lines, parse, text_of
from p2pchat.tui.chat.emoji import Emoji
from p2pchat.tui.chat.following import Following
from p2pchat.tui.chat.inputs import Inputs
from p2pchat.tui.chat.login import LoggingIn
from p2pchat.tui.chat.model import Model, Notice, Standing
from p2pchat.tui.chat.opening import Opening
from p2pchat.tui.chat.slashes import Slashes
from p2pchat.tui.chat.watching import Watch, Watching
from p2pchat.tui.chat.widgets import ChatView
from p2pchat.tui.dialogs import Box, text_box
from p2pchat.tui.preferences import Preferences
from p2pchat.tui.programs import Programs
from p2pchat.tui.screen import Screen
from p2pchat.tui.text import harmless, one_line

SEND_SECONDS = 20.0
MAX_TITLE_CHARACTERS = 60
LEAVE_HINT = "Ctrl-c once more leaves"


class Controller:
    """Runs one chat screen.

    Args:
        connect: opens a link to the agent, starting one if need be.
        user: whose chat is open at first.
        left: called when the person leaves, or with the reason why the screen cannot be used at all.
        preferences: keys, and what to do about messages while nobody looks.
        programs: the hook, the opener and the editor, where there may be any.
        inputs: keeps what is typed for the next time.
        watch: opens what the ring screen shows.
    """

    _log = Logger()

    def __init__(
        self,
        screen: Screen,
        connect: Connect,
        clock: IReactorTime,
        left: Callable[[P2PChatError | None], None],
        user: str = "",
        preferences: Preferences | None = None,
        programs: Programs | None = None,
        inputs: Inputs | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.screen, self._left, self.preferences = screen, left, preferences or Preferences()
        self._following, self._opening = Following(self), Opening(self, clock)
        self._actions, self._login = Actions(self, self._opening), LoggingIn(self)
        self.link = AgentLink(connect, clock, self._following.happened, self._link_changed, left)
        self.view = ChatView(
            self.preferences,
            self._typed,
            self._actions.pressed,
            self._complete,
            self._actions.pasted,
            self._opening.typed,
        )
        self.model = Model(help_key=_help_key(self.preferences))
        self.first_open, self.programs = user, programs
        self.boxes: list[Box] = []
        if inputs is not None:
            self.view.compose.past = inputs.load()
            self.view.compose.remembered = inputs.add
        self._watching = Watching(self, clock, watch)
        self.watch = self._watching.open
        self._slashes = Slashes(self, self._actions)
        self._emoji = Emoji()
        self._shown: Model | None = None
        self.open, self.load, self.jump = self._opening.open, self._opening.load, self._opening.jump
        self.begin, self.refresh, self.read = self._following.begin, self._following.refresh, self._following.read
        self.ask_login, self.scrolled, self.slash = self._login.ask, self._following.scrolled, self._slashes.run
        self.ask_wanted = self._opening.ask_wanted

    def start(self) -> None:
        """Show the screen and connect."""
        self.screen.before_drawing, self.screen.taken = self._draw, self._taken
        self.screen.focus_changed = self.scrolled
        self.screen.show(self.view)
        if self.preferences.mouse:
            self._actions.mouse(True)
        if self.programs is not None:
            self.programs.hook_failed = self._hook_failed
        self.link.start()

    def _hook_failed(self, status: int) -> None:
        self.show(replace(self.model, hint=f"the hook ended with status {status}; /hook off ends that"))

    def bind(self, preferences: Preferences) -> None:
        """Have other keys from now on."""
        self.preferences = preferences
        self.view.bind(preferences)
        self.show(replace(self.model, help_key=_help_key(preferences)))

    def stop(self) -> None:
        """Let go of the agent; it goes on in the background."""
        self._watching.close()
        self._opening.stop()
        self.link.stop()

    def show(self, model: Model) -> None:
        """Take over `model`; it is drawn soon."""
        self.model = model
        self.screen.redraw()

    def _draw(self) -> None:
        if self._shown is not self.model:
            self._shown = self.model
            self.view.show(self.model)

    def note(self, *texts: str, failed: bool = False) -> None:
        """Say something between the messages; without an open chat, in a box."""
        if self.model.open is None or self.boxes:
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
    def top(self) -> urwid.Widget:
        """What lies on top: a box, or the chat."""
        return self.boxes[-1] if self.boxes else self.view

    def push(self, box: Box) -> None:
        """Put a box over what is shown."""
        self.boxes.append(box)
        self.shown()

    def close(self) -> None:
        """Close the topmost box."""
        self.boxes = self.boxes[:-1]
        self.shown()

    def shown(self) -> None:
        """Put what lies on top on the terminal."""
        if not self._watching.on:
            self.screen.show(self.top)

    def box(self, title: str, lines: list[Any]) -> None:
        """Lines to read; texts are made harmless, markup is our own."""
        shown = [harmless(each) if isinstance(each, str) else each for each in lines]
        self.push(text_box(one_line(title, MAX_TITLE_CHARACTERS), shown, self.top, self.close))

    def help(self, about: str = "") -> None:
        """Keys and commands in a box, or the commands that `about` begins."""
        if about:
            self.box("help", help_lines(about) or [f"There is no /{about}; /help lists all commands."])
            return
        bindings = [*self.preferences.chat_keys, *self.preferences.compose_keys]
        listed = [("title", "Keys"), *keys.help_lines(bindings)]
        self.box("help", [*listed, "", ("title", "Commands"), *help_lines()])

    # What the person does.

    def _taken(self, key: str) -> bool:
        """Keys that do the same wherever one is."""
        action = keys.action_of(self.preferences.chat_keys, key)
        again = self.model.hint == LEAVE_HINT
        if self.model.hint:
            self.show(replace(self.model, hint=""))
        if action == "quit" or (action == "interrupt" and again):
            self.leave()
        elif action == "interrupt":
            self._interrupt()
        elif action == "redraw":
            self.screen.clear()
        elif action == "help" and self.boxes:
            self.help()
        else:
            return False
        return True

    def _interrupt(self) -> None:
        if self.boxes and self.boxes[-1].closed is not None:
            self.close()
        elif not self.boxes:
            self.view.compose.put("")
            self._opening.typed()
        self.show(replace(self.model, hint=LEAVE_HINT))

    def _typed(self, typed: str) -> None:
        command = parse(typed)
        if command is not None:
            found, rest = command
            if found is None:
                self.note(f"/{rest} is no command. /help lists them; a text that begins with a slash takes two.")
            else:
                self.run(self.slash(found.names[0], rest))
        elif self.model.open is None:
            self.view.compose.put(typed)
            self.note("No chat is open. Ctrl-k and a name opens one.")
        else:
            self.run(self._send_here(self.model.open.user, text_of(typed)))

    async def _send_here(self, user: str, text: str) -> None:
        """Send to the open chat, and look at its end again."""
        answered = self.model.reply
        self.show(replace(self.model, reply=None))
        self.view.messages.to_end()
        try:
            await self.send(user, text, answered.id if answered else "")
        except P2PChatError:
            if self.model.open is not None and self.model.open.user == user:
                self.show(replace(self.model, reply=self.model.reply or answered))
            raise
        await self._opening.to_newest()

    def _complete(self, typed: str) -> list[str]:
        return completions(typed, [each.user for each in self.model.chats], self._emoji.named)

    def leave(self) -> None:
        """End the screen, keeping what is half typed."""
        self._opening.keep_draft()
        self._left(None)

    async def send(self, user: str, text: str, reply_to: str = "") -> None:
        """Send a text; it appears as soon as it is on the agent's disk, its state follows by events."""
        answered = {"reply_to": reply_to} if reply_to else {}
        try:
            answer = await self.link.ask(
                commands.Send, to=user, text=text, wait="queued", timeout=SEND_SECONDS, **answered
            )
        except P2PChatError:
            if not self.view.compose.edit_text and self.model.open is not None and self.model.open.user == user:
                self.view.compose.put(text)
            raise
        if answer["status"]:
            self.note(answer["reason"], failed=True)

    # What the agent tells.

    def stand(self, standing: Standing) -> None:
        """Take over what is known of ourselves: the form for logging in comes and goes with the session."""
        before = self.model.standing
        if standing.user != before.user:
            self.show(replace(self.model, open=None, people={}))
        self.show(replace(self.model, standing=standing))
        self._login.stands(standing, before)

    def _link_changed(self, stands: bool, reason: str) -> None:
        if stands:
            self.run(self.begin())
        else:
            self.show(replace(self.model, standing=replace(self.model.standing, link=reason)))


def _help_key(preferences: Preferences) -> str:
    """What the status line names: the first key of the help, else its command."""
    bound = next(each.keys for each in preferences.chat_keys if each.action == "help")
    return f"{keys.shown(bound[0])} help" if bound else "/help"
