"""Our own session: signs requests, beats, moves with the gateway, and notices when it was replaced."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.accounts.commands import ReadRecords, WriteSession
from p2pchat.client.entrance import OPERATION_BYTES, Place
from p2pchat.client.gateway import Ask
from p2pchat.client.keyring import Keyring
from p2pchat.crypto.closing import Closing
from p2pchat.crypto.proofs import SignedRequest
from p2pchat.crypto.session import SessionRecord, next_place, replaced_by
from p2pchat.errors import Conflict, Misbehaved, NotLoggedIn, P2PChatError, SessionReplaced, UnknownUser
from p2pchat.heartbeat.commands import BEAT_SECONDS, LEAVING, Beat
from p2pchat.identifiers import name

SETTLE_SECONDS = 1.0
"""After a change of gateway or addresses, before the session record says so."""
MOVE_AGAIN_SECONDS = 15.0
"""After a record could not be written."""
LEAVE_SECONDS = 1.0
"""For the last beat of an agent that stops."""


class OwnSession(Service):
    """The session that this agent has, while it has it.

    Args:
        visible: who may see us: VISIBLE, CONTACTS or INVISIBLE.
        seen_key: what contacts show who may know when we were seen last.
        mailbox_version: told the version in every beat's answer.
        replaced: told once, with the record that ended the session.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Ask,
        keyring: Keyring,
        place: Place,
        clock: IReactorTime,
        now_ms: Callable[[], int],
        chance: Callable[[int], bytes],
        visible: Callable[[], str],
        seen_key: Callable[[], bytes],
        mailbox_version: Callable[[int], None],
        replaced: Callable[[SessionRecord], None],
    ) -> None:
        self._ask, self._keyring, self._place, self._clock = ask, keyring, place, clock
        self._now_ms, self._chance, self._visible, self._seen_key = now_ms, chance, visible, seen_key
        self._mailbox_version, self._replaced = mailbox_version, replaced
        self._beating = LoopingCall(self._beat)
        self._beating.clock = clock
        self._moving: IDelayedCall | None = None
        self._beat_under_way = self._move_under_way = False

    def startService(self) -> None:
        super().startService()
        self._beating.start(BEAT_SECONDS)

    def stopService(self) -> None:
        super().stopService()
        if self._beating.running:
            self._beating.stop()
        if self._moving is not None and self._moving.active():
            self._moving.cancel()

    # -- requests

    def signed(self, command: str, arguments: bytes) -> dict[str, Any]:
        """The signed part of a request; each call counts."""
        keys = self._keyring.keys
        counter = self._keyring.next_counter(self._now_ms())
        request = SignedRequest.create(keys.session_key, keys.record, counter, command, arguments)
        return {
            "user": request.user,
            "epoch": request.epoch,
            "sequence": request.sequence,
            "counter": request.counter,
            "signature": request.signature,
        }

    # -- heartbeat

    def beat_now(self) -> None:
        """Show ourselves at once: a link stands, or visibility changed."""
        if self.running:
            self._beat()

    def _beat(self) -> None:
        if not self._beat_under_way:
            self._beat_under_way = True
            beating = Deferred.fromCoroutine(self._beat_once(self._visible(), BEAT_SECONDS))
            beating.addBoth(self._beaten)

    def _beaten(self, result: Any) -> None:
        self._beat_under_way = False
        if result is not None and self.running:
            self._log.failure("A heartbeat failed.", result)

    async def _beat_once(self, presence: str, timeout: float) -> None:
        try:
            answer = await self._ask(
                Beat,
                timeout=timeout,
                presence=presence,
                seen_key=self._seen_key(),
                signed=lambda: self.signed("beat", presence.encode()),
            )
        except (SessionReplaced, NotLoggedIn):
            await self.compare()
            return
        except P2PChatError as error:
            self._log.debug("no heartbeat: {error}", error=str(error))
            return
        if not self.running:
            return
        mine = self._keyring.maybe
        if mine is not None and (answer["epoch"], answer["sequence"]) > mine.record.place:
            await self.compare()
        self._mailbox_version(answer["mailbox_version"])

    async def say_goodbye(self) -> None:
        """Tell the ring that we leave, so that nobody waits 15 seconds for us."""
        if self._keyring.maybe is not None:
            await self._beat_once(LEAVING, LEAVE_SECONDS)

    # -- replaced?

    async def compare(self) -> None:
        """Read what stands and judge it."""
        keys = self._keyring.maybe
        if keys is None:
            return
        try:
            asked = await self._ask(ReadRecords, user=keys.user)
            if asked.get("closing"):
                self._judge_end(asked["closing"])
            elif asked["session"]:
                self.judge(asked["session"])
        except P2PChatError as error:
            self._log.debug("our session could not be compared: {error}", error=str(error))

    def judge(self, value: bytes) -> None:
        """Believe a record's own proof, no node's word."""
        keys = self._keyring.maybe
        if keys is None:
            return
        try:
            found = SessionRecord.parse(value, keys.identity.ring)
        except Misbehaved as error:
            self._log.warn("a forged session record was ignored: {error}", error=str(error))
            return
        if replaced_by(keys.record, found) and not self._keyring.expects(found.public_key):
            by = {"epoch": found.epoch, "at": found.time, "node": name(found.node) if found.node is not None else None}
            self._keyring.replace(by)
            self._log.info("the session was replaced by epoch {epoch}", epoch=found.epoch)
            self._replaced(found)

    def _judge_end(self, closing: bytes) -> None:
        """The account was deleted in another home of ours, if our identity signed that."""
        keys = self._keyring.maybe
        if keys is None:
            return
        end = Closing.parse(closing, keys.identity.ring)
        if end.before != keys.identity.public:
            self._log.warn("the end of somebody else's account was ignored")
            return
        self._keyring.replace({"epoch": keys.record.epoch, "at": end.at, "node": None, "deleted": True})
        self._log.info("the account was deleted from another home")
        self._replaced(keys.record)

    # -- moving

    def moved(self) -> None:
        """Our gateway or our addresses changed: the record shall say so, once things have settled."""
        if self.running and (self._moving is None or not self._moving.active()):
            self._moving = self._clock.callLater(SETTLE_SECONDS, self._move)

    def _move(self) -> None:
        if not self._move_under_way and self._keyring.maybe is not None:
            self._move_under_way = True
            Deferred.fromCoroutine(self._write_place()).addBoth(self._has_moved)

    def _has_moved(self, result: Any) -> None:
        self._move_under_way = False
        if not self.running or result is None:
            return
        if result is False:
            self._moving = self._clock.callLater(MOVE_AGAIN_SECONDS, self._move)
        else:
            self._log.failure("The session's place could not be written.", result)

    async def _write_place(self) -> bool | None:
        """Write our next record; False: try again later."""
        keys = self._keyring.keys
        place = next_place(keys.record, log_in=False)
        record = SessionRecord.create(
            keys.identity,
            keys.session_key,
            self._place.node(),
            self._place.address_box(keys.user, place),
            self._now_ms(),
            keys.record,
            log_in=False,
        )
        self._keyring.move(record)
        try:
            await self._ask(
                WriteSession, user=keys.user, session=record.encode(), operation=self._chance(OPERATION_BYTES)
            )
        except (Conflict, SessionReplaced, UnknownUser):
            await self.compare()
            return None
        except NotLoggedIn:
            return None
        except P2PChatError as error:
            self._log.info("the session's place could not be written yet: {error}", error=str(error))
            return False
        return None
