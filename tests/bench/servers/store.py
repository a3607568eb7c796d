"""One object's records: the base it began with, and over it whatever was written since; it speaks no protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bench.servers import soql
from bench.servers.base import Base, constant, joined
from bench.servers.digits import Ints, texts
from bench.servers.fields import PREFIXES, fields_of
from bench.servers.holdings import OUR_USER

_OTHERS = 9_000_000_000
"""Numbers of records whose key is of no form the base knows, and of records without a key."""
_CHANGED = ("SystemModstamp", "LastModifiedDate")
CODE = "#"
"""Column with the records' numbers."""
KEYED = frozenset({"LearnUpon_Portal__c", "LearnUpon_Portal_Membership__c"})
"""Objects that others point at by `LU_Key__c`."""


@dataclass(frozen=True)
class Found:
    """The rows of a query: `numbers` of the base (None: all of it) without `dropped`, and written rows after them."""

    base: Base
    numbers: Ints | None
    dropped: Ints
    written: pa.Table
    names: tuple[str, ...]

    @property
    def _based(self) -> int:
        return len(self.base.rows) if self.numbers is None else len(self.numbers)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self._based - (len(self.dropped) if self.numbers is None else 0) + self.written.num_rows

    @property
    def places(self) -> int:
        """Return how many places pages are cut from: a dropped row has a place, too."""
        return self._based + self.written.num_rows

    def page(self, start: int, stop: int) -> tuple[int, Iterator[bytes | np.ndarray]]:
        """Return how many rows stand at these places, and their lines."""
        last = min(stop, self._based)
        dropped = 0
        if self.numbers is None and len(self.dropped) and start < last:
            edges = self.base.rows.numbers(start, last)[[0, -1]]
            dropped = int(np.searchsorted(self.dropped, edges[1] + 1) - np.searchsorted(self.dropped, edges[0]))
        after = self.written.slice(max(start - self._based, 0), max(stop - max(start, self._based), 0))
        return max(last - start, 0) - dropped + after.num_rows, self._lines(start, last, after)

    def _lines(self, start: int, last: int, after: pa.Table) -> Iterator[bytes | np.ndarray]:
        if start < last and self.numbers is None:
            yield from self.base.csv(self.names, start, last, self.dropped)
        elif start < last and self.numbers is not None:
            yield joined(self.base.table(self.numbers[start:last], self.names))
        for batch in after.select(list(self.names)).combine_chunks().to_batches(max_chunksize=65_536):
            yield joined(pa.Table.from_batches([batch]))

    def table(self) -> pa.Table:
        """Return all rows, for results that are small."""
        numbers = self.numbers
        if numbers is None:
            numbers = self.base.rows.numbers(0, len(self.base.rows))
            numbers = numbers[~np.isin(numbers, self.dropped)]
        names = list(self.names)
        return pa.concat_tables([self.base.table(numbers, names), self.written.select(names)])


class Store:
    """The records of one object (API name), by number."""

    def __init__(self, name: str, base: Base) -> None:
        """Begin with the base alone."""
        self.name = name
        self.fields = fields_of(name)
        parents = [parent_path(one.name) for one in self.fields.values() if one.refers_to in KEYED]
        self.names = (*self.fields, *parents)
        blank = dict.fromkeys(self.names, constant(None))
        self.base = Base(base.rows, {**blank, **base.columns}, base.numbers)
        self.reset()

    def reset(self) -> None:
        """Forget what was written."""
        self._written = pa.schema([(CODE, pa.int64()), *((name, pa.string()) for name in self.names)]).empty_table()
        self._codes = np.empty(0, np.int64)
        self._others: dict[str, int] = {}
        self._next = _OTHERS

    def find(self, query: soql.Query, *, deleted_too: bool = False) -> Found:
        """Return the rows a query asks for; ValueError for a condition that cannot be judged here."""
        unknown = [name for name in (*query.fields, *soql.fields(query.where)) if name not in self.names]
        if unknown:
            raise ValueError(f"INVALID_FIELD: No such column '{unknown[0]}' on entity '{self.name}'")
        names = query.fields or ("Id",)
        written = self._written if deleted_too else self._living()
        written = written.filter(soql.judge(query.where, written))
        numbers = self._candidates(query.where)
        if numbers is not None:
            numbers = numbers[~np.isin(numbers, self._codes)]
            rows = self.base.table(numbers, sorted(soql.fields(query.where)))
            met = soql.judge(query.where, rows).to_numpy(zero_copy_only=False) if len(numbers) else np.zeros(0, bool)
            return Found(self.base, numbers[met], self._codes[:0], written, names)
        dropped = self._codes[self.base.rows.has(self._codes)]
        return Found(self.base, None, dropped, written, names)

    def _living(self) -> pa.Table:
        return self._written.filter(pc.equal(self._written["IsDeleted"], "false"))

    def _candidates(self, where: soql.Tree | None) -> Ints | None:
        """Return the base's rows that may be meant; None for all of them."""
        for test in soql.tests(where):
            if test.op in {"IN", "="} and test.field in {"Id", "LU_Key__c"} | _PERSON_FIELDS:
                values = test.value if isinstance(test.value, list) else [test.value]
                numbers = np.unique(self._numbers(test.field, pa.array(values, pa.string())))
                return numbers[self.base.rows.has(numbers)]
        if not len(self.base.rows):
            return np.empty(0, np.int64)
        # all else that is asked is the same for every row of the base: one row tells
        first = self.base.rows.numbers(0, 1)
        named = sorted(soql.fields(where))
        if not named or soql.judge(where, self.base.table(first, named))[0].as_py():
            return None
        return np.empty(0, np.int64)

    def _numbers(self, field_name: str, values: pa.Array) -> Ints:
        """Return the numbers of base rows by key, record id, or person; -1 for what is none."""
        if field_name == "LU_Key__c":
            return self.codes(values)
        if field_name == "Email":
            return _cut(values, re.escape("u"), 8, re.escape("@example.com")) - _LEARNER_0
        prefix = PREFIXES[self.name if field_name == "Id" else field_name.removeprefix("SF").removesuffix("__c")]
        return _cut(values, f"{prefix}5g", 10, "AAA")

    def codes(self, keys: pa.Array) -> Ints:
        """Return the numbers of keys (`LU_Key__c`); -1 for a key that nothing has."""
        column = self.base.columns.get("LU_Key__c")
        before, width, first = getattr(column, "before", ""), getattr(column, "width", 0), getattr(column, "base", 0)
        found = _cut(keys, before, width, "") if before else np.full(len(keys), -1, np.int64)
        found = np.where(found >= 0, found - first, -1)
        unknown = np.flatnonzero(found < 0)
        for at in unknown.tolist():
            key = keys[at].as_py()
            found[at] = 0 if self._is_portal(key) else self._others.get(key, -1)
        return found

    def _is_portal(self, key: str | None) -> bool:
        return self.name == "LearnUpon_Portal__c" and key == "12345"

    def new_codes(self, keys: list[str | None]) -> Ints:
        """Return numbers for new records."""
        found = np.arange(self._next, self._next + len(keys))
        self._others |= {key: int(code) for key, code in zip(keys, found, strict=True) if key}
        self._next += len(keys)
        return found

    def ids(self, codes: Ints) -> pa.Array:
        """Return the record ids of numbers."""
        return texts(f"{PREFIXES[self.name]}5g".encode(), codes, 10, b"AAA")

    def by_id(self, ids: pa.Array) -> Ints:
        """Return the numbers of record ids; -1 for what is none."""
        return _cut(ids, f"{PREFIXES[self.name]}5g", 10, "AAA")

    def alive(self, codes: Ints) -> np.ndarray:
        """Say which numbers are those of living records."""
        living = np.asarray(self._living()[CODE].to_numpy(), np.int64)
        return np.isin(codes, living) | (self.base.rows.has(codes) & ~np.isin(codes, self._codes))

    def rows(self, codes: Ints) -> pa.Table:
        """Return what is there of these numbers (each once), by name, in their order; blank rows for new ones."""
        based = self.base.rows.has(codes) & ~np.isin(codes, self._codes)
        held = self.base.table(codes[based], self.names)
        parts = [
            held.add_column(0, CODE, pa.array(codes[based])),
            self._written.filter(pc.is_in(self._written[CODE], value_set=pa.array(codes))),
        ]
        fresh = codes[~np.isin(codes, np.concatenate([part[CODE].to_numpy() for part in parts]))]
        parts.append(pa.table({CODE: fresh, **dict.fromkeys(self.names, pa.nulls(len(fresh), pa.string()))}))
        together = pa.concat_tables([part.cast(self._written.schema) for part in parts])
        order = np.argsort(together[CODE].to_numpy(), kind="stable")[np.argsort(np.argsort(codes, kind="stable"))]
        return together.take(pa.array(order))

    def put(self, rows: pa.Table, stamp: str) -> None:
        """Write whole rows (as `rows` gives them) in place of what was there."""
        for name in _CHANGED:
            rows = rows.set_column(rows.schema.get_field_index(name), name, _same(stamp, rows.num_rows))
        created = pc.fill_null(rows["CreatedDate"], stamp)
        rows = rows.set_column(rows.schema.get_field_index("CreatedDate"), "CreatedDate", created)
        rows = rows.set_column(
            rows.schema.get_field_index("LastModifiedById"), "LastModifiedById", _same(OUR_USER, rows.num_rows)
        )
        rows = rows.set_column(rows.schema.get_field_index("Id"), "Id", self.ids(rows[CODE].to_numpy()))
        kept = self._written.filter(pc.invert(pc.is_in(self._written[CODE], value_set=rows[CODE].combine_chunks())))
        self._written = pa.concat_tables([kept, rows.cast(self._written.schema)])
        self._codes = np.sort(self._written[CODE].to_numpy())


_PERSON_FIELDS = {"SFContact__c", "SFUser__c", "Contact__c", "User__c", "Email"}
_LEARNER_0 = 20_000_000


def _same(value: str, count: int) -> pa.Array:
    return pa.array([value], pa.string()).take(pa.array(np.zeros(count, np.int64)))


def parent_path(field: str) -> str:
    """Return how the key of the record that a lookup points at is named."""
    return f"{field.removesuffix('__c')}__r.LU_Key__c"


def _cut(values: pa.Array, before: str, width: int, after: str) -> Ints:
    """Return the numbers in texts of one form; -1 for any other text."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    fits = pc.and_(pc.starts_with(values, before), pc.ends_with(values, after))
    fits = pc.and_(fits, pc.equal(pc.binary_length(values), len(before) + width + len(after)))
    middle = pc.utf8_slice_codeunits(values, len(before), len(before) + width)
    fits = pc.fill_null(pc.and_(fits, pc.utf8_is_digit(middle)), False)
    return np.asarray(pc.if_else(fits, middle, "-1").cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
