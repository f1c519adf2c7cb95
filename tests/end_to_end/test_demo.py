"""`p2pchat demo`: the script passes, and nothing is left of it, also when it is interrupted."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import die_with_parent, surroundings, until

DEMO_SECONDS = 400.0


class DemoTests(SynchronousTestCase):
    """Each demo has a folder for temporary files of its own, so that what it leaves can be seen."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="p2pchat-demo-test-"))
        self.addCleanup(self.folder.rmdir)
        self.logs = Path(self.mktemp()).absolute()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start `demo --check`."""
        environment = {**surroundings(self.folder), "TMPDIR": str(self.folder)}
        command = [sys.executable, "-P", "-m", "p2pchat.cli.main", "demo", "--check", "--logs", str(self.logs)]
        demo = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        self.addCleanup(self.end, demo)
        return demo

    def end(self, demo: "subprocess.Popen[bytes]") -> None:
        """After a failure, end what is still there."""
        if demo.poll() is None:
            demo.kill()
        demo.communicate()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    def processes(self) -> list[int]:
        """Processes that work in this demo's folder."""
        found = []
        for each in Path("/proc").iterdir():
            if each.name.isdigit() and int(each.name) != os.getpid():
                try:
                    command = (each / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(self.folder).encode() in command:
                    found.append(int(each.name))
        return found

    def assert_nothing_left(self) -> None:
        """Neither a process nor a file."""
        self.assertEqual(self.processes(), [])
        self.assertEqual([str(path) for path in self.folder.rglob("*")], [])

    def test_the_script_passes_and_leaves_nothing(self) -> None:
        demo = self.start()
        output, errors = demo.communicate(timeout=DEMO_SECONDS)
        logs = "".join(
            f"\n-- {path.relative_to(self.logs)}\n{path.read_text(errors='replace')[-3000:]}"
            for path in sorted(self.logs.rglob("*"))
            if path.is_file()
        )
        self.assertEqual((demo.returncode, errors.decode()), (0, ""), output.decode() + logs)
        self.assertGreaterEqual(len(output.splitlines()), 8)
        self.assert_nothing_left()

    def interrupt(self, number: signal.Signals) -> int:
        """Interrupt a demo whose nodes have started; its exit status."""
        demo = self.start()
        until(lambda: len(self.processes()) >= 3, "the demo does not start its nodes")
        demo.send_signal(number)
        demo.communicate(timeout=DEMO_SECONDS)
        return demo.returncode

    def test_ctrl_c_leaves_nothing(self) -> None:
        self.assertNotEqual(self.interrupt(signal.SIGINT), 0)
        self.assert_nothing_left()

    def test_sigterm_leaves_nothing(self) -> None:
        self.assertNotEqual(self.interrupt(signal.SIGTERM), 0)
        self.assert_nothing_left()
