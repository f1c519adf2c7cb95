"""Two people want the same name at the same moment while nodes are killed and come back: one gets it, for good."""

import random
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Answer, Node, Person, Stage

LOOPS = 2
TAKEN = 5


class RaceTests(SynchronousTestCase):
    """Kills nodes: a ring of its own."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.nodes = self.stage.start_ring(5)

    def register(self, person: Person, name: str) -> Answer:
        return person("register", name, "--password-file", str(person.password), status=None)

    def race(self, name: str, first: Node, second: Node, dying: list[Node]) -> Person:
        """Have a name registered at two nodes at once while others die; who got it."""
        people = [self.stage.person(f"{name}{place}", node) for place, node in enumerate((first, second))]
        with ThreadPoolExecutor(len(people)) as pool:
            asked = [pool.submit(self.register, person, name) for person in people]
            for node in dying:
                node.kill()
            answers = [each.result() for each in asked]
        winners = [person for person, answer in zip(people, answers, strict=True) if answer.status == 0]
        told = [(answer.status, answer.errors) for answer in answers]
        self.assertEqual(sorted(status for status, _ in told), [0, TAKEN], told)
        return winners[0]

    def test_one_of_two_gets_the_name_whoever_dies(self) -> None:
        chance = random.Random(1)
        winners: dict[str, Person] = {}
        for loop in range(LOOPS):
            name = f"race{loop}"
            first, second, *others = chance.sample(self.nodes, 5)
            dying = others[: loop % 2 + 1]
            winners[name] = self.race(name, first, second, dying)
            for node in dying:
                again = self.stage.ready(self.stage.spawn_member(first, data=node.data))
                self.nodes[self.nodes.index(node)] = again
            self.stage.wait_for_growth(self.nodes)
        for name, winner in winners.items():
            self.assertEqual(self.stage.trace(name)["copies"], 5)
            self.assertEqual(winner("status").row["user"], name)
