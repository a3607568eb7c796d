"""Rows parked on disk as arrow files and given back by partition, so that memory stays flat; it decides nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from etl.errors import StateFault

_FLUSH_ROWS = 65_536
_FEWEST_FLUSH_ROWS = 4_096
"""Smaller files would cost more to open than to read."""


class Park:
    """One table on disk, written by many threads, then read as a whole or partition by partition.

    Rows wait in memory until a file's worth has come together (about 65,000). Disk failures raise StateFault.
    """

    def __init__(self, folder: Path, schema: pa.Schema, *, flush_rows: int = _FLUSH_ROWS) -> None:
        """Park rows of `schema` in `folder`, made with the first file, for this table alone, `flush_rows` a file."""
        self.folder = folder
        self.schema = schema
        self.rows = 0
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._flush_rows = flush_rows
        self._files: list[Path] = []
        self._lock = threading.Lock()

    def append(self, table: pa.Table | pa.RecordBatch) -> None:
        """Add rows; their columns must be the park's."""
        batches = [table] if isinstance(table, pa.RecordBatch) else table.to_batches()
        with self._lock:
            self.rows += table.num_rows
            self._waiting.extend(batches)
            self._waiting_rows += table.num_rows
            if self._waiting_rows >= self._flush_rows:
                self._flush()

    def _flush(self) -> None:
        path = self.folder / f"{len(self._files):06d}.arrow"
        with _disk(path):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))  # arrow would let others read it
        with _disk(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, self.schema) as writer:
            writer.write_table(pa.Table.from_batches(self._waiting, self.schema).combine_chunks())
        self._files.append(path)
        self._waiting = []
        self._waiting_rows = 0

    def adopt(self, path: Path) -> None:
        """Take over a file of another place as one of this park's, by a second name for it; its columns must be these.

        Where the file system has no second names, it is copied.
        """
        with self._lock:
            mine = self.folder / f"{len(self._files):06d}.arrow"
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
            if self._waiting:
                self._flush()
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
            self._files.append(path)

    def batches(self) -> Iterator[pa.Table]:
        """Give the rows file by file, in no promised order."""
        for path in list(self._files):
            with _disk(path), pa.memory_map(str(path)) as source:
                yield pa.ipc.open_file(source).read_all()
        with self._lock:
            waiting = list(self._waiting)
        if waiting:
            yield pa.Table.from_batches(waiting, self.schema)

    def read(self) -> pa.Table:
        """Give all rows as one table: only for tables known to be small."""
        tables = list(self.batches())
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def partitions(
        self, count: int, number: Callable[[pa.Table], np.ndarray[Any, Any]], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Give `count` tables; a row is in the one that its whole `number` modulo `count` names.

        With `columns` the tables hold these alone, and nothing else is read from disk.
        """
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        if count <= 1:
            yield self.read().select(schema.names)
            return
        # All parts wait for rows at the same time: together they hold as few as four files of this park, however many.
        rows = max(_FLUSH_ROWS * 4 // count, _FEWEST_FLUSH_ROWS)
        folder = self.folder / f"split-{count}"
        parts = [Park(folder / f"{place:04d}", schema, flush_rows=rows) for place in range(count)]
        for table in self.batches():
            _scatter(table.select(schema.names), parts, number(table))
        for part in parts:
            yield part.read()
            part.clear()

    def clear(self) -> None:
        """Remove the parked files; the park is empty afterwards."""
        with self._lock:
            for path in self._files:
                with _disk(path):
                    path.unlink(missing_ok=True)
            self._files, self._waiting, self._waiting_rows, self.rows = [], [], 0, 0


def link(path: Path, name: Path) -> None:
    """Give a file a second name, readable by its owner alone; where the file system has none, copy it."""
    try:
        os.link(path, name)
    except FileNotFoundError:
        raise
    except OSError:
        name.touch(mode=0o600)
        name.write_bytes(path.read_bytes())


def _scatter(table: pa.Table, parts: list[Park], numbers: np.ndarray[Any, Any]) -> None:
    remainders = np.mod(numbers, len(parts))
    order = np.argsort(remainders, kind="stable")
    bounds = np.searchsorted(remainders[order], np.arange(len(parts) + 1))
    ordered = table.take(pa.array(order))
    for number, part in enumerate(parts):
        start, stop = int(bounds[number]), int(bounds[number + 1])
        if stop > start:
            part.append(ordered.slice(start, stop - start))


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
