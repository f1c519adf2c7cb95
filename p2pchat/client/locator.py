"""Answers the control socket by asking the agent; decides nothing."""

from collections.abc import Callable

from twisted.protocols import amp

from p2pchat.client import commands
from p2pchat.client.agent import Agent
from p2pchat.client.arguments import JSONObject
from p2pchat.client.commands import DEFAULT_TIMEOUT_SECONDS
from p2pchat.client.conversations import Conversations
from p2pchat.client.people import People
from p2pchat.client.ways import Ways
from p2pchat.wire.connection import Link


def _seconds(timeout: float | None) -> float:
    return DEFAULT_TIMEOUT_SECONDS if timeout is None else max(0.05, timeout)


class ControlLocator(amp.CommandLocator):
    """Commands of one link of the control socket.

    Args:
        link: gives the link, which is made after its locator.
        connection: the row about the agent itself.
        stop: ends the process.
    """

    def __init__(
        self,
        agent: Agent,
        ways: Ways,
        people: People,
        conversations: Conversations,
        link: Callable[[], Link],
        connection: Callable[[], JSONObject],
        stop: Callable[[], None],
    ) -> None:
        self._agent, self._ways, self._people, self._conversations = agent, ways, people, conversations
        self._link, self._connection, self._stop = link, connection, stop

    @commands.Register.responder
    async def register(self, user: str, password: str, timeout: float | None = None) -> JSONObject:
        return {"account": await self._ways.register(user, password, _seconds(timeout))}

    @commands.Login.responder
    async def login(
        self, user: str, password: str, timeout: float | None = None, handover: bool | None = None
    ) -> JSONObject:
        return {"account": await self._ways.log_in(user, password, _seconds(timeout), handover is not False)}

    @commands.Logout.responder
    async def logout(self, timeout: float | None = None) -> JSONObject:
        return {"account": await self._ways.log_out(_seconds(timeout))}

    @commands.ChangePassword.responder
    async def change_password(self, old: str, new: str, timeout: float | None = None) -> JSONObject:
        return {"account": await self._ways.change_password(old, new, _seconds(timeout))}

    @commands.Rekey.responder
    async def rekey(self, password: str, timeout: float | None = None) -> JSONObject:
        return {"account": await self._ways.rekey(password, _seconds(timeout))}

    @commands.OpenHistory.responder
    async def open_history(self, password: str, timeout: float | None = None) -> JSONObject:
        return {"account": await self._ways.unlock(password, _seconds(timeout))}

    @commands.Recover.responder
    async def recover(self, user: str, recovery_key: str, password: str, timeout: float | None = None) -> JSONObject:
        return {"account": await self._ways.recover(user, recovery_key, password, _seconds(timeout))}

    @commands.Unregister.responder
    async def unregister(self, user: str, password: str, timeout: float | None = None) -> JSONObject:
        return {"account": await self._ways.unregister(user, password, _seconds(timeout))}

    @commands.Session.responder
    def session(self) -> JSONObject:
        return {"session": self._agent.session_row()}

    @commands.Send.responder
    async def send(
        self,
        to: str,
        text: str,
        wait: str | None = None,
        timeout: float | None = None,
        reply_to: str | None = None,
    ) -> JSONObject:
        sent, status, reason = await self._conversations.send(to, text, wait or "stored", _seconds(timeout), reply_to)
        return {"sent": sent, "status": status, "reason": reason}

    @commands.History.responder
    def history(
        self,
        user: str,
        limit: int | None = None,
        before: str | None = None,
        search: str | None = None,
        shown: bool | None = None,
        after: str | None = None,
    ) -> JSONObject:
        messages, more = self._conversations.history(user, limit, before, search, bool(shown), after)
        return {"messages": messages, "more": more}

    @commands.MarkRead.responder
    def mark_read(self, user: str, id: str | None = None) -> JSONObject:  # noqa: A002
        self._conversations.mark_read(user, id)
        return {}

    @commands.MarkUnread.responder
    def mark_unread(self, user: str, id: str | None = None) -> JSONObject:  # noqa: A002
        self._conversations.mark_unread(user, id)
        return {}

    @commands.Chats.responder
    def chats(self, skip: int | None = None) -> JSONObject:
        chats, more = self._conversations.chats(skip or 0)
        return {"chats": chats, "more": more}

    @commands.SetDraft.responder
    def set_draft(self, user: str, text: str) -> JSONObject:
        self._conversations.set_draft(user, text)
        return {}

    @commands.Status.responder
    async def status(self, user: str, timeout: float | None = None) -> JSONObject:
        return {"person": await self._people.status(user, _seconds(timeout))}

    @commands.Connection.responder
    def connection(self) -> JSONObject:
        return {"connection": self._connection()}

    @commands.Follow.responder
    def follow(self) -> JSONObject:
        self._agent.followers.add(self._link())
        return {}

    @commands.Why.responder
    def why(self, id: str) -> JSONObject:  # noqa: A002
        message, steps = self._conversations.why(id)
        return {"message": message, "steps": steps}

    @commands.Retry.responder
    def retry(self, id: str | None = None) -> JSONObject:  # noqa: A002
        self._conversations.retry(id)
        return {}

    @commands.Cancel.responder
    def cancel(self, id: str) -> JSONObject:  # noqa: A002
        return {"attempts": self._conversations.cancel(id)}

    @commands.Contacts.responder
    def contacts(self, skip: int | None = None) -> JSONObject:
        people, more = self._people.contacts(skip or 0)
        return {"people": people, "more": more}

    @commands.Add.responder
    async def add(self, user: str, timeout: float | None = None) -> JSONObject:
        return {"person": await self._people.add(user, _seconds(timeout))}

    @commands.Verify.responder
    async def verify(self, user: str, matched: bool | None = None, timeout: float | None = None) -> JSONObject:
        return {"person": await self._people.verify(user, matched, _seconds(timeout))}

    @commands.Block.responder
    async def block(self, user: str, timeout: float | None = None) -> JSONObject:
        return {"person": await self._people.block(user, _seconds(timeout))}

    @commands.Unblock.responder
    def unblock(self, user: str, timeout: float | None = None) -> JSONObject:
        return {"person": self._people.unblock(user)}

    @commands.Export.responder
    def export(self, after: int) -> JSONObject:
        messages, end, more = self._conversations.export(after)
        return {"messages": messages, "after": end, "more": more}

    @commands.Import.responder
    def import_(self, messages: list[JSONObject]) -> JSONObject:
        return {"added": self._conversations.import_(messages)}

    @commands.Settings.responder
    def settings(self, changes: JSONObject | None = None) -> JSONObject:
        return {"settings": self._conversations.settings(changes)}

    @commands.Stop.responder
    def stop(self) -> JSONObject:
        self._stop()
        return {}
