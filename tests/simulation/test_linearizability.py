"""The search accepts what an order explains and refuses histories that are bad on purpose."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation.linearizability import NEVER, Operation, Value, Verdict, check

GOOD, BAD, UNDECIDED = Verdict.LINEARIZABLE, Verdict.VIOLATION, Verdict.UNDECIDED


def create(value: bytes) -> Callable[[Value], Value]:
    return lambda old: value if old is None else old


def swap(value: bytes) -> Callable[[Value], Value]:
    return lambda old: value if old is not None else old


def keep(old: Value) -> Value:
    return old


class LinearizabilityTests(SynchronousTestCase):
    def assert_verdict(self, verdict: Verdict, *operations: Operation, max_states: int = 10_000) -> None:
        self.assertIs(check(operations, max_states=max_states), verdict)

    def test_no_operations(self) -> None:
        self.assert_verdict(GOOD)

    def test_one_after_another(self) -> None:
        self.assert_verdict(
            GOOD,
            Operation(1, 2, create(b"a"), None),
            Operation(3, 4, create(b"b"), b"a"),
            Operation(5, 6, swap(b"c"), b"a"),
            Operation(7, 8, keep, b"c"),
        )

    def test_name_registered_twice(self) -> None:
        self.assert_verdict(BAD, Operation(1, 2, create(b"a"), None), Operation(3, 4, create(b"b"), None))

    def test_name_registered_twice_at_once(self) -> None:
        self.assert_verdict(BAD, Operation(1, 4, create(b"a"), None), Operation(2, 3, create(b"b"), None))

    def test_concurrent_operations_take_any_order(self) -> None:
        self.assert_verdict(GOOD, Operation(1, 4, create(b"a"), b"b"), Operation(2, 3, create(b"b"), None))

    def test_stale_read(self) -> None:
        self.assert_verdict(
            BAD,
            Operation(1, 2, create(b"a"), None),
            Operation(3, 4, swap(b"b"), b"a"),
            Operation(5, 6, keep, b"a"),
        )

    def test_reads_that_go_back(self) -> None:
        self.assert_verdict(
            BAD,
            Operation(1, 9, create(b"a"), None),
            Operation(2, 3, keep, b"a"),
            Operation(4, 5, keep, None),
        )

    def test_lost_update(self) -> None:
        self.assert_verdict(
            BAD,
            Operation(1, 2, create(b"a"), None),
            Operation(3, 6, swap(b"b"), b"a"),
            Operation(4, 5, swap(b"c"), b"a"),
        )

    def test_unknown_write_may_take_effect_late_or_never(self) -> None:
        unknown = Operation(1, NEVER, create(b"a"), None)
        self.assert_verdict(GOOD, unknown, Operation(2, 3, keep, None), Operation(4, 5, keep, b"a"))
        self.assert_verdict(GOOD, unknown, Operation(2, 3, create(b"b"), None), Operation(4, 5, keep, b"b"))

    def test_unknown_write_takes_effect_once(self) -> None:
        self.assert_verdict(
            BAD,
            Operation(1, 2, create(b"a"), None),
            Operation(3, NEVER, swap(b"b"), None),
            Operation(4, 5, swap(b"c"), b"b"),
            Operation(6, 7, keep, b"b"),
        )

    def test_unknown_write_has_no_effect_before_its_call(self) -> None:
        self.assert_verdict(BAD, Operation(1, 2, keep, b"a"), Operation(3, NEVER, create(b"a"), None))

    def test_value_of_a_write_that_certainly_failed(self) -> None:
        self.assert_verdict(BAD, Operation(1, 2, create(b"a"), None), Operation(3, 4, keep, b"refused"))

    def test_write_that_is_only_known_to_have_happened(self) -> None:
        done = Operation(1, 6, create(b"a"), None, told=False)
        self.assert_verdict(GOOD, done, Operation(2, 3, keep, None), Operation(4, 5, keep, b"a"))
        self.assert_verdict(BAD, done, Operation(7, 8, keep, None))
        self.assert_verdict(BAD, Operation(0, 1, create(b"b"), None), Operation(2, 6, create(b"a"), None, told=False))

    def test_search_that_is_cut_off_is_undecided(self) -> None:
        writes = [Operation(number, NEVER, swap(bytes([number])), None) for number in range(1, 20)]
        self.assert_verdict(
            UNDECIDED, Operation(0, 50, create(b"a"), None), *writes, Operation(51, 52, keep, b"x"), max_states=500
        )


class FitTests(SynchronousTestCase):
    """Answers that only say something about the value."""

    def test_what_an_answer_says_must_be_true_at_some_moment_of_its_call(self) -> None:
        write = Operation(2, 4, swap_in, None)
        for called, returned, fits, expected in (
            (0, 1, is_absent, GOOD),
            (0, 1, is_present, BAD),
            (1, 3, is_absent, GOOD),
            (1, 3, is_present, GOOD),
            (5, 6, is_present, GOOD),
            (5, 6, is_absent, BAD),
        ):
            look = Operation(called, returned, keep, None, fits=fits)
            self.assertIs(check([write, look]), expected, (called, returned, fits))


def swap_in(old: Value) -> Value:
    return b"x"


def is_absent(value: Value) -> bool:
    return value is None


def is_present(value: Value) -> bool:
    return value is not None
