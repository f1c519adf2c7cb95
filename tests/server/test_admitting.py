"""A node is admitted by its folder, an authority, or a ring of its own; never into a ring that it only heard."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.admission import Admission
from p2pchat.crypto.authority import Authority
from p2pchat.errors import Damaged, NotAdmitted
from p2pchat.identifiers import Address
from p2pchat.server.admitting import admitted
from p2pchat.server.folder import DataFolder

NOW = 1_800_000_000.0


class AdmittingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.new_folder()
        self.heard: list[str] = []
        self.listened: list[float] = []
        self.chosen: dict[str, Any] = {"authority": None, "join": (), "replicas": 4, "slots": 16}

    def new_folder(self) -> DataFolder:
        folder = DataFolder.open(Path(self.mktemp()))
        self.addCleanup(folder.close)
        return folder

    async def rings(self, seconds: float) -> list[str]:
        self.listened.append(seconds)
        return self.heard

    def admit(self, folder: DataFolder | None = None) -> Admission:
        coroutine = admitted(folder or self.folder, self.chosen, self.rings, NOW)
        admission: Admission = self.successResultOf(Deferred.fromCoroutine(coroutine))
        return admission

    def refused(self, error: type[Exception]) -> str:
        coroutine = admitted(self.folder, self.chosen, self.rings, NOW)
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), error).value)

    def test_nodes_of_one_authority_are_one_ring_with_one_founder(self) -> None:
        authority = Path(self.mktemp())
        Authority.create(authority, "test", 2, 16, NOW)
        self.chosen["authority"] = authority
        first, second = self.admit(), self.admit(self.new_folder())
        self.assertEqual(first.ring, second.ring)
        self.assertEqual((first.is_founder, second.is_founder), (True, False))
        self.assertEqual(self.listened, [])

    def test_an_admission_is_kept(self) -> None:
        first = self.admit()
        self.chosen["authority"] = Path("/nowhere")
        self.assertEqual(self.admit().identifier, first.identifier)

    def test_alone_a_node_creates_a_ring_with_the_chosen_numbers(self) -> None:
        admission = self.admit()
        self.assertEqual((admission.description.replicas, admission.description.slots), (4, 16))
        self.assertTrue(admission.is_founder)
        self.assertTrue((self.folder.authority / "root.pem").exists())
        self.assertEqual(self.listened, [3.0])

    def test_a_ring_that_is_heard_is_not_entered_without_certificate(self) -> None:
        self.heard = ["the ring 1a2b3c4d (home)"]
        told = self.refused(NotAdmitted)
        self.assertIn("1a2b3c4d", told)
        self.assertIn("p2pchat ring admit", told)
        self.assertFalse(self.folder.authority.exists())

    def test_a_ring_to_join_is_not_entered_without_certificate(self) -> None:
        self.chosen["join"] = (Address("192.0.2.1", 7401),)
        self.assertIn("192.0.2.1:7401", self.refused(NotAdmitted))

    def test_a_folder_that_is_no_authority_is_named(self) -> None:
        self.chosen["authority"] = Path("/nowhere")
        self.assertIn("/nowhere", self.refused(NotAdmitted))

    def test_a_damaged_admission_is_not_replaced(self) -> None:
        self.admit()
        self.folder.admission.write_text("damaged")
        self.refused(Damaged)
        self.assertEqual(self.folder.admission.read_text(), "damaged")
