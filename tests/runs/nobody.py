"""A world for somebody without root's rights, also where the tests run as root; it proves nothing by itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from runs.stage import Stage

from etl.cli import COMMANDS

_NOBODY = 65534
_FOR_ALL = "/tmp"
"""Pytest's folders and $TMPDIR may be for root alone; what is made here is new and has a name of its own."""


@contextmanager
def anybody_s_stage() -> Iterator[Stage]:
    """Give a stage in a folder that an ordinary user may reach."""
    with tempfile.TemporaryDirectory(dir=_FOR_ALL) as place, Stage(Path(place)) as stage:
        stage.config()
        _give_away(Path(place))
        yield stage


@contextmanager
def without_rights(stage: Stage) -> Iterator[None]:
    """Be an ordinary user inside the block, to whom the folder of the stage belongs, but not what is closed to all."""
    if os.geteuid():
        yield
        return
    for name in COMMANDS:  # where the checkout is for root alone, nothing can be imported later
        import_module(f"etl.commands.{name}")
    _give_away(stage.folder)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Let nobody but root enter a folder, as one of another user would be; open it at the end of the block."""
    folder.chmod(0o000)
    try:
        yield
    finally:
        folder.chmod(0o700)


def _give_away(place: Path) -> None:
    for path in () if os.geteuid() else (place, *place.rglob("*")):
        os.chown(path, _NOBODY, -1)
