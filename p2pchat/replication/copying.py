"""Fetches the records that a node lacks from another one, page by page."""

from collections.abc import Awaitable, Callable

from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.requests import MAX_IDS
from p2pchat.replication.transfers import CopyReply, CopyRequest, Missing

COPY_SECONDS = 5.0


async def copy(
    asking: Asking,
    node: Identifier,
    configuration: Configuration,
    missing: Missing,
    keep: Callable[[CopyReply], Awaitable[bool]],
) -> bool:
    """Have `keep` write all that is missing, and say whether to go on; whether all was written.

    It is not when the other node has it no more, or does not answer.
    """
    registers, items = list(missing.registers), list(missing.items)
    while registers or items:
        request = CopyRequest(configuration, tuple(registers[:MAX_IDS]), tuple(items[:MAX_IDS]))
        copies = await asking.attempt(node, request, COPY_SECONDS)
        if not isinstance(copies, CopyReply) or copies.gone:
            return False
        got = {each.key for each in copies.registers}
        had = {(each.point, each.item.id) for each in copies.items}
        left = (
            [key for key in registers if key not in got],
            [each for each in items if (each.point, each.id) not in had],
        )
        if left == (registers, items):
            return False
        if not await keep(copies):
            return False
        registers, items = left
    return True
