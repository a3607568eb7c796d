"""Files for LearnUpon's own package: inserts, and updates by record id, as nothing can be upserted; it sends nothing.

Inserts are kept apart by portal: within a portal LearnUpon's id tells rows apart, so that Salesforce's results can be
matched by it. Parents are named by record id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from etl import frames
from etl.park import Park
from etl.plan import EntityPlan
from etl.salesforce import soql
from etl.salesforce.csvtext import Part, Parts, changed_cells, lines, texts
from etl.salesforce.org import Org
from etl.salesforce.package import NUMBERS, own_columns, parent_of, portal_of
from etl.salesforce.query import bulk_rows, count_rows, from_start
from etl.salesforce.rowfiles import changed_in, in_slices, parent_column, sent_columns
from etl.salesforce.snapshot import read_existing
from etl.salesforce.typed import Column
from etl.schema import BY_NAME, KEY, Entity


@dataclass(frozen=True)
class PackagePart:
    """A file of inserts, and what stands in front of its number column to make the key."""

    part: Part
    prefix: str
    number: str
    """The column (API name) that tells its rows apart."""


class Parents:
    """Record ids of portals and memberships by key, as Salesforce holds them when they are first asked for."""

    def __init__(self, org: Org, plans: Mapping[str, EntityPlan], folder: Path) -> None:
        """Look for parents in the portals that the plan names."""
        self._org = org
        self._folder = folder
        self._plans = plans
        self._held: dict[str, pa.Table] = {}

    def ids(self, parent: str, keys: pa.Array) -> pa.Array:
        """Return the record ids of parents (of that object) by their keys; null for one that is not there just once.

        Of doubled parents somebody removes all but one, and the rows below those would be lost from sight.
        """
        if parent not in self._held:
            self._held[parent] = self._read(BY_NAME[parent])
        held = self._held[parent]
        return held["Id"].combine_chunks().take(pc.index_in(keys, value_set=held[KEY].combine_chunks()))

    def _read(self, entity: Entity) -> pa.Table:
        park = Park(self._folder / f"parents-{entity.name}", frames.entity_schema(entity))
        read_existing(self._org, entity, sorted(self._portals()), park)
        held = pa.concat_tables([table.select(["Id", KEY]) for table in park.batches()] or [park.read()])
        park.clear()
        counted = pc.value_counts(held[KEY].combine_chunks())
        once = counted.field("values").filter(pc.equal(counted.field("counts"), 1))
        return held.filter(pc.is_in(held[KEY], value_set=once))

    def _portals(self) -> set[int]:
        found: set[int] = set()
        for plan in self._plans.values():
            for park in (plan.creates, plan.updates):
                if plan.entity.row == "profile":
                    continue
                for table in park.batches():
                    found.update(int(text) for text in pc.unique(portal_of(table[KEY])).to_pylist())
        return found


def strays(org: Org, entity: Entity) -> pa.Array:
    """Return which enrollments (number and person) are there that name no membership: it was deleted below them.

    Nobody can say of which portal they are, so they are not read with the others.
    """
    parent = parent_of(entity)
    if parent is None or entity.person is None or entity.row == "member":
        return pa.array([], pa.string())
    number = org.name(NUMBERS[entity.row])
    source, condition = org.name(entity.name), soql.both(soql.is_blank(org.name(parent.name)), soql.is_set(number))
    if not count_rows(org, source, condition):
        return pa.array([], pa.string())
    columns = [
        Column(NUMBERS[entity.row], number, pa.int64()),
        Column(entity.person_field, org.name(entity.person_field), pa.string()),
    ]
    query = soql.select([column.header for column in columns], source, condition)
    found = from_start(lambda: list(bulk_rows(org, query, columns)))
    return pa.concat_arrays([pa.array([], pa.string()), *(_whose(table, entity) for table in found)])


def _whose(table: pa.Table, entity: Entity) -> pa.Array:
    """Return number and person of enrollments as texts, null where nobody is named."""
    numbers, people = pc.cast(table[NUMBERS[entity.row]], pa.string()), table[entity.person_field]
    return pc.binary_join_element_wise(numbers, people, " ").combine_chunks()


def write_inserts(
    org: Org, plan: EntityPlan, parents: Parents, folder: Path
) -> tuple[list[PackagePart], pa.Array, pa.Array]:
    """Write the rows to create, by portal; return the files, and the keys of rows that are not sent, in two parts.

    First those whose parent is not there just once: without it they would never be found again, and be made anew every
    night. Then those that are there already but for their membership (see `strays`): they would be there twice.
    """
    entity, columns = plan.entity, own_columns(plan.entity)
    header = [org.name(name) for name in columns]
    files: dict[str, Parts] = {}
    orphans, astray = [pa.array([], pa.string())], [pa.array([], pa.string())]
    there = strays(org, entity) if plan.creates.rows else pa.array([], pa.string())
    for table in in_slices(plan.creates, parent_column(entity)):
        rows, lost = _with_parents(table, entity, parents)
        orphans.append(lost)
        if len(there):
            again = pc.fill_null(pc.is_in(_whose(rows, entity), value_set=there.drop_null()), False)
            astray.append(rows.filter(again)[KEY].combine_chunks())
            rows = rows.filter(pc.invert(again))
        # a portal's number is its own, so portals need not be kept apart
        portals = pc.if_else(entity.row == "portal", "", portal_of(rows[KEY]))
        for portal in pc.unique(portals).to_pylist():
            if portal not in files:
                files[portal] = Parts(folder, f"{entity.name}-insert-{portal}", header, _limit(org))
            mine = rows.filter(pc.equal(portals, portal))
            files[portal].write(lines([_cells(mine, entity, name) for name in columns]))
    number = org.name(NUMBERS[entity.row])
    made: list[PackagePart] = []
    for portal, parts in files.items():
        with parts:
            pass  # leaving the block finishes the last file
        prefix = "" if entity.row == "portal" else f"{portal}:{entity.row}:"
        made.extend(PackagePart(part, prefix, number) for part in parts.done)
    return made, pa.concat_arrays(orphans), pa.concat_arrays(astray)


def write_updates(org: Org, plan: EntityPlan, parents: Parents, folder: Path) -> tuple[list[Part], pa.Array]:
    """Write the rows to update, by record id; return the files, and the keys of rows without just one parent there."""
    entity = plan.entity
    own = own_columns(entity)
    columns = [name for name in sent_columns(plan, creates=False) if name in own]
    header = ["Id", *(org.name(name) for name in columns)]
    orphans = [pa.array([], pa.string())]
    if not columns:
        return [], orphans[0]
    with Parts(folder, f"{entity.name}-update", header, _limit(org)) as parts:
        for table in in_slices(plan.updates, parent_column(entity)):
            rows, lost = _with_parents(table, entity, parents) if parent_column(entity) in columns else (table, None)
            if lost is not None:
                orphans.append(lost)
            parts.write(lines([texts(rows["Id"]), *_changed(rows, entity, columns)]))
    return parts.done, pa.concat_arrays(orphans)


def prefixed(prefix: str, numbers: pa.Array) -> pa.Array:
    """Return the keys of rows that were inserted."""
    return pc.binary_join_element_wise(pa.scalar(prefix, pa.string()), numbers, "")


def keys_of(rows: Park, ids: pa.Array) -> pa.Array:
    """Return the keys of parked rows by their record ids; an id that is not among them stays what it is."""
    if not len(ids):
        return ids
    known = [table.select(["Id", KEY]).filter(pc.is_in(table["Id"], value_set=ids)) for table in rows.batches()]
    held = pa.concat_tables(known) if known else pa.table({"Id": ids[:0], KEY: ids[:0]})
    keys = held[KEY].combine_chunks().take(pc.index_in(ids, value_set=held["Id"].combine_chunks()))
    return pc.coalesce(keys, ids)


def _limit(org: Org) -> int:
    return org.settings.bulk_file_mb * 1_000_000 - 1


def _with_parents(table: pa.Table, entity: Entity, parents: Parents) -> tuple[pa.Table, pa.Array]:
    """Put the parents' record ids in place of their keys; rows without their parent are left out and named."""
    parent = parent_of(entity)
    if parent is None:
        return table, pa.array([], pa.string())
    ids = parents.ids(parent.refers_to, table[parent.name])
    there = pc.is_valid(ids)
    place = table.column_names.index(parent.name)
    rows = table.set_column(place, parent.name, ids).filter(there)
    return rows, table[KEY].filter(pc.invert(there)).combine_chunks()


def _cells(table: pa.Table, entity: Entity, name: str) -> pa.Array:
    return texts(table[name], entity.field(name).scale)


def _changed(table: pa.Table, entity: Entity, columns: list[str]) -> Iterator[pa.Array]:
    for name in columns:
        yield changed_cells(_cells(table, entity, name), changed_in(table, entity, name))
