"""`simulate chat`: whole agents write to each other over whole nodes under faults; each message must arrive once.

Nodes and agents are killed between two instructions (sometimes as by a power cut), the network falls into parts, hosts
become slow, and somebody may log in on another device in the middle.  Then everything is mended and started.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from p2pchat.errors import P2PChatError
from p2pchat.simulation import report
from p2pchat.simulation.programs import Person, Town
from p2pchat.simulation.report import Outcome

USERS = ("alice", "bob", "carol")
PASSWORD = "correct horse battery"
NODES = 5
GROWN_SECONDS = 15.0
"""Until every slot has five members."""
FAULT_SECONDS = 30.0
MESSAGES = 12
FAULTS = 8
HEAL_SECONDS = 240.0
"""In which everything must have arrived once all is mended; retries pause for up to a minute."""
TOLD_SECONDS = 1_500.0
"""In which all must be told to be delivered: what became of unconfirmed mail is asked every ten minutes."""
LOOK_SECONDS = 0.5
WAIT_SECONDS = 20.0


@dataclass(slots=True)
class Sent:
    """One message that somebody wrote: `accepted` once the agent has it on disk; `home` is where it was written."""

    sender: str
    recipient: str
    text: str
    home: Path
    accepted: bool = False


@dataclass(slots=True)
class Account:
    """A person with the homes in which they logged in; the last one counts."""

    user: str
    homes: list[Person] = field(default_factory=list)

    @property
    def current(self) -> Person:
        return self.homes[-1]


class Chat:
    """One seed's run."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.town = Town(f"chat {seed}", NODES, folder)
        self.chance = self.town.stream("plan")
        self.accounts = [Account(user) for user in USERS]
        self.sent: list[Sent] = []
        self.wrong: list[str] = []
        self.mended = False

    # -- the calm before

    def settle(self) -> None:
        """A ring of five whose slots have grown, and everybody registered."""
        for number in range(NODES):
            self.town.start_node(number)
        self.town.clock.advance(GROWN_SECONDS)
        for account in self.accounts:
            self._ended(self._home(account).ways.register(account.user, PASSWORD, WAIT_SECONDS))

    def _home(self, account: Account) -> Person:
        person = Person(self.town, account.user, 1 + len(self.town.people))
        self.town.people.append(person)
        account.homes.append(person)
        person.start()
        return person

    def _ended(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something happen now, to its end."""
        done: list[object] = []
        self.town.begin(work).addCallback(done.append)
        if not self.town.clock.run_while(lambda: not done and not self.town.failures, WAIT_SECONDS):
            self.wrong.append("a calm ring does not answer")

    # -- the storm

    def plan(self) -> None:
        """Draw what is written and what breaks, and when."""
        clock, chance = self.town.clock, self.chance
        begun = clock.seconds()
        for _ in range(MESSAGES * len(self.accounts)):
            sender, recipient = chance.sample(self.accounts, 2)
            clock.at(begun + chance.random() * FAULT_SECONDS, self._write, sender, recipient.user)
        for _ in range(FAULTS):
            fault = chance.choice((self._kill_node, self._kill_node, self._kill_agent, self._part, self._slow))
            clock.at(begun + chance.random() * FAULT_SECONDS, fault, chance)
        if chance.random() < 0.5:
            clock.at(begun + chance.random() * FAULT_SECONDS, self._move, chance.choice(self.accounts))

    def _write(self, account: Account, recipient: str) -> None:
        person = account.current
        if self.mended or person.agent is None:
            return
        message = Sent(account.user, recipient, f"{account.user} {len(self.sent)}", person.path)
        self.sent.append(message)
        self.town.begin(self._send(person, message))

    async def _send(self, person: Person, message: Sent) -> None:
        with contextlib.suppress(P2PChatError):  # refused: nobody is told that it was sent
            await person.talk.send(message.recipient, message.text, "queued", WAIT_SECONDS)
            message.accepted = True

    def _kill_node(self, chance: Random) -> None:
        number = chance.randrange(NODES)
        if not self.mended:
            self.town.kill_node(number, silent=chance.random() < 0.5)
            self._later(chance, lambda: self.town.start_node(number))

    def _kill_agent(self, chance: Random) -> None:
        person = chance.choice(self.town.people)
        if not self.mended and person.agent is not None:
            person.kill(silent=chance.random() < 0.5)
            self._later(chance, lambda: person.start() if person.agent is None else None)

    def _part(self, chance: Random) -> None:
        if self.mended:
            return
        names = [machine.host_name for machine in self.town.machines] + [each.host_name for each in self.town.people]
        sides: tuple[list[str], list[str]] = ([], [])
        for name in names:
            chance.choice(sides).append(name)
        self.town.streams.partition(sides)
        self._later(chance, self.town.streams.mend)

    def _slow(self, chance: Random) -> None:
        if not self.mended:
            self.town.streams.slow[chance.choice(self.town.machines).host_name] = chance.random()
            self._later(chance, self.town.streams.slow.clear)

    def _later(self, chance: Random, mend: Callable[[], object]) -> None:
        self.town.clock.at(self.town.clock.seconds() + chance.uniform(0.3, 8.0), mend)

    def _move(self, account: Account) -> None:
        """Log in on another device; the old agent runs on."""
        if not self.mended:
            self.town.begin(self._log_in(self._home(account)))

    async def _log_in(self, person: Person) -> None:
        with contextlib.suppress(P2PChatError):  # once everything is mended they try again
            await person.ways.log_in(person.user, PASSWORD, WAIT_SECONDS)

    # -- the calm after

    def mend(self) -> None:
        """Everything runs again."""
        self.mended = True
        self.town.streams.mend()
        for number in range(NODES):
            self.town.start_node(number)
        for person in self.town.people:
            if person.agent is None:
                person.start()
        for account in self.accounts:
            if len(account.homes) > 1 and account.current.state != "active":
                self.town.begin(self._log_in(account.current))

    def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        until = self.town.clock.seconds() + seconds
        while not condition() and self.town.clock.seconds() < until:
            self.town.clock.advance(LOOK_SECONDS)

    def arrived(self) -> bool:
        """Whether nothing is missing any more."""
        return not self.missing() and all(self._delivered(message) for message in self.sent if message.accepted)

    def missing(self) -> list[Sent]:
        """Accepted messages that the recipient does not have."""
        have = {account.user: self._received(account) for account in self.accounts}
        return [each for each in self.sent if each.accepted and each.text not in have[each.recipient][each.sender]]

    def _received(self, account: Account) -> dict[str, list[str]]:
        person = account.current
        if person.state != "active":
            return {user: [] for user in USERS}
        return {user: [row["text"] for row in person.rows(user) if row["from"] == user] for user in USERS}

    def _delivered(self, message: Sent) -> bool:
        account = next(each for each in self.accounts if each.user == message.sender)
        rows = account.current.rows(message.recipient) if account.current.state == "active" else []
        return any(row["text"] == message.text and row["state"] in ("delivered", "read") for row in rows)

    def judge(self) -> None:
        """What should not be: doubled, strange, or in another order than written."""
        for account in self.accounts:
            for sender, texts in self._received(account).items():
                known = {each.text for each in self.sent if (each.sender, each.recipient) == (sender, account.user)}
                self.wrong += [f"{account.user} has {text!r} from {sender}" for text in texts if text not in known]
                if len(set(texts)) < len(texts):
                    self.wrong.append(f"{account.user} has doubled messages of {sender}: {texts}")
                homes = {each.text: each.home for each in self.sent}
                for home in set(homes.values()):
                    numbers = [int(text.split()[1]) for text in texts if homes.get(text) == home]
                    if numbers != sorted(numbers):
                        self.wrong.append(f"{account.user} has messages of {sender} out of order: {texts}")
        undelivered = [each.text for each in self.sent if each.accepted and not self._delivered(each)]
        if undelivered:
            self.wrong.append(f"not told to be delivered: {undelivered}")
        self.wrong += [f"an error that nobody foresaw: {failure}" for failure in self.town.failures]

    def run(self, seed: int) -> Outcome:
        """All of it."""
        self.settle()
        self.plan()
        self.town.clock.advance(FAULT_SECONDS)
        self.mend()
        self._wait(lambda: not self.missing(), HEAL_SECONDS)
        lost = self.missing()
        self._wait(self.arrived, 0.0 if lost else TOLD_SECONDS)
        self.judge()
        story = (*self.wrong, *(f"lost: {each}" for each in lost))
        return Outcome(seed, len(self.wrong), len(lost), len(self.sent), self.town.streams.digest, story)


def simulate(seed: int) -> Outcome:
    """Run one seed."""
    with tempfile.TemporaryDirectory(prefix="p2pchat-simulation-") as folder:
        chat = Chat(seed, Path(folder))
        try:
            return chat.run(seed)
        finally:
            chat.town.end()


def rows(options: argparse.Namespace) -> Iterator[dict[str, int]]:
    """For `p2pchat simulate chat`."""
    return report.rows(simulate, options)
