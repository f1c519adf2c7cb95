"""Every theme has every colour, and the environment chooses one."""

import urwid
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.palette import THEMES, palette, theme_of


class PaletteTests(SynchronousTestCase):
    def test_every_theme_can_be_drawn(self) -> None:
        names = {tuple(entry[0] for entry in palette(theme)) for theme in THEMES}
        self.assertEqual(len(names), 1)
        for theme in THEMES:
            for _, foreground, background, mono, fine, behind in palette(theme):
                urwid.AttrSpec(foreground or "default", background or "default")
                urwid.AttrSpec(fine or "default", behind or "default")
                urwid.AttrSpec(mono or "default", "default")

    def test_without_colour_there_is_none(self) -> None:
        for _, foreground, background, _, fine, behind in palette("none"):
            self.assertFalse({"black", "white", "red"} & set(f"{foreground},{background},{fine},{behind}".split(",")))

    def test_the_environment_chooses(self) -> None:
        self.assertEqual(theme_of({}), "dark")
        self.assertEqual(theme_of({"COLORFGBG": "0;15"}), "light")
        self.assertEqual(theme_of({"NO_COLOR": "1", "COLORFGBG": "0;15"}), "none")
        self.assertEqual(theme_of({"NO_COLOR": "1"}, "light"), "light")
