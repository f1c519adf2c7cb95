"""`simulate cuts`: whole agents on both sides of a long cut between two and three nodes; afterwards all mail arrives.

Messages are written while the network is apart, so that they wait in outboxes whose pauses have grown to their longest,
and for links whose backoffs have.  A node or an agent may end on the way.  Once the network is whole, without any help,
each message must be there within a minute.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from p2pchat.simulation import report
from p2pchat.simulation.chat import NODES, Chat
from p2pchat.simulation.report import Outcome

LEAST_SECONDS, MOST_SECONDS = 30.0, 200.0
"""How long the network is apart."""
SMALLER_SIDE = 2
WRITTEN = 10
ARRIVE_SECONDS = 60.0
"""Until every message is with its recipient."""
TOLD_SECONDS = 60.0
"""After that, until its sender knows."""


class Cut(Chat):
    """One seed's run."""

    def cut(self) -> None:
        """Two nodes and three, with agents at both; and what is written meanwhile."""
        chance, clock = self.chance, self.town.clock
        people = chance.sample(self.accounts, len(self.accounts))
        if chance.random() < 0.5:
            for sender in people:
                for recipient in people:
                    if sender is not recipient:
                        self._write(sender, recipient.user)
            clock.advance(chance.uniform(1.0, 20.0))
        nodes = [machine.host_name for machine in self.town.machines]
        chance.shuffle(nodes)
        sides = (nodes[:SMALLER_SIDE], nodes[SMALLER_SIDE:])
        for side, account in zip((*sides, chance.choice(sides)), people, strict=True):
            side.append(account.current.host_name)
        self.town.streams.partition(sides)
        begun, lasting = clock.seconds(), chance.uniform(LEAST_SECONDS, MOST_SECONDS)
        for _ in range(WRITTEN):
            sender, recipient = chance.sample(people, 2)
            clock.at(begun + chance.random() * lasting, self._write, sender, recipient.user)
        self._end_somebody(begun, lasting)
        clock.run_until(begun + lasting)

    def _end_somebody(self, begun: float, lasting: float) -> None:
        """An agent in a third of the runs, a node in a third; they are back before the network is whole."""
        chance, clock = self.chance, self.town.clock
        gone, back = begun + chance.random() * lasting / 2, begun + lasting * chance.uniform(0.5, 1.0)
        if chance.random() < 1 / 3:
            person = chance.choice(self.town.people)
            clock.at(gone, person.kill, chance.random() < 0.5)
            clock.at(back, person.start)
        if chance.random() < 1 / 3:
            number = chance.randrange(NODES)
            clock.at(gone, self.town.kill_node, number, chance.random() < 0.5)
            clock.at(back, self.town.start_node, number)

    def run(self, seed: int) -> Outcome:
        """All of it."""
        self.settle()
        self.cut()
        self.mended = True
        self.town.streams.mend()
        self._wait(lambda: not self.missing(), ARRIVE_SECONDS)
        lost = self.missing()
        self._wait(self.arrived, 0.0 if lost else TOLD_SECONDS)
        self.judge()
        story = (*self.wrong, *(f"not there {ARRIVE_SECONDS:.0f} s after the cut: {each}" for each in lost))
        return Outcome(seed, len(self.wrong), len(lost), len(self.sent), self.town.streams.digest, story)


def simulate(seed: int) -> Outcome:
    """Run one seed."""
    with tempfile.TemporaryDirectory(prefix="p2pchat-simulation-") as folder:
        cut = Cut(seed, Path(folder))
        try:
            return cut.run(seed)
        finally:
            cut.town.end()


def rows(options: argparse.Namespace) -> Iterator[dict[str, int]]:
    """For `p2pchat simulate cuts`."""
    return report.rows(simulate, options)
