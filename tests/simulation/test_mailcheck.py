"""The set checker sees lost, unexpected and revived items, and blames nobody for what is unknown."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation.mailcheck import NEVER, Beginning, MailHistory, Span, check

A, B = b"a", b"b"


def span(items: bytes, called: int, returned: int) -> Span:
    return Span(frozenset(bytes([each]) for each in items), called, returned)


class MailCheckTests(SynchronousTestCase):
    def test_stored_items_are_there(self) -> None:
        verdict = check(MailHistory([span(b"ab", 1, 2)], [], [span(b"ab", 3, 4)]))
        self.assertEqual((verdict.lost, verdict.violations), (frozenset(), 0))

    def test_stored_item_that_is_gone_is_lost(self) -> None:
        verdict = check(MailHistory([span(b"ab", 1, 2)], [], [span(b"a", 3, 4)]))
        self.assertEqual(verdict.lost, {B})

    def test_item_missing_for_a_while_is_lost_too(self) -> None:
        verdict = check(MailHistory([span(b"a", 1, 2)], [], [span(b"", 3, 4), span(b"a", 5, 6)]))
        self.assertEqual(verdict.lost, {A})

    def test_add_during_the_fetch_or_of_unknown_outcome_may_be_missing(self) -> None:
        adds = [span(b"a", 1, NEVER), span(b"b", 2, 4)]
        self.assertEqual(check(MailHistory(adds, [], [span(b"", 3, 5)])).lost, frozenset())

    def test_removed_items_may_be_missing_even_if_the_outcome_is_unknown(self) -> None:
        history = MailHistory([span(b"a", 1, 2)], [span(b"a", 3, NEVER)], [span(b"", 4, 5), span(b"a", 6, 7)])
        verdict = check(history)
        self.assertEqual((verdict.lost, verdict.violations), (frozenset(), 0))

    def test_item_that_comes_back_after_its_removal(self) -> None:
        verdict = check(MailHistory([span(b"a", 1, 2)], [span(b"a", 3, 4)], [span(b"a", 5, 6)]))
        self.assertEqual((verdict.revived, verdict.violations), ({A}, 1))

    def test_item_that_nobody_added_yet(self) -> None:
        verdict = check(MailHistory([span(b"a", 5, 6)], [], [span(b"ab", 3, 4)]))
        self.assertEqual(verdict.unexpected, {A, B})


class BeginningTests(SynchronousTestCase):
    """Where a plan says that something may be lost, promises hold from there on, for what was left."""

    HISTORY = MailHistory(
        [span(b"ab", 1, 2), span(b"c", 9, 12)], [span(b"a", 3, 4)], [span(b"b", 5, 6), span(b"a", 14, 15)]
    )

    def after(self, present: frozenset[bytes], removed: frozenset[bytes] = frozenset()) -> MailHistory:
        return self.HISTORY.part(Beginning(10, present, removed), NEVER)

    def test_what_was_there_before_and_is_not_left_may_be_missing_and_removed_items_may_be_back(self) -> None:
        verdict = check(self.after(frozenset([A])))
        self.assertEqual((verdict.lost, verdict.violations), (frozenset(), 0))

    def test_what_is_left_must_be_there(self) -> None:
        self.assertEqual(check(self.after(frozenset([A, B]))).lost, {B})

    def test_what_is_left_as_removed_stays_away(self) -> None:
        self.assertEqual(check(self.after(frozenset(), frozenset([A]))).revived, {A})

    def test_what_nobody_has_any_more_does_not_come_from_nowhere(self) -> None:
        self.assertEqual(check(self.after(frozenset())).unexpected, {A})

    def test_before_the_plan_everything_holds(self) -> None:
        lost = MailHistory([span(b"ab", 1, 2)], [], [span(b"b", 5, 6)]).part(Beginning(), 10)
        self.assertEqual(check(lost).lost, {A})
