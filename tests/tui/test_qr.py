"""A QR code as text holds the very modules of the code."""

import segno
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.qr import BORDER, lines

DIGITS = "".join(f"{number:05}" for number in range(12))


class QrTests(SynchronousTestCase):
    def test_every_module_is_where_it_belongs(self) -> None:
        shown = lines(DIGITS)
        upper, lower = "▀█", "▄█"
        modules = [[each in dark for each in row] for row in shown for dark in (upper, lower)]
        wanted = [[bool(each) for each in row] for row in segno.make(DIGITS, error="m").matrix_iter(border=BORDER)]
        self.assertEqual(modules[: len(wanted)], wanted)

    def test_sixty_digits_fit_into_a_small_terminal(self) -> None:
        shown = lines(DIGITS)
        self.assertLess(len(shown), 20)
        self.assertEqual(len({len(row) for row in shown}), 1)
        self.assertLess(len(shown[0]), 40)

    def test_other_digits_look_other(self) -> None:
        self.assertNotEqual(lines(DIGITS), lines(DIGITS[::-1]))
