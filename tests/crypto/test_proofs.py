"""Tests of signed requests and acknowledgements: a gateway passes them on, it cannot make or bend them."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.proofs import Acknowledgement, Reason, SignedRequest, check_acknowledgement
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Misbehaved, NotLoggedIn, P2PChatError, SessionReplaced
from p2pchat.identifiers import Identifier
from tests.crypto.keys import RING, identity, session_key

IDS = [bytes([each]) * 32 for each in range(3)]


def session(user: str = "bob", after: SessionRecord | None = None, key: int = 1) -> SessionRecord:
    return SessionRecord.create(identity(user), session_key(key), Identifier(7), b"", 5, after, True)


class RequestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.record = session()
        self.request = SignedRequest.create(session_key(1), self.record, 8, "Fetch", b"arguments")

    def test_the_session_asked_exactly_this(self) -> None:
        again = SignedRequest.parse(self.request.encode(RING), RING)
        self.assertEqual(again, self.request)
        again.verify(self.record, "Fetch", b"arguments")

    def test_every_other_command_argument_or_place_is_refused(self) -> None:
        self.assertRaises(Misbehaved, self.request.verify, self.record, "Fetch", b"others")
        self.assertRaises(Misbehaved, self.request.verify, self.record, "Remove", b"arguments")
        for bent in (replace(self.request, counter=9), replace(self.request, sequence=1)):
            self.assertRaises(Misbehaved, bent.verify, self.record, "Fetch", b"arguments")
        self.assertRaises(Misbehaved, self.request.verify, session("carol"), "Fetch", b"arguments")
        stolen = SignedRequest.create(session_key(2), self.record, 8, "Fetch", b"arguments")
        self.assertRaises(Misbehaved, stolen.verify, self.record, "Fetch", b"arguments")
        self.assertRaises(Misbehaved, SignedRequest.parse, self.request.encode(RING), bytes(32))

    def test_an_old_session_is_told_and_a_new_one_is_not_known_yet(self) -> None:
        later = session(after=self.record, key=2)
        self.assertRaises(SessionReplaced, self.request.verify, later, "Fetch", b"arguments")
        early = SignedRequest.create(session_key(2), later, 1, "Fetch", b"")
        self.assertRaises(NotLoggedIn, early.verify, self.record, "Fetch", b"")


class AcknowledgementTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.record = session()
        self.ack = Acknowledgement.create(session_key(1), self.record, IDS)

    def refused(self, error: type[P2PChatError], accepted: SessionRecord | None, proof: bytes) -> None:
        value = None if accepted is None else accepted.encode()
        self.assertRaises(error, check_acknowledgement, value, proof, IDS[:1], RING)

    def test_members_accept_it_with_the_same_or_an_older_session(self) -> None:
        later = session(after=self.record, key=2)
        proof = Acknowledgement.create(session_key(2), later, IDS, Reason.UNOPENABLE).encode()
        value = self.record.encode()
        self.assertEqual(check_acknowledgement(value, self.ack.encode(), IDS, RING), Reason.STORED)
        self.assertEqual(check_acknowledgement(value, proof, IDS[:2], RING), Reason.UNOPENABLE)

    def test_an_old_epoch_is_refused(self) -> None:
        self.refused(SessionReplaced, session(after=self.record, key=2), self.ack.encode())

    def test_ids_that_it_does_not_name_are_refused(self) -> None:
        proof, value = self.ack.encode(), self.record.encode()
        self.assertRaises(Misbehaved, check_acknowledgement, value, proof, [bytes([9]) * 32], RING)

    def test_a_bare_epoch_another_key_or_another_person_is_refused(self) -> None:
        later = session(after=self.record, key=2)
        bare = replace(self.ack, record=later).encode()
        other_key = Acknowledgement.create(session_key(3), self.record, IDS).encode()
        rival = Acknowledgement.create(session_key(3), session(key=3), IDS).encode()
        carols = Acknowledgement.create(session_key(1), session("carol"), IDS).encode()
        for proof in (bare, other_key, rival, carols, b"", bytes(100)):
            self.refused(Misbehaved, self.record, proof)

    def test_a_member_without_any_session_accepts_nothing(self) -> None:
        self.refused(NotLoggedIn, None, self.ack.encode())

    def test_none_and_too_many_ids_are_refused(self) -> None:
        for ids in ([], [bytes(32)] * 1001):
            self.assertRaises(ValueError, Acknowledgement.create, session_key(1), self.record, ids)
