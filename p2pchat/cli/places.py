"""Where things lie when no option says so, and whether a program holds them."""

import argparse
import fcntl
from pathlib import Path

import platformdirs


def platform_folder() -> Path:
    """The platform's data folder for p2pchat; the files of an agent and of a node have different names."""
    return Path(platformdirs.user_data_dir("p2pchat", appauthor=False))


def home_of(options: argparse.Namespace) -> Path:
    """The agent's folder."""
    return options.home or platform_folder()


def node_folder(options: argparse.Namespace) -> Path:
    """The node's folder."""
    return options.data or platform_folder()


def is_held(lock: Path) -> bool:
    """Whether a program runs that holds this lock."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
