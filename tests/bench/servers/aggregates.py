"""One row about many: COUNT, SUM, MIN and MAX over the rows of a query; sums over all of a base are reckoned once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bench.servers.base import Base, Numbered
from bench.servers.soql import Aggregate, Query
from bench.servers.store import Found, Store

_CHUNK = 1_000_000


class Totals:
    """Sums and counts over whole bases, each reckoned when it is first asked for and then kept."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._sums: dict[tuple[str, str], float] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def row(self, store: Store, query: Query) -> dict[str, Any]:
        """Return the one row of an aggregate query."""
        names = tuple(dict.fromkeys(one.field for one in query.aggregates))
        found = store.find(Query(names, query.source, query.where, None))
        if found.numbers is not None:
            table = found.table()
            return {one.alias: _over(one, table) for one in query.aggregates}
        dropped = store.base.table(found.dropped, names)
        return {one.alias: self._whole(one, store, found, dropped) for one in query.aggregates}

    def _whole(self, one: Aggregate, store: Store, found: Found, dropped: pa.Table) -> Any:
        """Return an aggregate over all of the base, without what was dropped and with what was written."""
        if one.function in {"MIN", "MAX"}:
            ends = [_end(one, store, found), _over(one, found.written)]
            return (min if one.function == "MIN" else max)((end for end in ends if end is not None), default=None)
        kept: dict[tuple[str, str], Any] = self._sums if one.function == "SUM" else self._counts
        place = (store.name, one.field)
        if place not in kept:
            kept[place] = (_sum if one.function == "SUM" else _count)(store.base, one.field)
        return kept[place] - (_over(one, dropped) or 0) + (_over(one, found.written) or 0)


def _over(one: Aggregate, table: pa.Table) -> Any:
    column = table[one.field]
    if one.function == "COUNT":
        return len(column) - column.null_count
    if one.function == "SUM":
        return pc.sum(pc.cast(column, pa.float64())).as_py()
    return pc.min_max(column)[one.function.lower()].as_py()


def _end(one: Aggregate, store: Store, found: Found) -> str | None:
    """Return the least or greatest record id of the base; its ids are in the order of its numbers."""
    if one.field != "Id":
        raise ValueError(f"MALFORMED_QUERY: {one.function} of {one.field}")
    size = len(store.base.rows)
    few = min(size, len(found.dropped) + 1)
    numbers = store.base.rows.numbers(*((0, few) if one.function == "MIN" else (size - few, size)))
    left = numbers[~np.isin(numbers, found.dropped)]
    if not len(left):
        return None
    end = left[:1] if one.function == "MIN" else left[-1:]
    return str(store.ids(end)[0])


def _times(base: Base) -> np.ndarray:
    """Return how often each of the numbers that a period has comes."""
    rows = base.rows
    whole, rest = divmod(rows.space, rows.period)
    return whole + (rows.rests < rest)


def _count(base: Base, name: str) -> int:
    column = base.columns[name]
    if isinstance(column, Numbered):
        return len(base.rows)
    given = column.values.is_valid().to_numpy(zero_copy_only=False)
    if column.which:
        return int(_summed(base, column.which, given))
    return int(_repeated(base, given))


def _sum(base: Base, name: str) -> float:
    column = base.columns[name]
    if isinstance(column, Numbered):
        return float(_summed(base, column.which, None) + column.base * len(base.rows))
    values = pc.fill_null(pc.cast(column.values, pa.float64()), 0.0).to_numpy(zero_copy_only=False)
    if column.which:
        return float(_summed(base, column.which, values))
    return float(_repeated(base, values))


def _repeated(base: Base, values: np.ndarray) -> Any:
    """Return the sum over all rows of values that repeat with the period, or are the same for all."""
    return (values[base.rows.rests] * _times(base)).sum() if len(values) > 1 else values[0] * len(base.rows)


def _summed(base: Base, which: str, values: np.ndarray | None) -> Any:
    """Return the sum over all rows of one of their numbers, or of the values beside it."""
    total: Any = 0
    for start in range(0, len(base.rows), _CHUNK):
        numbers = base.rows.numbers(start, min(start + _CHUNK, len(base.rows)))
        found = numbers if which == "i" else base.numbers[which](numbers)
        total += (found if values is None else values[found]).sum()
    return total
