"""People who write to each other all the time, while something happens to their ring."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster.stage import Person, figure

CHATTER = Path(__file__).with_name("chatter.py")
END_SECONDS = 400.0
"""Longer than a chatter waits for what it wrote to be delivered."""


class Talk:
    """Each of `pairs` writes to the other, every so many seconds, from now until `end`."""

    def __init__(self, pairs: Sequence[tuple[Person, Person]], every: float) -> None:
        listeners: dict[str, list[str]] = {}
        self._people: dict[str, Person] = {}
        for one, other in pairs:
            for writer, reader in ((one, other), (other, one)):
                self._people[writer.name] = writer
                listeners.setdefault(writer.name, []).append(reader.name)
        self._writers = {
            name: self._people[name].host.spawn(
                self._people[name].host.python,
                "-c",
                CHATTER.read_text("utf-8"),
                self._people[name].home,
                str(every),
                *names,
            )
            for name, names in listeners.items()
        }

    def stop(self) -> None:
        """End the writing, whatever came of it."""
        for each in self._writers.values():
            if each.poll() is None:
                each.kill()
            each.communicate()

    def end(self) -> dict[str, Any]:
        """End the writing; what each wrote and noted, once all of it is delivered.

        Raises:
            AssertionError: something is lost, doubled, in the wrong order or not known to be delivered.
        """
        for each in self._writers.values():
            assert each.stdin is not None
            each.stdin.close()
            each.stdin = None  # or else communicate would flush it
        reports = {name: self._report(name) for name in self._writers}
        for writer, report in reports.items():
            assert report["undelivered"] == 0, f"{report['undelivered']} messages of {writer} stay undelivered"
            for reader, written in report["written"].items():
                read = [text for text in self._all_texts(reader, writer) if text in set(written)]
                assert read == written, f"{writer} wrote {len(written)} to {reader}, who read {len(read)}"
        return reports

    def tell(self, reports: dict[str, Any], kinds: dict[frozenset[str], str]) -> None:
        """Tell the longest silence and delay of each kind of pair."""
        for pair, kind in kinds.items():
            one, other = sorted(pair)
            ways = ((one, other), (other, one))
            count = sum(len(reports[writer]["written"][reader]) for writer, reader in ways)
            silence = max(reports[reader]["silence"][writer] for writer, reader in ways)
            delay = max(reports[reader]["delay"][writer] for writer, reader in ways)
            figure(f"{kind}: {count} messages, longest silence {silence:.1f} s, longest delay {delay:.1f} s")

    def _report(self, name: str) -> Any:
        output, errors = self._writers[name].communicate(timeout=END_SECONDS)
        assert self._writers[name].returncode == 0, f"the chatter of {name} failed: {errors[-2000:]}"
        return json.loads(output.splitlines()[-1])

    def _all_texts(self, reader: str, writer: str) -> list[str]:
        return self._people[reader].texts_from(self._people[writer])
