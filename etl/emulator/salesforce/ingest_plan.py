"""What the columns of an uploaded file mean for its object: readers of cells, and the key column; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from etl.emulator.salesforce import values
from etl.emulator.salesforce.csvrows import CsvError
from etl.emulator.salesforce.inputs import cell_reader, parent_by_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.schema import Field
    from etl.emulator.salesforce.table import Table

NULL = "#N/A"


_KEPT = 4_096
"""Cells a column remembers with their values: states, names and small numbers come again and again."""


class Column(NamedTuple):
    """A column: its place, the field it sets, what a null writes, and the reader of its cells."""

    place: int
    name: str
    empty: Any
    read: Callable[[str], Any]


@dataclass
class Plan:
    """The columns of a job; `id_place` and `key_place` are -1 when there is no such column."""

    columns: list[Column]
    id_place: int = -1
    key_place: int = -1
    key_name: str = ""

    def values(self, cells: list[str]) -> dict[str, Any]:
        """Stored values of a record: an empty cell is ignored, #N/A is null; RowError for a bad cell."""
        made = {}
        for place, name, empty, read in self.columns:
            cell = cells[place]
            if cell:
                made[name] = empty if cell == NULL else read(cell)
        return made


def plan(org: SalesforceOrg, table: Table, header: list[str], operation: str, external: str) -> Plan:
    """Read a header; CsvError when the job must fail (unknown field, or not only Id for a delete)."""
    if operation in ("delete", "hardDelete") and [name.lower() for name in header] != ["id"]:
        raise CsvError("InvalidBatch : delete and hardDelete take the column Id and no other")
    made = Plan([])
    for place, name in enumerate(header):
        column = _column(org, table, place, name)
        if column.name == "Id":
            made.id_place = place
        else:
            made.columns.append(column)
            if name.lower() == external.lower():
                made.key_place, made.key_name = place, column.name
    if operation == "upsert" and external.lower() != "id" and made.key_place < 0:
        raise CsvError(f"InvalidBatch : Field name not found : {external}")
    return made


def _column(org: SalesforceOrg, table: Table, place: int, name: str) -> Column:
    if "." in name:
        return _parent_column(org, table, place, name)
    field = table.kind.field(name)
    if field is None:
        raise CsvError(f"InvalidBatch : Field name not found : {name}")
    read = cell_reader(org, field)
    if field.type != "reference":  # what a reference means depends on the records
        read = lru_cache(_KEPT)(read)
    return Column(place, field.name, False if field.type == "boolean" else None, read)


def _parent_column(org: SalesforceOrg, table: Table, place: int, name: str) -> Column:
    """`Rel__r.Ext__c`, `Rel.Ext` or `Type:Rel.Ext`, one level (Bulk guide, "Relationship Fields in a Header Row")."""
    over, _, last = name.partition(".")
    kind, _, over = over.rpartition(":")
    relation = table.kind.relation(over)
    targets = [one for one in relation.reference_to if kind in ("", one)] if relation is not None else []
    for target in targets:
        field = org.objects[target].field(last)
        if relation is not None and field is not None and (field.external_id or field.id_lookup):
            return Column(place, relation.name, None, _parent_reader(org.tables[target], field))
    raise CsvError(f"InvalidBatch : Field name not found : {name}")


def _parent_reader(parents: Table, field: Field) -> Callable[[str], Any]:
    convert = values.reader(field) if field.type != "id" else str.strip
    return lambda cell: parent_by_key(parents, field, convert(cell))
