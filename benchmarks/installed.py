"""Brings a checkout to the state that an installation has, so that start-up times mean the same for both."""

import compileall
from pathlib import Path

import p2pchat


def compile_modules() -> None:
    """Write the byte code of every module of p2pchat, which pip does when it installs and a checkout lacks at first.

    Children that may not write byte code (PYTHONDONTWRITEBYTECODE) would compile all of it at every start.
    """
    compileall.compile_dir(str(Path(p2pchat.__file__).parent), quiet=1)
