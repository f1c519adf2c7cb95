"""Commands that work on folders, and ask no node: ring create, admit, backup."""

import argparse
import contextlib
import os
import sqlite3
import time
from pathlib import Path

from p2pchat.cli.places import node_folder
from p2pchat.cli.show import UsageError, json_line, pairs
from p2pchat.crypto.admission import ADMISSION_FILE
from p2pchat.crypto.authority import Authority
from p2pchat.crypto.certificates import Role
from p2pchat.errors import UserError
from p2pchat.identifiers import name

DATABASE = "node.sqlite3"


def create(options: argparse.Namespace) -> int:
    """Make the authority of a new ring."""
    folder = Path(options.directory).expanduser().absolute()
    try:
        authority = Authority.create(folder, options.name, options.replicas, options.slots, time.time())
    except OSError as error:
        raise UserError(f"{folder} cannot be used: {error.strerror}.") from error
    row = {"ring": authority.ring.hex()[:8], "authority": str(folder)}
    if options.json:
        json_line(row)
        return 0
    print(f"A new ring, {authority.description.name}, with its authority in {folder}.")
    pairs({**row, "ring_id": authority.ring.hex(), "certificate": str(folder / "root.pem")}, ("ring_id", "certificate"))
    print(f"Admit nodes with: p2pchat ring admit --authority {folder} --data DIR")
    print(f"Who has {folder / 'root'} rules the ring: keep it offline.")
    return 0


def admit(options: argparse.Namespace) -> int:
    """Make a key, sign its certificate, and write both where a node or an operator finds them."""
    if (options.data is None) == (options.out is None):
        raise UsageError("Give either --data DIR (the node's data folder) or --out FILE.")
    if options.operator and options.data is not None:
        raise UsageError("An operator's certificate goes into a file: --out FILE.")
    authority = open_authority(options)
    path: Path = options.out or options.data / ADMISSION_FILE
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise UserError(f"{path} exists already; it is left as it is. Choose another place, or move it away.")
        admission = authority.admit(Role.OPERATOR if options.operator else Role.NODE, time.time())
        admission.save(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
    row = {"node": name(admission.identifier), "certificate": str(path)}
    if options.json:
        json_line(row)
    else:
        print(
            f"Admitted {'operator' if options.operator else 'node'} {row['node']} to ring {authority.ring.hex()[:8]}."
        )
        print(f"Certificate and key are in {path}.")
    return 0


def backup(options: argparse.Namespace) -> int:
    """Copy a node's database while the node runs; the copy is one moment's, whole, and its owner's alone."""
    source, target = node_folder(options) / DATABASE, Path(options.file).expanduser().absolute()
    if not source.exists():
        raise UserError(f"{source.parent} is no node's data folder. Name it with --data.")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise UserError(f"{target} exists already: name another file. Nothing was copied.") from error
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}. Nothing was copied.") from error
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as running,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            running.backup(copy)
    except sqlite3.Error as error:
        target.unlink()
        raise UserError(f"{source} cannot be copied: {error}.") from error
    row = {"backup": str(target), "bytes": target.stat().st_size}
    if options.json:
        json_line(row)
    else:
        print(f"{row['bytes']} bytes are in {target}. Who has them can guess passwords: keep them as safe as the node.")
    return 0


def open_authority(options: argparse.Namespace) -> Authority:
    """The admitter's folder that the options name."""
    if options.authority is None:
        raise UsageError("Give the folder of the ring's authority: --authority DIR.")
    return Authority.open(options.authority, time.time())
