"""Somebody on the wire: relays on loopback that keep every byte, and a search for secrets in any form."""

import base64
import contextlib
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

CHUNK = 1 << 16
CONNECT_SECONDS = 10.0


@dataclass(slots=True)
class Wiretap:
    """Listens at `at` and passes everything on to `target`; `heard` is all of it, one entry for each direction."""

    at: tuple[str, int]
    target: tuple[str, int]
    heard: list[bytearray] = field(default_factory=list)
    _server: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> "Wiretap":
        """Begin to listen."""
        self._server = socket.create_server(self.at)
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Listen no more, and cut what goes through."""
        with self._lock:
            for each in (*self._open, *([self._server] if self._server is not None else [])):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def bytes_heard(self) -> int:
        """How much went through."""
        with self._lock:
            return sum(map(len, self.heard))

    def recordings(self) -> list[bytes]:
        """Each direction of each connection so far."""
        with self._lock:
            return [bytes(each) for each in self.heard]

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, CONNECT_SECONDS)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        kept = bytearray()
        with self._lock:
            self.heard.append(kept)
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                with self._lock:
                    kept += chunk
                sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def forms(secret: str) -> dict[str, bytes]:
    """A secret as it could stand in bytes: as text, in hex, in base64 at each of its three alignments."""
    raw = secret.encode()
    found = {
        "UTF-8": raw,
        "UTF-16": secret.encode("utf-16-le"),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
    }
    for shift in range(3):
        spelled = base64.b64encode(bytes(shift) + raw)
        # Only what depends on no neighbour: without the first and the last four characters.
        found[f"base64 at {shift}"] = spelled[4:-4]
        found[f"base64url at {shift}"] = base64.urlsafe_b64encode(bytes(shift) + raw)[4:-4]
    return found


def leaks(places: Iterable[bytes], secrets: Iterable[str]) -> list[str]:
    """Which secrets stand somewhere in these bytes, and in which form."""
    joined = list(places)
    wanted = [(secret, form, needle) for secret in secrets for form, needle in forms(secret).items()]
    return [f"{secret!r} as {form}" for secret, form, needle in wanted if any(needle in place for place in joined)]
