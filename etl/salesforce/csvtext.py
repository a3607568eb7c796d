"""Planned rows as the CSV that Bulk 2.0 takes, in files below the size limit; it decides nothing about the rows.

Source: Bulk API 2.0 guide, "prepare CSV files": UTF-8, LF, a cell that is empty is left alone, `#N/A` clears, quotes
around a value that holds a comma, a quote or a line end. Written column by column, since a row at a time is 14 times
slower (measured).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from etl.errors import StateFault
from etl.salesforce.typed import block_size

CLEAR = "#N/A"
"""The cell that sets a field to null; it must stand without quotes."""
_NEEDS_QUOTES = '[,"\r\n]'


def texts(values: pa.Array, scale: int = 0) -> pa.Array:
    """Return values as Bulk takes them; nulls stay null, and an empty text becomes null.

    Times: UTC `yyyy-MM-ddTHH:mm:ss.000Z`; booleans: true, false; whole numbers without a point; decimals plain, with
    `scale` digits behind the point.
    """
    kind = values.type
    if pa.types.is_timestamp(kind):
        plain = pc.cast(pc.cast(values, pa.timestamp("s"), safe=False), pa.string())
        return pc.binary_join_element_wise(pc.replace_substring(plain, " ", "T"), "000Z", ".")
    if pa.types.is_floating(kind):
        return pc.cast(pc.cast(pc.round(values, scale), pa.decimal128(38, scale)), pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _quoted(pc.cast(values, pa.string()))
    return pc.cast(values, pa.string())


def _quoted(values: pa.Array) -> pa.Array:
    values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    needs = pc.match_substring_regex(values, _NEEDS_QUOTES)
    if not pc.any(needs).as_py():
        return values
    doubled = pc.replace_substring(values, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise("", doubled, "", '"'), values)


def changed_cells(cells: pa.Array, changed: pa.Array) -> pa.Array:
    """Return cells in which what did not change is empty (left alone) and what was cleared is `#N/A`."""
    return pc.if_else(changed, pc.fill_null(cells, CLEAR), "")


def lines(columns: Sequence[pa.Array]) -> pa.Array:
    """Return one text a row, its line end included; nulls are empty cells."""
    cells = [pc.fill_null(column, "") for column in columns]
    joined = pc.binary_join_element_wise(*cells, ",") if len(cells) > 1 else cells[0]
    ended = pc.binary_join_element_wise(joined, "", "\n")
    return ended.combine_chunks() if isinstance(ended, pa.ChunkedArray) else ended


@dataclass(frozen=True)
class Part:
    """One finished file: what a job uploads."""

    path: Path
    header: tuple[str, ...]
    rows: int
    size: int
    sha256: str


class Parts:
    """Writes lines into files of less than `limit` bytes each, every one with the header, counting and hashing."""

    def __init__(self, folder: Path, stem: str, header: Sequence[str], limit: int) -> None:
        """Write `{stem}-000.csv` and so on into `folder`, which is made."""
        self._folder, self._stem, self._header, self._limit = folder, stem, tuple(header), limit
        self._head = (",".join(header) + "\n").encode()
        self._file: IO[bytes] | None = None
        self._hash = hashlib.sha256()
        self._rows = self._size = self._given = 0
        self.done: list[Part] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _fault(folder, error) from error

    def __enter__(self) -> Self:
        """Return itself; leaving the block finishes the last file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the last file."""
        self._finish()

    def write(self, rows: pa.Array) -> None:
        """Add rows, each a text with its line end (see `lines`)."""
        offsets = np.frombuffer(rows.buffers()[1], dtype=np.int32)[rows.offset : rows.offset + len(rows) + 1]
        data = memoryview(rows.buffers()[2] or b"")
        start = 0
        while start < len(rows):
            if self._file is None:
                self._begin()
            room = self._limit - self._size
            stop = int(np.searchsorted(offsets, offsets[start] + room, side="right")) - 1
            if stop <= start:
                if self._rows:
                    self._finish()
                    continue
                stop = start + 1  # a row longer than a file: Salesforce will say so
            self._put(data[int(offsets[start]) : int(offsets[stop])])
            self._rows += stop - start
            start = stop

    def new(self) -> list[Part]:
        """Return the files that were finished since this was last asked."""
        new, self._given = self.done[self._given :], len(self.done)
        return new

    def _begin(self) -> None:
        path = self._folder / f"{self._stem}-{len(self.done):03d}.csv"
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise _fault(path, error) from error
        self._hash, self._rows, self._size = hashlib.sha256(), 0, 0
        self._put(self._head)

    def _put(self, data: bytes | memoryview) -> None:
        if self._file is None:
            raise AssertionError  # pragma: no cover - write() begins a file first
        try:
            self._file.write(data)
        except OSError as error:
            raise _fault(Path(self._file.name), error) from error
        self._hash.update(data)
        self._size += len(data)

    def _finish(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        path = Path(file.name)
        try:
            file.close()
        except OSError as error:
            raise _fault(path, error) from error
        self.done.append(Part(path, self._header, self._rows, self._size, self._hash.hexdigest()))


def _fault(path: Path, error: OSError) -> StateFault:
    return StateFault(
        f"cannot write {path}: {error.strerror or error}; free disk space or mend the folder, then run again"
    )


def read_back(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the cells of a file as they were written, as texts (an empty cell is an empty text)."""
    with path.open("rb") as file:
        header = file.readline().decode().rstrip("\n").split(",")
    options: dict[str, Any] = {"include_columns": list(columns)} if columns else {}
    try:
        return pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=block_size(path)),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False, **options
            ),
        )
    except OSError as error:
        raise StateFault(f"cannot read {path}: {error}; run again") from error


def subset(part: Part, key: str, keys: pa.Array, folder: Path, stem: str) -> Part | None:
    """Write the rows with these keys into a file of their own and return it; None when there are none."""
    table = read_back(part.path)
    table = table.filter(pc.is_in(table[key], value_set=keys))
    if not table.num_rows:
        return None
    # no limit: a part of a file is smaller than the file
    with Parts(folder, stem, part.header, part.size + 1) as parts:
        for batch in table.to_batches():
            parts.write(lines([_quoted(batch[name]) for name in part.header]))
    return parts.done[0]
