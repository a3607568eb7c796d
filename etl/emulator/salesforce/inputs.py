"""Cells and JSON fields of a record as stored values, references checked against the records; writes nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce import ids, values
from etl.emulator.salesforce.errors import RowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.schema import Field
    from etl.emulator.salesforce.table import Table


def cell_reader(org: SalesforceOrg, field: Field) -> Callable[[str], Any]:
    """Reader of a field's cells, references included: those are checked against the records."""
    if field.type == "reference":
        return lambda text: _reference(org, field, text)
    if field.type == "id":
        return str.strip
    return values.reader(field)


def _reference(org: SalesforceOrg, field: Field, text: str) -> str:
    """An id of a live record of an allowed object (which code says what: assumed from the code's names)."""
    text = text.strip()
    known = [org.tables[target] for target in field.reference_to if target in org.tables]
    if any(text in table.rows for table in known):
        return text
    found = ids.normal(text)
    if found is None:
        raise RowError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {text}", field.name)
    if all(found[:3] != table.kind.prefix for table in known):
        raise RowError("FIELD_INTEGRITY_EXCEPTION", f"{field.label}: id value of incorrect type: {text}", field.name)
    for table in known:
        if found in table.rows:
            return found
        if found in table.bin:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted", field.name)
    raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)


def stored(org: SalesforceOrg, table: Table, fields: dict[str, Any]) -> dict[str, Any]:
    """JSON fields of a record as stored values; a parent may be an object with one external id.

    RowError for a field that is not there or a value that does not fit; null empties a checkbox to false (assumed).
    """
    made: dict[str, Any] = {}
    for name, value in fields.items():
        relation = table.kind.relation(name) if isinstance(value, dict) else None
        if relation is not None:
            made[relation.name] = _parent(org, relation, value)
            continue
        field = table.kind.field(name)
        if field is None:
            raise RowError("INVALID_FIELD", f"No such column '{name}' on sobject of type {table.kind.name}")
        text = values.from_json(field, value)
        empty = False if field.type == "boolean" else None
        made[field.name] = empty if text is None else cell_reader(org, field)(text)
    return made


def _parent(org: SalesforceOrg, relation: Field, value: dict[str, Any]) -> str:
    """The record that ``{"Rel__r": {"Ext__c": value}}`` points at."""
    keys = {name: one for name, one in value.items() if name not in ("attributes", "type")}
    for target in relation.reference_to:
        for name, key in keys.items():
            field = org.objects[target].field(name)
            if field is not None and (field.external_id or field.id_lookup):
                return parent_by_key(org.tables[target], field, values.reader(field)(str(key)))
    raise RowError("INVALID_FIELD", f"{relation.relationship} needs one external id of its object")


def parent_by_key(parents: Table, field: Field, value: Any) -> str:
    """The one live record with that external id; RowError when there is none, or more."""
    found = parents.find(field.name, value)
    if not found:
        raise RowError(
            "INVALID_FIELD",
            f"Foreign key external ID: {value} not found for field {field.name} in entity {parents.kind.name}",
        )
    if len(found) > 1:
        raise more_than_one(found)
    return found[0]


def twice(keys: list[str]) -> set[str]:
    """The keys that come more than once in one transaction; an empty one is none."""
    if len(set(keys)) == len(keys):
        return set()
    return {key for key, times in Counter(keys).items() if times > 1} - {""}


def key_twice(key: str, *, external: bool) -> RowError:
    """Both records with the same key in one transaction are refused (wording: seen in real answers)."""
    return RowError("DUPLICATE_VALUE", f"Duplicate {'external id' if external else 'id'} specified: {key}")


def more_than_one(found: list[str]) -> RowError:
    """An external id that is not unique found several records."""
    return RowError("DUPLICATE_EXTERNAL_ID", f"more than one record found for external id field: [{', '.join(found)}]")
