"""LearnUpon's own package: its rows have no key of ours, so the key is made from what they hold; it writes nothing.

Our additions (`Field.ours`) do not exist there and are read as null. A row is known by its portal and LearnUpon's id:
the portal's `Portal_Id__c`, the membership's `Portal_Id__c` and `LU_Portal_Membership_ID__c`, and for enrollments the
membership's portal and `LUEnrollment__c` (design section 7; names attested in customers' metadata). A membership whose
`Portal_Id__c` is blank is of the portal that it stands below.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from etl import frames
from etl.salesforce import soql
from etl.salesforce.org import Org
from etl.salesforce.typed import Column
from etl.schema import KEY, MEMBERSHIP, Entity, Field

_PORTAL, _ABOVE, _PARENT_NUMBER = "portal", "above", "parent_number"
"""The portal's number that a membership itself has, that of the portal above it, and LearnUpon's user id."""
_MEMBER_NUMBER = "LU_Portal_Membership_ID__c"
NUMBERS = {
    "portal": "Portal_Id__c",
    "member": _MEMBER_NUMBER,
    "enrollment": "LUEnrollment__c",
    "path": "LUEnrollment__c",
}
"""Kind of row: the field that holds LearnUpon's id, the last part of its key."""


def parent_of(entity: Entity) -> Field | None:
    """Return the field that refers to the parent, or None for an object without one."""
    return next((field for field in entity.fields if field.kind == "parent"), None)


def own_columns(entity: Entity) -> tuple[str, ...]:
    """Return the columns that the package has: no key, none of our additions."""
    return tuple(field.name for field in entity.fields if not field.ours and field.name != KEY)


def columns(org: Org, entity: Entity) -> list[Column]:
    """Return what is asked of the package: its own fields, and the ids that make the key and the parent's key."""
    types = frames.entity_schema(entity)
    plain = [name for name in own_columns(entity) if entity.field(name).kind != "parent"]
    found = [Column(name, org.name(name), types.field(name).type) for name in ("Id", *plain)]
    parent = parent_of(entity)
    if parent is None:
        return found
    own, above = _portal_paths(entity)
    if entity.row != "member":
        found.append(Column(_PORTAL, org.name(own), pa.int64()))
        found.append(Column(_PARENT_NUMBER, org.name(f"{parent.relationship}.{_MEMBER_NUMBER}"), pa.int64()))
    return [*found, Column(_ABOVE, org.name(above), pa.int64())]


def _portal_paths(entity: Entity) -> tuple[str, str]:
    """Return where a membership's portal stands, seen from an object with a parent: on itself, and on the portal."""
    above = f"{MEMBERSHIP.field('LearnUpon_Portal__c').relationship}.Portal_Id__c"
    parent = parent_of(entity)
    if entity.row == "member" or parent is None:
        return "Portal_Id__c", above
    return f"{parent.relationship}.Portal_Id__c", f"{parent.relationship}.{above}"


def condition(org: Org, entity: Entity, portal_ids: Sequence[int]) -> str:
    """Return the condition for rows of the configured portals."""
    if parent_of(entity) is None:
        return soql.numbers_in(org.name("Portal_Id__c"), portal_ids)
    own, above = (org.name(path) for path in _portal_paths(entity))
    below = soql.both(soql.is_blank(own), soql.numbers_in(above, portal_ids))
    return soql.either([soql.numbers_in(own, portal_ids), f"({below})"])


def existing(table: pa.Table, entity: Entity) -> pa.Table:
    """Return rows as `frames.entity_schema` has them; rows without LearnUpon's id are nobody's, and left out."""
    parent = parent_of(entity)
    portal = table[_PORTAL] if entity.row in {"enrollment", "path"} else table["Portal_Id__c"]
    if parent is not None:
        portal = pc.coalesce(portal, table[_ABOVE])
    made = {KEY: _key(portal, entity.row, table[NUMBERS[entity.row]])}
    if parent is not None and entity.row == "member":
        made[parent.name] = _key(table[_ABOVE], "portal", table[_ABOVE])
    elif parent is not None:
        made[parent.name] = _key(portal, "member", table[_PARENT_NUMBER])
    held = [
        made[field.name]
        if field.name in made
        else table[field.name]
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in frames.entity_schema(entity)
    ]
    rows = pa.table(held, schema=frames.entity_schema(entity))
    return rows.filter(pc.is_valid(rows[KEY]))


def _key(portal: pa.ChunkedArray, row: str, number: pa.ChunkedArray) -> pa.ChunkedArray:
    texts = pc.cast(portal, pa.string())
    if row == "portal":
        return texts
    return pc.binary_join_element_wise(texts, row, pc.cast(number, pa.string()), ":")


def portal_of(keys: pa.Array) -> pa.Array:
    """Return the portal's part of keys."""
    return pc.replace_substring_regex(keys, ":.*$", "")
