"""LXMF's direct delivery between two processes; run by a Python that has LXMF, needs nothing of p2pchat.

python lxmf_direct.py WIDTH SECONDS BYTES
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

STEP_SECONDS = 30.0
CONFIG = """[reticulum]
enable_transport = No
share_instance = No
panic_on_interface_error = No
[logging]
loglevel = 0
[interfaces]
  [[loopback]]
    type = {kind}
    enabled = yes
    {host} = 127.0.0.1
    {port} = {number}
"""


def opened(folder: Path, name: str, server: bool, number: int) -> tuple[Any, Any, Any, Any]:
    """Reticulum and LXMF's router with an address of its own, at one end of a TCP connection."""
    import LXMF
    import RNS

    home = folder / name
    home.mkdir()
    words = (
        ("TCPServerInterface", "listen_ip", "listen_port")
        if server
        else ("TCPClientInterface", "target_host", "target_port")
    )
    (home / "config").write_text(CONFIG.format(kind=words[0], host=words[1], port=words[2], number=number))
    RNS.Reticulum(str(home))
    router = LXMF.LXMRouter(storagepath=str(home / "lxmf"))
    return RNS, LXMF, router, router.register_delivery_identity(RNS.Identity(), display_name=name)


def receive(folder: Path, number: int) -> None:
    """Take messages until standard input ends; then say the processor time."""
    _, _, router, address = opened(folder, "bob", True, number)
    router.register_delivery_callback(lambda message: None)
    print(address.hash.hex(), flush=True)
    for _ in sys.stdin:
        router.announce(address.hash)
    print(time.process_time(), flush=True)
    os._exit(0)


def main() -> None:
    """Send for so long, so many at once; the seconds of each message as JSON."""
    if sys.argv[1] == "receive":
        receive(Path(sys.argv[2]), int(sys.argv[3]))
    width, seconds, size = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="lxmf-") as name:
        folder = Path(name)
        command = [sys.executable, __file__, "receive", name, str(number)]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            print(json.dumps(send(folder, number, other, width, seconds, size)), flush=True)
        finally:
            other.kill()
        os._exit(0)


def send(folder: Path, number: int, other: Any, width: int, seconds: float, size: int) -> dict[str, Any]:
    """What was measured."""
    hashed = bytes.fromhex(other.stdout.readline().strip())
    RNS, LXMF, router, mine = opened(folder, "alice", False, number)
    until = time.monotonic() + STEP_SECONDS
    while not RNS.Transport.has_path(hashed):
        other.stdin.write("announce\n")
        other.stdin.flush()
        time.sleep(0.5)
        if time.monotonic() > until:
            raise SystemExit("bob's address is not heard")
    destination = RNS.Destination(
        RNS.Identity.recall(hashed), RNS.Destination.OUT, RNS.Destination.SINGLE, "lxmf", "delivery"
    )
    messages = Messages(LXMF, router, destination, mine, os.urandom(size // 2).hex(), width)
    messages.send(1.0)
    messages.taken.clear()
    began, busy = time.perf_counter(), time.process_time()
    messages.send(seconds)
    whole, busy = time.perf_counter() - began, time.process_time() - busy
    other.stdin.close()
    return {"taken": messages.taken, "whole": whole, "cpu": busy + float(other.stdout.readline())}


class Messages:
    """Sends messages, so many at once, and notes how long each took to its proof of delivery."""

    def __init__(self, lxmf: Any, router: Any, destination: Any, mine: Any, content: str, width: int) -> None:
        self._lxmf, self._router, self._ends, self._content = lxmf, router, (destination, mine), content
        self._width, self._idle = width, threading.Semaphore(width)
        self.taken: list[float] = []

    def send(self, seconds: float) -> None:
        """For so long, and until the last one has arrived."""
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            if self._idle.acquire(timeout=1.0):
                self._one()
        for _ in range(self._width):
            self._idle.acquire(timeout=STEP_SECONDS)
        for _ in range(self._width):
            self._idle.release()

    def _one(self) -> None:
        start = time.perf_counter()

        def done(message: Any) -> None:
            if message.state == self._lxmf.LXMessage.DELIVERED:
                self.taken.append(time.perf_counter() - start)
            self._idle.release()

        direct = self._lxmf.LXMessage.DIRECT
        message = self._lxmf.LXMessage(*self._ends, self._content, "", desired_method=direct)
        message.register_delivery_callback(done)
        message.register_failed_callback(done)
        self._router.handle_outbound(message)


if __name__ == "__main__":
    main()
