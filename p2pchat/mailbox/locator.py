"""Answers commands about mail at rest: one locator for each link to an agent, one for each link to a node."""

from collections.abc import Callable

from twisted.protocols import amp

from p2pchat.identifiers import Identifier
from p2pchat.mailbox import commands
from p2pchat.mailbox.room import Usage
from p2pchat.mailbox.service import MailboxService


class AgentMailboxLocator(amp.CommandLocator):
    """What an agent may ask its gateway; `sender` tells whom the link belongs to now, or its host."""

    def __init__(self, mailbox: MailboxService, sender: Callable[[], str]) -> None:
        self._mailbox, self._sender = mailbox, sender

    @commands.Deposit.responder
    async def deposit(self, user: str, key_id: bytes, envelope: bytes) -> dict[str, object]:
        stored = await self._mailbox.deposit(user, key_id, envelope, self._sender())
        return {"copies": stored.copies, "wanted": stored.wanted}

    @commands.Fetch.responder
    async def fetch(
        self, user: str, epoch: int, sequence: int, counter: int, cursor: bytes, signature: bytes
    ) -> dict[str, object]:
        page = await self._mailbox.fetch(user, epoch, sequence, counter, cursor, signature)
        return {
            "envelopes": [{"id": item.id, "envelope": item.payload} for item in page.items],
            "cursor": page.next or b"",
            "more": page.next is not None,
        }

    @commands.Acknowledge.responder
    async def acknowledge(self, proof: bytes) -> dict[str, object]:
        await self._mailbox.acknowledge(proof)
        return {}

    @commands.AskState.responder
    async def ask_state(self, user: str, envelope_id: bytes) -> dict[str, object]:
        state, copies, wanted = await self._mailbox.state(user, envelope_id)
        return {"state": state, "copies": copies, "wanted": wanted}


class NodeMailboxLocator(amp.CommandLocator):
    """What a node may ask or tell another about mail."""

    def __init__(self, mailbox: MailboxService, node: Identifier) -> None:
        self._mailbox, self._node = mailbox, node

    @commands.PushMail.responder
    async def push_mail(self, account: Identifier, version: int) -> dict[str, object]:
        self._mailbox.arrived(account, version)
        return {}

    @commands.NoteMail.responder
    def note_mail(self, account: Identifier, envelope_id: bytes) -> dict[str, object]:
        self._mailbox.note(account, [envelope_id])
        return {}

    @commands.AskRoom.responder
    async def ask_room(self, account: Identifier, sender: bytes, envelopes: int, size: int) -> dict[str, object]:
        granted = await self._mailbox.room(self._node, account, sender, Usage(envelopes, size))
        return {"envelopes": granted.envelopes, "size": granted.size}
