"""The folder of one run: files that appear whole or not at all, a scratch folder, the journal; it reads no history."""

from __future__ import annotations

import logging
import os
import random
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock

from etl.clock import Clock
from etl.errors import StateFault
from etl.state.disk import disk, private_folder, sync_folder
from etl.state.journal import Journal

_log = logging.getLogger(__name__)

ALIVE = ".alive"
"""File in a run folder that is locked as long as the run lives."""
JOURNAL = "journal.jsonl"
REPORT = "report.json"
REFUSED = "refused.csv"
PLAN = "plan"
"""Folder of the plan's rows; with a manifest it is the copy by which the run can be put back."""
MANIFEST = "copy.json"
WORK = "work"
"""The scratch folder: parked rows and files on their way, for as long as the run lives."""


def runs_folder(state_dir: Path) -> Path:
    """Return the folder that holds one folder a run."""
    return state_dir / "runs"


def new_run_id(now: datetime, chance: random.Random) -> str:
    """Return `YYYYMMDDTHHMMSSZ-xxxx`: the start in UTC and four hexadecimal digits of chance."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{chance.randrange(0x10000):04x}"


def remove_scratch(folder: Path) -> None:
    """Remove what a run needs no longer once it has ended: the scratch folder, and a plan that was never written.

    A folder without scratch was tidied up before, and is left as it is.
    """
    if not (folder / WORK).exists():
        return
    if not (folder / PLAN / MANIFEST).exists():
        shutil.rmtree(folder / PLAN, ignore_errors=True)
    shutil.rmtree(folder / WORK, ignore_errors=True)


class RunDir:
    """The folder of one run: `with RunDir(...) as run:` removes what nobody needs any more at the end.

    The scratch folder is locked while the run lives, so that only leftovers of dead runs are ever removed.
    """

    def __init__(self, state_dir: Path, run_id: str, clock: Clock | None = None) -> None:
        """Make `{state_dir}/runs/{run_id}`; raises StateFault when that cannot be, or when it is there already."""
        self.run_id = run_id
        self.path = runs_folder(state_dir) / run_id
        self.work = self.path / WORK
        with disk(self.path):
            private_folder(self.path.parent)
            self.path.mkdir()
            self.path.chmod(0o700)
            private_folder(self.work)
            self._alive = FileLock(str(self.path / ".alive"), timeout=0, mode=0o600)
            self._alive.acquire()
            sync_folder(self.path.parent)
        self.journal = Journal(self.path / JOURNAL, clock)

    def folder(self, name: str) -> Path:
        """Make a folder of that name inside the run's and return it."""
        path = self.path / name
        with disk(path):
            private_folder(path)
        return path

    def write_text(self, name: str, text: str) -> Path:
        """Write a whole file or nothing of it; it is on the disk when this returns."""
        return self.write(name, [text.encode()])

    def write(self, name: str, pieces: Iterable[bytes]) -> Path:
        """Stream pieces into a file that appears whole or not at all; only one piece is in memory at a time."""
        path = self.path / name
        with disk(path):
            private_folder(path.parent)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    os.fchmod(file.fileno(), 0o600)
                    file.writelines(pieces)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(temporary).unlink()
                raise
            sync_folder(path.parent)
        return path

    def close(self) -> None:
        """Remove the scratch folder, close what others left open to the group or the world, and let go."""
        with disk(self.path):
            remove_scratch(self.path)
            for path in self.path.rglob("*"):
                path.chmod(0o700 if path.is_dir() else 0o600)
            self._alive.release()

    def __enter__(self) -> Self:
        """Return the folder itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close; how the run ended is never hidden by trouble with the tidying."""
        try:
            self.close()
        except StateFault as fault:
            _log.warning("the run's folder could not be tidied up: %s", fault)
