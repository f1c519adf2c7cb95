"""Pictures of experiments: panels, lines, formats."""

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.simulation import published
from p2pchat.simulation.plot import draw, picture

ROWS = [{"system": system, "p": p, "path": p + 1, "failed": 0} for system in ("classic", "p2pchat") for p in (0.1, 0.2)]


def heights(panel: Any) -> dict[str, list[float]]:
    """The lines of a panel by name."""
    return {line.get_label(): list(line.get_ydata()) for line in panel.get_lines()}


class DrawingTests(SynchronousTestCase):
    def test_a_panel_for_each_column_and_a_line_for_each_system(self) -> None:
        panels = picture(ROWS, [{"p": 0.1, "path": 4.03}, {"p": 0.2, "path": 4.22}]).axes
        self.assertEqual([panel.get_title(loc="left") for panel in panels], ["path against p", "failed against p"])
        path, failed = map(heights, panels)
        self.assertEqual(path, {"classic": [1.1, 1.2], "p2pchat": [1.1, 1.2], "paper": [4.03, 4.22]})
        self.assertEqual(failed, {"classic": [0, 0], "p2pchat": [0, 0]})
        self.assertGreater(panels[0].get_ylim()[1], 4.22)

    def test_the_suffix_names_the_format(self) -> None:
        file = Path(self.mktemp()).with_suffix(".png")
        draw(ROWS, file)
        self.assertTrue(file.read_bytes().startswith(b"\x89PNG\r\n"))

    def test_nothing_to_draw(self) -> None:
        file = Path(self.mktemp()).with_suffix(".svg")
        draw([], file)
        self.assertIn("<svg", file.read_text())


class PublishedTests(SynchronousTestCase):
    def test_only_what_the_papers_have(self) -> None:
        self.assertEqual(published.beside("paths", {"nodes": 1024})["path"], 5.0)
        self.assertEqual(published.beside("table2", {"p": 0.5})["timeouts"], 5.10)
        self.assertEqual(published.beside("table3", {"R": 0.4})["failures"], 15)
        self.assertEqual(published.beside("load", {"virtual": 20}), {"p99": 1.6})
        for experiment, row in (("table2", {"p": 0.15}), ("load", {"virtual": 3}), ("names", {"seeds": 1})):
            self.assertEqual(published.beside(experiment, row), {})
