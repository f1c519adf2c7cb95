"""What a run found, and rows that add up runs."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

BLOCKS = 20
"""Rows that one experiment prints."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed's run found.

    Attributes:
        violations: promises that were broken; lost: acknowledged things that are gone.
        operations: calls of clients, whatever came of them.
        digest: hash over every event; equal for equal seeds.
        story: for each violation what happened, for people.
        kills: the named points of the protocol at which nodes were killed.
    """

    seed: int
    violations: int
    lost: int
    operations: int
    digest: str
    story: tuple[str, ...] = ()
    kills: tuple[str, ...] = ()

    @property
    def faultless(self) -> bool:
        return not (self.violations or self.lost)


@dataclass(frozen=True, slots=True)
class Tally:
    """The sum of some runs."""

    seeds: int = 0
    violations: int = 0
    lost: int = 0
    operations: int = 0
    first_wrong: int | None = None

    def plus(self, outcome: Outcome) -> "Tally":
        wrong = self.first_wrong
        return Tally(
            self.seeds + 1,
            self.violations + outcome.violations,
            self.lost + outcome.lost,
            self.operations + outcome.operations,
            outcome.seed if wrong is None and not outcome.faultless else wrong,
        )

    def row(self) -> dict[str, int]:
        """The columns of every run; `first_wrong` only where there is a seed to look at."""
        row = {"seeds": self.seeds, "violations": self.violations, "lost": self.lost, "operations": self.operations}
        return row if self.first_wrong is None else row | {"first_wrong": self.first_wrong}


@implementer(ILogObserver)
class LoggedFailures:
    """Observes the log while it is entered: errors that services caught and logged are bugs as well."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def __enter__(self) -> "LoggedFailures":
        globalLogPublisher.addObserver(self)
        return self

    def __exit__(self, *why: object) -> None:
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        if (failure := event.get("log_failure")) is not None:
            self._texts.append(f"logged: {formatEvent(event)}: {failure.getTraceback()}")

    def taken(self) -> list[str]:
        """What was logged since the last time."""
        texts, self._texts = self._texts, []
        return texts

    def added_to(self, outcome: Outcome) -> Outcome:
        """The outcome with what was logged since the last time."""
        texts = self.taken()
        return replace(outcome, violations=outcome.violations + len(texts), story=(*outcome.story, *texts))


def seeds(options: Namespace, part: int = 0, parts: int = 1, count: int | None = None) -> Iterator[int]:
    """`count` (else all) seeds from `options.seed` on, for one part of an experiment that has `parts`.

    After each, `options.progress` is called with the share of the whole that is done, above 0 and at most 1.
    """
    count = options.seeds if count is None else count
    for number in range(count):
        yield options.seed + number
        options.progress((part + (number + 1) / count) / parts)


def rows(run: Callable[[int], Outcome], options: Namespace) -> Iterator[dict[str, int]]:
    """Run every seed; a row of sums after each block, the last one the total."""
    block = max(1, -(-options.seeds // BLOCKS))
    tally = Tally()
    with LoggedFailures() as logged:
        for seed in seeds(options):
            tally = tally.plus(logged.added_to(run(seed)))
            if tally.seeds % block == 0 or tally.seeds == options.seeds:
                yield tally.row()
