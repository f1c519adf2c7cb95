"""What each /command of the chat screen does."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from p2pchat.client import commands
from p2pchat.errors import UserError
from p2pchat.tui import keys, qr
from p2pchat.tui.chat import answers
from p2pchat.tui.chat.actions import Actions
from p2pchat.tui.chat.model import Line
from p2pchat.tui.chat.surroundings import Surroundings
from p2pchat.tui.palette import THEMES
from p2pchat.tui.preferences import NOTIFY


class Slashes:
    """Carries out commands, each by its first name."""

    def __init__(self, screen: Surroundings, actions: Actions) -> None:
        self._screen, self._actions = screen, actions
        self._carry_out: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {
            "help": self._help,
            "msg": self._msg,
            "reply": self._reply,
            "unread": self._unread,
            "verify": self._verify,
            "status": self._status,
            "why": self._why,
            "retry": self._retry,
            "cancel": self._cancel,
            "search": self._search,
            "find": self._find,
            "goto": self._goto,
            "handover": self._handover,
            "receipts": self._receipts,
            "theme": self._theme,
            "notify": self._notify,
            "hook": self._hook,
            "bind": self._bind,
            "links": self._links,
            "editor": self._editor,
            "mouse": self._mouse,
            "ring": self._screen.watch,
            "session": self._session,
            "login": self._login,
            "logout": self._logout,
            "clear": self._clear,
            "close": self._close,
            "quit": self._quit,
        }

    async def run(self, name: str, rest: str) -> None:
        """Carry out /name with what stood behind it."""
        if name in _PEOPLE:
            await self._person(name, rest)
        elif name in _VISIBLE:
            whom = rest or _VISIBLE[name]
            await self._ask(commands.Settings, changes={"visible_to": whom})
            self._screen.note(f"You are now visible to {whom}.")
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

    async def _help(self, rest: str) -> None:
        self._screen.help(rest.removeprefix("/"))

    async def _msg(self, rest: str) -> None:
        user, _, text = rest.partition(" ")
        await self._screen.open(self._meant(user))
        if text.strip():
            await self._screen.send(user, text.strip())

    async def _reply(self, rest: str) -> None:
        opened, line = self._screen.model.open, self._screen.view.messages.line
        if opened is None or line is None:
            raise UserError("There is no message in view to answer; open a chat first.")
        if rest:
            await self._screen.send(opened.user, rest, line.id)
        else:
            self._actions.pressed("reply", "")

    async def _unread(self, _: str) -> None:
        self._actions.pressed("unread", "")

    async def _person(self, name: str, rest: str) -> None:
        command, done = _PEOPLE[name]
        user = self._meant(rest)
        await self._ask(command, user=user)
        self._screen.note(done.format(user=user))
        await self._screen.refresh()

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
            f"{user}: {answers.digits(person.get('digits'))}",
            f"you: {answers.digits(person.get('own_digits'))}",
        )
        code = qr.lines("".join(person.get("own_digits") or ()))
        self._screen.box(f"your digits, for {user}'s phone (Escape: close)", [("qr", row) for row in code])

    async def _status(self, rest: str) -> None:
        person = (await self._ask(commands.Status, user=self._meant(rest)))["person"]
        self._screen.note(*answers.person(person))

    def _mine(self, *states: str) -> str:
        """The last message of ours in the open chat, in one of the states if there are any."""
        opened = self._screen.model.open
        lines = [each for each in opened.lines if isinstance(each, Line) and each.mine] if opened else []
        fitting = [each.id for each in lines if not states or each.state in states]
        if not fitting:
            kind = f" that is {' or '.join(states)}" if states else ""
            raise UserError(f"There is no message of yours{kind} in this chat. Give an ID, or open another chat.")
        return fitting[-1]

    async def _why(self, rest: str) -> None:
        answer = await self._ask(commands.Why, id=rest or self._mine())
        self._screen.note(*(answers.step(step) for step in answer["steps"]))

    async def _retry(self, rest: str) -> None:
        if rest == "all":
            await self._ask(commands.Retry)
            self._screen.note("All that is queued is tried now.")
            return
        await self._ask(commands.Retry, id=rest or self._mine("failed", "queued"))

    async def _cancel(self, rest: str) -> None:
        attempts = (await self._ask(commands.Cancel, id=rest or self._mine("queued")))["attempts"]
        tried = f" It was tried {attempts} times; if one of them got through unseen, it arrives." if attempts else ""
        self._screen.note(f"It will not be sent; /retry sends it after all.{tried}")

    async def _search(self, rest: str) -> None:
        if self._screen.model.open is None:
            raise UserError("Open a chat, then /search TEXT; /find TEXT searches all chats.")
        self._actions.search(rest)

    async def _find(self, rest: str) -> None:
        self._actions.search(rest, everywhere=True)

    async def _goto(self, rest: str) -> None:
        places = {"unread": "first_unread", "": "bottom", "end": "bottom"}
        if rest not in places:
            raise UserError("/goto unread, or /goto end.")
        self._actions.pressed(places[rest], "")

    async def _handover(self, rest: str) -> None:
        changes = {"changes": {"handover": rest}} if rest else {}
        settings = (await self._ask(commands.Settings, **changes))["settings"]
        self._screen.note(answers.handed_over(settings))

    async def _receipts(self, rest: str) -> None:
        if rest not in ("on", "off", ""):
            raise UserError("/receipts on, or /receipts off.")
        changes = {"changes": {"read_receipts": rest == "on"}} if rest else {}
        settings = (await self._ask(commands.Settings, **changes))["settings"]
        told = "are" if settings["read_receipts"] else "are not"
        self._screen.note(f"Others {told} told when you have read their messages.")

    async def _theme(self, rest: str) -> None:
        if rest not in THEMES:
            raise UserError(f"/theme takes one of {', '.join(THEMES)}; for good: theme = '…' in screen.toml.")
        self._screen.screen.theme(rest)

    async def _notify(self, rest: str) -> None:
        if rest not in NOTIFY:
            raise UserError(f"/notify takes one of {', '.join(NOTIFY)}; for good: notify = '…' in screen.toml.")
        self._screen.preferences = replace(self._screen.preferences, notify=rest)

    async def _hook(self, rest: str) -> None:
        programs = self._screen.programs
        if programs is None or not programs.hook:
            raise UserError("There is no hook; in screen.toml: hook = ['notify-send', 'p2pchat', 'from {from}']")
        if rest not in ("on", "off", ""):
            raise UserError("/hook on, or /hook off.")
        programs.hook_runs = rest == "on" if rest else programs.hook_runs
        runs = "runs" if programs.hook_runs else "does not run"
        self._screen.note(f"{' '.join(programs.hook)} {runs} for messages that you do not see.")

    async def _bind(self, rest: str) -> None:
        wishes = self._screen.preferences
        action, *named = rest.split() or [""]
        if not named:
            bindings = [*wishes.chat_keys, *wishes.compose_keys]
            shown = [each for each in bindings if not action or each.action == action]
            self._screen.box("keys by action", [f"{each.action:<16}{keys.all_shown(each)}" for each in shown])
            return
        wanted = () if named == ["none"] else tuple(keys.named(each) for each in named)
        chosen = {**wishes.chosen, action: wanted}
        chat, compose = keys.rebound((keys.CHAT, keys.COMPOSE), chosen)
        self._screen.bind(replace(wishes, chat_keys=chat, compose_keys=compose, chosen=chosen))
        listed = ", ".join(f'"{keys.shown(each)}"' for each in wanted)
        self._screen.note(f"Until you leave. For good, below [keys] in screen.toml: {action} = [{listed}]")

    async def _links(self, _: str) -> None:
        self._actions.pressed("links", "")

    async def _editor(self, _: str) -> None:
        self._actions.pressed("editor", "")

    async def _mouse(self, rest: str) -> None:
        if rest not in ("on", "off", ""):
            raise UserError("/mouse on, or /mouse off.")
        self._actions.mouse(rest == "on" if rest else not self._screen.model.mouse)

    async def _session(self, _: str) -> None:
        self._screen.note(*answers.session((await self._ask(commands.Session))["session"]))

    async def _login(self, _: str) -> None:
        self._screen.ask_login(self._screen.model.standing.user)

    async def _logout(self, _: str) -> None:
        await self._ask(commands.Logout)
        await self._screen.refresh()
        self._screen.ask_login()

    async def _clear(self, _: str) -> None:
        self._screen.view.messages.at_end = True
        self._screen.show(self._screen.model.emptied())

    async def _close(self, _: str) -> None:
        self._actions.close_chat()

    async def _quit(self, _: str) -> None:
        self._screen.leave()


_PEOPLE = {
    "add": (commands.Add, "{user} is a contact."),
    "block": (commands.Block, "{user} is blocked; /unblock {user} takes that back."),
    "unblock": (commands.Unblock, "{user} can write to you again."),
}
_VISIBLE = {"invisible": "nobody", "visible": "everyone"}
