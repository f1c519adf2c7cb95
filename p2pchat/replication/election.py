"""Decides next configurations of many slots at once: single-decree Paxos among the members of the epoch before."""

from collections.abc import Iterable, Sequence

from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking, Replies
from p2pchat.replication.configuration import Configuration, Group, State, majority
from p2pchat.replication.directory import Directory
from p2pchat.replication.register import NO_BALLOT, Ballot, Counter
from p2pchat.replication.requests import AnnounceReply, AnnounceRequest, ElectRequest, NominateRequest, VoteReply

VOTE_SECONDS = 3.0
VOTE_LINGER_SECONDS = 0.2
ANNOUNCE_SECONDS = 5.0


class Election:
    """Runs elections for this node; members that moved on are learned from their refusals."""

    def __init__(self, asking: Asking, directory: Directory, counter: Counter) -> None:
        self._asking, self._directory, self._counter = asking, directory, counter

    async def run(
        self, configuration: Configuration, members: tuple[Identifier, ...], slots: tuple[int, ...]
    ) -> list[Group]:
        """Have `members`, or whoever was accepted before, follow `configuration`; what was decided and announced.

        Slots in which no majority could be won are left out; the next turn tries again.
        """
        ballot = self._counter.next(configuration.epoch)
        replies = await self._vote(configuration, NominateRequest(configuration.epoch, ballot, slots))
        granted = self._granted(configuration, slots, replies)
        decided: list[Group] = []
        for proposed, chosen in self._proposals(members, granted, replies).items():
            request = ElectRequest(configuration.epoch, ballot, proposed, tuple(chosen))
            votes = await self._vote(configuration, request)
            won = self._granted(configuration, chosen, votes)
            if won:
                decided.append(Group(configuration.followed_by(proposed), tuple(won)))
        await self._announce(decided)
        return decided

    async def _vote(self, configuration: Configuration, request: NominateRequest | ElectRequest) -> Replies:
        needed = majority(len(configuration.members))
        replies = await self._asking.several(
            configuration.members,
            request,
            VOTE_SECONDS,
            lambda so_far: sum(reply is not None for reply in so_far.values()) >= needed,
            VOTE_LINGER_SECONDS,
        )
        for node, reply in replies.items():
            if not isinstance(reply, VoteReply):
                continue
            self._counter.heard(reply.promised)
            for group in reply.others:
                for slot in group.slots:
                    self._directory.heard(slot, group.configuration, node)
        return replies

    def _granted(self, configuration: Configuration, slots: Sequence[int], replies: Replies) -> list[int]:
        """Slots in which a majority agreed."""
        votes = dict.fromkeys(slots, 0)
        for reply in _votes(replies):
            against = {*reply.outbid, *reply.unknown, *(slot for group in reply.others for slot in group.slots)}
            for slot in slots:
                votes[slot] += slot not in against
        needed = majority(len(configuration.members))
        return [slot for slot in slots if votes[slot] >= needed]

    def _proposals(
        self, members: tuple[Identifier, ...], granted: list[int], replies: Replies
    ) -> dict[tuple[Identifier, ...], list[int]]:
        """By next members: for each granted slot those accepted under the highest ballot, else ours."""
        best: dict[int, tuple[Ballot, tuple[Identifier, ...]]] = dict.fromkeys(granted, (NO_BALLOT, members))
        for reply in _votes(replies):
            for proposal in reply.proposals:
                for slot in proposal.slots:
                    if slot in best and proposal.ballot > best[slot][0]:
                        best[slot] = (proposal.ballot, proposal.members)
        chosen: dict[tuple[Identifier, ...], list[int]] = {}
        for slot, (_, proposed) in best.items():
            chosen.setdefault(proposed, []).append(slot)
        return chosen

    async def _announce(self, decided: Iterable[Group]) -> None:
        """Tell everybody concerned; ourselves first, and wait for nobody else."""
        for group in decided:
            request = AnnounceRequest((group,))
            for slot in group.slots:
                self._directory.learn(slot, group.configuration)
            for node in sorted({*group.configuration.members, *group.configuration.previous} - {self._asking.me}):
                self._asking.tell(node, request, ANNOUNCE_SECONDS)
            await self._asking.attempt(self._asking.me, request, ANNOUNCE_SECONDS)

    async def held_by_majority(
        self, configuration: Configuration, slots: tuple[int, ...], words: int = 1
    ) -> tuple[int, ...]:
        """Of these slots, those that a majority of the configuration's members serves, or has served.

        Each member is asked over this node's own link to it; it takes `words` of other nodes at least.
        """
        request = AnnounceRequest((Group(configuration, slots),))
        replies = await self._asking.several(
            configuration.members, request, ANNOUNCE_SECONDS, lambda so_far: False, VOTE_LINGER_SECONDS
        )
        holders = dict.fromkeys(slots, 0)
        for node, reply in replies.items():
            if isinstance(reply, AnnounceReply) and node != self._asking.me:
                for standing in reply.standings:
                    later = standing.epoch > configuration.epoch
                    serves = standing.state in (State.ACTIVE, State.SEALED) and standing.epoch == configuration.epoch
                    for slot in standing.slots if later or serves else ():
                        if slot in holders:
                            holders[slot] += 1
        needed = max(majority(len(configuration.members)), words)
        return tuple(slot for slot, count in holders.items() if count >= needed)


def _votes(replies: Replies) -> list[VoteReply]:
    return [reply for reply in replies.values() if isinstance(reply, VoteReply)]
