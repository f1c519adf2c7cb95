"""One seed's run of the bare state machines: acceptors, proposers and configurations, without services or network.

One register of one slot on five nodes, in up to four epochs.  What a member does is `replication.register` and
`replication.configuration`; proposers, drivers and learners are written out once more here, so that a mistake in theirs
and one in the services' would have to be the same to stay unseen.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from random import Random
from typing import Any

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import (
    Configuration,
    Keep,
    SlotRecord,
    State,
    activated,
    adopted,
    follows,
    majority,
    needed_sources,
    sealed,
)
from p2pchat.replication.register import EMPTY, NO_BALLOT, Ballot, Register, Versioned, accept, promise
from p2pchat.simulation import report
from p2pchat.simulation.linearizability import NEVER, Operation, Value, Verdict, check
from p2pchat.simulation.names import Write, keep
from p2pchat.simulation.report import Outcome

NODES = tuple(Identifier(number) for number in range(1, 6))
MAX_EPOCH = 4
STEPS = (60, 160)
LOSS, DUPLICATION = 0.04, 0.06
STARTS = 0.12
"""Share of the steps that are no message: something begins, gives up, or crashes."""


class Proposer:
    """One operation, over however many ballots it takes."""

    def __init__(self, node: Identifier, write: Write | None, called: int) -> None:
        self.node, self.write, self.called = node, write, called
        self.mark = b"read" if write is None else write.writer
        self.ballot = NO_BALLOT
        self.configuration: Configuration | None = None
        self.promises: dict[Identifier, tuple[Ballot, Versioned]] = {}
        self.accepted: set[Identifier] = set()
        self.content: Versioned | None = None
        self.sent = self.over = False
        self.result: tuple[Value, bool] = (None, True)
        self.is_refused = False

    def judged(self, held: Versioned) -> Versioned:
        """What this operation makes of a content."""
        self.is_refused = False
        if self.write is None or self.mark in held.operations:
            self.result = (held.value, self.write is None)
            return held
        self.result = (held.value, True)
        value = self.write.decide(held.value)
        self.is_refused = value is None or value == held.value
        return held if value is None or self.is_refused else held.changed(value, self.mark)


class Driver:
    """One try to give the slot to other members."""

    def __init__(self, configuration: Configuration, ballot: Ballot, members: tuple[Identifier, ...]) -> None:
        self.configuration, self.ballot, self.members = configuration, ballot, members
        self.best = NO_BALLOT
        self.granted: set[Identifier] = set()
        self.elected: set[Identifier] = set()
        self.proposed = False


class Machines:
    """All machines of one run, and the messages between them."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        first = Configuration(1, NODES[:3])
        self.chain = {1: first}
        self.records: dict[Identifier, SlotRecord] = {node: SlotRecord(0, first, State.ACTIVE) for node in NODES[:3]}
        self.registers: dict[Identifier, Register] = {}
        self.sources: dict[Identifier, set[Identifier]] = {node: set() for node in NODES}
        self.messages: list[tuple[Any, ...]] = []
        self.proposers: list[Proposer] = []
        self.history: list[Operation] = []
        self.wrong: list[str] = []
        self._ticks = self._counter = 0

    # -- the order of events

    def run(self) -> None:
        """Random steps, then a read by whoever is left of the newest configuration."""
        chance = self._chance.random
        for _ in range(self._chance.randint(*STEPS)):
            if not self.messages or chance() < STARTS:
                self._start(chance())
                continue
            place = int(chance() * len(self.messages))
            message = self.messages[place]
            if chance() >= DUPLICATION:
                self.messages[place] = self.messages[-1]
                self.messages.pop()
            if chance() >= LOSS:
                message[0](*message[1:])
        self._finish()

    def _start(self, kind: float) -> None:
        chance = self._chance
        if kind < 0.3 and len(self.proposers) < 7:
            number = len(self.proposers)
            write = None if chance.random() < 0.25 else Write(b"w%d" % number, chance.random() < 0.5)
            self.proposers.append(Proposer(chance.choice(NODES), write, self._tick()))
            self._attempt(self.proposers[-1])
        elif kind < 0.6 and self.proposers:
            self._attempt(chance.choice(self.proposers))
        elif kind < 0.75:
            self._drive()
        elif kind < 0.8:
            self.sources[chance.choice(NODES)].clear()  # a learner crashes: what it kept is on its disk
        else:
            self._learn(chance.choice(NODES))

    def _tick(self) -> int:
        self._ticks += 1
        return self._ticks

    def _known(self) -> Configuration:
        """Mostly the newest configuration; some have not heard of it."""
        newest = max(self.chain)
        return self.chain[newest if self._chance.random() < 0.7 else self._chance.randint(1, newest)]

    def _tell(self, *message: Any) -> None:
        self.messages.append(message)

    # -- operations

    def _attempt(self, proposer: Proposer) -> None:
        """A new ballot; the one before is given up."""
        if proposer.over:
            return
        self._counter += 1
        proposer.configuration = configuration = self._known()
        counter = self._counter if self._chance.random() < 0.7 else self._chance.randint(1, self._counter)
        proposer.ballot = Ballot(configuration.epoch, counter << 24 | self._counter, proposer.node)
        proposer.promises, proposer.accepted, proposer.content = {}, set(), None
        for node in configuration.members:
            self._tell(self._prepare, proposer, proposer.ballot, node)

    def _serves(self, node: Identifier, epoch: int) -> bool:
        record = self.records.get(node)
        return record is not None and record.serves(epoch)

    def _prepare(self, proposer: Proposer, ballot: Ballot, node: Identifier) -> None:
        if self._serves(node, ballot.epoch):
            held = self.registers.get(node, EMPTY)
            if (promised := promise(held, ballot)) is not None:
                self.registers[node] = promised
                self._tell(self._promised, proposer, ballot, node, held.accepted, held.content)

    def _promised(
        self, proposer: Proposer, ballot: Ballot, node: Identifier, accepted: Ballot, content: Versioned
    ) -> None:
        if proposer.over or ballot != proposer.ballot or proposer.content is not None:
            return
        assert proposer.configuration is not None
        proposer.promises[node] = accepted, content
        needed = majority(len(proposer.configuration.members))
        if len(proposer.promises) < needed:
            return
        newest, held = max(proposer.promises.values(), key=lambda each: each[0])
        proposer.content = proposer.judged(held)
        ballots = [each for each, _ in proposer.promises.values()]
        if proposer.content == held and not proposer.is_refused and is_agreed(ballots, newest, ballot.epoch, needed):
            self._done(proposer)
            return
        proposer.sent = proposer.sent or proposer.content != held
        for member in proposer.configuration.members:
            self._tell(self._accept, proposer, ballot, proposer.content, member)

    def _accept(self, proposer: Proposer, ballot: Ballot, content: Versioned, node: Identifier) -> None:
        if self._serves(node, ballot.epoch):
            accepted = accept(self.registers.get(node, EMPTY), ballot, content)
            if accepted is not None:
                self.registers[node] = accepted
                self._tell(self._accepted, proposer, ballot, node)

    def _accepted(self, proposer: Proposer, ballot: Ballot, node: Identifier) -> None:
        if proposer.over or ballot != proposer.ballot or proposer.content is None:
            return
        assert proposer.configuration is not None
        proposer.accepted.add(node)
        if len(proposer.accepted) >= majority(len(proposer.configuration.members)):
            self._done(proposer)

    def _done(self, proposer: Proposer) -> None:
        proposer.over = True
        seen, told = proposer.result
        self.history.append(self._operation(proposer, self._tick(), seen, told))

    def _operation(self, proposer: Proposer, returned: int, seen: Value, told: bool) -> Operation:
        decide = keep if proposer.write is None else proposer.write.decide
        return Operation(proposer.called, returned, decide, seen, str(proposer.write or "read"), told)

    # -- configurations

    def _drive(self) -> None:
        configuration = self._known()
        if configuration.epoch >= MAX_EPOCH:
            return
        self._counter += 1
        members = tuple(sorted(self._chance.sample(NODES, self._chance.choice((1, 3, 3, 3)))))
        driver = Driver(configuration, Ballot(configuration.epoch, self._counter, self._chance.choice(NODES)), members)
        for node in configuration.members:
            self._tell(self._vote, driver, node, False)

    def _vote(self, driver: Driver, node: Identifier, elects: bool) -> None:
        record = self.records.get(node)
        if record is None or record.successor is not None or not record.votes(driver.configuration.epoch):
            return
        if driver.ballot < record.promised or (not elects and driver.ballot == record.promised):
            return
        if elects:
            self.records[node] = replace(
                record, promised=driver.ballot, accepted=driver.ballot, proposal=driver.members
            )
            self._tell(self._elected, driver, node)
        else:
            self.records[node] = replace(record, promised=driver.ballot)
            self._tell(self._nominated, driver, node, record.accepted, record.proposal)

    def _nominated(self, driver: Driver, node: Identifier, ballot: Ballot, members: tuple[Identifier, ...]) -> None:
        if driver.proposed:
            return
        driver.granted.add(node)
        if members and ballot > driver.best:
            driver.best, driver.members = ballot, members
        if len(driver.granted) >= majority(len(driver.configuration.members)):
            driver.proposed = True
            for member in driver.configuration.members:
                self._tell(self._vote, driver, member, True)

    def _elected(self, driver: Driver, node: Identifier) -> None:
        driver.elected.add(node)
        if len(driver.elected) < majority(len(driver.configuration.members)):
            return
        decided = driver.configuration.followed_by(driver.members)
        if self.chain.setdefault(decided.epoch, decided) != decided:
            self.wrong.append(f"epoch {decided.epoch} has two configurations")
        for member in {*decided.members, *decided.previous}:
            self._tell(self._adopt, member, decided)

    def _adopt(self, node: Identifier, decided: Configuration) -> None:
        before = self.records.get(node)
        if before is not None and decided.epoch <= before.newest.epoch:
            return
        after, kept = adopted(before, 0, decided, node)
        if after is None:
            return
        if kept is Keep.CLEAR:
            self.registers.pop(node, None)
        elif kept is Keep.SETTLE:
            self._settle(node)
        self.records[node] = after
        self.sources[node] = set()

    def _settle(self, node: Identifier) -> None:
        held = self.registers.get(node, EMPTY)
        self.registers[node] = Register(held.accepted, held.accepted, held.content)

    # -- learning

    def _learn(self, node: Identifier) -> None:
        record = self.records.get(node)
        if record is not None and record.state is State.LEARN:
            for other in {*record.configuration.members, *record.configuration.previous} - {node}:
                self._tell(self._pull, node, other, record.configuration)

    def _pull(self, learner: Identifier, node: Identifier, configuration: Configuration) -> None:
        self._adopt(node, configuration)
        record, epoch = self.records.get(node), configuration.epoch
        if record is None:
            return
        own = record.configuration.epoch
        serving = record.state in (State.ACTIVE, State.SEALED)
        is_full = own == epoch and serving
        is_old = (own == epoch and record.frozen) or (follows(epoch, own) and serving)
        if not is_full and not is_old:
            return
        if not is_full and record.state is State.ACTIVE:
            self.records[node] = sealed(record)
        self._tell(self._pulled, learner, node, configuration, is_full, self.registers.get(node, EMPTY))

    def _pulled(
        self, learner: Identifier, node: Identifier, configuration: Configuration, is_full: bool, found: Register
    ) -> None:
        record = self.records[learner]
        if record.state is not State.LEARN or record.configuration != configuration:
            return
        if found.accepted > self.registers.get(learner, EMPTY).accepted:
            self.registers[learner] = Register(found.accepted, found.accepted, found.content)
        self.sources[learner].add(node)
        known = len(self.sources[learner] & set(configuration.previous)) + record.frozen
        if is_full or known >= needed_sources(configuration):
            self._settle(learner)
            self.records[learner] = activated(record)

    # -- the end

    def _finish(self) -> None:
        """Everybody who is asked answers now; what was begun and never answered stays unknown."""
        unknown = [each for each in self.proposers if not each.over and each.sent]
        self.history += [self._operation(each, NEVER, None, False) for each in unknown]
        self.messages.clear()
        for epoch in sorted(self.chain)[1:]:
            for node in {*self.chain[epoch].members, *self.chain[epoch].previous}:
                self._adopt(node, self.chain[epoch])
            for node in self.chain[epoch].members:
                self._learn(node)
            self._deliver_all()
        last = Proposer(NODES[0], None, self._tick())
        last.configuration = newest = self.chain[max(self.chain)]
        last.ballot = Ballot(newest.epoch, 1 << 60, last.node)
        for node in newest.members:
            self._tell(self._prepare, last, last.ballot, node)
        self._deliver_all()
        if not last.over:
            self.wrong.append(f"epoch {newest.epoch} does not serve")
        if check(self.history) is Verdict.VIOLATION:
            self.wrong.append(f"not linearizable: {sorted(self.history, key=lambda each: each.called)}")

    def _deliver_all(self) -> None:
        while self.messages:
            message = self.messages.pop(0)
            message[0](*message[1:])


def is_agreed(ballots: list[Ballot], newest: Ballot, epoch: int, needed: int) -> bool:
    """Whether enough members accepted the newest ballot, and in this epoch."""
    return newest.epoch in (0, epoch) and ballots.count(newest) >= needed


def simulate(seed: int) -> Outcome:
    """Run one seed."""
    machines = Machines(seed)
    machines.run()
    digest = blake2b(repr((machines.chain, machines.registers)).encode(), digest_size=16).hexdigest()
    return Outcome(seed, len(machines.wrong), 0, len(machines.proposers), digest, tuple(machines.wrong))


def rows(options: argparse.Namespace) -> Iterator[dict[str, int]]:
    """For `p2pchat simulate machines`."""
    return report.rows(simulate, options)
