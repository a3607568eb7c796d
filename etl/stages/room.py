"""Stops a run that the disk has no room for, before the reads and again before the writes; it makes no room itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence

from etl import space
from etl.budget import Sent
from etl.errors import StateFault
from etl.learnupon import Listed
from etl.stages.job import Job
from etl.state import RunDir

_log = logging.getLogger(__name__)
_MB = 1_000_000


class Room:
    """The disk under the state folder, and what this run is expected to put there."""

    def __init__(self, job: Job, folder: RunDir) -> None:
        """Look at no disk yet."""
        self._job, self._folder = job, folder
        self._held: Mapping[str, int] = {}
        self._listed = self._free = 0
        self._lock = threading.Lock()

    def salesforce(self, held: Mapping[str, int]) -> None:
        """Take note of the rows that Salesforce holds, by object; raises StateFault when there is no room for them."""
        self._held = held
        self._free = self._job.free_space(self._folder.path)
        self._stop_if_full(space.of_salesforce(held), "to read Salesforce")

    def portal(self, name: str, listed: Listed) -> None:
        """Take note of a portal's rows, by LearnUpon's counts; raises StateFault when there is no room for them too."""
        with self._lock:
            self._listed += listed.rows
            needed = space.of_salesforce(self._held) + space.of_learnupon(self._listed, self._held)
        self._stop_if_full(needed, f"to read portal {name} and what was to be read before it")

    def writes(self, sent: Sequence[Sent]) -> None:
        """Raise StateFault when what a plan sends, and the lists of it, would not fit beside the plan."""
        self._free = self._job.free_space(self._folder.path)
        self._stop_if_full(space.of_writes(sent), "to write the plan")

    def _stop_if_full(self, needed: int, what: str) -> None:
        wanted = space.with_slack(needed)
        _log.info("about %s MB of disk are needed %s, %s MB are free", _megabytes(wanted), what, self._free // _MB)
        if wanted > self._free:
            raise StateFault(
                f"{self._job.settings.state_dir}: about {_megabytes(wanted)} MB of disk are needed {what}, and "
                f"{self._free // _MB:,} MB are free there; nothing was written; free disk space, or point state_dir at "
                "a larger disk, then run again"
            )


def _megabytes(size: int) -> str:
    return f"{-(-size // _MB):,}"
