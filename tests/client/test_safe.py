"""Key files under a desktop's keyring: sealed where there is one, plain for the owner alone where there is none."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client.keyring import Keyring
from p2pchat.client.safe import MAGIC, Backend, Safe, desktop, safe_of
from p2pchat.errors import Damaged
from tests.client.test_agent import AgentCase
from tests.client.world import Person
from tests.crypto.keys import RING


class MemoryBackend:
    """A desktop's keyring; `locked`: it refuses, `forgets`: it keeps nothing."""

    priority = 5

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = self.forgets = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise RuntimeError("the person has dismissed the prompt")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if not self.forgets:
            self.kept[service, username] = password


class SafeTests(SynchronousTestCase):
    def test_what_was_sealed_comes_back_under_its_name_only(self) -> None:
        safe = Safe(bytes(32))
        sealed = safe.seal("keys/identity", b"secret")
        self.assertEqual(safe.open("keys/identity", sealed), b"secret")
        self.assertNotIn(b"secret", sealed)
        self.assertNotEqual(safe.seal("keys/identity", b"secret"), sealed)
        for other in (Safe(bytes([1]) * 32), Safe(None)):
            self.assertRaises(Damaged, other.open, "keys/identity", sealed)
        self.assertRaises(Damaged, safe.open, "keys/session", sealed)
        self.assertRaises(Damaged, safe.open, "keys/identity", sealed[:-1])
        self.assertEqual(safe.open("keys/identity", b"plain"), b"plain")

    def test_each_home_has_a_key_of_its_own_that_stays(self) -> None:
        backend = MemoryBackend()
        sealed = safe_of(Path("/one"), backend).seal("name", b"secret")
        self.assertEqual(safe_of(Path("/one"), backend).open("name", sealed), b"secret")
        self.assertRaises(Damaged, safe_of(Path("/other"), backend).open, "name", sealed)
        self.assertEqual(len(backend.kept), 2)

    def test_a_keyring_that_refuses_or_forgets_is_as_good_as_none(self) -> None:
        for fault in ("locked", "forgets"):
            backend = MemoryBackend()
            setattr(backend, fault, True)
            self.assertFalse(safe_of(Path("/one"), backend).seals, fault)
        self.assertFalse(safe_of(Path("/one"), None).seals)

    def test_only_a_real_keyring_is_taken(self) -> None:
        backend = MemoryBackend()
        self.patch(sys, "modules", {**sys.modules, "keyring": SimpleNamespace(get_keyring=lambda: backend)})
        self.assertIs(desktop(), backend)
        self.patch(backend, "priority", 0.5)
        self.assertIsNone(desktop())
        self.patch(sys, "modules", {**sys.modules, "keyring": None})
        self.assertIsNone(desktop())


class HomeTests(AgentCase):
    def under(self, person: Person, backend: Backend | None) -> None:
        person.home.safe = safe_of(person.home.path, backend)

    def files(self, person: Person) -> list[bytes]:
        names = [each for each in person.home.names("keys") if each != "counter"]
        return [(person.home.path / "keys" / each).read_bytes() for each in names]

    def test_every_key_is_sealed_and_the_session_goes_on_after_a_restart(self) -> None:
        backend, alice = MemoryBackend(), self.registered("alice", 1)
        self.assertFalse(any(each.startswith(MAGIC) for each in self.files(alice)))
        self.under(alice, backend)
        again = Keyring(alice.home, keep=True)
        again.load(RING)
        self.assertEqual(len(self.files(alice)), 3)
        self.assertTrue(all(each.startswith(MAGIC) for each in self.files(alice)))
        self.assertEqual(again.keys.identity.pkcs8_sign, alice.agent.keyring.keys.identity.pkcs8_sign)
        secret = alice.agent.keyring.keys.identity.pkcs8_sign[100:]
        self.assertFalse(any(secret in each for each in self.files(alice)))
        third = Keyring(alice.home, keep=True)
        third.load(RING)
        self.assertEqual(third.state, "active")

    def test_a_copy_without_the_keyring_says_what_to_do(self) -> None:
        alice = self.registered("alice", 1)
        self.under(alice, MemoryBackend())
        Keyring(alice.home, keep=True).load(RING)
        for backend in (None, MemoryBackend()):
            self.under(alice, backend)
            error = self.assertRaises(Damaged, Keyring(alice.home, keep=True).load, RING)
            self.assertIn("log in again", str(error))

    def test_a_new_mail_key_is_sealed_as_well(self) -> None:
        alice = self.registered("alice", 1)
        self.under(alice, MemoryBackend())
        alice.agent.keyring.want_rotation(True)
        alice.agent.active.rotation.look()  # type: ignore[union-attr]
        self.clock.pump([0.5] * 10)
        (name,) = [each for each in alice.home.names("keys") if each.startswith("mail-")]
        self.assertTrue(alice.home.sealed(f"keys/{name}"))
        self.assertEqual(alice.agent.keyring.keys.mail[0].number, 2)

    def test_without_a_keyring_files_are_for_the_owner_alone(self) -> None:
        alice = self.registered("alice", 1)
        self.assertEqual({each.stat().st_mode & 0o777 for each in (alice.home.path / "keys").iterdir()}, {0o600})
        copied = Path(self.mktemp())
        shutil.copytree(alice.home.path, copied)
        self.assertEqual((copied / "keys" / "identity").read_bytes(), alice.home.read("keys/identity"))
