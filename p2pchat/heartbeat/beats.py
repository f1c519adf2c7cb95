"""A beat as it travels, and its check; the same values at gateway and owner."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

from p2pchat.errors import Misbehaved
from p2pchat.heartbeat.presence import PRESENCES, Moment
from p2pchat.identifiers import Identifier, account_identifier

COMMAND = "beat"


class Verify(Protocol):
    """Checks a signed request against the session that stands.

    Raises:
        SessionReplaced: a higher session stands.  NotLoggedIn: there is none.  Misbehaved: the signature is wrong.
    """

    async def __call__(
        self, user: str, epoch: int, sequence: int, counter: int, command: str, arguments: bytes, signature: bytes
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class SignedBeat:
    """One beat of one agent, signed by its session key."""

    user: str
    epoch: int
    sequence: int
    counter: int
    presence: str
    signature: bytes
    seen_key: bytes | None = None
    """Who shows it may know when this user was seen last; and see who shows
    themselves to contacts only.  Not signed: a gateway that exchanges it knows all this anyway."""

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """From the arguments of a command; Misbehaved where the presence is none."""
        if values["presence"] not in PRESENCES:
            raise Misbehaved("A beat said a presence that there is not.")
        return cls(**values)

    @property
    def account(self) -> Identifier:
        """Where everything about its user lives."""
        return account_identifier(self.user)

    @property
    def moment(self) -> Moment:
        """Its place in the account's own order."""
        return Moment(self.epoch, self.sequence, self.counter)

    async def check(self, verify: Verify) -> None:
        """Raise what `verify` raises."""
        await verify(
            self.user, self.epoch, self.sequence, self.counter, COMMAND, self.presence.encode(), self.signature
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands for an account, by its owner: the session's epoch and sequence, and the mailbox's version."""

    epoch: int
    sequence: int
    mailbox_version: int
