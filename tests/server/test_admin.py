"""The operator's socket: opened over what a killed node left, whoever has its process number now."""

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import UserError
from p2pchat.server.admin import MAX_SOCKET_BYTES, open_socket


class Occupied(MemoryReactorClock):
    """A reactor on which no socket can be opened."""

    def listenUNIX(self, address: Any, *_: Any, **__: Any) -> Any:
        """Refuse."""
        raise CannotListenError(None, address, OSError("no such device"))


class SocketTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "admin.sock"

    def test_what_a_killed_node_left_is_removed_even_if_its_process_number_is_ours(self) -> None:
        lock = self.path.with_name("admin.sock.lock")
        lock.symlink_to(str(os.getpid()))
        self.path.touch()
        reactor = MemoryReactorClock()
        self.successResultOf(Deferred.fromCoroutine(open_socket(reactor, self.path, [])))
        self.assertEqual((os.path.lexists(self.path), os.path.lexists(lock)), (False, False))
        self.assertEqual([server[0] for server in reactor.unixServers], [str(self.path)])

    def test_a_socket_that_cannot_be_opened_is_named(self) -> None:
        opening = Deferred.fromCoroutine(open_socket(Occupied(), self.path, []))
        self.assertIn("admin.sock", str(self.failureResultOf(opening, UserError).value))

    def test_a_path_too_long_for_a_socket_is_left_out(self) -> None:
        long = self.path.with_name("x" * MAX_SOCKET_BYTES)
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(open_socket(MemoryReactorClock(), long, []))))
