"""Chats as they are opened: pages of messages from the agent, drafts, and who somebody is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.client import commands
from p2pchat.errors import P2PChatError, UnknownUser
from p2pchat.tui.chat.model import Conversation, Line, Row
from p2pchat.tui.chat.surroundings import Surroundings

PAGE_LINES = 100
MAX_FIRST_LINES = 500
"""Of a chat with much that is unread: so far back the first unread message is looked for."""

CONTEXT_LINES = 50
"""Before and after a message that was found."""

LOOK_UP_SECONDS = 10.0
"""For the question who somebody is."""

DRAFT_SECONDS = 2.0
"""So long after the last key what is half typed goes to the agent's disk."""


class Opening:
    """Loads the open chat, page by page, and keeps drafts."""

    def __init__(self, screen: Surroundings, clock: IReactorTime) -> None:
        self._screen, self._clock = screen, clock
        self._loading = False
        self._later: IDelayedCall | None = None

    def stop(self) -> None:
        """Keep no more drafts."""
        if self._later is not None and self._later.active():
            self._later.cancel()

    async def open(self, user: str) -> None:
        """Open the chat with `user`, its last page loaded, and mark it as read."""
        screen = self._screen
        self.keep_draft()
        known, before = screen.model.chat(user), screen.model.open
        screen.view.messages.at_end = True
        await self.load(user, again=False)
        screen.view.compose.put(known.draft if known else "")
        if known is not None:
            await screen.read(user)
        if user not in screen.model.people:
            await self._introduce(user, before)

    async def load(self, user: str, again: bool = True) -> None:
        """Show the last page of the chat with `user`; `again`: the mark of the first unread message stays."""
        screen = self._screen
        known = screen.model.chat(user)
        unread = known.unread if known else 0
        limit = min(max(PAGE_LINES, unread + CONTEXT_LINES), MAX_FIRST_LINES)
        answer = await screen.link.ask(commands.History, user=user, limit=limit)
        lines, opened = self._lines(answer), screen.model.open
        theirs = [each.id for each in lines if not each.mine]
        first = theirs[-unread] if 0 < unread <= len(theirs) else None
        if first is None and again and opened is not None and opened.user == user:
            first = opened.first_unread
        reply = screen.model.reply if opened is not None and opened.user == user else None
        shown = Conversation(user, lines, first, _more(answer, limit))
        screen.show(replace(screen.model, open=shown, reply=reply))
        stored = [each.id for each in lines if each.mine and each.state == "stored"]
        if stored and not screen.model.wanted:
            await self.ask_wanted(stored[-1])

    async def ask_wanted(self, message: str) -> None:
        """Learn from one message's trace how many copies the ring keeps."""
        steps = (await self._screen.link.ask(commands.Why, id=message))["steps"]
        wanted = next((int(each["wanted"]) for each in reversed(steps) if each.get("wanted")), 0)
        if wanted:
            self._screen.show(replace(self._screen.model, wanted=wanted))

    def _lines(self, answer: Mapping[str, Any]) -> tuple[Line, ...]:
        return tuple(Line.of(row, self._screen.model.standing.user) for row in answer["messages"])

    async def load_older(self) -> None:
        """A page more at the top."""
        opened = self._screen.model.open
        if opened is None or not opened.more or opened.oldest is None:
            return
        answer = await self._page(before=opened.oldest)
        now = self._screen.model.open
        if answer is not None and now is not None and now.user == opened.user:
            self._screen.show(
                replace(self._screen.model, open=now.older(self._lines(answer), _more(answer, PAGE_LINES)))
            )

    async def load_newer(self) -> None:
        """A page more at the bottom, where the newest messages are not loaded."""
        opened = self._screen.model.open
        if opened is None or not opened.cut or opened.newest is None:
            return
        answer = await self._page(after=opened.newest)
        now = self._screen.model.open
        if answer is not None and now is not None and now.user == opened.user:
            self._screen.show(
                replace(self._screen.model, open=now.newer(self._lines(answer), _more(answer, PAGE_LINES)))
            )

    async def _page(self, **place: str) -> dict[str, Any] | None:
        """One page, and only one at a time: a held key asks faster than answers come."""
        opened = self._screen.model.open
        if self._loading or opened is None:
            return None
        self._loading = True
        try:
            return await self._screen.link.ask(commands.History, user=opened.user, limit=PAGE_LINES, **place)
        finally:
            self._loading = False

    async def to_newest(self) -> None:
        """Show the newest message, whatever is loaded."""
        opened = self._screen.model.open
        self._screen.view.messages.to_end()
        if opened is not None and opened.cut:
            await self.load(opened.user)
        self._screen.scrolled()

    async def jump(self, user: str, message: str) -> None:
        """Show a message that was found among those around it."""
        screen = self._screen
        if screen.model.open is None or screen.model.open.user != user:
            await self.open(user)
        found = (await screen.link.ask(commands.Why, id=message))["message"]
        before = await screen.link.ask(commands.History, user=user, limit=CONTEXT_LINES, before=message)
        after = await screen.link.ask(commands.History, user=user, limit=CONTEXT_LINES, after=message)
        rows: list[Row] = [*before["messages"], found, *after["messages"]]
        lines = tuple(Line.of(row, screen.model.standing.user) for row in rows)
        shown = Conversation(user, lines, None, more=_more(before, CONTEXT_LINES), cut=_more(after, CONTEXT_LINES))
        screen.show(replace(screen.model, open=shown))
        screen.view.messages.look_for(message)

    async def _introduce(self, user: str, before: Conversation | None) -> None:
        """Find out who it is whose chat was opened; nobody: back to what was open before."""
        screen = self._screen
        try:
            name = await self.meet(user)
        except UnknownUser as error:
            opened = screen.model.open
            if opened is not None and opened.user == user and not opened.lines:
                screen.show(replace(screen.model, open=before))
            screen.note(str(error), failed=True)
        else:
            if name != user and screen.model.open is not None and screen.model.open.user == user:
                await self.open(name)

    async def meet(self, user: str) -> str:
        """Ask for somebody; their canonical name."""
        person = (await self._screen.link.ask(commands.Status, user=user, timeout=LOOK_UP_SECONDS))["person"]
        self._screen.show(self._screen.model.met([person]))
        return str(person["user"])

    async def open_one_of(self, typed: str, otherwise: str) -> None:
        """A part of a name may be a name itself; the ring knows."""
        try:
            await self.meet(typed)
        except P2PChatError:
            typed = otherwise
        await self.open(typed)

    def typed(self) -> None:
        """A key has changed the line: keep it when the person pauses."""
        self.stop()
        self._later = self._clock.callLater(DRAFT_SECONDS, self.keep_draft)

    def keep_draft(self) -> None:
        """Put what is half typed away with its chat."""
        self.stop()
        screen = self._screen
        if screen.model.open is None or screen.model.standing.link:
            return
        user, text = screen.model.open.user, screen.view.compose.edit_text
        known = screen.model.chat(user)
        if text != (known.draft if known else ""):
            screen.run(self._set_draft(user, text))

    async def _set_draft(self, user: str, text: str) -> None:
        await self._screen.link.ask(commands.SetDraft, user=user, text=text)
        await self._screen.refresh()


def _more(answer: Mapping[str, Any], limit: int) -> bool:
    """Whether further messages may exist: the agent has more of this page, or filled it."""
    return bool(answer["more"]) or len(answer["messages"]) >= limit
