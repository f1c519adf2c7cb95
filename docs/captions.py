"""Keeps the list of files in docs/architecture.md: each file with the first line of its docstring.

`python docs/captions.py` writes it, `--check` only says whether it is current.
"""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- files: written by docs/captions.py -->"
END = "<!-- end of files -->"


def caption(path: Path) -> str:
    """The first line of a file's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]


def files() -> list[Path]:
    """The program's Python files, without what is only on this machine."""
    found = [*(ROOT / "p2pchat").rglob("*.py"), *(ROOT / "twisted").rglob("*.py")]
    ignored = subprocess.run(
        ["git", "-C", str(ROOT), "check-ignore", "--stdin"],
        input="\n".join(map(str, found)),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return sorted(set(found) - {Path(each) for each in ignored}, key=lambda path: (path.parent, path.name))


def listing() -> str:
    """The list as Markdown, one table for each folder."""
    lines: list[str] = []
    folder = None
    for path in files():
        if path.name == "__init__.py":
            continue
        if path.parent != folder:
            folder = path.parent
            package = folder / "__init__.py"
            title = f": {caption(package)}" if package.exists() else ""
            lines += ["", f"**{folder.relative_to(ROOT).as_posix()}/**{title}", "", "| file | |", "|---|---|"]
        lines.append(f"| `{path.name}` | {caption(path).replace('|', chr(92) + '|')} |")
    return "\n".join([BEGIN, *lines, "", END])


def main(arguments: list[str]) -> int:
    """Write the list, or check it."""
    text = ARCHITECTURE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    current = before + listing() + rest.partition(END)[2]
    if "--check" in arguments:
        if current != text:
            print("docs/architecture.md lists other files: run python docs/captions.py", file=sys.stderr)
            return 1
        return 0
    ARCHITECTURE.write_text(current, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
