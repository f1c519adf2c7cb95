"""Which configuration each slot has, as far as this node heard; members correct whoever is behind."""

from collections.abc import Callable, Sequence

from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking, Replies, Trial
from p2pchat.replication.configuration import Configuration, majority
from p2pchat.replication.requests import AskReply, AskRequest
from p2pchat.replication.slots import end_of

ASKED = 6
"""Nodes that are asked for a configuration at once."""
ASK_SECONDS = 1.0
ASK_LINGER_SECONDS = 0.1
LEAST_WORDS = 2
MAX_RUMOURS = 4
"""Configurations of a slot that are remembered although too few nodes tell of them."""


class Directory:
    """The newest configuration heard of, by slot."""

    def __init__(self, slots: int, asking: Asking, wanted: Callable[[Identifier, int], list[Identifier]]) -> None:
        self.slots, self.revision = slots, 0
        self._asking, self._wanted = asking, wanted
        self._known: dict[int, Configuration] = {}
        self._rumours: dict[int, dict[Configuration, set[Identifier]]] = {}
        """By slot, other configurations, and who told of them."""
        self._alone: dict[int, tuple[Identifier, int]] = {}
        """By slot where what is known stands on one word: who gave it, and the epoch that was known before (or 0)."""

    def get(self, slot: int) -> Configuration | None:
        """What is known, without asking."""
        return self._known.get(slot)

    def learn(self, slot: int, configuration: Configuration) -> bool:
        """Take note of what this node is sure of; whether it was news."""
        held = self._known.get(slot)
        if held is not None and held != configuration and configuration.epoch <= self._surely(slot, held):
            return False
        self._alone.pop(slot, None)
        if held == configuration:
            return False
        self._known[slot] = configuration
        self._rumours.pop(slot, None)
        self.revision += 1
        return True

    def heard(self, slot: int, configuration: Configuration, node: Identifier) -> None:
        """A node says so: believed where nothing is known, on the word of two nodes, or of a majority of the members.

        One word is enough where too few of the members that are known are alive to contradict.  What one node alone has
        told, two others put right, also if it named a later epoch than there is.
        """
        held = self._known.get(slot)
        if held is None:
            self.learn(slot, configuration)
            self._alone[slot] = node, 0
            return
        surely, first = self._surely(slot, held), self._alone[slot][0] if slot in self._alone else None
        is_later = configuration.epoch > held.epoch
        if held == configuration:
            if first != node:
                self._alone.pop(slot, None)
            return
        if configuration.epoch <= surely or (first == node and not is_later):
            return
        rumours = self._rumours.setdefault(slot, {})
        if configuration not in rumours and len(rumours) >= MAX_RUMOURS:
            del rumours[next(iter(rumours))]
        tellers = rumours.setdefault(configuration, set())
        tellers.add(node)
        if not is_later:
            if len(tellers) >= LEAST_WORDS:
                self.learn(slot, configuration)
            return
        needed = majority(len(held.members))
        live = sum(member == self._asking.me or self._asking.is_live(member) for member in held.members)
        by_members = len(tellers.intersection(held.members)) >= needed
        if len(tellers) >= LEAST_WORDS or by_members or live < needed:
            self.learn(slot, configuration)
            if len(tellers) < LEAST_WORDS and not (by_members and first is None):
                self._alone[slot] = node, surely

    def _surely(self, slot: int, held: Configuration) -> int:
        """The epoch below which nothing about a slot is news, whatever one node alone has told."""
        return self._alone[slot][1] if slot in self._alone else held.epoch

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
        for node, reply in replies.items():
            if isinstance(reply, AskReply):
                self._note(reply, node)

    async def compare(self, nodes: Sequence[Identifier]) -> None:
        """Hear everything that the first of these nodes knows, and ask the next ones where its word is not enough."""
        for node in nodes:
            await self._hear(node)
            if not self._rumours:
                return

    async def _hear(self, node: Identifier) -> None:
        """Everything that one node knows."""
        first: int | None = 0
        while first is not None:
            reply = await self._asking.attempt(node, AskRequest(first), ASK_SECONDS)
            if not isinstance(reply, AskReply):
                return
            self._note(reply, node)
            first = reply.next if reply.next is None or reply.next > first else None

    def _note(self, reply: AskReply, node: Identifier) -> None:
        for group in reply.groups:
            for slot in group.slots:
                if slot < self.slots:
                    self.heard(slot, group.configuration, node)


def _tells_of(reply: AskReply, slot: int) -> bool:
    return any(slot in group.slots for group in reply.groups)
