"""The ways in and out of an account, one at a time: register, log in, recover, renew, log out, delete."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from p2pchat.client.agent import Agent
from p2pchat.client.arguments import JSONObject
from p2pchat.client.keyring import ACTIVE
from p2pchat.crypto.account import Account
from p2pchat.crypto.names import prepared_password
from p2pchat.errors import NotLoggedIn, P2PChatError, UserError, WrongCredentials


class Ways:
    """What the control socket may ask about the account itself."""

    _log = Logger()

    def __init__(self, agent: Agent) -> None:
        self._agent, self._entering = agent, DeferredLock()

    async def register(self, user: str, password: str, timeout: float) -> JSONObject:
        return await self._alone(self._register, user, password, timeout)

    async def _register(self, user: str, password: str, timeout: float) -> JSONObject:
        self._refuse_if_active("register")
        await self._wait_for_ring(timeout)
        entered = await self._agent.entrance.register(user, password, timeout)
        self._agent.enter(entered)
        self._agent.entrance.registered()
        return self._agent.account_row() | {"recovery_key": entered.recovery_key}

    async def log_in(self, user: str, password: str, timeout: float, take_over: bool = True) -> JSONObject:
        """`take_over`: ask the home before for its conversations."""
        return await self._alone(self._log_in, user, password, timeout, take_over)

    async def _log_in(self, user: str, password: str, timeout: float, take_over: bool) -> JSONObject:
        await self._wait_for_ring(timeout)
        entered = await self._agent.entrance.log_in(user, password, timeout)
        self._agent.enter(entered, take_over)
        if entered.weak:
            Deferred.fromCoroutine(self._alone(self._strengthen, password, timeout)).addErrback(self._not_strengthened)
        return self._agent.account_row()

    async def _strengthen(self, password: str, timeout: float) -> JSONObject:
        """Behind a login: the password's hash at today's cost."""
        agent = self._agent
        if agent.keyring.state == ACTIVE:
            self._new_password(await agent.entrance.strengthen(agent.keyring.keys, password, timeout))
        return {}

    def _not_strengthened(self, failure: Any) -> None:
        if failure.check(P2PChatError):
            self._log.info("the password's hash was not renewed: {error}", error=failure.getErrorMessage())
        else:
            self._log.failure("Renewing the password's hash failed.", failure)

    async def recover(self, user: str, recovery_key: str, password: str, timeout: float) -> JSONObject:
        return await self._alone(self._recover, user, recovery_key, password, timeout)

    async def _recover(self, user: str, recovery_key: str, password: str, timeout: float) -> JSONObject:
        await self._wait_for_ring(timeout)
        entrance = self._agent.entrance
        self._new_password(await entrance.recover(user, recovery_key, password, timeout, self._agent.enter))
        return self._agent.account_row()

    async def change_password(self, old: str, new: str, timeout: float) -> JSONObject:
        return await self._alone(self._change_password, old, new, timeout)

    async def _change_password(self, old: str, new: str, timeout: float) -> JSONObject:
        keys = self._agent.keyring.keys
        self._new_password(await self._agent.entrance.change_password(keys, old, new, timeout))
        return self._agent.account_row()

    async def rekey(self, password: str, timeout: float) -> JSONObject:
        """A new identity; contacts who follow the signature of the old one are told."""
        return await self._alone(self._rekey, password, timeout)

    async def _rekey(self, password: str, timeout: float) -> JSONObject:
        agent = self._agent
        keys = agent.keyring.keys
        if agent.session_row()["handover"]["state"] == "running":
            raise UserError("The history is still coming from the home before. Wait until it is there, then renew.")
        entered = await agent.renewing.renew(keys, password, timeout)
        agent.enter(entered)
        agent.renewing.finished()
        agent.writing.chat.seal_all_anew()
        return agent.account_row() | {"recovery_key": entered.recovery_key}

    def _new_password(self, account: Account) -> None:
        agent = self._agent
        agent.keyring.new_password(account)
        agent.histories.settle(agent.keyring.keys.identity, account)
        active = agent.writing
        active.mail.sealer.renew(account.public.version, agent.keyring.keys.record.epoch)
        active.rotation.look()

    async def unlock(self, password: str, timeout: float) -> JSONObject:
        """Open this home's encrypted history to be read, without a session."""
        return await self._alone(self._unlock, password, timeout)

    async def _unlock(self, password: str, timeout: float) -> JSONObject:
        agent = self._agent
        user = agent.keyring.user
        if user is None:
            raise NotLoggedIn("Nobody is logged in here; use p2pchat login USER.")
        if agent.stores is None:
            prepared = prepared_password(password)
            try:
                await agent.histories.unlock(user, prepared)
            except WrongCredentials:
                if agent.gateway.link is None:
                    raise
                # The password was changed in another home: the ring has the vault of today.
                found = await agent.entrance.unlock(user, prepared, timeout)
                await agent.histories.prepare(found.secrets.identity, prepared)
                agent.open_history(found.secrets.identity)
            agent.open_history()
        return agent.account_row()

    async def unregister(self, user: str, password: str, timeout: float) -> JSONObject:
        return await self._alone(self._unregister, user, password, timeout)

    async def _unregister(self, user: str, password: str, timeout: float) -> JSONObject:
        keys = self._agent.keyring.keys
        if user != keys.user:
            raise UserError(f"{keys.user} is logged in here, not {user}. Log in as {user} first.")
        row = self._agent.account_row()
        await self._agent.entrance.unregister(keys, password, timeout, self._agent.leave)
        return row | {"history": await self._agent.delete()}

    async def log_out(self, timeout: float) -> JSONObject:
        return await self._alone(self._log_out, timeout)

    async def _log_out(self, timeout: float) -> JSONObject:
        row = self._agent.account_row()
        if row["user"] is None:
            raise NotLoggedIn("Nobody is logged in here.")
        self._agent.renewing.finished()
        await self._agent.leave()
        await self._agent.end()
        return row

    async def _alone(self, way: Callable[..., Coroutine[Any, Any, JSONObject]], *arguments: Any) -> JSONObject:
        done: JSONObject = await self._entering.run(way, *arguments)
        return done

    async def _wait_for_ring(self, timeout: float) -> None:
        await self._agent.gateway.connected(timeout)

    def _refuse_if_active(self, command: str) -> None:
        if self._agent.keyring.state == ACTIVE:
            raise UserError(
                f"{self._agent.keyring.user} is logged in here. Log out first, or use another home:"
                f" p2pchat --home DIR {command} …"
            )
