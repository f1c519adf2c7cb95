"""What the agent tells a chat screen, and what the screen then asks it: lists, presences, read marks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from p2pchat.client import commands
from p2pchat.errors import P2PChatError
from p2pchat.tui.chat import render
from p2pchat.tui.chat.model import Chat, Line, Standing, local
from p2pchat.tui.chat.surroundings import Surroundings


class Following:
    """Keeps the model of a chat screen abreast of its agent."""

    def __init__(self, screen: Surroundings) -> None:
        self._screen = screen
        self._refreshing = self._again = False

    async def begin(self) -> None:
        """The link stands, or somebody has logged in: load everything anew."""
        await self.refresh()
        screen = self._screen
        if screen.model.standing.state == "none":
            return
        count, more = 0, True
        while more:
            page = await screen.link.ask(commands.Contacts, skip=count)
            screen.show(screen.model.met(page["people"]))
            count += len(page["people"])
            more = page["more"] and bool(page["people"])
        if screen.first_open:
            user, screen.first_open = screen.first_open, ""
            await screen.open(user)
        elif screen.model.open is not None:
            await screen.load(screen.model.open.user)

    async def refresh(self) -> None:
        """Load the list of chats and our own standing anew; calls that come meanwhile become one."""
        if self._refreshing:
            self._again = True
            return
        self._refreshing = self._again = True
        try:
            while self._again:
                self._again = False
                await self._load()
        finally:
            self._refreshing = False

    async def _load(self) -> None:
        screen = self._screen
        standing = Standing.of((await screen.link.ask(commands.Connection))["connection"])
        if standing.state in ("active", "replaced"):
            session = (await screen.link.ask(commands.Session))["session"]
            replaced_at = str((session.get("replaced") or {}).get("at") or "")
            moving = render.handover(session)
            standing = replace(standing, replaced_at=replaced_at, handover=moving)
        screen.stand(standing)
        chats: list[Mapping[str, Any]] = []
        more = standing.state != "none"
        while more:
            page = await screen.link.ask(commands.Chats, skip=len(chats))
            chats += page["chats"]
            more = page["more"] and bool(page["chats"])
        screen.show(screen.model.listed(tuple(Chat.of(row) for row in chats)))

    async def read(self, user: str) -> None:
        """The person has seen all of a chat."""
        await self._screen.link.ask(commands.MarkRead, user=user)
        await self.refresh()

    def scrolled(self) -> None:
        """Who comes down to the newest messages, or back to this terminal, has seen them."""
        opened = self._screen.model.open
        known = self._screen.model.chat(opened.user) if opened else None
        if opened is not None and known is not None and known.unread and self._looks_at_the_end:
            self._screen.run(self.read(opened.user))

    @property
    def _looks_at_the_end(self) -> bool:
        """Whether the person can see a new message of the open chat."""
        screen, opened = self._screen, self._screen.model.open
        return (
            opened is not None
            and not (opened.cut or opened.unread_kept)
            and screen.view.messages.at_end
            and screen.screen.focused is not False
        )

    def happened(self, event: Mapping[str, Any]) -> None:
        """One event of the agent."""
        kind, screen = event.get("event"), self._screen
        if kind in ("message", "sent"):
            self._message(event)
        elif kind == "receipt" and screen.model.open is not None:
            self._receipt(str(event["id"]), str(event["state"]), int(event.get("copies") or 0))
        elif kind == "presence":
            self._presence(event)
        elif kind == "session":
            self._session(event)

    def _receipt(self, message: str, state: str, copies: int) -> None:
        screen = self._screen
        if screen.model.open is not None:
            screen.show(replace(screen.model, open=screen.model.open.moved_on(message, state, copies)))
        if state == "stored" and copies != screen.model.wanted:
            self._soon(screen.ask_wanted(message))

    def _message(self, event: Mapping[str, Any]) -> None:
        screen = self._screen
        line, opened = Line.of(event, screen.model.standing.user), screen.model.open
        if opened is None or event.get("chat") != opened.user:
            if not line.mine:
                self._alert(line, str(event.get("chat")))
            self._soon(self.refresh())
            return
        seen = line.mine or self._looks_at_the_end
        added = opened.added(line)
        screen.show(replace(screen.model, open=added if seen else added.unread_from(line.id)))
        if not seen:
            self._alert(line, opened.user)
        self._soon(self.read(opened.user) if seen and not line.mine else self.refresh())

    def _alert(self, line: Line, chat: str) -> None:
        """Somebody writes whom the person does not see: ring, say so where that is wanted, run the hook."""
        screen, wish = self._screen, self._screen.preferences.notify
        if screen.programs is not None:
            screen.programs.message(line.author, chat, line.id, line.text)
        if wish == "bell" or (wish != "none" and screen.screen.focused):
            screen.screen.bell()
        elif wish in ("name", "text"):
            text = f"{line.author}: {line.text}" if wish == "text" else f"A message from {line.author}"
            screen.screen.notify(text)

    def _presence(self, event: Mapping[str, Any]) -> None:
        screen, user = self._screen, str(event["user"])
        before = screen.model.person(user)
        screen.show(screen.model.met([event]))
        now = screen.model.person(user)
        if now.key_renewed and not before.key_renewed:
            screen.note(
                f"{user} has a new key, signed by the one before. Compare digits with /verify {user}: whoever had the"
                " old key could have made it.",
                failed=True,
            )
        if now.key_changed and not before.key_changed:
            screen.note(
                f"The key of {user} has changed. Compare digits with /verify {user} before you go on.", failed=True
            )

    def _session(self, event: Mapping[str, Any]) -> None:
        before = self._screen.model.standing.state
        if event.get("state") == "replaced" and before == "active":
            at = local(str((event.get("replaced") or {}).get("at") or ""))
            self._screen.note(
                f"This session was replaced{f' at {at:%H:%M}' if at else ''}: you have logged in elsewhere."
                " What came until then stays here to read; /login takes the conversation back.",
                failed=True,
            )
        handover = (event.get("handover") or {}).get("state")
        moved = handover == "done" and bool(self._screen.model.standing.handover)
        self._soon(self.begin() if moved else self.refresh())

    def _soon(self, work: Any) -> None:
        """Something that the next event or link repeats anyway: its failure needs no words."""

        async def quietly() -> None:
            try:
                await work
            except P2PChatError:
                return

        self._screen.run(quietly())
