"""Finds the worker processes of a run, and waits until they have started; it starts and ends none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def workers(parent: int) -> Iterator[int]:
    """Give the worker processes of a process."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            if state[1] == str(parent) and state[0] != "Z" and b"etl.worker" in (folder / "cmdline").read_bytes():
                yield int(folder.name)


def waiting(pid: int) -> bool:
    """Say whether a worker has started and waits for work: its first thread sleeps and goes on sleeping."""
    for _ in range(8):
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "S":
                return False
        time.sleep(0.02)
    return True


def held_until_they_wait(parent: int) -> list[int]:
    """Wait for the workers of a process to be there and have started; return them."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = list(workers(parent))
        if found and all(map(waiting, found)):
            return found
        time.sleep(0.02)
    return []
