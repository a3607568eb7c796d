"""Listings of a stopped backfill, kept on disk so that the same one can go on from them; it asks LearnUpon nothing.

What was kept is used again for two hours and no longer, and not after another run has begun to write: a backfill must
not bring back values that were renewed since. A file is whole or it is not there: it is on the disk before it gets its
name, and ends in a footer that a cut one lacks. What cannot be read is read anew from LearnUpon. Learners are in it,
so it is for its owner alone, and goes when nobody can go on from it any more.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from etl.state.disk import disk, private_file, private_folder

FOLDER = "backfill"
FRESH = timedelta(hours=2)
_BEGUN = "begun"
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


def kept_in(state_dir: Path, portal_id: int, scope: str) -> Path:
    """Return the folder for what is kept of a portal, read in a scope."""
    return state_dir / FOLDER / f"{portal_id}-{hashlib.sha256(scope.encode()).hexdigest()[:16]}"


def discard(state_dir: Path, portal_ids: Collection[int], *, spare: Collection[Path] = ()) -> None:
    """Throw away what was kept of these portals, but for `spare`; StateFault when it cannot be.

    To be called under the lock of the state folder.
    """
    for folder in _folders(state_dir):
        if folder not in spare and folder.name.partition("-")[0] in {str(one) for one in portal_ids}:
            with disk(folder):
                shutil.rmtree(folder)


def remove_stale(state_dir: Path, now: datetime) -> None:
    """Remove what was kept longer than FRESH ago: of a backfill that nobody has given again.

    To be called under the lock of the state folder. StateFault when it cannot be removed.
    """
    for folder in _folders(state_dir):
        with disk(folder):
            if not _is_fresh(folder, now):
                shutil.rmtree(folder)


def _folders(state_dir: Path) -> list[Path]:
    with disk(state_dir / FOLDER):
        try:
            return sorted(path for path in (state_dir / FOLDER).iterdir() if path.is_dir())
        except FileNotFoundError:
            return []


class KeptListings:
    """The folder of one portal and scope: a file for every listing that was read to its end."""

    def __init__(self, folder: Path, now: datetime) -> None:
        """Use `folder`; what lies there from longer than FRESH ago is thrown away."""
        self._folder = folder
        self.found = 0
        """Listings taken from the disk so far."""
        with disk(folder):
            self._begin(now)

    def _begin(self, now: datetime) -> None:
        if _is_fresh(self._folder, now):
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        private_folder(self._folder)
        with private_file(self._folder / _BEGUN, os.O_WRONLY | os.O_TRUNC) as file:
            file.write(now.astimezone(UTC).strftime(_STAMP).encode())

    def listing(self, name: str, schema: pa.Schema, pages: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the pages of a listing: from the disk if it was read to its end before, else from `pages`, kept."""
        path = self._folder / f"{name}.arrow"
        known = _read(path, schema)
        if known is not None:
            self.found += 1
            yield from (known.get_batch(place) for place in range(known.num_record_batches))
            return
        part = path.with_suffix(".part")
        with disk(part):
            private_file(part, os.O_WRONLY | os.O_TRUNC).close()  # arrow would let others read it
            sink = pa.OSFile(str(part), "wb")
            writer = pa.ipc.new_file(sink, schema)
        try:
            for page in pages:
                with disk(part):
                    writer.write_batch(page)
                yield page
            with disk(part):
                writer.close()
        finally:
            with suppress(OSError):
                sink.close()
        with disk(part):
            _put_on_disk(part)
            part.replace(path)

    @property
    def ready(self) -> int:
        """Return how many listings lie here, read to their end."""
        return sum(1 for _ in self._folder.glob("*.arrow"))

    def forget(self) -> None:
        """Throw everything away: the read is used up."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _is_fresh(folder: Path, now: datetime) -> bool:
    """Say whether a read was begun at most FRESH ago; one whose beginning cannot be read, or lies ahead, was not."""
    try:
        since = datetime.strptime((folder / _BEGUN).read_text(), _STAMP).replace(tzinfo=UTC)
    except (FileNotFoundError, ValueError):
        return False
    return timedelta() <= now - since <= FRESH


def _put_on_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _read(path: Path, schema: pa.Schema) -> pa.ipc.RecordBatchFileReader | None:
    """Open what was kept; None when it is not there, not whole, or of another version of this program."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        whole = reader.schema.equals(schema)
    except (OSError, pa.ArrowInvalid):
        return None
    return reader if whole else None
