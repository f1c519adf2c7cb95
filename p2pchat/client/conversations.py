"""What a person does with messages: send, read, search, export, import, ask why; and the settings about them."""

from dataclasses import replace

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from p2pchat.chat.archive import MAX_LINES
from p2pchat.chat.contacts import BLOCKED, CONTACT, KNOWN, REQUEST
from p2pchat.chat.message import ID_BYTES, Line
from p2pchat.chat.service import READ_RECEIPTS
from p2pchat.client import rows
from p2pchat.client.active import VISIBLE_TO, ActiveSession
from p2pchat.client.agent import Agent
from p2pchat.client.arguments import JSONObject
from p2pchat.client.commands import MAX_PAGE_ROWS, WAITS
from p2pchat.client.giving import HANDOVER
from p2pchat.client.people import People
from p2pchat.crypto.names import canonical_user
from p2pchat.errors import TimedOut, TryElsewhere, UnknownUser, UserError

DEFAULT_LIMIT = 50
CHATS_PAGE = 100
CHOICES = {VISIBLE_TO: ("everyone", "contacts", "nobody"), HANDOVER: ("always", "ask", "never")}
LOOK_UP_SECONDS = 5.0
"""For the question whether a new recipient exists; afterwards the message is queued all the same."""


class Conversations:
    """What the control socket may ask about messages."""

    _log = Logger()

    def __init__(self, agent: Agent, people: People) -> None:
        self._agent, self._people = agent, people
        self._writing: dict[str, DeferredLock] = {}

    # -- writing

    async def send(
        self, user: str, text: str, wait: str, timeout: float, reply_to: str | None = None
    ) -> tuple[JSONObject, int, str]:
        """Send and wait; the row, the exit status and its reason.

        Raises:
            UnknownUser: nobody has the name.  UserError: the text does not fit, or the contact is blocked.
        """
        agent, name = self._agent, canonical_user(user)
        if wait not in WAITS:
            raise UserError(f"One can wait for {', '.join(WAITS)}, not for {wait!r}.")
        answered = self._line(reply_to).id if reply_to else b""
        active, begun = agent.writing, agent.around.clock.seconds()
        line = await self._write(active, name, text, answered, min(timeout, LOOK_UP_SECONDS))
        try:
            line = await active.chat.wait(line, wait, max(0.05, begun + timeout - agent.around.clock.seconds()))
        except TimedOut as error:
            current = agent.opened.archive.find(line.id, agent.me) or line
            return rows.sent_row(current), TimedOut.exit_status, f"{error} It is {current.state} now."
        if line.state == "failed":
            return rows.sent_row(line), 1, self._why_failed(line)
        return rows.sent_row(line), 0, ""

    async def _write(self, active: ActiveSession, name: str, text: str, reply_to: bytes, timeout: float) -> Line:
        """Into the outbox, in the order of the calls, also while the first one still waits for the ring."""
        if name not in self._writing and self._is_known(name):
            line = await active.chat.send_soon(name, text, reply_to)
        else:
            line = await self._write_in_turn(active, name, text, reply_to, timeout)
        self._people.watch_later(name)
        return line

    async def _write_in_turn(
        self, active: ActiveSession, name: str, text: str, reply_to: bytes, timeout: float
    ) -> Line:
        lock = self._writing.setdefault(name, DeferredLock())
        try:
            (written,) = await lock.run(self._write_next, active, name, text, reply_to, timeout)
        finally:
            if not lock.waiting and not lock.locked:
                self._writing.pop(name, None)
        line: Line = await written
        return line

    async def _write_next(
        self, active: ActiveSession, name: str, text: str, reply_to: bytes, timeout: float
    ) -> "tuple[Deferred[Line]]":
        """In a tuple, because the next one need not wait until this one is on disk: they go there together."""
        await self._look_up(name, timeout)
        return (Deferred.fromCoroutine(active.chat.send_soon(name, text, reply_to)),)

    async def _look_up(self, name: str, timeout: float) -> None:
        """Whoever is written to for the first time must exist, as far as the ring can tell now."""
        agent = self._agent
        if self._is_known(name):
            return
        try:
            await agent.directory.person(name, timeout=timeout)
        except UnknownUser:
            raise
        except TryElsewhere as error:
            self._log.info("{user} could not be looked up yet: {error}", user=name, error=str(error))

    def _is_known(self, name: str) -> bool:
        """Whether the ring need not be asked about somebody before a message is taken."""
        contact = self._agent.opened.contacts.get(name)
        return contact is not None and (contact.fingerprint is not None or contact.standing == BLOCKED)

    def _why_failed(self, line: Line) -> str:
        steps = self._agent.opened.traces.steps(line.id)
        reasons = [step.get("outcome") for _, step in steps if step["step"] == "failed"]
        return str(reasons[-1]) if reasons else "The message failed."

    def retry(self, identifier: str | None) -> None:
        """Send what is queued, or one message that has failed, now."""
        chat = self._agent.writing.chat
        if identifier is None:
            chat.sending.wake()
        else:
            chat.retry(self._line(identifier))

    def cancel(self, identifier: str) -> int:
        """Take a queued message back; how often it was tried before."""
        return self._agent.writing.chat.cancel(self._line(identifier))

    def set_draft(self, user: str, text: str) -> None:
        name = canonical_user(user)
        self._agent.opened.contacts.meet(name, KNOWN)
        self._agent.opened.contacts.set_draft(name, text)

    # -- reading

    def history(
        self,
        user: str,
        limit: int | None,
        before: str | None,
        search: str | None,
        shown: bool,
        after: str | None = None,
    ) -> tuple[list[JSONObject], bool]:
        """The last lines of a chat (or the first after one), oldest first, and whether there are more of them."""
        agent, name = self._agent, canonical_user(user)
        stores = agent.opened
        wanted = DEFAULT_LIMIT if limit is None else limit
        if wanted < 1:
            raise UserError("A limit is 1 or more.")
        start = self._line(before) if before else None
        end = self._line(after) if after else None
        lines = stores.archive.lines(name, min(wanted, MAX_LINES, MAX_PAGE_ROWS), start, search or "", end)
        nearest_first = lines if end else list(reversed(lines))
        count = rows.page_length([len(each.text.encode("utf-8", "replace")) for each in nearest_first])
        page = nearest_first[:count] if end else list(reversed(nearest_first[:count]))
        contact = stores.contacts.get(name)
        request = contact is not None and contact.standing == REQUEST
        if shown and page:
            self.mark_read(name, page[-1].id.hex())
            read = {each.id for each in page if each.author != agent.me}
            page = [replace(each, state="read") if each.id in read else each for each in page]
        more = len(page) < wanted and (count < len(lines) or len(lines) in (MAX_LINES, MAX_PAGE_ROWS))
        shown_rows = [rows.message_row(each, agent.me, request, stores.archive.quoted(each)) for each in page]
        return shown_rows, more

    def mark_read(self, user: str, identifier: str | None) -> None:
        """All of a chat up to a message was seen; a session tells the author, an old home only remembers."""
        agent, name = self._agent, canonical_user(user)
        upto = self._line(identifier) if identifier else None
        if agent.active is not None:
            agent.active.chat.mark_read(name, upto)
        else:
            agent.opened.archive.mark_read(name, upto)

    def mark_unread(self, user: str, identifier: str | None) -> None:
        """What came since a message, or the last that came, counts as not seen; the author is not told."""
        name = canonical_user(user)
        since = self._line(identifier) if identifier else None
        self._agent.opened.archive.mark_unread(name, since)

    def chats(self, skip: int) -> tuple[list[JSONObject], bool]:
        """A page of all chats, the latest first."""
        agent = self._agent
        archive, unread = agent.opened.archive, agent.opened.archive.unread()
        found: list[tuple[int, JSONObject, int]] = []
        for contact in agent.opened.contacts.everybody():
            last = archive.last(contact.user)
            if (last is None and not contact.draft) or contact.standing == BLOCKED:
                continue
            request = contact.standing == REQUEST
            row: JSONObject = {
                "user": contact.user,
                "unread": unread.get(contact.user, 0),
                "last": rows.message_row(last, agent.me, request) if last else None,
            }
            row |= {"draft": contact.draft} if contact.draft else {}
            row |= {"request": True} if request else {}
            size = len((last.text if last else "").encode("utf-8", "replace")) + len(contact.draft.encode())
            found.append((last.place if last else 0, row, size))
        found.sort(key=lambda each: -each[0])
        page = found[skip : skip + CHATS_PAGE]
        page = page[: rows.page_length([size for _, _, size in page])]
        return [row for _, row, _ in page], skip + len(page) < len(found)

    def why(self, identifier: str) -> tuple[JSONObject, list[JSONObject]]:
        """A message and what was done for it."""
        agent, line = self._agent, self._line(identifier)
        steps = agent.opened.traces.steps(line.id)
        row = rows.message_row(line, agent.me, quoted=agent.opened.archive.quoted(line))
        return row, [{"at": rows.iso(at), **step} for at, step in steps]

    def _line(self, identifier: str) -> Line:
        """The message with this id (32 hex digits); UserError when there is none."""
        try:
            raw = bytes.fromhex(identifier)
        except ValueError:
            raw = b""
        line = self._agent.opened.archive.find(raw) if len(raw) == ID_BYTES else None
        if line is None:
            raise UserError(f"No message has the id {identifier!r}; `p2pchat --json history USER` shows ids.")
        return line

    # -- out and in

    def export(self, after: int) -> tuple[list[JSONObject], int, bool]:
        """A page of everything, in the order of arrival; where the next one begins."""
        agent = self._agent
        lines = agent.opened.archive.page(after, MAX_PAGE_ROWS)
        count = rows.page_length([len(each.text.encode("utf-8", "replace")) for each in lines])
        page = lines[:count]
        end = page[-1].row if page else after
        return (
            [rows.export_row(each, agent.me) for each in page],
            end,
            bool(page) and bool(len(page) < len(lines) or len(lines) == MAX_PAGE_ROWS),
        )

    def import_(self, messages: list[JSONObject]) -> int:
        """Add exported messages; how many were new.  All of a page, or none."""
        agent = self._agent
        if len(messages) > MAX_PAGE_ROWS:
            raise UserError(f"A page has at most {MAX_PAGE_ROWS} messages.")
        lines = [rows.imported(each, agent.me) for each in messages]
        stores = agent.opened
        with stores.database.transaction():
            added = [stores.archive.add(each, agent.around.now_ms()) for each in lines]
            for each in {line.chat for line in lines}:
                stores.contacts.meet(canonical_user(each), CONTACT)
        return sum(each is not None for each in added)

    # -- settings

    def settings(self, changes: JSONObject | None) -> JSONObject:
        """Change what is given; what stands."""
        agent = self._agent
        settings = agent.opened.settings
        for name, value in (changes or {}).items():
            if name == READ_RECEIPTS and isinstance(value, bool):
                settings.put(name, str(int(value)))
            elif name in CHOICES and value in CHOICES[name]:
                settings.put(name, value)
            else:
                raise UserError(f"{name} = {value!r} is no setting; see `p2pchat help`.")
        if changes and VISIBLE_TO in changes and agent.active is not None:
            agent.active.own.beat_now()
        if changes and HANDOVER in changes:
            agent.hand_over.connected()  # this home may have waited for the answer
        return {
            VISIBLE_TO: settings.get(VISIBLE_TO, "everyone"),
            READ_RECEIPTS: settings.get(READ_RECEIPTS, "1") == "1",
            HANDOVER: settings.get(HANDOVER, "always"),
        }
