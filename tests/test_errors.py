"""Errors keep their type across a link, and the command knows what to exit with."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat import errors


def classes(root: type[errors.P2PChatError]) -> list[type[errors.P2PChatError]]:
    """The class and all below it that may cross a link; a part's own ones are sent as the class above them."""
    below = [each for each in root.__subclasses__() if each.__module__ == errors.__name__]
    return [root, *(deep for each in below for deep in classes(each))]


class ErrorTests(SynchronousTestCase):
    def test_every_class_has_a_code_of_its_own(self) -> None:
        codes = [each.__dict__.get("code") for each in classes(errors.P2PChatError)]
        self.assertNotIn(None, codes)
        self.assertEqual(len(codes), len(set(codes)))

    def test_the_most_special_error_comes_first(self) -> None:
        listed = list(errors.on_wire(errors.TryElsewhere, errors.P2PChatError, errors.Moving))
        self.assertEqual(listed, [errors.Moving, errors.TryElsewhere, errors.P2PChatError])

    def test_exit_statuses_are_those_of_the_contract(self) -> None:
        statuses = {each.__name__: each.exit_status for each in classes(errors.P2PChatError)}
        self.assertEqual(statuses["RingUnknown"], 3)
        self.assertEqual(statuses["WrongCredentials"], 4)
        self.assertEqual(statuses["NameTaken"], 5)
        self.assertEqual(statuses["NoQuorum"], 6)
        self.assertEqual(statuses["NoNodeReachable"], 7)
        self.assertEqual(statuses["SessionReplaced"], 8)
        self.assertEqual(statuses["UnknownOutcome"], 9)
        self.assertEqual(statuses["SlowedDown"], 10)
