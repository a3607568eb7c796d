"""One program as a process, measured from outside: wall and CPU seconds, and the memory of its whole process tree.

Memory is the proportional set size of all its processes together, read from /proc twice a second: pages that several
of them share count once. Pages of mapped files count too, although the kernel could take them back. What a single
process held between two looks is not missed: the kernel notes the most. Linux only.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_EVERY_S = 0.5
"""A look costs 8 ms of a core for 700 MiB, which is taken from a program that uses all of them."""


@dataclass(frozen=True)
class Used:
    """What a program took, how it ended, and what it said."""

    code: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    """Highest proportional set size of the process tree; not less than the highest resident set of one of it."""
    own_mib: float
    """The same without pages of mapped files."""
    output: str
    errors: str


def run(command: Sequence[str], *, environ: Mapping[str, str] | None = None, within: Sequence[str] = ()) -> Used:
    """Run a program to its end; `within` is put in front of the command, e.g. to limit its memory."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*within, *command], cwd=ROOT, stdout=output, stderr=errors, env=os.environ | (environ or {})
        )
        watch = Watch(process.pid)
        watch.start()
        # wait4 and not wait: it tells what this one program and the processes it waited for have used
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.stop()
        said = []
        for stream in (output, errors):
            stream.seek(0)
            said.append(stream.read().decode(errors="replace"))
    cpu = used.ru_utime + used.ru_stime
    peak_kib = max(watch.peak_kib, _own(used.ru_maxrss))
    return Used(process.returncode, wall, cpu, peak_kib / 1024, watch.own_kib / 1024, *said)


def _own(most_kib: int) -> int:
    """Return the highest resident set of a child, or nothing where it may be ours: a child begins with what we had."""
    return most_kib if most_kib > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss else 0


class Watch(threading.Thread):
    """Looks at a process tree until it is told to stop."""

    def __init__(self, pid: int) -> None:
        """Watch the process and all that come of it."""
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.peak_kib = self.own_kib = 0

    def run(self) -> None:
        """Look again and again."""
        while not self._ended.wait(_EVERY_S):
            found = [_memory(pid) for pid in tree(self._pid)]
            self.peak_kib = max(self.peak_kib, sum(whole for whole, _ in found))
            self.own_kib = max(self.own_kib, sum(own for _, own in found))

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()


def tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in task.read_text().split())
            except OSError:
                continue
    return found


def _memory(pid: int) -> tuple[int, int]:
    """Return a process's proportional set size in KiB, with and without mapped files; nothing for one that ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0, 0
    sizes = {line.partition(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return sizes.get("Pss", 0), sizes.get("Pss", 0) - sizes.get("Pss_File", 0)


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used so far."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
