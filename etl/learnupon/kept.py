"""Listings of a stopped read, kept on disk so that the same read can go on from them; it asks LearnUpon nothing.

What was kept is used again for two hours and no longer: a backfill must not bring back values that a nightly run has
renewed since.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from etl.errors import StateFault

FRESH = timedelta(hours=2)
_BEGUN = "begun"


class Kept:
    """The folder of one scope: a file for every listing that was read to its end."""

    def __init__(self, folder: Path, now: datetime) -> None:
        """Use `folder`; what lies there from longer than FRESH ago is thrown away."""
        self._folder = folder
        self.found = 0
        """Listings taken from the disk so far."""
        try:
            self._begin(now)
        except OSError as error:
            raise StateFault(f"cannot use {folder}: {error.strerror}; free space or mend it, then run again") from error

    def _begin(self, now: datetime) -> None:
        begun = self._folder / _BEGUN
        try:
            fresh = timedelta() <= now - datetime.fromisoformat(begun.read_text()) <= FRESH
        except (FileNotFoundError, ValueError):
            fresh = False
        if not fresh:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            begun.write_text(now.isoformat())

    def listing(self, name: str, schema: pa.Schema, pages: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the pages of a listing: from the disk if it was read to its end before, else from `pages`, kept."""
        path = self._folder / f"{name}.arrow"
        if path.exists():
            self.found += 1
            with pa.memory_map(str(path)) as source:
                yield from pa.ipc.open_stream(source)
            return
        part = path.with_suffix(".part")
        with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for page in pages:
                writer.write_batch(page)
                yield page
        part.replace(path)

    def forget(self) -> None:
        """Throw everything away: the read is used up."""
        shutil.rmtree(self._folder, ignore_errors=True)
