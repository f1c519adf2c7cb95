"""The terminal under a screen: urwid's loop on the reactor, redrawn after whatever happens outside of it."""

import signal
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import urwid
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from p2pchat.tui.notices import notice
from p2pchat.tui.palette import palette

REDRAW_SECONDS = 0.02
"""Changes within this time are drawn at once: a burst of events costs one drawing."""

WITHOUT_COMMANDS = ("linux", "dumb", "fbterm")
"""Terminals (as in TERM) that print what others take as a command to the desktop."""

_FOCUS = {"focus in": True, "focus out": False}
_PASTING = {"begin paste": True, "end paste": False}


class Screen:
    """One widget on the whole terminal; `show` changes it, `redraw` asks for a drawing.

    Attributes:
        before_drawing: brings widgets up to date, so that a burst of changes costs this once, too.
        taken: sees each key first (but nothing that is pasted); True when no widget shall get it.
        focused: whether the terminal has the keyboard; None where it does not tell.
        focus_changed: told when that has changed.
        notices: how the desktop is told, "9" or "777"; `in_tmux` when tmux stands between.
    """

    _log = Logger()

    def __init__(self, reactor: Any, display: Any, theme: str) -> None:
        self._reactor = reactor
        self._pending: IDelayedCall | None = None
        self._pasting = False
        self._place: urwid.WidgetPlaceholder[Any] = urwid.WidgetPlaceholder(urwid.SolidFill(" "))
        self.before_drawing: Callable[[], None] = lambda: None
        self.taken: Callable[[str], bool] = lambda key: False
        self.focused: bool | None = None
        self.focus_changed: Callable[[], None] = lambda: None
        self.notices, self.in_tmux = "9", False
        self.loop = urwid.MainLoop(
            self._place,
            palette(theme),
            screen=display,
            handle_mouse=False,
            input_filter=self._left_over,
            event_loop=urwid.TwistedEventLoop(reactor, manage_reactor=False),
        )

    def start(self) -> None:
        """Take over the terminal; it is given back by `stop`, at the latest when the reactor stops."""
        self.loop.start()
        self._take_signal_keys()
        self._reactor.addSystemEventTrigger("before", "shutdown", self.stop)
        self.redraw()

    def _take_signal_keys(self) -> None:
        tty_signal_keys = getattr(self.loop.screen, "tty_signal_keys", None)
        if tty_signal_keys is not None:
            tty_signal_keys(intr="undefined", quit="undefined", start="undefined", stop="undefined", susp="undefined")

    async def lent(self, work: Callable[[], Awaitable[str]]) -> str:
        """Give the terminal to another program while `work` goes on; nothing is drawn and no key is heard."""
        self.focused = None
        interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-c there reaches all programs of the terminal
        try:
            with self.loop.paused():
                return await work()
        finally:
            signal.signal(signal.SIGINT, interrupted)
            self._take_signal_keys()
            self.clear()

    def mouse(self, wanted: bool) -> None:
        """Hear the wheel and clicks, or leave them to the terminal, which marks text with them."""
        self.loop.handle_mouse = wanted
        tracking = getattr(self.loop.screen, "set_mouse_tracking", None)
        if tracking is not None and self.loop.screen.started:
            tracking(wanted)

    def stop(self) -> None:
        """Give the terminal back as it was."""
        if self._pending is not None and self._pending.active():
            self._pending.cancel()
        if self.loop.screen.started:
            self.loop.stop()

    def show(self, widget: urwid.Widget) -> None:
        """Put `widget` on the whole terminal."""
        self._place.original_widget = widget
        self.redraw()

    def bell(self) -> None:
        """Ring the terminal's bell."""
        self._write("\a")

    def notify(self, text: str) -> None:
        """Have the desktop show a line, and ring."""
        self._write(f"{self._where_known(notice(text, self.notices, self.in_tmux))}\a")

    def copy(self, text: str) -> None:
        """Put a text into the clipboard of the person's machine (OSC 52), also through ssh and tmux."""
        self._write(self._where_known(f"\x1b]52;c;{b64encode(text.encode('utf-8', 'replace')).decode()}\a"))

    def _where_known(self, command: str) -> str:
        """A command to the desktop; nothing for terminals that would print it."""
        return "" if getattr(self.loop.screen, "term", "") in WITHOUT_COMMANDS else command

    def theme(self, name: str) -> None:
        """Change the colours."""
        self.loop.screen.register_palette(palette(name))
        self.clear()

    def _write(self, sequence: str) -> None:
        display: Any = self.loop.screen
        if display.started and hasattr(display, "write"):
            display.write(sequence)
            display.flush()

    def clear(self) -> None:
        """Draw every cell anew, whatever the terminal is thought to show."""
        self.loop.screen.clear()
        self.redraw()

    def redraw(self) -> None:
        """Draw soon; several wishes become one drawing."""
        if self._pending is None or not self._pending.active():
            self._pending = self._reactor.callLater(REDRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        self.before_drawing()
        if self.loop.screen.started:
            self.loop.draw_screen()

    def _left_over(self, keys: list[Any], _raw: list[int]) -> list[Any]:
        """What the widgets get of the keys pressed."""
        return [key for key in keys if not self._is_taken(key)]

    def _is_taken(self, key: Any) -> bool:
        if key in _PASTING:
            self._pasting = _PASTING[key]
            return False
        if key in _FOCUS:
            self.focused = _FOCUS[key]
            self.focus_changed()
            return True
        if self.focused is False:  # who types is here, whatever became of the report
            self.focused = True
            self.focus_changed()
        try:
            return not self._pasting and isinstance(key, str) and self.taken(key)
        except Exception:
            self._log.failure("a key could not be acted on")
            return True
