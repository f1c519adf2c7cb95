"""The thread under an agent's history: one thing after the other, and nothing is lost when it ends."""

import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client.disk import ThreadedDisk


class ThreadedDiskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[Callable[[], object]] = []
        self.disk = ThreadedDisk(lambda tell, *told: self.told.append(lambda: tell(*told)), lambda function: succeed(7))

    def answered(self) -> None:
        """End the thread, then hear as the reactor what it had to say."""
        self.disk.stop()
        for tell in self.told:
            tell()
        self.told.clear()

    def test_all_that_was_given_is_done_in_order_in_one_other_thread(self) -> None:
        done: list[tuple[int, int]] = []

        def work(number: int) -> Callable[[], int]:
            def function() -> int:
                done.append((number, threading.get_ident()))
                return number * number

            return function

        asked = [self.disk.beside(work(number)) for number in range(20)]
        self.answered()
        self.assertEqual([number for number, _ in done], list(range(20)))
        (thread,) = {each for _, each in done}
        self.assertNotEqual(thread, threading.get_ident())
        self.assertEqual([self.successResultOf(each) for each in asked], [number * number for number in range(20)])

    def test_whoever_asked_gets_the_error_and_the_thread_goes_on(self) -> None:
        def refuse() -> Any:
            raise OSError("no space left")

        broken, whole = self.disk.beside(refuse), self.disk.beside(lambda: "there")
        self.answered()
        self.failureResultOf(broken, OSError)
        self.assertEqual(self.successResultOf(whole), "there")

    def test_after_an_end_it_begins_anew_when_it_is_needed(self) -> None:
        self.disk.stop()
        first = self.disk.beside(lambda: 1)
        self.answered()
        second = self.disk.beside(lambda: 2)
        self.answered()
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (1, 2))

    def test_what_takes_longer_goes_elsewhere(self) -> None:
        self.assertEqual(self.successResultOf(self.disk.slowly(lambda: 1)), 7)
