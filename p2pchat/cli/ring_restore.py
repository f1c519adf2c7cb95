"""`ring restore`: every record of a backup goes to a running node as a proposal, many at a time."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

from p2pchat.cli.ring_watch import Ask, with_node
from p2pchat.cli.show import json_line
from p2pchat.errors import Misbehaved, UserError
from p2pchat.replication.backup import Backup, Kept
from p2pchat.replication.slots import KIND_ACCOUNT
from p2pchat.server import commands

AT_ONCE = 16
"""Accounts that are under way."""
OTHER = "other"


def restore(options: argparse.Namespace) -> int:
    """Read the copy, and propose what it has; nothing that stands in the ring is changed."""
    path = Path(options.file).expanduser().absolute()
    if not path.is_file():
        raise UserError(f"{path} is no file. Name a copy that `p2pchat ring backup` made.")
    copy = Backup(path)

    async def act(ask: Ask) -> int:
        done = await Restore(ask, copy).run()
        return _said(options, done)

    try:
        return with_node(options, act)
    finally:
        copy.close()


class Restore:
    """Works through a copy with several accounts at a time."""

    def __init__(self, ask: Ask, copy: Backup) -> None:
        self._ask, self._copy = ask, copy
        self._points = copy.points()
        self.done: Counter[str] = Counter()

    async def run(self) -> Counter[str]:
        """Everything; the first failure ends it, and running it again is safe."""
        lanes = [Deferred.fromCoroutine(self._lane()) for _ in range(AT_ONCE)]
        results: list[tuple[bool, Any]] = await DeferredList(lanes, consumeErrors=True)
        for worked, result in results:
            if not worked:
                result.raiseException()
        return self.done

    async def _lane(self) -> None:
        for kept in self._points:
            await self._one(kept)

    async def _one(self, kept: Kept) -> None:
        for key, value in kept.registers:
            outcome = await self._proposed(key.point, key.kind, value)
            if key.kind == KIND_ACCOUNT:
                self.done[outcome] += 1
                if outcome == OTHER:
                    return
        for item_id in kept.items:
            item = self._copy.item(kept.point, item_id)
            try:
                await self._ask(
                    commands.RestoreItem, point=kept.point, item=item.id, payload=item.payload, meta=item.meta
                )
                self.done["envelopes"] += 1
            except Misbehaved:
                self.done["refused"] += 1

    async def _proposed(self, point: Any, kind: int, value: bytes) -> str:
        try:
            return str((await self._ask(commands.RestoreRegister, point=point, kind=kind, value=value))["outcome"])
        except Misbehaved:
            self.done["refused"] += 1
            return OTHER


def _said(options: argparse.Namespace, done: "Counter[str]") -> int:
    names = ("created", "same", "newer", OTHER, "envelopes", "refused")
    row = {name: done[name] for name in names}
    if options.json:
        json_line(row)
        return 0
    print(f"{row['created']} accounts were absent and stand again, {row['same'] + row['newer']} stood already.")
    print(f"{row['envelopes']} envelopes lie in their mailboxes (those fetched meanwhile stay fetched).")
    if row[OTHER]:
        print(f"{row[OTHER]} names were deleted or belong to somebody else by now; they were left alone.")
    if row["refused"]:
        print(f"{row['refused']} records are not of this ring, or prove nothing; they were left out.")
    return 0
