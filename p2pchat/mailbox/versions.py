"""Versions of the mailboxes that a node owns: another number whenever something may have been added."""

from p2pchat.identifiers import Identifier

MAX_MAILBOXES = 200_000
RUN_BITS = 31
COUNTER_BITS = 32


class Versions:
    """A version is (run of this node, counter): it also differs when another node has become the owner."""

    def __init__(self, run: int) -> None:
        """`run`: a number that no other node or run of this node is likely to have."""
        self._first = (run % (1 << RUN_BITS)) << COUNTER_BITS
        self._counters: dict[Identifier, int] = {}

    def of(self, account: Identifier) -> int:
        """The mailbox's version now."""
        return self._first + self._counters.get(account, 0)

    def raise_one(self, account: Identifier) -> int:
        """Something was added; the new version."""
        self._counters[account] = self._counters.get(account, 0) + 1
        if len(self._counters) > MAX_MAILBOXES:
            # Nobody must meet an old number again, so all get a new one: each agent fetches once in vain.
            self._counters.clear()
            self._first += 1 << 16
        return self.of(account)
