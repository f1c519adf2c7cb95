"""Silent connections: asked soon while something is under way, seldom while nothing is."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.wire.limits import LIMITS
from p2pchat.wire.silence import Silence, Verdict

WAIT, ASK, GIVE_UP = Verdict.WAIT, Verdict.ASK, Verdict.GIVE_UP
REST = int(LIMITS.quiet_seconds / (LIMITS.ping_seconds or 1))


class SilenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.silence = Silence(LIMITS)

    def looks(self, count: int, resting: bool) -> list[Verdict]:
        return [self.silence.look(resting) for _ in range(count)]

    def test_who_answers_nothing_is_given_up(self) -> None:
        self.assertEqual(self.looks(5, resting=False), [WAIT, ASK, ASK, ASK, GIVE_UP])

    def test_any_word_starts_anew(self) -> None:
        self.looks(4, resting=False)
        self.silence.broken()
        self.assertEqual(self.looks(5, resting=False), [WAIT, ASK, ASK, ASK, GIVE_UP])

    def test_at_rest_the_first_question_is_late_and_the_others_are_not(self) -> None:
        self.assertEqual(self.looks(REST, resting=True), [WAIT] * REST)
        self.assertEqual(self.looks(4, resting=True), [ASK, ASK, ASK, GIVE_UP])

    def test_a_call_ends_the_rest_and_blames_nobody_for_it(self) -> None:
        self.looks(REST - 1, resting=True)
        self.assertEqual(self.looks(4, resting=False), [ASK, ASK, ASK, GIVE_UP])
