"""Answers commands about accounts: one locator for each link to an agent, one for each link to a node."""

from collections.abc import Callable, Sequence

from twisted.protocols import amp

from p2pchat.accounts import commands
from p2pchat.accounts.service import AccountsService
from p2pchat.identifiers import Address, Identifier


class AgentAccountsLocator(amp.CommandLocator):
    """What an agent may ask its gateway.

    Args:
        host: where its link comes from.
        nodes: clients addresses of live nodes.
    """

    def __init__(self, accounts: AccountsService, host: str, nodes: Callable[[], Sequence[Address]]) -> None:
        self._accounts, self._host, self._nodes = accounts, host, nodes

    @commands.AskNodes.responder
    def ask_nodes(self) -> dict[str, object]:
        return {"addresses": self._nodes()}

    @commands.Register.responder
    async def register(
        self, user: str, account: bytes, session: bytes, mail_key: bytes, operation: bytes
    ) -> dict[str, object]:
        await self._accounts.register(user, account, session, mail_key, operation, self._host)
        return {}

    @commands.AskName.responder
    async def ask_name(self, user: str) -> dict[str, object]:
        account, session, mail_key = await self._accounts.name(user)
        return {"account": account, "session": session, "mail_key": mail_key}

    @commands.AskParameters.responder
    async def ask_parameters(self, user: str) -> dict[str, object]:
        salt, parameters = await self._accounts.parameters(user)
        return {
            "salt": salt,
            "memory_kib": parameters.kib,
            "passes": parameters.passes,
            "lanes": parameters.lanes,
        }

    @commands.Unlock.responder
    async def unlock(self, user: str, proof: bytes, by: str) -> dict[str, object]:
        account, session, mail_key = await self._accounts.unlock(user, proof, by)
        return {"account": account, "session": session, "mail_key": mail_key}

    @commands.ReadRecords.responder
    async def read_records(self, user: str) -> dict[str, object]:
        public, session, mail_key, closing = await self._accounts.records(user)
        return {"public": public, "session": session, "mail_key": mail_key, "closing": closing}

    @commands.ReadMailKeys.responder
    async def read_mail_keys(
        self, user: str, epoch: int, sequence: int, counter: int, signature: bytes
    ) -> dict[str, object]:
        await self._accounts.verify(user, epoch, sequence, counter, "mail keys", b"", signature)
        return {"mail_key": await self._accounts.mail_keys(user)}

    @commands.WriteSession.responder
    async def write_session(self, user: str, session: bytes, operation: bytes) -> dict[str, object]:
        await self._accounts.write_session(user, session, operation)
        return {}

    @commands.WriteMailKey.responder
    async def write_mail_key(self, user: str, mail_key: bytes, operation: bytes) -> dict[str, object]:
        await self._accounts.write_mail_key(user, mail_key, operation)
        return {}

    @commands.WriteAccount.responder
    async def write_account(
        self, user: str, account: bytes, proof: bytes, by: str, operation: bytes
    ) -> dict[str, object]:
        await self._accounts.write_account(user, account, proof, by, operation)
        return {}


class NodeAccountsLocator(amp.CommandLocator):
    """What a node may ask or tell another about accounts."""

    def __init__(self, accounts: AccountsService, node: Identifier) -> None:
        self._accounts, self._node = accounts, node

    @commands.AnnounceSession.responder
    def announce_session(self, user: str, session: bytes) -> dict[str, object]:
        self._accounts.session_announced(user, session)
        return {}

    @commands.CountTry.responder
    def count_try(self, account: Identifier) -> dict[str, object]:
        self._accounts.proving.count_try(account)
        return {}

    @commands.ForgiveTries.responder
    def forgive_tries(self, account: Identifier) -> dict[str, object]:
        self._accounts.proving.forgive_tries(account)
        return {}
