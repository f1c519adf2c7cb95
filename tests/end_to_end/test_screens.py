"""The screens in real terminals (tmux): registering, two people chatting, an agent that dies, the ring, the demo."""

import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.end_to_end.stage import Person, Stage, group, ring_of_five, until
from tests.end_to_end.terminal import MISSING, Terminal, Terminals, working_in

RECOVERY_KEY = re.compile(r"(?:[A-Z0-9]{4}-){6}")
DEMO_SECONDS = 180.0
EDITOR = """import sys
with open(sys.argv[1], "a") as file:
    file.write(" and " + input("what shall follow? "))
"""


class TerminalTests(SynchronousTestCase):
    """A tmux server for each test."""

    def setUp(self) -> None:
        if shutil.which("tmux") is None:
            raise SkipTest(MISSING)
        self.folder = Path(tempfile.mkdtemp(prefix="p2pchat-terminals-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.terminals = Terminals(self.folder)
        self.addCleanup(self.terminals.close)


class ChatScreenTests(TerminalTests):
    """On the ring that all tests share."""

    def screen(self, person: Person) -> Terminal:
        """Somebody's chat screen."""
        return self.terminals.open("tui", "--home", str(person.home), *person.agent_options)

    def test_whoever_registers_sees_the_recovery_key_once(self) -> None:
        stage = ring_of_five()
        dora = stage.person("screen-dora")
        shown = self.screen(dora)
        shown.wait_for("User name")
        password = dora.password.read_text().strip()
        shown.type(dora.name, "Tab")
        shown.type(password, "Tab", "Tab")
        shown.type(password)
        self.assertNotIn(password, shown.text)
        shown.press("Enter")
        shown.wait_for("recovery key")
        self.assertRegex(shown.text, RECOVERY_KEY)
        shown.press("Enter")
        shown.wait_until_gone("recovery key")
        shown.wait_for(f"{dora.name} │ node")
        shown.press("C-q")
        self.assertEqual(shown.ended(), 0)
        again = self.screen(dora)
        again.wait_for(f"{dora.name} │ node")
        self.assertNotRegex(again.text, RECOVERY_KEY)

    def test_two_people_chat_and_the_screen_outlives_its_agent(self) -> None:
        stage = ring_of_five()
        ana, bob = stage.person("screen-ana", *stage.nodes[:2]), stage.person("screen-bob", *stage.nodes[2:])
        ana.register()
        bob.register()
        hers, his = self.screen(ana), self.screen(bob)
        hers.wait_for(f"{ana.name} │ node")
        his.wait_for(f"{bob.name} │ node")
        hers.type("", "C-k")
        hers.wait_for("Chat with")
        hers.type(bob.name, "Enter")
        hers.wait_for(f"{bob.name}  ● online")
        hers.type("hello from ana", "Enter")
        hers.wait_for("hello from ana ✓")
        his.wait_for("1 unread")
        his.press("M-a")
        his.wait_for("screen-ana: hello from ana")
        his.type("hello from bob", "Enter")
        hers.wait_for("screen-bob: hello from bob")
        pid = ana.pid
        assert pid is not None
        hers.type("typed before")
        hers.wait_for("> typed before")
        os.kill(pid, signal.SIGKILL)
        until(lambda: ana.pid not in (None, pid), "the agent is not started again")
        hers.wait_for(f"{ana.name} │ node")
        hers.wait_for("> typed before")
        hers.press("Enter")
        his.wait_for("screen-ana: typed before")
        his.press("C-c", "C-c")
        self.assertEqual(his.ended(), 0)

    def test_an_editor_has_the_terminal_and_an_answer_shows_what_it_answers(self) -> None:
        stage = ring_of_five()
        fay = stage.person("screen-fay")
        fay.register()
        editor = self.folder / "editor.py"
        editor.write_text(EDITOR)
        (fay.home / "screen.toml").write_text(f'editor = ["{sys.executable}", "{editor}"]\n')
        shown = self.screen(fay)
        shown.wait_for(f"{fay.name} │ node")
        shown.type("", "C-k")
        shown.wait_for("Chat with")
        shown.type(fay.name, "Enter")
        shown.wait_for(f"{fay.name}  ●")
        shown.type("half", "C-o")
        shown.wait_for("what shall follow?")
        shown.type("a whole", "Enter")
        shown.wait_for("> half and a whole")
        shown.press("Enter")
        shown.wait_for(f"{fay.name}: half and a whole")
        shown.press("M-r")
        shown.wait_for("Escape: no reply")
        shown.type("indeed", "Enter")
        shown.wait_for(f"↪ {fay.name}: half and a whole")
        shown.press("C-q")
        self.assertEqual(shown.ended(), 0)
        again = self.screen(fay)
        again.wait_for(f"{fay.name} │ node")
        again.press("Up")
        again.wait_for("> indeed")
        again.press("C-q")
        self.assertEqual(again.ended(), 0)

    def test_a_terminal_that_knows_nothing_shows_the_chat_by_lines(self) -> None:
        stage = ring_of_five()
        gus = stage.person("screen-gus")
        gus.register()
        shown = self.terminals.open("tui", "--home", str(gus.home), *gus.agent_options, term="dumb")
        shown.wait_for(f"You are {gus.name}, session active.")
        shown.type(f"/msg {gus.name} to myself", "Enter")
        shown.wait_for(f"Message to {gus.name}: ")
        shown.type("/quit", "Enter")
        self.assertEqual(shown.ended(), 0)

    def test_a_paste_is_asked_about_and_a_session_taken_over_is_said(self) -> None:
        stage = ring_of_five()
        old = stage.person("screen-eve")
        old.register()
        shown = self.screen(old)
        shown.wait_for(f"{old.name} │ node")
        shown.type("", "C-k")
        shown.wait_for("Chat with")
        shown.type(old.name, "Enter")
        shown.wait_for(f"{old.name}  ●")
        shown.paste("one\ntwo\nthree\nfour\n/quit\n")
        shown.wait_for("You have pasted 5 lines")
        shown.press("Escape")
        shown.wait_until_gone("You have pasted")
        shown.type("half typed")
        shown.wait_for("> half typed")
        new = stage.person(old.name, home="screen-eve2")
        new.login()
        shown.wait_for("logged in elsewhere")
        shown.wait_for("> half typed")
        shown.press("C-q")
        self.assertEqual(shown.ended(), 0)


class FirstStartTests(TerminalTests):
    """A ring of its own that is found by multicast, and nothing but `p2pchat`."""

    def test_the_program_alone_finds_the_ring_and_offers_to_register(self) -> None:
        stage = Stage()
        self.addCleanup(stage.close)
        found = ["--multicast", group(), "--interface", "127.0.0.1"]
        addresses = ["--ring", "127.0.0.31:0", "--clients", "127.0.0.31:0"]
        node = stage.ready(stage.spawn(*addresses, *found, "--authority", str(stage.authority)))
        person = stage.person("screen-first")
        shown = self.terminals.open("--home", str(person.home), "--listen", "127.0.0.1:0", *found)
        shown.wait_for("User name")
        password = person.password.read_text().strip()
        shown.type(person.name, "Tab")
        shown.type(password, "Tab", "Tab")
        shown.type(password, "Enter")
        shown.wait_for("recovery key")
        shown.press("Enter")
        shown.wait_for(f"{person.name} │ node {node.name}")
        shown.press("C-q")
        self.assertEqual(shown.ended(), 0)


class DemoScreenTests(TerminalTests):
    """The demo brings a ring of its own, in a folder that must be empty in the end."""

    def test_bob_answers_a_death_is_seen_and_nothing_is_left(self) -> None:
        shown = self.terminals.open("demo")
        shown.wait_for("form a ring", DEMO_SECONDS)
        shown.wait_for("bob  ●", DEMO_SECONDS)
        shown.type("does anybody hear me?", "Enter")
        shown.wait_for("alice: does anybody hear me? ✓")
        shown.wait_for("a few lines of Python")
        (world,) = self.folder.glob("p2pchat-demo-*")
        shown.type("/ring", "Enter")
        shown.wait_for("5 of 5 nodes")
        shown.press("q")
        shown.wait_for("a few lines of Python")
        node = ["--data", str(world / "node1"), "--home", str(world / "alice")]
        once = self.terminals.open("ring", "view", "--once", *node)
        self.assertEqual(once.ended(), 0)
        self.assertIn("5 of 5 nodes", once.text)
        events = self.terminals.open("ring", "view", "--json", *node, columns=300)
        events.wait_for('"state"')
        ring = self.terminals.open("ring", "view", *node)
        ring.wait_for("5 of 5 nodes")
        ring.type("/")
        ring.wait_for("User or identifier")
        ring.type("bob", "Enter")
        ring.wait_for("bob is in slot")
        nodes = {pid: command for pid, command in working_in(world).items() if f"--data {world / 'node5'}" in command}
        for pid in nodes:
            os.kill(pid, signal.SIGKILL)
        ring.wait_for("is dead")
        events.wait_for("is dead")
        events.press("C-c")
        ring.press("q")
        self.assertEqual(ring.ended(), 0)
        shown.press("C-q")
        self.assertEqual(shown.ended(), 0)
        self.assertEqual(working_in(world), {})
        self.assertEqual(list(self.folder.glob("p2pchat-demo-*")), [])
