"""The journal of a run: what was about to be done, on the disk before it is done; it draws no conclusion from it.

A journal names Salesforce jobs by the fact `job`; a job has ended once an event of JOB_ENDS names it. A journal whose
last word on jobs is `job_creating` belongs to a run that died while Salesforce may have made one.
"""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import UTC
from pathlib import Path
from typing import Any

from etl.clock import Clock
from etl.state.disk import disk, private_file, sync_folder

JOB_ENDS = frozenset({"job_ended", "job_aborted", "job_adopted"})
_CREATING = "job_creating"
"""Events after which nothing about a job is open any more."""
_JOB_ID = re.compile(r"[A-Za-z0-9]{1,18}")
_BLOCK = 4096


class Journal:
    """Facts in the order they became true, one JSON line each, on the disk before `record` returns."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Use the journal at `path`; the file is made by the first record."""
        self.path = path
        self._clock = clock or Clock()
        self._lock = threading.Lock()

    @property
    def run_id(self) -> str:
        """Return the id of the run whose folder the journal lies in."""
        return self.path.parent.name

    def record(self, event: str, **facts: Any) -> None:
        """Append one event with the time; a half-written last line of a run that died is cut off first."""
        facts = {"at": f"{self._clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "event": event, **facts}
        line = json.dumps(facts, ensure_ascii=False, default=str).encode() + b"\n"
        with self._lock, disk(self.path):
            fresh = not self.path.exists()
            with private_file(self.path, os.O_RDWR | os.O_APPEND) as file:
                end = _cut_torn_line(file.fileno())
                try:
                    _write_all(file.fileno(), line)
                    os.fsync(file.fileno())
                except OSError:
                    os.ftruncate(file.fileno(), end)
                    raise
            if fresh:
                sync_folder(self.path.parent)

    def events(self) -> list[dict[str, Any]]:
        """Return the events so far; a torn last line is ignored, a damaged one inside becomes `unreadable`."""
        with disk(self.path):
            try:
                lines = self.path.read_bytes().split(b"\n")[:-1]
            except FileNotFoundError:
                return []
        return [_event(line, number) for number, line in enumerate(lines, 1)]

    @property
    def is_unfinished(self) -> bool:
        """Return whether this run may have left a job behind in Salesforce."""
        names = [str(event["event"]) for event in self.events() if str(event["event"]).startswith("job_")]
        return names[-1:] == [_CREATING] or bool(self.unfinished_jobs())

    def unfinished_jobs(self) -> list[str]:
        """Return the ids of jobs that were begun and have no end recorded, oldest first."""
        jobs: dict[str, bool] = {}
        for event in self.events():
            job = event.get("job")
            if isinstance(job, str) and _JOB_ID.fullmatch(job):  # it becomes a part of an address
                jobs[str(job)] = jobs.get(str(job), False) or event["event"] in JOB_ENDS
        return [job for job, ended in jobs.items() if not ended]


def _event(line: bytes, number: int) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return event if isinstance(event, dict) and "event" in event else {"event": "unreadable", "line": number}


def _write_all(descriptor: int, line: bytes) -> None:
    """Write all of it: one call may take a part only, as when the disk is nearly full."""
    while line:
        line = line[os.write(descriptor, line) :]


def _cut_torn_line(descriptor: int) -> int:
    """Cut off what follows the last line end, and return the length that remains."""
    size = end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return end
