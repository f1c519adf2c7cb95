"""A history of 100,000 messages: seconds to fill, and milliseconds to search, to page and to list.

python -m benchmarks.history [--messages N] [--json]
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from p2pchat.chat.message import Line
from p2pchat.chat.stores import Stores

WORDS = (
    "ring",
    "node",
    "letter",
    "morning",
    "Straße",
    "mañana",
    "日本語の文章",
    "привет",
    "slot",
    "epoch",
    "coffee",
    "later",
)
BATCH = 1000
TURNS = 30
PAGE = 100
SEARCHES = {
    "a rare word": "needle",
    "a part of a word": "orni",
    "two CJK characters": "日本",
    "a word in many": "coffee",
}


def main() -> None:
    """Fill a history in a temporary folder, and ask it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000, help="messages in one chat (100000)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="p2pchat-history-") as folder:
        stores = Stores.open(Path(folder) / "history")
        began = time.perf_counter()
        fill(stores, options.messages)
        figures = {"fill, s": time.perf_counter() - began}
        for name, text in SEARCHES.items():
            figures[f"search {name}, ms"] = median(partial(stores.archive.lines, "bob", PAGE, search=text))
        middle = stores.archive.lines("bob", options.messages // 2)[0]
        figures["last page, ms"] = median(lambda: stores.archive.lines("bob", PAGE))
        figures["page in the middle, ms"] = median(lambda: stores.archive.lines("bob", PAGE, before=middle))
        figures["unread of all chats, ms"] = median(stores.archive.unread)
        stores.database.close()
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<32} {value:8.2f}")


def fill(stores: Stores, count: int) -> None:
    """Messages of two people, a rare word in every ten-thousandth."""
    chance = random.Random(1)
    for start in range(0, count, BATCH):
        with stores.database.transaction():
            for number in range(start, min(start + BATCH, count)):
                words = " ".join(chance.choices(WORDS, k=8)) + (" needle" if number % 10_000 == 77 else "")
                author = "bob" if number % 2 else "me"
                line = Line(
                    "bob", author, number.to_bytes(16, "big"), number, b"", words, number, number, "read", 0, number + 1
                )
                stores.archive.add(line, number)


def median(ask: Callable[[], object]) -> float:
    """Milliseconds of the middle one of several turns."""
    taken = []
    for _ in range(TURNS):
        began = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


if __name__ == "__main__":
    main()
