"""Every alert names numbers that exist and a runbook that exists; every number of a node is explained."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.server import test_metrics

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOREIGN = {"up"}
"""What Prometheus itself knows."""
SUFFIXES = re.compile(r"_(total|bucket|sum|count|created)$")


def numbers() -> set[str]:
    """The names of all samples on a node's page."""
    page = test_metrics.MetricsTests("test_probes")
    page.setUp()
    return {name.partition(" ")[0] for name in page.numbers()}


def anchors(text: str) -> set[str]:
    """Where a link into a Markdown page can lead."""
    return {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in re.findall(r"(?m)^#+ (.*)", text)
    }


class AlertTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rules = re.split(r"(?m)^      - alert: ", (DOCS / "alerts.yaml").read_text("utf-8"))[1:]
        self.operations = (DOCS / "operations.md").read_text("utf-8")

    def test_each_rule_is_whole(self) -> None:
        names = [rule.split("\n")[0] for rule in self.rules]
        self.assertEqual((len(names) > 10, len(set(names))), (True, len(names)))
        for name, rule in zip(names, self.rules, strict=True):
            fields = set(re.findall(r"(?m)^ +(\w+):", rule)) - {"for"}
            self.assertEqual(fields, {"expr", "labels", "annotations", "summary", "runbook_url"}, name)
            self.assertRegex(rule, r"labels: \{severity: (page|ticket)\}", name)

    def test_each_number_in_a_rule_exists(self) -> None:
        known = numbers()
        for rule in self.rules:
            (expression,) = re.findall(r"expr: (.*)", rule)
            used = set(re.findall(r"\bp2pchat_\w+|\bup\b", expression))
            self.assertTrue(used, rule)
            self.assertEqual(used - known - FOREIGN, set(), rule)

    def test_each_rule_has_its_section_in_the_runbook_and_each_section_a_rule(self) -> None:
        led = {re.findall(r"runbook_url: operations\.md#(\S+)", rule)[0] for rule in self.rules}
        self.assertEqual(led - anchors(self.operations), set())
        sections = {each for each in anchors(self.operations) if each.startswith("p2pchat")}
        self.assertEqual(sections, led)
        self.assertEqual(led, {rule.split("\n")[0].lower() for rule in self.rules})

    def test_each_number_is_explained(self) -> None:
        explained = {SUFFIXES.sub("", each) for each in re.findall(r"`(p2pchat_\w+)`", self.operations)}
        self.assertEqual({SUFFIXES.sub("", each) for each in numbers()} - explained, set())
