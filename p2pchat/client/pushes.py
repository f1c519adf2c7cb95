"""What the gateway may tell its agent: mail arrived, somebody's presence, another session."""

from collections.abc import Callable

from twisted.protocols import amp

from p2pchat.accounts.commands import SessionChanged
from p2pchat.heartbeat.commands import PresenceChanged
from p2pchat.mailbox.commands import MailArrived


class PushLocator(amp.CommandLocator):
    """Hands pushes on; none of them is believed without proof or a look of our own.

    Args:
        mail_arrived: mailbox version.
        presence_changed: user, presence, last seen (milliseconds since 1970) or None.
        session_changed: a session record.
    """

    def __init__(
        self,
        mail_arrived: Callable[[int], None],
        presence_changed: Callable[[str, str, int | None], None],
        session_changed: Callable[[bytes], None],
    ) -> None:
        self._mail, self._presence, self._session = mail_arrived, presence_changed, session_changed

    @MailArrived.responder
    def mail_arrived(self, user: str, version: int) -> dict[str, object]:
        self._mail(version)
        return {}

    @PresenceChanged.responder
    def presence_changed(self, user: str, presence: str, last_seen: int | None = None) -> dict[str, object]:
        self._presence(user, presence, last_seen)
        return {}

    @SessionChanged.responder
    def session_changed(self, user: str, session: bytes) -> dict[str, object]:
        self._session(session)
        return {}
