"""Which columns and cells of a planned object go into its files; it sends nothing.

Of creates all columns are sent, of updates only what differs, of deletes only the record id.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.park import Park
from etl.plan import EntityPlan
from etl.salesforce.csvtext import Part, Parts, changed_cells, lines, texts
from etl.salesforce.org import Org
from etl.schema import KEY, Entity

_SLICE = 65_536
"""Rows turned into text at a time."""


def sent_columns(plan: EntityPlan, *, creates: bool = True) -> tuple[str, ...]:
    """Return the columns that some row needs, in the entity's order: all as soon as a row is created.

    Without `creates` only the updates are looked at.
    """
    if creates and plan.creates.rows:
        return plan.entity.columns
    bits = 0
    for table in plan.updates.batches():
        bits |= int(np.bitwise_or.reduce(table["changed"].to_numpy(), initial=0))
    return tuple(name for place, name in enumerate(plan.entity.columns) if bits >> place & 1)


def header(org: Org, entity: Entity, columns: Sequence[str]) -> list[str]:
    """Return the CSV header: the key, then the columns by API name; a parent is named by its external id."""
    names = [entity.key]
    for column in columns:
        field = entity.field(column)
        names.append(f"{field.relationship}.{KEY}" if field.kind == "parent" else column)
    return [org.name(name) for name in names]


def parent_column(entity: Entity) -> str:
    """Return the column that holds the parent's key, or the key where there is no parent."""
    return next((field.name for field in entity.fields if field.kind == "parent"), entity.key)


def write_rows(org: Org, plan: EntityPlan, folder: Path) -> Generator[Part]:
    """Write creates and updates of an object into files below the limit, and give each as soon as it is whole.

    There is none when there is nothing to write.
    """
    columns = sent_columns(plan)
    entity = plan.entity
    limit = org.settings.bulk_file_mb * 1_000_000 - 1
    with Parts(folder, entity.name, header(org, entity, columns), limit) as parts:
        for table in in_slices(plan.creates, parent_column(entity)):
            parts.write(lines([_cells(table, entity, name) for name in (entity.key, *columns)]))
            yield from parts.new()
        for table in in_slices(plan.updates, parent_column(entity)):
            parts.write(lines([texts(table[entity.key]), *_changed(table, entity, columns)]))
            yield from parts.new()
    yield from parts.new()


def write_ids(org: Org, entity: Entity, tables: Iterator[pa.Table], folder: Path) -> Generator[Part]:
    """Write the record ids of rows to delete, a delete's only column, and give files as `write_rows` does."""
    limit = org.settings.bulk_file_mb * 1_000_000 - 1
    with Parts(folder, f"{entity.name}-delete", ["Id"], limit) as parts:
        for table in tables:
            parts.write(lines([texts(table["Id"])]))
            yield from parts.new()
    yield from parts.new()


def _cells(table: pa.Table, entity: Entity, name: str) -> pa.Array:
    return texts(table[name], entity.field(name).scale if name != "Id" else 0)


def changed_in(table: pa.Table, entity: Entity, name: str) -> pa.Array:
    """Say which updates differ in a column."""
    return pa.array(table["changed"].to_numpy() >> entity.columns.index(name) & 1 == 1)


def _changed(table: pa.Table, entity: Entity, columns: Sequence[str]) -> Iterator[pa.Array]:
    for name in columns:
        yield changed_cells(_cells(table, entity, name), changed_in(table, entity, name))


def in_slices(park: Park, by: str) -> Iterator[pa.Table]:
    """Give rows in slices, those of a parent side by side: Salesforce locks a parent while it writes its children."""
    for table in park.batches():
        ordered = table.take(pc.sort_indices(table, sort_keys=[(by, "ascending")]))
        for start in range(0, ordered.num_rows, _SLICE):
            yield ordered.slice(start, _SLICE).combine_chunks()


def delete_rows(plan: EntityPlan, held_back: pa.Array) -> Iterator[pa.Table]:
    """Give the rows to delete, sorted by parent; without those that moved and whose new row was not written."""
    for table in in_slices(plan.deletes, parent_column(plan.entity)):
        yield table.filter(pc.invert(moved_in(table, held_back)))


def moved_in(table: pa.Table, held_back: pa.Array) -> pa.Array:
    """Say which rows are deleted because their learner moved, while the row on the other side was not written."""
    return pc.and_(pc.equal(table["reason"], "moved"), pc.is_in(table[KEY], value_set=held_back))
