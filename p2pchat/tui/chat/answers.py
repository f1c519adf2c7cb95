"""What the agent answers to a command, in lines for a person."""

from collections.abc import Mapping
from typing import Any

from p2pchat.tui.chat import render
from p2pchat.tui.chat.model import Person, local

GROUP = 8
"""Hex digits of a fingerprint, side by side."""


def person(row: Mapping[str, Any]) -> list[str]:
    """Who somebody is: presence, standing, and the fingerprint in groups."""
    known, user = Person.of(row), str(row.get("user"))
    words = [render.presence(known), "verified" if known.verified else "not verified (/verify compares digits)"]
    words += [word for word in ("contact", "request", "blocked") if row.get(word)]
    words += ["their key has changed"] if known.key_changed else []
    pin = str(row.get("fingerprint") or "")
    groups = " ".join(pin[start : start + GROUP] for start in range(0, len(pin), GROUP))
    return [f"{user}: {', '.join(words)}", f"fingerprint {groups}" if pin else "no message came from them yet: no pin"]


def session(row: Mapping[str, Any]) -> list[str]:
    """The session of this home, who replaced it, and how far its hand-over is."""
    epoch = f", login number {row['epoch']}" if row.get("epoch") else ""
    node = f", at node {row['node']}" if row.get("node") else ""
    lines = [f"{row.get('user') or 'nobody'}: {row.get('state')}{epoch}{node}"]
    replaced = row.get("replaced") or {}
    if replaced:
        at = local(str(replaced.get("at") or ""))
        when = f" on {at:%d %b at %H:%M}" if at else ""
        where = f" at node {replaced['node']}" if replaced.get("node") else ""
        lines.append(f"replaced{when}{where}; /login takes it back")
    moving = row.get("handover") or {}
    if moving.get("state") == "done":
        lines.append(f"hand-over: done, {moving.get('messages')} messages")
    elif words := render.handover(row):
        lines.append(words)
    return lines


def handed_over(settings: Mapping[str, Any]) -> str:
    """What a login elsewhere gets from here."""
    return f"When you log in elsewhere, this place hands its messages over: {settings['handover']}."


def step(row: Mapping[str, Any]) -> str:
    """One line of a delivery trace."""
    shown = [
        str(row.get("at") or "")[11:23],
        *(str(row[key]) for key in ("step", "way", "node", "outcome") if row.get(key)),
    ]
    copies = f"{row['copies']} of {row['wanted']}" if row.get("copies") else ""
    return " ".join(each for each in (*shown, copies) if each)


def digits(groups: Any) -> str:
    """Digits to compare, in their groups."""
    return " ".join(str(each) for each in groups) if isinstance(groups, list) else str(groups or "unknown")
