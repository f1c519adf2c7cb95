"""Ballots that a majority has promised ahead, so that the next change of a register by this node takes one round trip.

An acceptance promises the ballot after it as well.  Whoever won it therefore knows the newest value of the register
for that ballot, as if it had prepared it right behind its own acceptance; a higher ballot ends that, as always.

Source: Rystsov, "CASPaxos: Replicated State Machines without logs", arXiv 1802.07000, section 2.2 (one round trip).
"""

from dataclasses import dataclass

from p2pchat.replication.configuration import Configuration
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.slots import RegisterKey

MAX_PREPARED = 1_000
"""Registers; the one that was changed longest ago is forgotten."""
MAX_PREPARED_BYTES = 8_192
"""Of a value that is kept; longer ones are read again."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A ballot of ours that a majority of `configuration` promised when it accepted `content`."""

    configuration: Configuration
    ballot: Ballot
    content: Versioned


class PreparedBallots:
    """By register; each ballot is given out once, because it may stand for one value only."""

    def __init__(self) -> None:
        self._kept: dict[RegisterKey, Prepared] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def fits(self, content: Versioned) -> bool:
        """Whether a value is short enough to be kept."""
        return len(content.value or b"") <= MAX_PREPARED_BYTES

    def keep(self, key: RegisterKey, prepared: Prepared) -> None:
        """Note a promise for the next change."""
        self._kept.pop(key, None)
        self._kept[key] = prepared
        if len(self._kept) > MAX_PREPARED:
            del self._kept[next(iter(self._kept))]

    def take(self, key: RegisterKey, configuration: Configuration) -> Prepared | None:
        """What was promised in this configuration, for one use."""
        prepared = self._kept.pop(key, None)
        return prepared if prepared is not None and prepared.configuration == configuration else None
