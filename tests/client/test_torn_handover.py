"""A hand-over whose old or new home ends at any message to the ring: nothing is lost and nothing doubled."""

from dataclasses import dataclass
from typing import Any

from p2pchat.chat.message import Line
from p2pchat.client import giving
from p2pchat.errors import NoNodeReachable
from tests.client.test_agent import AgentCase
from tests.client.world import MemoryGateway, MemoryRing, Person

LINES = 12
LINES_OF_A_PAGE = 3
STEP_SECONDS = 0.5
MAX_STEPS = 400
MOST_MESSAGES = 200
"""Of one home in one hand-over; it needs far fewer."""


@dataclass(slots=True)
class Tear:
    """One home ends at its `at`-th message from now on: before the ring has it, or after, with the answer lost."""

    old: bool
    after: bool
    at: int
    count: int = 0
    torn: bool = False


class TornTests(AgentCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(giving, "MAX_LINES", LINES_OF_A_PAGE)
        self.victim: Person | None = None
        self.tear = Tear(old=True, after=False, at=0)
        whole = MemoryGateway.__call__

        async def torn(gateway: MemoryGateway, *command: Any, **arguments: Any) -> Any:
            victim, tear = self.victim, self.tear
            if victim is None or gateway.agent_of() is not victim.agent:
                return await whole(gateway, *command, **arguments)
            tear.count += 1
            if tear.torn or tear.count == tear.at:
                if not tear.torn and tear.after:
                    await whole(gateway, *command, **arguments)
                tear.torn = True
                raise NoNodeReachable("The process has ended.")
            return await whole(gateway, *command, **arguments)

        self.patch(MemoryGateway, "__call__", torn)

    def moved(self, name: str, tear: Tear) -> bool:
        """One move of an account under a tear; False when it was over before the tear."""
        self.ring = MemoryRing(self.clock)
        old = self.registered(name, 1)
        texts = [f"text {number}" for number in range(LINES)]
        old.agent.opened.contacts.meet("bob", "contact")
        for number, text in enumerate(texts):
            identifier = bytes([number + 1]) * 16
            line = Line("bob", "bob", identifier, number + 1, b"", text, 1_000 + number, 1_000 + number, "read")
            old.agent.opened.archive.add(line, 1_000 + number)
        self.tear, self.victim = tear, None
        if tear.old:
            self.victim = old
        new = self.taken_over(name, old, 7)
        if not tear.old:
            self.victim = new
            new.agent.active.connected()  # type: ignore[union-attr]
        for _ in range(MAX_STEPS):
            self.clock.advance(STEP_SECONDS)
            if tear.torn and self.victim is not None:
                old, new = self.restarted(old, new)
                self.victim = None
            if self.over(old) and self.over(new):
                break
        self.assertEqual((self.over(old), self.over(new)), (True, True), f"{tear}")
        self.assertEqual(new.texts("bob"), texts, f"{tear}")
        self.assertEqual(new.agent.session_row()["handover"]["messages"], LINES, f"{tear}")
        self.assertEqual(old.home.names("keys"), ["counter"], f"{tear}")
        for each in (old, new):
            self.stop(each)
        return tear.torn

    def restarted(self, old: Person, new: Person) -> tuple[Person, Person]:
        """The victim's process ends and begins again, in the same home."""
        dead = old if self.tear.old else new
        path = str(dead.home.path)
        self.stop(dead)
        self.ring.agents = [each for each in self.ring.agents if each.agent_of() is not dead.agent]
        again = self.start(path, 20)
        if again.agent.active is not None:
            again.agent.active.connected()
        return (again, new) if self.tear.old else (old, again)

    def over(self, person: Person) -> bool:
        return bool(person.agent.session_row()["handover"]["state"] == "done")

    def test_wherever_the_old_home_ends(self) -> None:
        self.assertGreater(self.tears(old=True), LINES // LINES_OF_A_PAGE)

    def test_wherever_the_new_home_ends(self) -> None:
        self.assertGreater(self.tears(old=False), LINES // LINES_OF_A_PAGE)

    def tears(self, old: bool) -> int:
        """Tear at one message after the other, until a move has no more of them; how many there were."""
        for at in range(1, MOST_MESSAGES):
            torn = [self.moved("alice", Tear(old, after, at)) for after in (False, True)]
            if not any(torn):
                return at - 1
        raise AssertionError("a hand-over has no end")
