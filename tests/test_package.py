"""What pip installs: from the tree, from a checkout in place, and from sdist and wheel, twistd knows both programs."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".tox", "build", "dist", "*.egg-info", "__pycache__", ".mypy_cache", ".ruff_cache", "_trial_temp*"
)
OFFLINE = ("--no-deps", "--no-build-isolation", "--no-index")
LIST = "from twisted.scripts.twistd import run; run()"


class PackageTests(SynchronousTestCase):
    """Each way into a venv of its own.

    The venv has nothing but p2pchat; what p2pchat needs comes from the Python that runs the tests, by PYTHONPATH, so
    that no test needs the network.  A p2pchat that was installed in place there is not seen that way.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.tree = self.folder / "tree"
        shutil.copytree(ROOT, self.tree, ignore=LEFT_OUT)
        self.venv = self.folder / "venv"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("P2PCHAT_")}
        self.environment["PYTHONPATH"] = sysconfig.get_path("purelib")
        self.run_python(sys.executable, "-m", "venv", "--without-pip", str(self.venv))
        self.python = str(self.venv / "bin" / "python")

    def run_python(self, *command: str) -> str:
        """Run a command away from the checkout; what it printed."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def install(self, *what: str) -> None:
        """pip install into the venv, without looking anything up; the p2pchat that runs the tests does not count."""
        self.run_python(self.python, "-m", "pip", "install", "--ignore-installed", *OFFLINE, *what)

    def assert_installed(self) -> None:
        """twistd lists both programs, and the p2pchat command answers."""
        listed = self.run_python(self.python, "-P", "-c", LIST, "--help")
        self.assertIn("p2pchat-server", listed)
        self.assertIn("p2pchat-client", listed)
        self.assertIn("ring", self.run_python(str(self.venv / "bin" / "p2pchat"), "--help"))

    def assert_shared(self) -> None:
        """Manual pages lie where man looks, and units beside them."""
        for path in ("man/man1/p2pchat.1", "man/man1/p2pchat-client.1", "man/man5/p2pchat.toml.5"):
            self.assertTrue((self.venv / "share" / path).exists(), path)
        for path in ("man/man8/p2pchat-server.8", "p2pchat/systemd/p2pchat-server.service"):
            self.assertTrue((self.venv / "share" / path).exists(), path)

    def test_installed_from_the_tree(self) -> None:
        self.install(str(self.tree))
        self.assert_installed()
        self.assertTrue(list(self.venv.glob("lib/python*/site-packages/twisted/plugins/p2pchat_plugin.py")))
        self.assert_shared()

    def test_installed_in_place(self) -> None:
        self.install("-e", str(self.tree))
        self.assert_installed()

    def test_installed_from_a_wheel_that_was_built_from_the_sdist(self) -> None:
        self.run_python(self.python, "-m", "build", "--no-isolation", "--outdir", "dist", str(self.tree))
        (wheel,) = (self.folder / "dist").glob("*.whl")
        self.install(str(wheel))
        self.assert_installed()
        self.assert_shared()
