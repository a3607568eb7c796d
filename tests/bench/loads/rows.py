"""Rows to create for the apply stage alone: enrollments of Contacts with typed columns, in one arrow file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from bench.servers.holdings import holdings
from bench.servers.shape import Shape

OBJECT = "LearnUponContactEnrollment__c"
KEY = "LU_Key__c"
_WHOLE = {"LUEnrollment__c", "LUUser__c", "Course_Id__c", "Course_Version__c"}
_DECIMAL = {"Percent_Complete__c", "Score__c"}
_TIMES = {"Date_Enrolled__c", "Date_Completed__c"}
COLUMNS = (
    KEY, "LearnUpon_Portal_Membership__r.LU_Key__c", "SFContact__c", "LUEnrollment__c", "LUUser__c", "Course_Name__c",
    "Course_Id__c", "Course_Version__c", "Percent_Complete__c", "Status__c", "Score__c", "Date_Enrolled__c",
    "Date_Completed__c", "Removed_In_LearnUpon__c",
)  # fmt: skip


def world_of(rows: int) -> int:
    """Return how many enrollments a world has whose Contacts have at least so many."""
    return max(2_000, rows * 9 // 8)


def write_rows(rows: int, path: Path) -> None:
    """Write so many rows; all that was ever known of them is theirs, so every column of a create is filled."""
    base = holdings(Shape(world_of(rows)), first_load=False)[OBJECT]
    texts = base.table(base.rows.numbers(0, rows), COLUMNS)
    table = typed(texts)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=65_536)


def typed(texts: pa.Table) -> pa.Table:
    """Return the columns as what they are: whole numbers, decimals, times in UTC, flags, texts."""
    columns = {}
    for name in texts.column_names:
        column = texts[name]
        if name in _WHOLE:
            column = pc.cast(pc.cast(column, pa.float64()), pa.int64())
        elif name in _DECIMAL:
            column = pc.cast(column, pa.float64())
        elif name in _TIMES:
            column = pc.cast(pc.cast(column, pa.timestamp("ms", tz="UTC")), pa.timestamp("s", tz="UTC"))
        elif name == "Removed_In_LearnUpon__c":
            column = pc.cast(column, pa.bool_())
        columns[name] = column
    return pa.table(columns)


def read_rows(path: str) -> pa.Table:
    """Return the rows of a file, mapped and not read into memory."""
    with pa.memory_map(path) as source:
        return pa.ipc.open_file(source).read_all()
