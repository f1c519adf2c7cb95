"""Which configuration each slot has, as far as this node heard; members correct whoever is behind."""

from collections.abc import Callable

from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking, Replies, Trial
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.requests import AskReply, AskRequest
from p2pchat.replication.slots import end_of

ASKED = 6
"""Nodes that are asked for a configuration at once."""
ASK_SECONDS = 1.0
ASK_LINGER_SECONDS = 0.1


class Directory:
    """The newest configuration heard of, by slot."""

    def __init__(self, slots: int, asking: Asking, wanted: Callable[[Identifier, int], list[Identifier]]) -> None:
        self.slots, self.revision = slots, 0
        self._asking, self._wanted = asking, wanted
        self._known: dict[int, Configuration] = {}

    def get(self, slot: int) -> Configuration | None:
        """What is known, without asking."""
        return self._known.get(slot)

    def learn(self, slot: int, configuration: Configuration) -> bool:
        """Take note; whether it was news."""
        held = self._known.get(slot)
        if held is not None and held.epoch >= configuration.epoch:
            return False
        self._known[slot] = configuration
        self.revision += 1
        return True

    async def current(self, slot: int, trial: Trial) -> Configuration:
        """The slot's configuration; asks until one is known.

        Raises:
            NoQuorum: nobody who answers knows one.
        """
        while (known := self._known.get(slot)) is None:
            await self.refresh(slot, trial.seconds(ASK_SECONDS))
            if slot not in self._known:
                await trial.rest()
        return known

    async def refresh(self, slot: int, seconds: float = ASK_SECONDS) -> None:
        """Ask the nodes nearest to the slot which configurations they know, from this slot on."""
        nodes = [node for node in self._wanted(end_of(slot, self.slots), ASKED) if node != self._asking.me]

        def found(replies: Replies) -> bool:
            return any(isinstance(reply, AskReply) and _tells_of(reply, slot) for reply in replies.values())

        replies = await self._asking.several(nodes, AskRequest(slot), seconds, found, ASK_LINGER_SECONDS)
        for reply in replies.values():
            if isinstance(reply, AskReply):
                self._note(reply)

    async def compare(self, node: Identifier) -> None:
        """Hear everything that one node knows."""
        first: int | None = 0
        while first is not None:
            reply = await self._asking.attempt(node, AskRequest(first), ASK_SECONDS)
            if not isinstance(reply, AskReply):
                return
            self._note(reply)
            first = reply.next if reply.next is None or reply.next > first else None

    def _note(self, reply: AskReply) -> None:
        for group in reply.groups:
            for slot in group.slots:
                if slot < self.slots:
                    self.learn(slot, group.configuration)


def _tells_of(reply: AskReply, slot: int) -> bool:
    return any(slot in group.slots for group in reply.groups)
