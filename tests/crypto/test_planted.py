"""Planted mistakes: each of the tests that guard the construction fails when what it guards is broken.

Rotation races and forgotten tombstones are planted in the simulator (tests/simulation/mutants.py).
"""

import importlib
import unittest

from twisted.trial.unittest import SynchronousTestCase

from tests.crypto.planted import GUARDS, IN_THE_SIMULATOR, PLANTED, Planted
from tests.simulation.mutants import MAIL, SESSIONS


class PlantedTests(SynchronousTestCase):
    def test_each_guard_is_shown_to_hold_something(self) -> None:
        planted = {each.guard for each in PLANTED}
        self.assertEqual(sorted(planted | {7}), sorted(GUARDS))
        simulated = {each.name for each in (*MAIL, *SESSIONS)}
        self.assertEqual([each for each in IN_THE_SIMULATOR if each not in simulated], [])

    def outcome(self, name: str) -> unittest.TestResult:
        """One test, run by itself."""
        module, kind, test = name.rsplit(".", 2)
        case, result = getattr(importlib.import_module(module), kind)(test), unittest.TestResult()
        case.run(result)
        return result

    def assert_caught(self, planted: Planted) -> None:
        for owner, attribute, instead in planted.changes:
            self.patch(owner, attribute, instead)
        result = self.outcome(planted.caught_by)
        self.assertEqual(result.errors, [], "it is to be noticed by what the test asserts, not by a crash")
        self.assertTrue(result.failures, f"{planted.name} is not noticed")


def _test(planted: Planted) -> object:
    def test(self: PlantedTests) -> None:
        self.assert_caught(planted)

    return test


for _planted in PLANTED:
    setattr(PlantedTests, f"test_{_planted.name}".replace(" ", "_").replace("'", ""), _test(_planted))
