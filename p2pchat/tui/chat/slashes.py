"""What each /command of the chat screen does."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from p2pchat.client import commands
from p2pchat.errors import UserError
from p2pchat.tui import qr
from p2pchat.tui.agent import AgentLink
from p2pchat.tui.chat.following import Following
from p2pchat.tui.chat.model import Line, Model
from p2pchat.tui.chat.widgets import ChatView

FOUND_LINES = 50


class Surroundings(Protocol):
    """The controller, as far as commands need it."""

    link: AgentLink
    view: ChatView
    model: Model
    following: Following

    def note(self, *texts: str, failed: bool = False) -> None: ...
    def help(self) -> None: ...
    def box(self, title: str, lines: list[Any]) -> None: ...
    def leave(self) -> None: ...
    def ask_login(self, user: str = "") -> None: ...
    def show(self, model: Model) -> None: ...
    async def open(self, user: str) -> None: ...
    async def send(self, user: str, text: str) -> None: ...


class Slashes:
    """Carries out commands, each by its first name."""

    def __init__(self, screen: Surroundings) -> None:
        self._screen = screen
        self._carry_out: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {
            "help": self._help,
            "msg": self._msg,
            "verify": self._verify,
            "status": self._status,
            "why": self._why,
            "search": self._search,
            "session": self._session,
            "login": self._login,
            "logout": self._logout,
            "clear": self._clear,
            "quit": self._quit,
        }

    async def run(self, name: str, rest: str) -> None:
        """Carry out /name with what stood behind it."""
        if name in _PEOPLE:
            await self._person(name, rest)
        elif name in _VISIBLE:
            await self._ask(commands.Settings, changes={"visible_to": _VISIBLE[name]})
            self._screen.note(f"You are now visible to {_VISIBLE[name]}.")
        else:
            await self._carry_out[name](rest)

    async def _ask(self, command: Any, **arguments: Any) -> dict[str, Any]:
        return await self._screen.link.ask(command, **arguments)

    def _meant(self, rest: str) -> str:
        opened = self._screen.model.open
        user = rest or (opened.user if opened else "")
        if not user:
            raise UserError("Name somebody, as in /add alice, or open a chat first.")
        return user

    async def _help(self, _: str) -> None:
        self._screen.help()

    async def _msg(self, rest: str) -> None:
        user, _, text = rest.partition(" ")
        await self._screen.open(self._meant(user))
        if text.strip():
            await self._screen.send(user, text.strip())

    async def _person(self, name: str, rest: str) -> None:
        command, done = _PEOPLE[name]
        user = self._meant(rest)
        await self._ask(command, user=user)
        self._screen.note(done.format(user=user))
        await self._screen.following.refresh()

    async def _verify(self, rest: str) -> None:
        user, _, answer = rest.rpartition(" ") if rest.endswith(" yes") or rest == "yes" else (rest, "", "")
        user = self._meant(user.strip())
        arguments = {"matched": True} if answer == "yes" else {}
        person = (await self._ask(commands.Verify, user=user, **arguments))["person"]
        if arguments:
            self._screen.note(f"{user} counts as verified.")
            return
        self._screen.note(
            f"Read these to each other over another way; /verify {user} yes when both match.",
            f"{user}: {_digits(person.get('digits'))}",
            f"you: {_digits(person.get('own_digits'))}",
        )
        code = qr.lines("".join(person.get("own_digits") or ()))
        self._screen.box(f"your digits, for {user}'s phone", [("qr", row) for row in code])

    async def _status(self, rest: str) -> None:
        person = (await self._ask(commands.Status, user=self._meant(rest)))["person"]
        self._screen.note(*_pairs(person))

    async def _why(self, rest: str) -> None:
        opened = self._screen.model.open
        mine = [each.id for each in opened.lines if isinstance(each, Line) and each.mine] if opened else []
        if not rest and not mine:
            raise UserError("Send a message first, or give an ID.")
        answer = await self._ask(commands.Why, id=rest or mine[-1])
        self._screen.note(*(_step(step) for step in answer["steps"]))

    async def _search(self, rest: str) -> None:
        opened = self._screen.model.open
        if opened is None or not rest:
            raise UserError("Open a chat, then /search TEXT.")
        answer = await self._ask(commands.History, user=opened.user, search=rest, limit=FOUND_LINES)
        found = [
            f"{str(row.get('sent_at') or '')[:16]} {row.get('from')}: {row.get('text')}" for row in answer["messages"]
        ]
        self._screen.note(*(found or [f"Nothing with {rest!r} in this chat."]))

    async def _session(self, _: str) -> None:
        self._screen.note(*_pairs((await self._ask(commands.Session))["session"]))

    async def _login(self, _: str) -> None:
        self._screen.ask_login(self._screen.model.standing.user)

    async def _logout(self, _: str) -> None:
        await self._ask(commands.Logout)
        await self._screen.following.refresh()
        self._screen.ask_login()

    async def _clear(self, _: str) -> None:
        self._screen.view.messages.at_end = True
        self._screen.show(self._screen.model.emptied())

    async def _quit(self, _: str) -> None:
        self._screen.leave()


_PEOPLE = {
    "add": (commands.Add, "{user} is a contact."),
    "block": (commands.Block, "{user} is blocked; /unblock {user} takes that back."),
    "unblock": (commands.Unblock, "{user} can write to you again."),
}
_VISIBLE = {"invisible": "nobody", "visible": "everyone"}


def _digits(groups: Any) -> str:
    return " ".join(str(each) for each in groups) if isinstance(groups, list) else str(groups or "unknown")


def _pairs(row: Mapping[str, Any]) -> list[str]:
    return [f"{key.replace('_', ' ')}: {value}" for key, value in row.items() if value not in (None, "", [])]


def _step(step: Mapping[str, Any]) -> str:
    shown = [
        str(step.get("at") or "")[11:23],
        *(str(step[key]) for key in ("step", "way", "node", "outcome") if step.get(key)),
    ]
    copies = f"{step['copies']} of {step['wanted']}" if step.get("copies") else ""
    return " ".join(each for each in (*shown, copies) if each)
