"""A thief who kept every version that nodes ever wrote, and an agent's home: what opens, and what never does."""

from typing import Any

from p2pchat.crypto import credentials
from p2pchat.crypto.account import Account
from p2pchat.crypto.credentials import Costs
from p2pchat.crypto.encoding import split
from p2pchat.crypto.envelope import Kind, divide, key_id_in
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.opening import Opener
from p2pchat.crypto.passwords import PARAMETERS, Stretched
from p2pchat.crypto.vault import Secrets
from p2pchat.errors import CannotOpen, Misbehaved, P2PChatError, WrongCredentials
from p2pchat.identifiers import account_identifier
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, RegisterKey
from tests.client.test_agent import AgentCase
from tests.client.world import PASSWORD, Person
from tests.crypto.keys import RING, identity
from tests.end_to_end.wiretap import leaks

FIRST, SECOND = "sealed to the first mail key", "sealed to the second mail key"
FLOOR = Costs(PARAMETERS, bcrypt=4)


class StolenDisksTests(AgentCase):
    """bob was sent one text under each of two mail keys; every value of the ring was kept."""

    def setUp(self) -> None:
        super().setUp()
        self.registers: list[tuple[RegisterKey, bytes]] = []
        self.envelopes: list[bytes] = []
        change, add = self.ring.replication.change, self.ring.replication.add

        async def kept_change(key: RegisterKey, *arguments: Any, **named: Any) -> Any:
            changed = await change(key, *arguments, **named)
            if key in self.ring.replication.registers:
                self.registers.append((key, self.ring.replication.registers[key]))
            return changed

        async def kept_add(point: Any, fence: bytes, items: Any, *arguments: Any, **named: Any) -> Any:
            if point == account_identifier("bob"):
                self.envelopes += [item.payload for item in items]
            return await add(point, fence, items, *arguments, **named)

        self.patch(self.ring.replication, "change", kept_change)
        self.patch(self.ring.replication, "add", kept_add)
        self.alice, self.bob = self.registered("alice", 1), self.start(self.mktemp(), 2)
        self.bob.agent.entrance._costs = FLOOR
        self.done(self.bob.ways.register("bob", PASSWORD, 10.0))
        self.send(self.alice, "bob", FIRST, "stored")
        self.clock.pump([0.1] * 5)
        self.bob.agent.keyring.want_rotation(True)
        self.bob.agent.active.rotation.look()  # type: ignore[union-attr]
        self.clock.pump([0.1] * 5)
        self.assertEqual(self.bob.agent.keyring.keys.mail[0].number, 2)
        self.send(self.alice, "bob", SECOND, "stored")
        self.clock.pump([0.1] * 5)
        self.assertEqual(self.bob.texts("alice"), [FIRST, SECOND])

    def opened(self, opener: Opener) -> list[str]:
        """The texts that a thief's keys open."""
        texts = []
        for each in self.envelopes:
            try:
                texts.append(
                    opener.open(*divide(each), identity("alice").public).message.body.decode("utf-8", "replace")
                )
            except CannotOpen:
                continue
        return sorted({text for text in texts if text in (FIRST, SECOND)})

    def files(self, person: Person) -> dict[str, bytes]:
        home = person.home.path
        return {str(each.relative_to(home)): each.read_bytes() for each in home.rglob("*") if each.is_file()}

    def mail_keys(self) -> list[MailKeyRecord]:
        """Every mail key of bob's that ever stood in the ring, with its escrow."""
        values = [value for key, value in self.registers if key == RegisterKey(account_identifier("bob"), KIND_MAILKEY)]
        found = [MailKeys.parse(value, RING) for value in values]
        return [each for keys in found for each in (keys.current, keys.draining) if each is not None]

    def test_a_rotated_key_stays_closed_to_who_takes_ring_and_home_today(self) -> None:
        """What the thief finds in the home are today's keys; they open today's mail, so the attempt itself works."""
        opener = Opener(identity("bob"))
        stolen = [content for name, content in self.files(self.bob).items() if name.startswith("keys/mail-")]
        for key_id in {key_id_in(each) for each in self.envelopes}:
            for content in stolen:
                opener.add_key(Kind.MAIL, key_id, split(content, 4)[3])
        self.assertEqual(self.opened(opener), [SECOND])

    def test_no_file_of_the_home_holds_the_rotated_key(self) -> None:
        first = next(each for each in self.mail_keys() if each.number == 1)
        escrow_private = self.with_the_password().escrow_private
        private = first.private(escrow_private)
        self.assertEqual([name for name, content in self.files(self.bob).items() if private in content], [])
        second = next(each for each in self.mail_keys() if each.number == 2).private(escrow_private)
        self.assertTrue([name for name, content in self.files(self.bob).items() if second in content])

    def test_old_copies_and_the_password_open_it(self) -> None:
        """Plainly said in docs/threat-model.md; without the password the same copies open nothing."""
        secrets = self.with_the_password()
        opener = Opener(secrets.identity)
        for each in self.mail_keys():
            opener.add_key(Kind.MAIL, each.key_id, each.private(secrets.escrow_private))
        self.assertEqual(self.opened(opener), sorted([FIRST, SECOND]))
        self.assertRaises(WrongCredentials, self.with_the_password, "another guess entirely")

    def with_the_password(self, password: str = PASSWORD) -> Secrets:
        account = self.account()
        found = account.credentials
        stretched = Stretched.stretch(password.encode(), "bob", RING, found.salt, found.parameters)
        return credentials.log_in(account, stretched)

    def account(self) -> Account:
        key = RegisterKey(account_identifier("bob"), KIND_ACCOUNT)
        return Account.parse(next(value for at, value in self.registers if at == key), RING)

    def test_nothing_that_nodes_ever_had_logs_in(self) -> None:
        fields = {each for _, value in self.registers for each in _fields(value) if len(each) == 32}
        vault = self.account().credentials.vault
        fields |= {vault[:32], self.account().credentials.verifier[:32], self.account().credentials.verifier[-32:]}
        self.assertGreater(len(fields), 10)
        for proof in fields:
            self.clock.advance(31.0)
            for by in ("password", "recovery"):
                self.refused(self.ring.accounts.unlock("bob", proof, by), WrongCredentials, P2PChatError)
        self.clock.advance(31.0)
        right = Stretched.stretch(
            PASSWORD.encode(), "bob", RING, self.account().credentials.salt, self.account().credentials.parameters
        )
        self.assertEqual(
            self.done(self.ring.accounts.unlock("bob", right.auth, "password"))[0], self.account().encode()
        )

    def test_no_text_and_no_password_in_anything_that_nodes_ever_had(self) -> None:
        written = [value for _, value in self.registers] + self.envelopes
        self.assertEqual(leaks(written, [FIRST, SECOND, PASSWORD]), [])
        self.assertTrue(leaks([*written, b"..." + FIRST.encode().hex().encode()], [FIRST]))

    def test_a_home_after_logout_holds_no_key_and_no_password(self) -> None:
        keys = self.bob.agent.keyring.keys
        own = keys.identity
        secrets = [own.pkcs8_sign[100:1500], own.pkcs8_seal[100:1500], keys.session_key.private_bytes_raw()]
        secrets += [each.private for each in keys.mail]
        before = self.files(self.bob)
        self.assertTrue(all(any(secret in content for content in before.values()) for secret in secrets))
        self.done(self.bob.ways.log_out(5.0))
        after = self.files(self.bob)
        self.assertEqual([name for name, content in after.items() for secret in secrets if secret in content], [])
        self.assertEqual(leaks(after.values(), [PASSWORD]), [])
        self.assertEqual([each for each in after if each.startswith("keys/")], ["keys/counter"])


def _fields(value: bytes, depth: int = 0) -> list[bytes]:
    """Every length-prefixed field in a value, and those inside of fields."""
    try:
        found = split(value)
    except Misbehaved:
        return []
    return found + [each for part in found if depth < 4 for each in _fields(part, depth + 1)]
