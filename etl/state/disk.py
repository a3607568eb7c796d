"""Files and folders for one user alone, and failures of the disk in words; it knows no run and no journal."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from etl.errors import StateFault

_REMEDIES = {
    errno.ENOSPC: "free disk space, then run again",
    errno.EDQUOT: "free disk space or raise the quota, then run again",
    errno.EROFS: "point state_dir at a folder that can be written, then run again",
    errno.EACCES: "give this user the right to write there, or change state_dir, then run again",
    errno.EPERM: "give this user the right to write there, or change state_dir, then run again",
}


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn a failure of the disk into a StateFault that names the path and what to do."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "mend the folder or change state_dir, then run again")
        raise StateFault(f"cannot use {path}: {error.strerror or error}; {remedy}") from error


def free_space(path: Path) -> int:
    """Return how many bytes this user may still put on the disk of a folder."""
    with disk(path):
        return shutil.disk_usage(path).free


def is_there(path: Path) -> bool:
    """Say whether there is something at a path; StateFault when this user may not look."""
    with disk(path):
        return path.exists()


def may_enter(folder: Path) -> bool:
    """Say whether this user may list a folder and open what is in it."""
    return os.access(folder, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def private_folder(path: Path) -> None:
    """Make a folder 0700, parents too; one that is there already keeps its mode."""
    if path.is_dir():
        return
    private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)  # the umask can take away bits that mkdir was told


def private_file(path: Path, flags: int) -> BinaryIO:
    """Open a file 0600 for unbuffered binary use, made when it is not there; a link is never followed."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "wb", buffering=0)


def sync_files(paths: Iterable[Path]) -> None:
    """See that the contents of these files are on the disk."""
    for path in paths:
        with disk(path), path.open("rb") as file:
            os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Put the names in a folder on the disk: a new or renamed file can vanish in a power cut until then."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
