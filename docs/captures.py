"""Writes the screens in README.md anew, from `p2pchat demo` and `p2pchat ring view` in terminals of tmux.

`python -m docs.captures`, in the tree; it takes a minute.  tests/tui/test_documents.py holds the README to their form.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.end_to_end.terminal import Terminals

README = Path(__file__).resolve().parent.parent / "README.md"
DEMO_SECONDS = 180.0
CHAT, RING = "<!-- the chat screen -->", "<!-- the ring screen -->"
MOST_BLANK = 2
"""Empty rows, one after the other, that are left of a capture."""


def captured(folder: Path) -> tuple[str, str]:
    """The chat screen and the ring screen of a demo, at 80x24."""
    terminals = Terminals(folder)
    try:
        chat = terminals.open("demo")
        chat.wait_for("bob  ●", DEMO_SECONDS)
        chat.wait_for("Hello alice!")
        chat.press("M-r")
        chat.wait_for("Escape: no reply")
        chat.type("Where do you live?", "Enter")
        chat.wait_for("a few lines of Python")
        (world,) = folder.glob("p2pchat-demo-*")
        ring = terminals.open("ring", "view", "--data", str(world / "node1"), "--home", str(world / "alice"))
        ring.wait_for("5 of 5 nodes")
        ring.press("Down", "f")
        ring.wait_for("all copies there")
        ring.wait_for("users that it owns")
        screens = chat.text, ring.text
        ring.press("q")
        chat.press("C-q")
        ring.ended()
        chat.ended()
        return screens
    finally:
        terminals.close()


def shortened(text: str) -> str:
    """Without most of the rows in which only the frame stands."""
    rows: list[str] = []
    blank = 0
    for row in text.rstrip("\n").split("\n"):
        blank = blank + 1 if not row.strip(" │") else 0
        if blank <= MOST_BLANK:
            rows.append(row.rstrip())
    return "\n".join(rows)


def replaced(readme: str, mark: str, screen: str) -> str:
    """The README with the block behind a mark replaced."""
    before, _, rest = readme.partition(f"{mark}\n```\n")
    _, _, after = rest.partition("\n```\n")
    if not after:
        raise SystemExit(f"{README} has no block behind {mark}")
    return f"{before}{mark}\n```\n{screen}\n```\n{after}"


def main() -> int:
    """Run a demo and write."""
    folder = Path(tempfile.mkdtemp(prefix="p2pchat-captures-"))
    try:
        chat, ring = map(shortened, captured(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    readme = replaced(README.read_text("utf-8"), CHAT, chat)
    README.write_text(replaced(readme, RING, ring), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
