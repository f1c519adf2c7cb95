"""Screens as text files: what is drawn is compared with what was looked at and found good.

`P2PCHAT_WRITE_GOLDEN=1 python -m twisted.trial tests.tui.test_golden` writes them anew (and fails, so that nobody
forgets to look at the difference).
"""

import difflib
import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def difference(name: str, text: str) -> str:
    """How a screen differs from its file; empty when it does not."""
    path = FOLDER / f"{name}.txt"
    drawn = "".join(f"{line.rstrip()}\n" for line in text.split("\n"))
    if os.environ.get("P2PCHAT_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn)
        return f"{path} is written; look at it, then run again without P2PCHAT_WRITE_GOLDEN."
    wanted = path.read_text()
    return "".join(difflib.unified_diff(wanted.splitlines(True), drawn.splitlines(True), path.name, "drawn"))
