"""Contacts as the person sees them: status, requests, verification, blocks."""

import contextlib

from twisted.internet.defer import Deferred

from p2pchat.chat.contacts import BLOCKED, CONTACT, KNOWN, Contact
from p2pchat.client.agent import Agent
from p2pchat.client.arguments import JSONObject
from p2pchat.client.commands import MAX_PAGE_ROWS
from p2pchat.client.directory import KeyChanged
from p2pchat.client.presence import Seen
from p2pchat.crypto.identity import digits
from p2pchat.crypto.names import canonical_user
from p2pchat.errors import P2PChatError, UserError
from p2pchat.heartbeat.commands import ONLINE


class People:
    """What the control socket may ask about people."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def status(self, user: str, timeout: float) -> JSONObject:
        """Somebody's state, asked on the ring now; UnknownUser without an account."""
        agent, name = self._agent, canonical_user(user)
        contact = self._contact(name)
        fingerprint = contact.fingerprint if contact else None
        if contact is None or contact.fingerprint is None:
            fingerprint = (await agent.directory.person(name, timeout=timeout)).public.fingerprint
        seen = await self._look(name, contact, timeout)
        row = agent.person_row(name, seen)
        return row | {"fingerprint": fingerprint.hex() if fingerprint else None}

    async def _look(self, user: str, contact: Contact | None, timeout: float) -> Seen:
        agent = self._agent
        if agent.active is not None and user == agent.me and agent.gateway.link is not None:
            return Seen(ONLINE)
        return await agent.presence.look(user, contact.capability if contact else None, timeout)

    def contacts(self, skip: int) -> tuple[list[JSONObject], bool]:
        """A page of everybody, by name."""
        agent = self._agent
        everybody = agent.opened.contacts.all()
        page = everybody[skip : skip + MAX_PAGE_ROWS]
        return [agent.person_row(each.user, agent.presence.of(each.user)) for each in page], (
            skip + len(page) < len(everybody)
        )

    async def add(self, user: str, timeout: float) -> JSONObject:
        """Make a contact, or accept a request."""
        agent, name = self._agent, canonical_user(user)
        active = agent.writing
        contact = self._contact(name)
        if contact is not None and contact.standing == BLOCKED:
            raise UserError(f"{name} is blocked. Unblock them first: p2pchat unblock {name}")
        if contact is None or contact.fingerprint is None:
            agent.opened.contacts.meet(name, KNOWN)
            await agent.directory.person(name, timeout=timeout)
        active.chat.befriend(name)
        active.chat.sending.wake(name)
        self._watch(name)
        return agent.person_row(name, agent.presence.of(name))

    async def verify(self, user: str, matched: bool | None, timeout: float) -> JSONObject:
        """The digits of both, and what the person found when they compared them."""
        agent, name = self._agent, canonical_user(user)
        contacts, ring = agent.opened.contacts, agent.ring()
        contacts.meet(name, KNOWN)
        with contextlib.suppress(KeyChanged):
            await agent.directory.person(name, fresh=True, timeout=timeout)
        contact = self._contact(name)
        if contact is None or contact.fingerprint is None:
            raise UserError(f"The key of {name} is not known. Try again when the ring is reachable.")
        shown = contact.offered or contact.fingerprint
        if matched is not None:
            if matched and contact.offered:
                contacts.pin(name, contact.offered)
                agent.directory.forget(name)
            contacts.verify(name, matched)
            if matched and agent.active is not None:
                agent.active.chat.sending.wake(name)
                agent.active.fetch_soon()
        row = agent.person_row(name, agent.presence.of(name))
        own = bytes.fromhex(agent.keyring.fingerprint or "")
        return row | {"digits": digits(ring, name, shown), "own_digits": digits(ring, agent.me, own)}

    async def block(self, user: str, timeout: float) -> JSONObject:
        """Take nothing from somebody any more, and tell them no addresses."""
        agent, name = self._agent, canonical_user(user)
        active, contacts = agent.writing, agent.opened.contacts
        if name == agent.me:
            raise UserError("You cannot block yourself.")
        if self._contact(name) is None:
            contacts.meet(name, KNOWN)
            await agent.directory.person(name, timeout=timeout)
        contacts.set_standing(name, BLOCKED)
        contacts.gave(name, None)
        agent.opened.outbox.remove(name, [each.id for each in agent.opened.outbox.waiting(name, limit=10_000)])
        active.chat.renew_capability(name)
        active.own.moved()
        active.channels.hang_up(name, "They were blocked.")
        agent.presence.unwatch(name)
        return agent.person_row(name, agent.presence.of(name))

    def unblock(self, user: str) -> JSONObject:
        """A blocked person is a known one again; write or `add` to make a contact."""
        agent, name = self._agent, canonical_user(user)
        _ = agent.writing
        contact = self._contact(name)
        if contact is None or contact.standing != BLOCKED:
            raise UserError(f"{name} is not blocked.")
        agent.opened.contacts.set_standing(name, CONTACT if contact.given else KNOWN)
        return agent.person_row(name, agent.presence.of(name))

    def _watch(self, user: str) -> None:
        contact = self._contact(user)
        self._agent.presence.watch(user, contact.capability if contact else None)

    def _contact(self, user: str) -> Contact | None:
        stores = self._agent.stores
        return stores.contacts.get(user) if stores is not None else None

    def watch_later(self, user: str) -> None:
        """Somebody was written to: watch them, once they are found."""
        if self._agent.directory.fresh(user):
            self._watch(user)
            return
        found = Deferred.fromCoroutine(self._agent.directory.person(user))
        found.addCallbacks(lambda _: self._watch(user), lambda failure: failure.trap(P2PChatError) and None)
