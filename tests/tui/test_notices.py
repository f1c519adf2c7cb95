"""Notices for the desktop: one command, whatever the text, in the way that the terminal knows."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.notices import notice, way_of


class NoticeTests(SynchronousTestCase):
    def test_the_terminal_chooses_unless_the_person_does(self) -> None:
        for environment, way in (
            ({}, "9"),
            ({"TERM": "xterm-256color"}, "9"),
            ({"TERM": "rxvt-unicode-256color"}, "777"),
            ({"TERM": "foot"}, "777"),
            ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "777"),
        ):
            self.assertEqual(way_of(environment), way)
            self.assertEqual(way_of(environment, "9"), "9")

    def test_both_ways(self) -> None:
        self.assertEqual(notice("a message", "9"), "\x1b]9;a message\a")
        self.assertEqual(notice("a message", "777"), "\x1b]777;notify;p2pchat;a message\a")

    def test_a_text_cannot_end_the_command(self) -> None:
        for way in ("9", "777"):
            written = notice("a\a\x1b\\\x9cb\n" + "x" * 500, way)
            self.assertEqual((written.count("\x1b"), written.count("\a"), written.count("\x9c")), (1, 1, 0))
            self.assertLess(len(written), 150)

    def test_tmux_is_asked_to_hand_it_on(self) -> None:
        self.assertEqual(notice("hi", "9", in_tmux=True), "\x1bPtmux;\x1b\x1b]9;hi\a\x1b\\")
