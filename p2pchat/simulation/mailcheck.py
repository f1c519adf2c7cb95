"""Whether a mailbox kept its promises: what was called stored is there, what was removed stays away.

This is the set checker of Jepsen with removals and with fetches in between.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

NEVER = 1 << 62
"""When a call of unknown outcome returns."""


@dataclass(frozen=True, slots=True)
class Span:
    """One call on some items; `called` and `returned` are places in the order of events.

    `returned` is `NEVER` if the outcome is unknown.  Calls that certainly did nothing are left out.
    """

    items: frozenset[bytes]
    called: int
    returned: int


@dataclass(frozen=True, slots=True)
class MailVerdict:
    """Items that broke a promise."""

    lost: frozenset[bytes]
    unexpected: frozenset[bytes]
    revived: frozenset[bytes]

    @property
    def violations(self) -> int:
        """Items that were there and should not have been."""
        return len(self.unexpected) + len(self.revived)


@dataclass(slots=True)
class MailHistory:
    """Everything that was done to one mailbox.

    `fetches` are complete answers.  The last one is made after all faults have been healed.
    """

    adds: list[Span] = field(default_factory=list)
    removals: list[Span] = field(default_factory=list)
    fetches: list[Span] = field(default_factory=list)

    def part(self, began: "Beginning", end: int) -> "MailHistory":
        """What was promised from a beginning on, up to `end`.

        Calls that had ended before promise nothing any more and cannot come back; those that had not ended may have
        their effect on one side or the other, and are not counted on.
        """

        def counted(spans: list[Span]) -> list[Span]:
            return [
                each if began.when <= each.called and each.returned < end else Span(each.items, each.called, NEVER)
                for each in spans
                if each.called < end and each.returned >= began.when
            ]

        return MailHistory(
            [Span(began.present, began.when - 1, began.when), *counted(self.adds)],
            [Span(began.removed, began.when - 1, began.when), *counted(self.removals)],
            [each for each in self.fetches if began.when <= each.called and each.returned < end],
        )


@dataclass(frozen=True, slots=True)
class Beginning:
    """With what a mailbox begins: when the ring was founded, or where a plan said that something may be lost."""

    when: int = 0
    present: frozenset[bytes] = frozenset()
    removed: frozenset[bytes] = frozenset()


def check(history: MailHistory) -> MailVerdict:
    """Compare every fetch with the calls before it.

    An item must be in a fetch if an add of it was acknowledged before the fetch began and no removal of it began
    before the fetch ended.  It must not be there if no add of it began before the fetch ended (unexpected), or if a
    removal of it was acknowledged before the fetch began (revived: adds are unique, so nobody added it again).
    """
    added_from, added_by = _earliest(history.adds)
    removed_from, removed_by = _earliest(history.removals)
    lost: set[bytes] = set()
    unexpected: set[bytes] = set()
    revived: set[bytes] = set()
    for fetch in history.fetches:
        for item, when in added_by.items():
            if when < fetch.called and removed_from.get(item, NEVER) > fetch.returned and item not in fetch.items:
                lost.add(item)
        for item in fetch.items:
            if added_from.get(item, NEVER) > fetch.returned:
                unexpected.add(item)
            if removed_by.get(item, NEVER) < fetch.called:
                revived.add(item)
    return MailVerdict(frozenset(lost), frozenset(unexpected), frozenset(revived))


def _earliest(spans: Iterable[Span]) -> tuple[dict[bytes, int], dict[bytes, int]]:
    """For each item the first call and the first return of a call on it."""
    called: dict[bytes, int] = {}
    returned: dict[bytes, int] = {}
    for span in spans:
        for item in span.items:
            called[item] = min(called.get(item, NEVER), span.called)
            returned[item] = min(returned.get(item, NEVER), span.returned)
    return called, returned
