"""The heap clock moves exactly and keeps order; a node's clock dies with it."""

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pchat.simulation.clock import HeapClock, NodeClock


class HeapClockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = HeapClock()
        self.seen: list[tuple[str, float]] = []

    def note(self, name: str) -> None:
        self.seen.append((name, self.clock.seconds()))

    def test_provides_the_reactors_interface(self) -> None:
        self.assertTrue(verifyObject(IReactorTime, self.clock))
        self.assertTrue(verifyObject(IReactorTime, NodeClock(self.clock)))

    def test_each_call_sees_its_own_time(self) -> None:
        self.clock.callLater(2.0, self.note, "second")
        self.clock.callLater(1.0, self.note, "first")
        self.clock.callLater(2.0, self.note, "third")
        self.clock.advance(10.0)
        self.assertEqual(self.seen, [("first", 1.0), ("second", 2.0), ("third", 2.0)])
        self.assertEqual(self.clock.seconds(), 10.0)

    def test_calls_made_on_the_way_run_at_their_time(self) -> None:
        self.clock.callLater(1.0, lambda: self.clock.callLater(1.5, self.note, "later"))
        self.clock.advance(3.0)
        self.assertEqual(self.seen, [("later", 2.5)])

    def test_cancelled_and_reset_timers(self) -> None:
        cancelled = self.clock.callLater(1.0, self.note, "never")
        moved = self.clock.callLater(1.0, self.note, "moved")
        earlier = self.clock.callLater(9.0, self.note, "earlier")
        cancelled.cancel()
        moved.reset(4.0)
        earlier.reset(2.0)
        self.assertEqual(set(self.clock.getDelayedCalls()), {moved, earlier})
        self.clock.advance(10.0)
        self.assertEqual(self.seen, [("earlier", 2.0), ("moved", 4.0)])
        self.assertRaises(AlreadyCancelled, cancelled.cancel)
        self.assertRaises(AlreadyCalled, moved.cancel)
        self.assertFalse(moved.active())

    def test_delay_counts_from_the_old_time(self) -> None:
        timer = self.clock.callLater(1.0, self.note, "delayed")
        timer.delay(2.0)
        self.clock.advance(5.0)
        self.assertEqual(self.seen, [("delayed", 3.0)])

    def test_run_while_stops_at_the_event(self) -> None:
        self.clock.callLater(1.0, self.note, "a")
        self.clock.callLater(2.0, self.note, "b")
        self.assertTrue(self.clock.run_while(lambda: not self.seen, limit=5.0))
        self.assertEqual(self.clock.seconds(), 1.0)
        self.assertFalse(self.clock.run_while(lambda: len(self.seen) < 3, limit=5.0))
        self.assertEqual(self.clock.seconds(), 6.0)

    def test_looping_call_runs_on_it(self) -> None:
        loop = LoopingCall(self.note, "tick")
        loop.clock = self.clock
        loop.start(1.0)
        self.clock.advance(2.5)
        loop.stop()
        self.assertEqual([when for _, when in self.seen], [0.0, 1.0, 2.0])

    def test_nothing_runs_on_the_clock_of_a_crashed_node(self) -> None:
        life = NodeClock(self.clock)
        life.callLater(1.0, self.note, "alive")
        life.callLater(2.0, self.note, "dead")
        self.clock.advance(1.5)
        life.stop()
        self.clock.advance(5.0)
        self.assertEqual(self.seen, [("alive", 1.0)])
