"""Figures of several rings, measured one after the other: each as it comes, then their medians."""

import argparse
import json
import statistics
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.within import NODES, MeasuredRing

Figures = dict[str, float]
MAX_NAME = 44


async def measure_in_turn(options: argparse.Namespace, measure: Callable[[int], Awaitable[Figures]]) -> None:
    """Measure `options.runs` times, each with its number; with `options.json` one JSON object a run."""
    rows: list[Figures] = []
    for number in range(options.runs):
        rows.append(await measure(number))
        if options.json:
            print(json.dumps(rows[-1]), flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:<{MAX_NAME}} {statistics.median(values):8.2f}   {min(values):.2f} .. {max(values):.2f}")


async def on_a_ring(reactor: Any, measure: Callable[[MeasuredRing], Awaitable[Figures]], nodes: int = NODES) -> Figures:
    """Measure on a new ring of so many nodes, and end it."""
    ring = MeasuredRing(reactor, nodes)
    try:
        await ring.start()
        return await measure(ring)
    finally:
        await ring.close()
