"""Rows parked on disk as arrow files and given back by partition, so that memory stays flat; it decides nothing.

A file's rows lie in the order of a hash of the row's number, cut into batches, so that a partition is a few whole
batches of each file, read in one piece, however many partitions are asked for. So every row is written to the disk
once and read once.
"""

from __future__ import annotations

import os
import threading
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from etl.errors import StateFault

FLUSH_ROWS = 131_072
"""Rows of a file: what waits in memory for one table, some 20 to 40 MB."""
_FEWEST_BATCH_ROWS = 1_024
"""Smaller batches would cost more to open than to read (measured: 50 microseconds a batch)."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Fibonacci hashing (Knuth, volume 3): the upper bits of the product spread numbers in a row evenly."""
_BITS = 16
Number = Callable[[pa.Table], np.ndarray[Any, Any]]
"""What gives each row of a table a whole number: rows that belong together have the same."""


def parts_for(rows: int, rows_each: int) -> int:
    """Return how many partitions, a power of two, so many rows make of about so many each."""
    return 1 << min(_BITS, max(0, (rows - 1) // rows_each).bit_length())


def places(numbers: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """Return the partition of each number; one of twice as many partitions lies inside one of `count`."""
    upper = (numbers.astype("uint64") * _SPREAD) >> np.uint64(64 - _BITS)
    return (upper.astype("uint32") * np.uint32(count) >> np.uint32(_BITS)).astype("uint16")


class Park:
    """One table on disk, written by many threads, then read as a whole or partition by partition.

    Rows wait in memory until a file's worth has come together (about 131,000). Disk failures raise StateFault: rows
    that could not be written are lost, so from then on everything but `clear` raises it.
    """

    def __init__(
        self, folder: Path, schema: pa.Schema, *, number: Number | None = None, flush_rows: int = FLUSH_ROWS
    ) -> None:
        """Park rows of `schema` in `folder`, made with the first file, for this table alone, `flush_rows` a file.

        With `number` the files are in order from the start, else partitions cost a copy of the table.
        """
        self.folder = folder
        self.schema = schema
        self.rows = 0
        self._number = number
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._flush_rows = flush_rows
        self._begun = 0
        """Files that were begun; those in `_files` are whole."""
        self._files: list[Path] = []
        """In the order of their rows, whichever was written first."""
        self._lost: BaseException | None = None
        """Why rows were lost."""
        self._lock = threading.Lock()

    def append(self, table: pa.Table | pa.RecordBatch) -> None:
        """Add rows; their columns must be the park's."""
        batches = [table] if isinstance(table, pa.RecordBatch) else table.to_batches()
        with self._lock:
            self._refuse_if_lost()
            self.rows += table.num_rows
            self._waiting.extend(batches)
            self._waiting_rows += table.num_rows
            full = self._take() if self._waiting_rows >= self._flush_rows else None
        if full:  # others add rows while this thread writes
            self._write(*full)

    def _take(self) -> tuple[Path, list[pa.RecordBatch]]:
        """Return the rows that wait, which from now on wait no more, and the file they go into."""
        taken, self._waiting, self._waiting_rows = self._waiting, [], 0
        return self._next(), taken

    def _next(self) -> Path:
        self._begun += 1
        return self.folder / f"{self._begun - 1:06d}.arrow"

    def _refuse_if_lost(self) -> None:
        if self._lost is not None:
            raise StateFault(f"rows of {self.folder} were not written and are lost ({self._lost}); run again")

    def _write(self, path: Path, batches: list[pa.RecordBatch]) -> None:
        try:
            self._put(path, batches)
        except BaseException as error:
            self._lost = error
            raise
        with self._lock:
            insort(self._files, path)

    def _put(self, path: Path, batches: list[pa.RecordBatch]) -> None:
        with _disk(path):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))  # arrow would let others read it
        table = pa.Table.from_batches(batches, self.schema).combine_chunks()
        batches.clear()  # the caller holds the list: these rows would be in memory twice
        pieces = [table] if self._number is None else _in_order(table, self._number, _batches_for(table.num_rows))
        del table
        with _disk(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, self.schema) as writer:
            for piece in pieces:
                writer.write_batch(piece.to_batches()[0] if piece.num_rows else _no_rows(self.schema))

    def adopt(self, path: Path) -> None:
        """Take over a file of another place as one of this park's, by a second name for it; its columns must be these.

        Where the file system has no second names, it is copied.
        """
        with self._lock:
            self._refuse_if_lost()
            mine = self._next()
            with _disk(mine):
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                link(path, mine)
            with _disk(mine), pa.memory_map(str(mine)) as source:
                file = pa.ipc.open_file(source)
                self.rows += sum(file.get_batch(number).num_rows for number in range(file.num_record_batches))
            self._files.append(mine)

    def save(self) -> list[Path]:
        """Write rows that still wait in memory to their file, and return all files."""
        with self._lock:
            self._refuse_if_lost()
            rest = self._take() if self._waiting else None
        if rest:
            self._write(*rest)
        with self._lock:
            return list(self._files)

    def load(self) -> None:
        """Take over the files that lie in the folder, as an earlier park saved them.

        Raises ValueError when one is no arrow file or has other columns than the park's.
        """
        for path in sorted(self.folder.glob("*.arrow")):
            with _disk(path), pa.memory_map(str(path)) as source:
                file = pa.ipc.open_file(source)
                if not file.schema.equals(self.schema):
                    raise ValueError(f"{path.name} of {self.folder.name} has other columns than are expected")
                self.rows += sum(file.get_batch(number).num_rows for number in range(file.num_record_batches))
            self._begun = int(path.stem) + 1
            self._files.append(path)

    def batches(self) -> Iterator[pa.Table]:
        """Give the rows file by file, in the order they were added but for that within a file."""
        self._refuse_if_lost()
        for path in list(self._files):
            with _disk(path), pa.memory_map(str(path)) as source:
                yield pa.ipc.open_file(source).read_all()
        with self._lock:
            waiting = list(self._waiting)
        if waiting:
            yield pa.Table.from_batches(waiting, self.schema)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Give all rows, of these columns alone if named, as one table: only for tables known to be small."""
        names = list(self.schema.names if columns is None else columns)
        return pa.concat_tables([table.select(names) for table in (self.schema.empty_table(), *self.batches())])

    def partitions(
        self, count: int, number: Number | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Give `count` tables, a power of two (`parts_for`); rows with the same number are in the same one.

        `number` is for a park that was made without: it is copied in order first. With `columns` the tables hold these
        alone.
        """
        self._refuse_if_lost()
        names = self.schema.names if columns is None else list(columns)
        if count == 1:
            yield self.read(names)
        elif self._number is not None:
            waiting = pa.Table.from_batches(self._waiting, self.schema).combine_chunks()
            rest = _in_order(waiting, self._number, count)
            for place in range(count):
                pieces = [self._piece(path, place, count) for path in self._files]
                yield pa.concat_tables([*pieces, rest[place]]).select(names)
        else:
            copy = Park(self.folder / "in-order", self.schema, number=number)
            for table in self.batches():
                copy.append(table)
            yield from copy.partitions(count, columns=names)
            copy.clear()

    def _piece(self, path: Path, place: int, count: int) -> pa.Table:
        """Return a file's rows of one partition."""
        with _disk(path), pa.OSFile(str(path)) as source:
            file = pa.ipc.open_file(source)
            batches = file.num_record_batches
            first, end = place * batches // count, -(-(place + 1) * batches // count)
            table = pa.Table.from_batches([file.get_batch(one) for one in range(first, end)], self.schema)
        if batches < count and self._number is not None:
            table = table.filter(pa.array(places(self._number(table), count) == place))
        return table

    def clear(self) -> None:
        """Remove the parked files; the park is empty afterwards."""
        with self._lock:
            for path in self._files:
                with _disk(path):
                    path.unlink(missing_ok=True)
            self._files, self._waiting, self._waiting_rows, self.rows, self._lost = [], [], 0, 0, None


def link(path: Path, name: Path) -> None:
    """Give a file a second name, readable by its owner alone; where the file system has none, copy it."""
    try:
        os.link(path, name)
    except FileNotFoundError:
        raise
    except OSError:
        name.touch(mode=0o600)
        name.write_bytes(path.read_bytes())


def _batches_for(rows: int) -> int:
    return parts_for(rows // _FEWEST_BATCH_ROWS, 1)


def _in_order(table: pa.Table, number: Number, count: int) -> list[pa.Table]:
    """Return the rows of each of `count` partitions."""
    place = places(number(table), count)
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(count + 1))
    ordered = table.take(pa.array(order))
    return [ordered.slice(start, end - start) for start, end in pairwise(bounds.tolist())]


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], column.type) for column in schema], schema=schema)


class _disk:  # noqa: N801 - reads as a phrase: `with _disk(path):`
    """Turn a failure of the disk into a StateFault that names the place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise StateFault(
                f"cannot use {self._path}: {error.strerror or error}; free space or mend the folder, then run again"
            ) from error
