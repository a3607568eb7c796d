"""Values as Salesforce writes them, CSV or JSON, turned into typed columns; it sends nothing and reads no file.

Bulk query results quote every value and write null as `""` (Bulk API 2.0 guide, get results for a query job). Numbers
come as `12`, `12.0` or `1.2E1`; times end in `Z` or `+0000`.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

_MILLISECONDS = pa.timestamp("ms", tz="UTC")
_BLOCK = 2 << 20
"""Bytes parsed at a time, more than any record has: 400,000 characters (Bulk API 2.0 guide, limits) of four bytes each.

Blocks that leave the processor's cache take twice the time (measured with 8 MiB)."""
_FLOAT_LENGTH = 16
"""Characters of a number with its point: it has no more than 15 digits."""
_MAX_INT64 = (1 << 63) - 1


def block_size(source: bytes | Path) -> int:
    """Return how many bytes of a CSV may be parsed at a time: all of them where CR LF is in it.

    Where a block ends between the two, even inside quotes, pyarrow loses the LF (seen with 26.0).
    """
    if isinstance(source, bytes):
        # one byte takes an eighth of the time of two (measured), and nearly always there is none
        return _BLOCK if len(source) < _BLOCK or b"\r" not in source or b"\r\n" not in source else len(source) + 1
    size = source.stat().st_size
    if size < _BLOCK:
        return _BLOCK
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _BLOCK if data.find(b"\r\n") < 0 else size + 1


class Malformed(ValueError):
    """What came is not the table that was asked for; the message holds no values."""


@dataclass(frozen=True)
class Column:
    """A column: its name here, its name in Salesforce (a dotted path through a relationship), and its type here."""

    name: str
    header: str
    type: pa.DataType


def schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the arrow schema of these columns."""
    return pa.schema([(column.name, column.type) for column in columns])


def from_csv(source: bytes | Path, columns: Sequence[Column], *, optional: bool = False) -> pa.Table:
    """Return the typed columns of a CSV (bytes or a path), in the order asked; other columns are left out.

    An empty source has no rows. Null and empty text are both null. With `optional`, a missing column is all null.
    Raises Malformed for a missing column, a broken row, bytes that are not UTF-8, or a value of another type.
    """
    if isinstance(source, bytes) and not source.strip():
        return schema(columns).empty_table()
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(source) if isinstance(source, bytes) else source,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=block_size(source)),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={column.header: _read_as(column.type) for column in columns},
                include_columns=[column.header for column in columns],
                include_missing_columns=optional,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
        return _typed([table[column.header].combine_chunks() for column in columns], columns)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if isinstance(source, bytes) and b"\n" not in source.strip(b"\r\n") and not optional:
            return _header_only(source, columns)
        raise Malformed(f"the CSV cannot be read: {_without_values(error)}") from None


def _header_only(source: bytes, columns: Sequence[Column]) -> pa.Table:
    """Return no rows for a header line without its line end, which pyarrow refuses."""
    names = {name.strip(b'"').decode("utf-8", "replace") for name in source.strip().split(b",")}
    missing = [column.header for column in columns if column.header not in names]
    if missing:
        raise Malformed(f"the CSV has no column {missing[0]}")
    return schema(columns).empty_table()


def _without_values(error: Exception) -> str:
    """Return the first words of pyarrow's message: what follows may quote a person's data."""
    words = str(error).split("\n", 1)[0]
    for mark in (": invalid value", ", got ", ": '"):
        words = words.split(mark, 1)[0]
    return words[:120]


def _read_as(wanted: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(wanted):
        return pa.string()  # `12.0` is no int64 for pyarrow, and a float would lose the last digits of long ids
    return _MILLISECONDS if pa.types.is_timestamp(wanted) else wanted


def from_records(records: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pa.Table:
    """Return the typed columns of JSON records; null and empty text are both null. Raises Malformed."""
    try:
        texts = [pa.array([_text(_at(row, column.header)) for row in records], pa.string()) for column in columns]
        return _typed(texts, columns)
    except pa.ArrowInvalid as error:
        raise Malformed(f"the records cannot be read: {_without_values(error)}") from None


def _at(record: Mapping[str, Any], path: str) -> Any:
    value: Any = record
    for part in path.split("."):
        if value is None:
            return None
        if not isinstance(value, Mapping) or part not in value:
            raise Malformed(f"a record has no {path}")
        value = value[part]
    return value


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None or value == "" else str(value)


def _typed(arrays: Sequence[pa.Array], columns: Sequence[Column]) -> pa.Table:
    return pa.Table.from_arrays(
        [_cast(array, column.type) for array, column in zip(arrays, columns, strict=True)], schema=schema(columns)
    )


def _cast(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_integer(wanted) and pa.types.is_string(array.type):
        return whole(array)
    if pa.types.is_timestamp(wanted):
        return pc.cast(pc.cast(array, _MILLISECONDS), wanted, safe=False)  # to the second, as everywhere here
    return pc.cast(array, wanted)


def whole(texts: pa.Array) -> pa.Array:
    """Return the whole numbers that texts stand for; a fraction or a number beyond 64 bits becomes null.

    Null then differs from whatever belongs there, so such a value is seen as one to be put right.
    """
    near = _by_float(texts)
    if near is not None:
        return near
    try:
        return pc.cast(texts, pa.int64())
    except pa.ArrowInvalid:
        pass
    try:
        return pc.cast(pc.replace_substring_regex(texts, r"\.0*$", ""), pa.int64())
    except pa.ArrowInvalid:
        pass
    distinct = pc.dictionary_encode(texts)
    numbers = pa.array([_whole(text) for text in distinct.dictionary.to_pylist()], pa.int64())
    return numbers.take(distinct.indices)


def _by_float(texts: pa.Array) -> pa.Array | None:
    """Return whole numbers of few enough digits, as `12.0` and `1.2E1` are; None when that would not be exact.

    A float tells any two numbers of up to 15 digits apart. A tenth of the time of any other way (measured).
    """
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > _FLOAT_LENGTH:
        return None
    try:
        return pc.cast(pc.cast(texts, pa.float64()), pa.int64(), safe=True)
    except pa.ArrowInvalid:
        return None


def _whole(text: str) -> int | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Malformed("a number cannot be read") from None
    if not number.is_finite() or abs(number) > _MAX_INT64 or number != number.to_integral_value():
        return None
    return int(number)
