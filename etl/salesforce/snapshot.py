"""What Salesforce holds now of the objects the product writes: rows of the configured portals, and profiles.

It reads all rows, or those of some keys; what changed since an earlier read is for `etl.salesforce.changes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import pyarrow as pa

from etl import frames
from etl.park import Park
from etl.salesforce import package, soql
from etl.salesforce.counting import Counting
from etl.salesforce.org import Org
from etl.salesforce.query import bulk_rows, from_start, rows_of
from etl.salesforce.typed import Column
from etl.schema import KEY, PORTAL, Entity


def columns_of(org: Org, entity: Entity) -> list[Column]:
    """Return what is asked of Salesforce: `frames.entity_schema`, where a parent is read as the parent's key.

    In a namespace custom objects are asked for what the package has (see `etl.salesforce.package`).
    """
    if _packaged(org, entity):
        return package.columns(org, entity)
    columns = []
    for field in frames.entity_schema(entity):
        header = field.name
        if field.name not in {"Id", KEY}:
            known = entity.field(field.name)
            header = f"{known.relationship}.{KEY}" if known.kind == "parent" else field.name
        columns.append(Column(field.name, org.name(header), field.type))
    return columns


def ours(org: Org, entity: Entity, portal_ids: Sequence[int]) -> str:
    """Return the condition for rows of the configured portals (nobody else's rows are ever read), or for profiles.

    Of Contacts and Users those are read that carry a LearnUpon user id, of whatever portal.
    """
    if entity.row == "profile":
        return soql.is_set(org.name("LU_User_ID__c"))
    if _packaged(org, entity):
        return package.condition(org, entity, portal_ids)
    key = org.name(KEY)
    if entity is PORTAL:
        return soql.is_in(key, [str(portal) for portal in portal_ids])
    return soql.either([soql.starts_with(key, f"{portal}:") for portal in portal_ids])


def count_existing(org: Org, entity: Entity, portal_ids: Sequence[int]) -> Counting:
    """Count what `read_existing` reads; the read is held against that count."""
    return Counting(org, org.name(entity.name), ours(org, entity, portal_ids), edited=entity.row == "profile")


def read_existing(
    org: Org,
    entity: Entity,
    portal_ids: Sequence[int],
    park: Park,
    *,
    where: str = "",
    counting: Counting | None = None,
) -> int:
    """Park all rows of an object that `ours` describes in the empty `park`, and return how many.

    One Bulk query, and one count of the same rows, unless `counting` is that already. `where` (SOQL, API names)
    narrows it further. Raises Unavailable when not every row came; what the park holds then is not to be used.
    """
    condition = soql.both(ours(org, entity, portal_ids), where)
    columns = columns_of(org, entity)
    source = org.name(entity.name)
    query = soql.select([column.header for column in columns], source, condition)
    counting = counting or Counting(org, source, condition, edited=entity.row == "profile")
    counting.check(from_start(lambda: _fill(org, entity, park, bulk_rows(org, query, columns))))
    return park.rows


def _fill(org: Org, entity: Entity, park: Park, tables: Iterable[pa.Table]) -> int:
    """Park rows in place of what the park held, and return how many came: the package's can be nobody's."""
    park.clear()
    rows = 0
    for table in tables:
        park.append(package.existing(table, entity) if _packaged(org, entity) else table)
        rows += table.num_rows
    return rows


def _packaged(org: Org, entity: Entity) -> bool:
    return bool(org.settings.namespace) and entity.row != "profile"


def read_keys(org: Org, entity: Entity, values: Sequence[str], park: Park, *, by: str = "") -> int:
    """Park the rows whose key is one of the values in the empty `park`, and return how many: to look at them again.

    `by` is `Id` to look for record ids instead of the entity's key (rows that were deleted are not found). Objects of
    the package have no key to ask by (ValueError).
    """
    if _packaged(org, entity) and by != "Id":
        raise ValueError(f"{entity.name} of the package can be read by record id only")
    columns = columns_of(org, entity)
    field = org.name(by or entity.key)
    ask = partial(rows_of, org, org.name(entity.name), columns, field, values)
    from_start(lambda: _fill(org, entity, park, ask()))
    return park.rows
