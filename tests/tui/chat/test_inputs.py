"""What was typed is there the next time, bounded, and for its owner alone."""

import json
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.chat.inputs import MAX_INPUT_CHARACTERS, MAX_INPUTS, Inputs


class InputTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_they_come_back_in_order_each_once(self) -> None:
        inputs = Inputs(self.path)
        for text in ("one", "two\nlines", "one", "żółw \x1b"):
            inputs.add(text)
        self.assertEqual(Inputs(self.path).load(), ["two\nlines", "one", "żółw \x1b"])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_the_file_stays_small_however_much_is_typed(self) -> None:
        inputs = Inputs(self.path)
        for number in range(10 * MAX_INPUTS):
            inputs.add(f"text {number}")
        self.assertLessEqual(len(self.path.read_text().splitlines()), 2 * MAX_INPUTS)
        self.assertEqual(Inputs(self.path).load(), [f"text {number}" for number in range(900, 1000)])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_long_texts_and_nonsense_are_left_out(self) -> None:
        inputs = Inputs(self.path)
        inputs.add("x" * (MAX_INPUT_CHARACTERS + 1))
        inputs.add("good")
        with open(self.path, "ab") as file:
            file.write(b'\xff\n5\n{"a": 1}\n' + json.dumps("y" * 5000).encode())
        self.assertEqual(Inputs(self.path).load(), ["good"])

    def test_beside_an_encrypted_history_nothing_is_kept(self) -> None:
        encrypted = [False]
        inputs = Inputs(self.path, lambda: not encrypted[0])
        inputs.add("before")
        encrypted[0] = True
        inputs.add("a secret")
        self.assertEqual(Inputs(self.path).load(), ["before"])

    def test_a_disk_that_refuses_stops_nobody(self) -> None:
        inputs = Inputs(self.path / "not" / "there")
        inputs.add("typed")
        self.assertEqual(inputs.load(), [])
