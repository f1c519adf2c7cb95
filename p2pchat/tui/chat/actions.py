"""What the keys of the chat screen do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from p2pchat.client import commands
from p2pchat.tui.chat import dialogs, links
from p2pchat.tui.chat.model import Line, Row
from p2pchat.tui.chat.opening import Opening
from p2pchat.tui.chat.surroundings import Surroundings
from p2pchat.tui.text import one_line

MAX_FOUND = 10
FOUND_CHARACTERS = 66


class Actions:
    """Carries out the actions of `keys.CHAT`."""

    def __init__(self, screen: Surroundings, opening: Opening) -> None:
        self._screen, self._opening = screen, opening
        self._carry_out: dict[str, Callable[[str], None]] = {
            "next_chat": lambda _: self._open_if(self._screen.model.beside(1)),
            "previous_chat": lambda _: self._open_if(self._screen.model.beside(-1)),
            "next_active": lambda _: self._next_active(),
            "numbered": self._numbered,
            "first_unread": lambda _: self._first_unread(),
            "older": lambda _: self._screen.run(self._opening.load_older()),
            "newer": lambda _: self._screen.run(self._opening.load_newer()),
            "bottom": lambda _: self._screen.run(self._opening.to_newest()),
            "scrolled": lambda _: self._screen.scrolled(),
            "search": lambda _: self.search(),
            "links": lambda _: self._links(),
            "editor": lambda _: self._screen.run(self._edit()),
            "mouse": lambda _: self.mouse(not self._screen.model.mouse),
            "moused": lambda _: self._change(hint=""),
            "clicked": self._open_if,
            "past": lambda _: self._past(),
            "reply": lambda _: self._reply(),
            "unread": lambda _: self._screen.run(self._count_unread()),
            "copy": lambda _: self._copy(),
            "switch": lambda _: self._switch(),
            "help": lambda _: self._screen.help(),
            "person": lambda _: self._screen.run(self._screen.slash("status", "")),
            "list": lambda _: self._change(list_shown=not self._screen.model.list_shown),
            "bare": lambda _: self._change(bare=not self._screen.model.bare),
            "close": lambda _: self._change(bare=False, reply=None),
        }

    def pressed(self, action: str, key: str) -> None:
        """Carry out what a key stands for."""
        if action in self._carry_out:
            self._carry_out[action](key)

    def _change(self, **changes: Any) -> None:
        self._screen.show(replace(self._screen.model, **changes))

    def _open_if(self, user: str | None) -> None:
        if user is not None:
            self._screen.run(self._screen.open(user))

    def _next_active(self) -> None:
        model = self._screen.model
        opened = model.open.user if model.open else ""
        unread = [each.user for each in model.chats if each.unread and each.user != opened]
        if not unread:
            self._change(hint="nothing is unread")
        self._open_if(unread[0] if unread else None)

    def _numbered(self, key: str) -> None:
        place = (int(key[-1]) - 1) % 10 if key[-1].isdigit() else 0
        chats = self._screen.model.chats
        self._open_if(chats[place].user if place < len(chats) else None)

    def _first_unread(self) -> None:
        opened = self._screen.model.open
        if opened is not None and opened.first_unread is not None:
            self._screen.view.messages.look_for(opened.first_unread)
            self._screen.screen.redraw()

    def _switch(self) -> None:
        screen = self._screen
        users = [each.user for each in screen.model.chats]
        users += [user for user in screen.model.people if user not in users]
        screen.push(dialogs.SwitchBox(users, self._chosen, screen.view, screen.close))

    def _chosen(self, typed: str, otherwise: str) -> None:
        self._screen.close()
        self._screen.run(self._opening.open_one_of(typed, otherwise) if otherwise else self._screen.open(typed))

    def close_chat(self) -> None:
        """Show no chat; what is half typed stays with this one."""
        self._opening.keep_draft()
        self._screen.view.compose.put("")
        self._change(open=None, reply=None)

    def _reply(self) -> None:
        """The next message answers the one in view; pressed again, the one before that."""
        messages, before = self._screen.view.messages, self._screen.model.reply
        line = messages.line if before is None else messages.above(before)
        if line is not None:
            self._change(reply=line)

    async def _count_unread(self) -> None:
        """Somebody else's message in view and all below it count as unread until the chat is opened anew."""
        screen, opened = self._screen, self._screen.model.open
        line = screen.view.messages.theirs
        if opened is None or line is None:
            self._change(hint="there is nothing of theirs that could be unread")
            return
        await screen.link.ask(commands.MarkUnread, user=opened.user, id=line.id)
        now = screen.model.open
        if now is not None and now.user == opened.user:
            kept = replace(now, first_unread=line.id, unread_kept=True)
            self._change(open=kept, hint=f"unread from: {one_line(line.text, 40)}")
        await screen.refresh()

    def _copy(self) -> None:
        line = self._screen.view.messages.line
        if line is not None:
            self._screen.screen.copy(line.text)
            self._change(hint=f"copied: {one_line(line.text, 40)}")

    def pasted(self, text: str) -> None:
        """Ask what shall become of a pasted text of many lines."""
        screen = self._screen

        def decided(what: str) -> None:
            screen.close()
            if what == "edit":
                screen.view.compose.insert_text(text)
            elif what == "send" and screen.model.open is not None:
                screen.view.messages.to_end()
                screen.run(screen.send(screen.model.open.user, text))

        screen.push(dialogs.paste(text, decided, screen.view, screen.model.open is not None))

    def mouse(self, wanted: bool) -> None:
        """Take the mouse, or leave it to the terminal."""
        self._screen.screen.mouse(wanted)
        hint = "mouse on: the wheel scrolls; hold Shift to mark text" if wanted else "mouse off"
        self._change(mouse=wanted, hint=hint)

    def _links(self) -> None:
        """The links of the messages that are loaded, the newest first; Enter opens one, or copies it."""
        screen, opened = self._screen, self._screen.model.open
        lines = reversed(opened.lines) if opened is not None else ()
        all_links = [link for line in lines if isinstance(line, Line) for link in reversed(links.links(line.text))]

        def asked(typed: str) -> None:
            fitting = [each for each in dict.fromkeys(all_links) if typed.lower() in each.lower()][:MAX_FOUND]
            box.offer([(one_line(f"{links.host(each)}: {each}", FOUND_CHARACTERS), each) for each in fitting])

        def chosen(link: Any) -> None:
            screen.close()
            opened = screen.programs is not None and screen.programs.open(link)
            if not opened:
                screen.screen.copy(link)
            self._change(hint=f"{'opened' if opened else 'copied'}: {one_line(link, 50)}")

        if not all_links:
            self._change(hint="no message here has a link")
            return
        box = dialogs.PickBox("links", "Link  ", asked, chosen, screen.view, screen.close)
        screen.push(box)
        asked("")

    async def _edit(self) -> None:
        """What stands in the line goes to an editor, which has the terminal meanwhile, and comes back."""
        screen, compose = self._screen, self._screen.view.compose
        programs = screen.programs
        if programs is None:
            return
        programs.editor()
        before = compose.edit_text
        compose.put(await screen.screen.lent(lambda: programs.edited(before)))
        self._opening.typed()

    def _past(self) -> None:
        screen = self._screen
        past = list(reversed(screen.view.compose.past))

        def asked(typed: str) -> None:
            found = [each for each in past if typed.lower() in each.lower()][:MAX_FOUND]
            box.offer([(one_line(each, FOUND_CHARACTERS), each) for each in found])

        def chosen(text: Any) -> None:
            screen.close()
            screen.view.compose.put(text)

        box = dialogs.PickBox("what you typed before", "Search  ", asked, chosen, screen.view, screen.close)
        screen.push(box)
        asked("")

    def search(self, text: str = "", everywhere: bool = False) -> None:
        """Look for a text in the open chat, or in all; Enter goes to a message that was found."""
        screen = self._screen
        opened = screen.model.open
        if opened is None and not everywhere:
            return
        users = [each.user for each in screen.model.chats] if everywhere or opened is None else [opened.user]

        def chosen(found: Any) -> None:
            screen.close()
            user, message = found
            screen.run(screen.jump(user, message))

        title = "search in all chats" if everywhere or opened is None else f"search in the chat with {opened.user}"
        box = dialogs.PickBox(
            title, "Text  ", lambda typed: screen.run(self._find(box, users, typed)), chosen, screen.view, screen.close
        )
        screen.push(box)
        box.put(text)

    async def _find(self, box: dialogs.PickBox, users: list[str], typed: str) -> None:
        found: list[tuple[str, Row]] = []
        for user in users if typed.strip() else []:
            answer = await self._screen.link.ask(commands.History, user=user, search=typed, limit=MAX_FOUND)
            found += [(user, row) for row in answer["messages"]]
            if box.typed != typed:
                return
        found.sort(key=lambda each: str(each[1].get("sent_at") or ""), reverse=True)
        box.offer([(_found(row), (user, str(row["id"]))) for user, row in found[:MAX_FOUND]])
        self._screen.screen.redraw()


def _found(row: Row) -> str:
    at = str(row.get("sent_at") or "")[:10]
    return one_line(f"{at} {row.get('from')}: {row.get('text')}", FOUND_CHARACTERS)
