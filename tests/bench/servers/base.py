"""The rows an org holds from the start: each column of a row follows from the row's number, so none is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bench.servers.digits import Ints, texts
from bench.servers.lines import Ragged
from bench.servers.shape import Periodic

MADE = "2026-01-01T00:00:00.000Z"
"""When every row was made and last changed."""
_STRETCH = 16_384
Number = Callable[[Ints], Ints]


@dataclass(frozen=True)
class Numbered:
    """A column of fixed width: a number of the row, `base` added, between two texts."""

    before: str
    width: int
    which: str
    base: int = 0
    after: str = ""

    def of(self, _: Ints, numbers: Mapping[str, Ints]) -> pa.Array:
        """Return the column's texts."""
        return texts(self.before.encode(), numbers[self.which] + self.base, self.width, self.after.encode())


@dataclass(frozen=True)
class Repeated:
    """A column whose values repeat with the period, or lie beside one of the row's numbers (`which`)."""

    values: pa.Array
    which: str = ""

    def of(self, places: Ints, numbers: Mapping[str, Ints]) -> pa.Array:
        """Return the column's texts."""
        return self.values.take(pa.array(numbers[self.which] if self.which else places))


Column = Numbered | Repeated


def constant(value: str | None) -> Repeated:
    """Return a column with one value."""
    return Repeated(pa.array([value], pa.string()))


@dataclass
class Base:
    """Rows of one object: which numbers there are, their columns, and how a row's other numbers are found."""

    rows: Periodic
    columns: Mapping[str, Column]
    numbers: Mapping[str, Number]
    _lines: dict[tuple[str, ...], Ragged] = field(default_factory=dict)

    def table(self, numbers: Ints, names: Sequence[str]) -> pa.Table:
        """Return some rows as texts, null where blank."""
        found = self._found(numbers, names)
        columns = [self._column(name).of(self._places(name, numbers), found) for name in names]
        return pa.table(columns, names=list(names)) if names else pa.table({})

    def csv(self, names: tuple[str, ...], start: int, stop: int, dropped: Ints) -> Iterator[np.ndarray | bytes]:
        """Give the rows from place `start` to `stop` as lines of a query result, without those `dropped` (sorted)."""
        for first in range(start, stop, _STRETCH):
            last = min(first + _STRETCH, stop)
            numbers = self.rows.numbers(first, last)
            keep = None
            if len(dropped):
                at = np.searchsorted(dropped, numbers)
                keep = dropped[np.minimum(at, len(dropped) - 1)] != numbers
            if self._is_regular(names):
                lines = self._regular(names)
                yield from lines.fill(first % len(self.rows.rests), self._found(numbers, names), keep)
            else:
                yield joined(self.table(numbers if keep is None else numbers[keep], names))

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            raise ValueError(f"INVALID_FIELD: No such column '{name}'")
        return self.columns[name]

    def _places(self, name: str, numbers: Ints) -> Ints:
        column = self._column(name)
        repeats = isinstance(column, Repeated) and not column.which and len(column.values) > 1
        return numbers % self.rows.period if repeats else np.zeros(len(numbers), np.int64)

    def _found(self, numbers: Ints, names: Sequence[str]) -> dict[str, Ints]:
        wanted = {"i"} | {self._column(name).which for name in names}
        return {which: numbers if which == "i" else self.numbers[which](numbers) for which in wanted if which}

    def _is_regular(self, names: tuple[str, ...]) -> bool:
        columns = [self._column(name) for name in names]
        return all(isinstance(column, Numbered) or not column.which for column in columns)

    def _regular(self, names: tuple[str, ...]) -> Ragged:
        if names not in self._lines:
            self._lines[names] = self._build(names)
        return self._lines[names]

    def _build(self, names: tuple[str, ...]) -> Ragged:
        """Return the lines of one period, zeros where the row's own numbers go."""
        rests = self.rows.rests
        zeros = {which: np.zeros(len(rests), np.int64) for which in ("i", *self.numbers)}
        columns, gaps = [], []
        at = np.ones(len(rests), np.int64)
        for name in names:
            column = self._column(name)
            values = pc.fill_null(column.of(self._places(name, rests), zeros), "")
            if isinstance(column, Numbered):
                gaps.append((at + len(column.before), column.width, column.which, column.base))
            columns.append(values)
            at = at + pc.binary_length(values).to_numpy() + 3
        lines = [line.encode() for line in _lines_of(columns).to_pylist()]
        return Ragged(lines, gaps)


def _lines_of(columns: Sequence[pa.Array]) -> pa.Array:
    inner = pc.binary_join_element_wise(*columns, '","') if len(columns) > 1 else columns[0]
    return pc.binary_join_element_wise(pc.binary_join_element_wise('"', inner, ""), '"\n', "")


def joined(table: pa.Table) -> bytes:
    """Return rows as lines of CSV, every value in quotes, blank for null."""
    if not table.num_rows:
        return b""
    columns = []
    for column in table.columns:
        values = pc.fill_null(column.combine_chunks(), "")
        if pc.any(pc.match_substring(values, '"')).as_py():
            values = pc.replace_substring(values, '"', '""')
        columns.append(values)
    lines = _lines_of(columns)
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(lines.buffers()[2])[int(offsets[0]) : int(offsets[-1])].tobytes()


def header(names: Sequence[str]) -> bytes:
    """Return the first line of a result."""
    return ('"' + '","'.join(names) + '"\n').encode()
