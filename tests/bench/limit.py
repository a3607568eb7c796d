"""A hard limit on the memory of a program: a memory cgroup where one may be made, else a limit on each address space.

The group is made below the one this process is in, and removed afterwards. Both versions of cgroups are known.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_ENTER = 'echo $$ > "$0" && exec "$@"'


class Limit:
    """How a program is limited: `within` goes in front of its command, `told` says what it is."""

    def __init__(self, mib: int, group: Path | None) -> None:
        """Limit to so many MiB, in a cgroup when there is one."""
        self.group = group
        if group is None:
            self.within: tuple[str, ...] = ("prlimit", f"--as={mib << 20}", "--")
            self.told = f"RLIMIT_AS of {mib} MiB for each process"
        else:
            self.within = ("sh", "-c", _ENTER, str(group / "cgroup.procs"))
            self.told = f"memory cgroup of {mib} MiB for all processes and their share of the page cache"


@contextlib.contextmanager
def limited(mib: int) -> Iterator[Limit]:
    """Make a limit of so many MiB, for as long as the block lasts."""
    group = _made(mib)
    try:
        yield Limit(mib, group)
    finally:
        if group is not None:
            with contextlib.suppress(OSError):
                group.rmdir()


def _made(mib: int) -> Path | None:
    """Make a cgroup below our own; None where that cannot be done."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        old = "memory" in controllers.split(",")
        if not old and (controllers or not (_GROUPS / "cgroup.controllers").exists()):
            continue
        group = (_GROUPS / "memory" if old else _GROUPS) / path.lstrip("/") / f"learnupon-sync-bench-{os.getpid()}"
        limit = group / ("memory.limit_in_bytes" if old else "memory.max")
        try:
            group.mkdir()
        except OSError:
            return None
        try:
            limit.write_text(str(mib << 20), encoding="ascii")
        except OSError:
            group.rmdir()
            return None
        return group
    return None
