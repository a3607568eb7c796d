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

SECONDS_UTC = pa.timestamp("s", tz="UTC")

USERS = pa.schema(
    {
        "user_id": pa.int64(),
        "email": pa.string(),
        "first_name": pa.string(),
        "last_name": pa.string(),
        "sf_contact_id": pa.string(),
        "sf_user_id": pa.string(),
        "is_salesforce_contact": pa.bool_(),
        "last_sign_in_at": SECONDS_UTC,
    }
)
"""A learner as `GET /users` lists it."""
COURSES = pa.schema({"course_id": pa.int64(), "course_source_id": pa.int64(), "course_name": pa.string()})
"""A course version as `GET /courses` lists it."""
ENROLLMENTS = pa.schema(
    {
        "id": pa.int64(),
        "user_id": pa.int64(),
        "course_id": pa.int64(),
        "course_source_id": pa.int64(),
        "version": pa.int64(),
        "name": pa.string(),
        "status": pa.string(),
        "percentage": pa.float64(),
        "percentage_complete": pa.float64(),
        "date_enrolled": SECONDS_UTC,
        "date_completed": SECONDS_UTC,
        "unenrolled": pa.bool_(),
        "updated_at": SECONDS_UTC,
    }
)
"""A course enrollment; `name` is the course's. `unenrolled` and `status` are never null, `updated_at` often is."""
PATHS = pa.schema({"path_id": pa.int64(), "name": pa.string()})
"""A learning path."""
PATH_COURSES = pa.schema({"path_id": pa.int64(), "course_id": pa.int64(), "course_source_id": pa.int64()})
"""A course on a path; the source id may be null."""
PATH_ENROLLMENTS = pa.schema(
    {
        "id": pa.int64(),
        "user_id": pa.int64(),
        "path_id": pa.int64(),
        "name": pa.string(),
        "status": pa.string(),
        "percentage": pa.float64(),
        "date_enrolled": SECONDS_UTC,
        "date_completed": SECONDS_UTC,
        "unenrolled": pa.bool_(),
        "updated_at": SECONDS_UTC,
    }
)
"""A path enrollment; `name` is the path's."""

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


def lacking(values: pd.Series, among: pd.Series) -> list[str]:
    """Return the texts that are not among others, each once, sorted, without null."""
    return sorted(values[~is_in(values, among)].dropna().unique())


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
