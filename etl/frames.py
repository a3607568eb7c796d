"""Shapes of the frames that cross a border: arrow schemas and their pandas types; it computes nothing.

Missing values are null (pd.NA, NaT) everywhere; ids and counts are Int64, never float; texts are arrow-backed strings;
times are UTC to the second.
"""

from __future__ import annotations

from collections.abc import Callable
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
    "column",
    "empty",
    "entity_schema",
    "from_arrow",
    "is_in",
    "numbered_by",
    "to_arrow",
    "to_pandas",
]
PERSON = pa.schema({"Id": pa.string(), "IsDeleted": pa.bool_(), "MasterRecordId": pa.string(), "Email": pa.string()})
"""What matching asks of a Contact or User: ids of 18 characters; MasterRecordId and Email may be null."""


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


_PANDAS = {pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype(), pa.bool_(): pd.BooleanDtype()}


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn an arrow table into a frame with nullable types; the order of rows is kept."""

    def dtype(arrow: pa.DataType) -> object:
        if pa.types.is_string(arrow) or pa.types.is_dictionary(arrow):
            return pd.StringDtype("pyarrow")
        return _PANDAS.get(arrow)

    frame: pd.DataFrame = table.to_pandas(types_mapper=dtype, split_blocks=True)
    return frame


def column(values: Any) -> pa.Array:
    """Return a column of a frame as one arrow array, missing values as nulls; texts are not copied."""
    array = pa.array(values, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def from_arrow(values: pa.Array, index: pd.Index) -> pd.Series:
    """Return an arrow array as a column with a nullable type and this index."""
    return to_pandas(pa.table({"values": values}))["values"].set_axis(index)


def is_in(values: pd.Series, among: pd.Series) -> pd.Series:
    """Return which texts are among others: pandas' isin without a detour over Python's; null is in nothing."""
    found = pc.is_in(column(values), value_set=column(among).cast(pa.string()).drop_null())
    return pd.Series(found.to_numpy(zero_copy_only=False), index=values.index)


def numbered_by(key: str) -> Callable[[pa.Table], np.ndarray[Any, Any]]:
    """Return what numbers the rows of a table by a text column, for partitions: equal texts have equal numbers."""

    def number(table: pa.Table) -> np.ndarray[Any, Any]:
        return pd.util.hash_array(table[key].to_numpy()).astype("int64") & 0x7FFFFFFF

    return number


def by_id(table: pa.Table) -> np.ndarray[Any, Any]:
    """Number the rows of a listing, for partitions: by LearnUpon's id."""
    return np.asarray(table["id"].to_numpy())


def to_arrow(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Turn a frame into an arrow table of exactly this schema; a value that does not fit raises pa.ArrowInvalid."""
    return pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)


def empty(schema: pa.Schema) -> pd.DataFrame:
    """Return a frame without rows but with the columns and types of the schema."""
    return to_pandas(schema.empty_table())
