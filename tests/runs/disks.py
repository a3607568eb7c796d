"""Disks that fail: one that takes no more bytes from some moment on, small ones, and ones that cannot be written.

The first is a limit of this process on the size of files, so nothing of the program is replaced; the others are
memory that is mounted, which takes root's rights: tests that need it are skipped, with the reason, where it is refused.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from runs.stage import Stage

from etl.emulator.faults import Fault


def die(bytes_taken: int = 0) -> None:
    """Let no file of this process grow beyond so many bytes from now on; what is mounted, made or removed stays so."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_taken, most))


def revive() -> None:
    """Let files grow again."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


@contextmanager
def dying(stage: Stage, request: str, nth: int = 1, bytes_taken: int = 0) -> Iterator[None]:
    """Let the disk die at the n-th request to Salesforce that matches, and come back at the end of the block."""
    fault = Fault(match=request, nth=nth, hook=lambda _: die(bytes_taken))
    stage.emu.salesforce_faults.add(fault)
    try:
        yield
    finally:
        revive()
        stage.emu.salesforce_faults.clear()


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a disk of so many kilobytes (of memory) at `folder`; skip the test where that is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    done = _mount("-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0700", "tmpfs", str(folder))
    if done.returncode:
        pytest.skip(f"nothing can be mounted here ({done.stderr.strip()}): the full disk is not tried")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """Change a mounted disk: `ro`, `rw` or `size=400k`."""
    assert _mount("-o", f"remount,{how}", str(folder)).returncode == 0


def _mount(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
