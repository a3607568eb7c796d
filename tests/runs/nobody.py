"""A world for somebody without root's rights, also where the tests run as root; it proves nothing by itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runs.stage import Stage

_NOBODY = 65534


@contextmanager
def anybody_s_stage() -> Iterator[Stage]:
    """Give a stage in a folder that everybody may enter; pytest's own folders are for root alone."""
    with tempfile.TemporaryDirectory() as place, Stage(Path(place)) as stage:
        stage.config()
        _give_away(Path(place))
        yield stage


@contextmanager
def without_rights(stage: Stage) -> Iterator[None]:
    """Be an ordinary user inside the block, to whom the folder of the stage belongs, but not what is closed to all."""
    if os.geteuid():
        yield
        return
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
