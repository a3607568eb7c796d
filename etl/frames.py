"""Shapes of the frames that cross a border: arrow schemas and their pandas types; it computes nothing.

Missing values are null (pd.NA, NaT) everywhere; ids and counts are Int64, never float; texts are arrow-backed strings;
times are UTC to the second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.schema import KEY, Entity, Field
from etl.shapes import (
    COURSES,
    ENROLLMENTS,
    PATH_COURSES,
    PATH_ENROLLMENTS,
    PATHS,
    SECONDS_UTC,
    USERS,
)

__all__ = [
    "COURSES",
    "ENROLLMENTS",
    "PATHS",
    "PATH_COURSES",
    "PATH_ENROLLMENTS",
    "PERSON",
    "SECONDS_UTC",
    "USERS",
    "arrow_type",
    "by_id",
    "column",
    "empty",
    "entity_schema",
    "from_arrow",
    "hashed",
    "is_in",
    "lacking",
    "numbered_by",
    "to_arrow",
    "to_pandas",
]
PERSON = pa.schema({"Id": pa.string(), "IsDeleted": pa.bool_(), "MasterRecordId": pa.string()})
"""What matching by id asks of a Contact or User: ids of 18 characters; MasterRecordId may be null."""


def arrow_type(field: Field) -> pa.DataType:
    """Return the arrow type of a Salesforce field's values."""
    if field.kind == "number":
        return pa.float64() if field.scale else pa.int64()
    return {"datetime": SECONDS_UTC, "boolean": pa.bool_()}.get(field.kind, pa.string())


def entity_schema(entity: Entity) -> pa.Schema:
    """Return the columns of an existing row: `Id`, the key, and every compared field."""
    columns = {"Id": pa.string()}
    if entity.key == KEY:
        columns[KEY] = pa.string()
    columns.update({field.name: arrow_type(field) for field in entity.fields if field.name != KEY})
    return pa.schema(columns)


_HASHED = 32
_LAST = np.array([(2**64 - 1) << (64 - 8 * count) & (2**64 - 1) for count in range(9)], dtype="uint64")
"""Of eight bytes, read with the lowest first, the last 0 to 8 ones."""
_MIX = np.uint64(0xBF58476D1CE4E5B9)
"""A multiplier of splitmix64 (Steele, Lea and Flood, 2014)."""

_PANDAS = {pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype(), pa.bool_(): pd.BooleanDtype()}


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn an arrow table into a frame with nullable types; the order of rows is kept."""
    return _converted(table) if table.num_rows else empty(table.schema)


def _converted(table: pa.Table) -> pd.DataFrame:
    def dtype(arrow: pa.DataType) -> object:
        if pa.types.is_string(arrow) or pa.types.is_dictionary(arrow):
            return pd.StringDtype("pyarrow")
        return _PANDAS.get(arrow)

    frame: pd.DataFrame = table.to_pandas(types_mapper=dtype, split_blocks=True)
    return frame


def column(values: Any) -> pa.Array:
    """Return a column of a frame as one arrow array, missing values as nulls; texts are not copied."""
    array = pa.array(_native(values), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _native(values: Any) -> Any:
    """Return what arrow takes over as it is, where a column has that: by way of pandas it costs twenty times more."""
    inner = getattr(values, "array", None)
    return inner if hasattr(inner, "__arrow_array__") else values


def from_arrow(values: pa.Array, index: pd.Index) -> pd.Series:
    """Return an arrow array as a column with a nullable type and this index."""
    return to_pandas(pa.table({"values": values}))["values"].set_axis(index)


def is_in(values: pd.Series, among: pd.Series) -> pd.Series:
    """Return which texts are among others: pandas' isin without a detour over Python's; null is in nothing."""
    return pd.Series(_found(column(values), among).to_numpy(zero_copy_only=False), index=values.index)


def _found(texts: pa.Array, among: pd.Series) -> pa.Array:
    return pc.is_in(texts, value_set=column(among).cast(pa.string()).drop_null())


def lacking(values: pd.Series, among: pd.Series) -> list[str]:
    """Return the texts that are not among others, each once, sorted, without null."""
    texts = column(values)
    return sorted(pc.unique(texts.filter(pc.invert(_found(texts, among)))).drop_null().to_pylist())


def numbered_by(key: str) -> Callable[[pa.Table], np.ndarray[Any, Any]]:
    """Return what numbers the rows of a table by a text column, for partitions: equal texts have equal numbers."""
    return lambda table: hashed(table[key])


def hashed(texts: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return 64 bits for each text, equal for equal ones: of its length and its last 32 bytes; null is like `""`.

    Two texts may share them. A tenth of the time of pandas' hash_array, which makes each text one of Python's.
    """
    values = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    values = pc.fill_null(values.cast(pa.large_string()), "")
    offsets = np.frombuffer(values.buffers()[1], dtype="int64")[values.offset : values.offset + len(values) + 1]
    # so much in front that eight bytes can be taken from before the first text
    data = np.concatenate([np.zeros(_HASHED, dtype="uint8"), np.frombuffer(values.buffers()[2] or b"", dtype="uint8")])
    eights = np.lib.stride_tricks.sliding_window_view(data, 8)
    lengths = np.diff(offsets)
    found = lengths.astype("uint64")
    for back in range(0, _HASHED, 8):
        there = np.clip(lengths - back, 0, 8)
        if not there.any():
            break
        piece = np.ascontiguousarray(eights[offsets[1:] + (_HASHED - 8 - back)]).view("<u8").ravel()
        found = (found ^ (piece & _LAST[there])) * _MIX
        found ^= found >> np.uint64(32)
    return found


def by_id(table: pa.Table) -> np.ndarray[Any, Any]:
    """Number the rows of a listing, for partitions: by LearnUpon's id."""
    return np.asarray(table["id"].to_numpy())


def to_arrow(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Turn a frame into an arrow table of exactly this schema; a value that does not fit raises pa.ArrowInvalid."""
    # Column by column: pa.Table.from_pandas spends most of its time on metadata that nobody reads.
    columns = [pa.array(_native(frame[field.name]), type=field.type, from_pandas=True) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def empty(schema: pa.Schema) -> pd.DataFrame:
    """Return a frame without rows but with the columns and types of the schema."""
    return _empty(schema).copy(deep=False)


@cache
def _empty(schema: pa.Schema) -> pd.DataFrame:
    return _converted(schema.empty_table())
