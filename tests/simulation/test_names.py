"""Names stay linearizable under faults, run after run alike, and each planted bug is noticed."""

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved, NoQuorum, UnknownOutcome
from p2pchat.identifiers import Identifier
from p2pchat.replication.formats import Formats
from p2pchat.replication.register import Ballot, Register, Versioned
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.simulation import endings, names
from p2pchat.simulation.linearizability import NEVER, Operation, Value, Verdict, check
from p2pchat.simulation.world import Scene, World

KEY = RegisterKey(Identifier(5), KIND_ACCOUNT)


class Looking:
    """Keeps the clients of a run, to look at what they saw."""

    def __init__(self) -> None:
        self.made: list[names.Names] = []
        self._make = names.Names

    def names(self, *arguments: Any) -> names.Names:
        self.made.append(self._make(*arguments))
        return self.made[-1]

    def again(self) -> int:
        """How many values were seen whose name somebody else had before."""
        values = {value for each in self.made for _, value in each.versions if value is not None}
        return sum(endings.decode(value).since is not None for value in values)


class NamesTests(SynchronousTestCase):
    def test_seeds_have_no_violations(self) -> None:
        for seed in range(1, 61):
            outcome = names.simulate(seed)
            self.assertEqual(outcome.story, (), f"seed {seed}")
            self.assertTrue(outcome.faultless)

    def test_seeds_that_once_went_wrong(self) -> None:
        """972: a node lost its disk while it was about to be elected beside another lost one: more than is promised."""
        for seed in (972,):
            self.assertEqual(names.simulate(seed).story, (), f"seed {seed}")

    def test_names_that_end_are_taken_again_and_never_too_early(self) -> None:
        run = Looking()
        self.patch(names, "Names", run.names)
        for seed in (seed for seed in range(1, 300) if Random(f"{seed}/endings").random() < endings.SHARE):
            self.assertEqual(names.simulate(seed).story, (), f"seed {seed}")
        self.assertGreater(run.again(), 10, "the experiment did not get to what it is for")

    def early(self) -> bytes | None:
        """What stands after a gateway whose clock is days ahead has let somebody take a name that was just given up."""
        world = World(1, Scene(nodes=3, slots=1, replicas=2, members=3), Formats())
        ahead = world.machines[0].node

        def clock_of(node: Identifier) -> endings.Clock:
            return lambda: world.clock.seconds() + endings.WRONG_SECONDS * (node == ahead)

        world.formats_of = lambda node: endings.formats(clock_of(node))
        for number in range(3):
            world.start(number)
        service = world.living()[0].service
        for change in (endings.Begin(b"w1"), endings.End(b"w2", 0.0), endings.Begin(b"w3")):

            def judge(old: bytes | None, change: endings.End | endings.Begin = change) -> bytes | None:
                return change.judge(old, clock_of(ahead)())

            begun = Deferred.fromCoroutine(service.change(KEY, judge, change.writer, 0.5))
            begun.addErrback(lambda failure: failure.trap(Misbehaved, UnknownOutcome, NoQuorum))
            world.clock.advance(0.1)
        read = Deferred.fromCoroutine(world.living()[1].service.read(KEY, 0.5))
        world.clock.advance(0.6)
        read.addErrback(lambda failure: failure.trap(Misbehaved, UnknownOutcome, NoQuorum) and None)
        return getattr(self.successResultOf(read), "value", None)

    def test_members_judge_by_their_own_clocks_when_a_name_opens(self) -> None:
        value = self.early()
        self.assertTrue(value is None or endings.decode(value).writer == b"w2", value)

    def test_if_they_did_not_it_would_be_taken_too_early(self) -> None:
        self.patch(endings, "check_times", lambda *_: None)
        value = self.early()
        assert value is not None
        self.assertEqual(endings.decode(value).writer, b"w3")
        self.assertTrue(endings.too_early(value, 0.5))

    def test_same_seed_same_events(self) -> None:
        for seed in (3, 4):
            self.assertEqual(names.simulate(seed), names.simulate(seed))
        self.assertNotEqual(names.simulate(3).digest, names.simulate(4).digest)

    def test_agreement_of_an_earlier_epoch_is_no_choice(self) -> None:
        """Two members pulled a value that was never chosen, the third a later one: a read must settle it."""
        world = World(1, Scene(nodes=3, slots=1, replicas=2, members=3), Formats())
        for number, (value, counter) in enumerate(((b"v", 1), (b"w", 2), (b"v", 1))):
            ballot = Ballot(1, counter << 24, Identifier(counter))
            world.machines[number].store.put_register(KEY, Register(ballot, ballot, Versioned(1, (), value)))
            world.machines[number].store.forget_marks()
        seen = []
        for down in (1, 0, 2):
            for number in range(3):
                world.start(number)
            world.crash(down)
            life = world.living()[0]
            read = Deferred.fromCoroutine(life.service.read(KEY))
            world.clock.advance(10.0)
            seen.append(self.successResultOf(read).value)
        self.assertEqual(seen, [b"v"] * 3)


class PartTests(SynchronousTestCase):
    """A register begins anew where a plan says that something may be lost, with exactly what is left of it."""

    CREATED = Operation(1, 2, names.Write(b"w1", creates=True).decide, None, "create w1")

    def explained(self, left: Value, *later: Operation) -> bool:
        begun = [(0, None), (10, left)]
        return all(
            check(part, value) is not Verdict.VIOLATION for value, part in names.parts([self.CREATED, *later], begun)
        )

    def read(self, called: int, seen: Value) -> Operation:
        return Operation(called, called + 1, names.keep, seen, "read")

    def test_what_was_created_before_may_be_lost_if_nothing_is_left_and_must_be_there_if_it_is(self) -> None:
        value = self.CREATED.decide(None)
        self.assertTrue(self.explained(None, self.read(12, None)))
        self.assertTrue(self.explained(value, self.read(12, value)))
        self.assertFalse(self.explained(value, self.read(12, None)))
        self.assertFalse(self.explained(None, self.read(12, value)))

    def test_before_that_nothing_may_be_missing(self) -> None:
        self.assertFalse(self.explained(None, self.read(4, None)))

    def test_a_write_that_was_under_way_may_count_on_either_side(self) -> None:
        write = Operation(8, NEVER, names.Write(b"w2", creates=True).decide, None, "create w2")
        value = write.decide(None)
        self.assertTrue(self.explained(None, write, self.read(12, value)))
        self.assertTrue(self.explained(None, write, self.read(12, None)))
