"""What is measured of programs: rates, processor time, memory, bytes on disk, syncs, packets on loopback."""

import os
import re
import shutil
import signal
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SYNCS = "fsync,fdatasync,sync_file_range,msync"
STRACE_SECONDS = 10.0


class Meter:
    """Counts from its construction to `read`; packets are those of this network namespace's loopback."""

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        """`groups`: process ids by what they are, such as nodes or agents."""
        self._groups = groups
        self._before = self._counts()

    def read(self, per: int) -> dict[str, float]:
        """Since the construction, for each of `per` operations."""
        after = self._counts()
        return {name: (after[name] - before) / max(1, per) for name, before in self._before.items()}

    def _counts(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, pids in self._groups.items():
            found[f"{name} cpu, ms"] = sum(map(cpu_ms, pids))
            found[f"{name} written, KiB"] = sum(map(written_kib, pids))
        packets, size = loopback()
        return found | {"packets": packets, "on the wire, KiB": size / 1024}


class Syncs:
    """Counts how often processes ask that something is on disk; slows them down, so no time is measured meanwhile."""

    def __init__(self, pids: Sequence[int]) -> None:
        words = [word for pid in pids for word in ("-p", str(pid))]
        self._process = subprocess.Popen(
            ["strace", "-f", "-c", "-e", f"trace={SYNCS}", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def can_be_counted() -> bool:
        """Whether strace is there."""
        return shutil.which("strace") is not None

    def read(self) -> int:
        """End counting; how many there were."""
        self._process.send_signal(signal.SIGINT)
        _, told = self._process.communicate(timeout=STRACE_SECONDS)
        rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", told, re.MULTILINE)
        return sum(int(count) for count, name in rows if name in SYNCS.split(","))


def rates(taken: Sequence[float], whole: float) -> dict[str, float]:
    """Of operations that took so many seconds each, in `whole` seconds."""
    cuts = statistics.quantiles(taken, n=100) if len(taken) > 1 else [float("nan")] * 99
    return {"per_second": len(taken) / whole, "p50_ms": 1000 * cuts[49], "p99_ms": 1000 * cuts[98]}


def cpu_ms(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / TICKS


def written_kib(pid: int) -> float:
    """What a process has caused to be written to disk so far."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes")) / 1024


def memory_kib(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def loopback() -> tuple[int, int]:
    """Packets and bytes that loopback has carried so far."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    fields = next(line.partition(":")[2].split() for line in lines if line.strip().startswith("lo:"))
    return int(fields[1]), int(fields[0])
