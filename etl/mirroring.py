"""Brings rows that were read before in step with what changed since, and proves the outcome; it reads and asks nothing.

The *mirror* is a local copy of the rows Salesforce held at an earlier read. Rows are known by record id. From the
mirror and the rows changed since (deleted ones too) follow the rows of now, because

1. a row that came, changed or was deleted since has a newer SystemModstamp, and so is among the changed rows;
2. a row that left unseen (purged from the recycle bin, cut off by another key, no longer visible) is still in the
   mirror. So the rows put together are never fewer than those of now, and as many only when they are the same:
   Salesforce's own count proves it;
3. what a row shows of another record (the key of its parent) or loses with it (a look-up to a deleted or merged
   Contact) can change without a new SystemModstamp (assumed: no guide promises one). Such rows are named by the *other*
   record: `lost` says which parents and people are no longer as they were, `pointing` which rows must be read again.
   A Contact that was merged away and brought back in between looks as before, while its rows stay with the master: the
   rows of Contacts that others changed are looked at again as well, as long as they are few (`GLANCE`);
4. sums, counts of set fields, and the least and greatest id are held against Salesforce's own: they see what none of
   the above foresaw, such as an undelete that restored look-ups, or a value changed past all stamps, as long as it is a
   number or the setting of a field. What changes past all of that is seen by the next full read only: a text changed
   without a stamp; the rows of a Contact that came back from a merge among thousands of changed ones; those of a
   Contact without a LearnUpon id that was merged away and at once purged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from etl.frames import entity_schema
from etl.schema import Entity

GLANCE = 300
"""Rows that are looked at again without need, since a single question does it."""
_EXACT = 1 << 53
"""Up to here whole numbers are added without error, whoever adds them."""
_RELATIVE = 1e-9
"""How far two sums of doubles may be apart that were added in another order."""
_ID_CHARACTERS = 15
"""What a record id consists of; three more are a checksum that answers may leave out."""


@dataclass(frozen=True)
class Sums:
    """What the rows of an object come to."""

    rows: int
    low: str = ""
    high: str = ""
    """Least and greatest record id by the codes of their characters (assumed of MIN and MAX); empty without rows."""
    totals: Mapping[str, float] | None = field(default_factory=dict)
    """Column: the sum of a number, else how many rows have a value; None when only the rows were counted."""


def summed(entity: Entity) -> list[str]:
    """Return the columns whose sum is part of the proof: numbers."""
    return [one.name for one in entity.fields if one.kind == "number"]


def counted(entity: Entity) -> list[str]:
    """Return the columns whose set values are counted for the proof: references and times, which SOQL can count."""
    return [one.name for one in entity.fields if one.kind in {"id", "parent", "datetime"}]


def sums(tables: Iterable[pa.Table], entity: Entity) -> Sums:
    """Return what rows come to; null adds nothing."""
    rows, ends = 0, []
    parts: dict[str, list[float]] = {name: [] for name in (*summed(entity), *counted(entity))}
    for table in tables:
        rows += table.num_rows
        found = pc.min_max(table["Id"])
        ends += [end.as_py() for end in (found["min"], found["max"]) if end.is_valid]
        for name in summed(entity):
            parts[name].append(_sum(table[name]))
        for name in counted(entity):
            parts[name].append(table.num_rows - table[name].null_count)
    totals = {name: math.fsum(values) for name, values in parts.items()}
    return Sums(rows, min(ends, default=""), max(ends, default=""), totals)


def _sum(column: pa.ChunkedArray) -> float:
    # ids of 18 digits would run over 64 bits, and a number over 2**53 is compared as a double anyway
    return float(pc.sum(pc.cast(column, pa.float64(), safe=False)).as_py() or 0.0)


def difference(ours: Sums, theirs: Sums) -> str:
    """Return the first thing in which two sums differ, in words; empty when they agree."""
    if ours.rows != theirs.rows:
        return f"{ours.rows:,} rows put together, {theirs.rows:,} counted"
    if theirs.totals is None or ours.totals is None:
        return ""
    for what, mine, other in (("least", ours.low, theirs.low), ("greatest", ours.high, theirs.high)):
        if mine[:_ID_CHARACTERS] != other[:_ID_CHARACTERS]:
            return f"another {what} record id"
    for name, total in ours.totals.items():
        other_total = theirs.totals[name]
        room = 0.5 if total == int(total) and abs(total) < _EXACT else 0.005 + _RELATIVE * abs(total)
        if abs(total - other_total) > room:
            return f"{name} comes to another sum"
    return ""


def without(table: pa.Table, ids: pa.Array) -> pa.Table:
    """Return the rows whose Id is none of these; the very table when it has none of them."""
    if len(ids) > table.num_rows:  # the smaller side is what a look-up table is made of
        ids = ids.filter(pc.is_in(ids, value_set=table["Id"].combine_chunks()))
    found = pc.is_in(table["Id"], value_set=ids)
    return table.filter(pc.invert(found)) if pc.any(found).as_py() else table


def alive(changed: pa.Table, entity: Entity) -> pa.Table:
    """Return the changed rows that are to be held now, in the entity's own columns: neither deleted nor emptied.

    Of people those who no longer carry a LearnUpon id are left out, as a full read would leave them out.
    """
    if "IsDeleted" in changed.column_names:
        changed = changed.filter(pc.invert(changed["IsDeleted"]))
    changed = changed.select(entity_schema(entity).names)
    return changed.filter(pc.is_valid(changed["LU_User_ID__c"])) if entity.row == "profile" else changed


def touched(changed: pa.Table, user_id: str) -> pa.Array:
    """Return the ids of changed records that others than this user changed last."""
    mine = pc.equal(changed["LastModifiedById"], user_id)
    return _one(changed["Id"].filter(pc.invert(pc.fill_null(mine, fill_value=False))))


def lost(before: pa.Table, now: pa.Table, column: str) -> pa.Array:
    """Return the values of `column` (such as keys) of rows before that are gone, or have another value now.

    Both tables have Id and the column.
    """
    place = pc.index_in(before["Id"], value_set=now["Id"].combine_chunks())
    same = pc.equal(before[column], now[column].combine_chunks().take(place.combine_chunks()))
    return _one(before[column].filter(pc.invert(pc.fill_null(same, fill_value=False)))).drop_null()


def pointing(tables: Iterable[pa.Table], at: Mapping[str, pa.Array]) -> pa.Array:
    """Return the ids of rows that refer to one of these values in one of these columns."""
    found = [pa.array([], pa.string())]
    wanted = {column: values for column, values in at.items() if len(values)}
    for table in tables if wanted else ():
        for column, values in wanted.items():
            found.append(_one(table["Id"].filter(pc.is_in(table[column], value_set=values))))
    return pc.unique(pa.concat_arrays(found))


def is_loose(tables: Iterable[pa.Table], column: str, keys: pa.Array) -> bool:
    """Say whether any row has a parent that is none of these keys, or none at all.

    What such a row shows of its parent cannot be followed by reading the parents of the run's portals.
    """
    return any(not pc.all(pc.is_in(_one(part), value_set=keys)).as_py() for part in _together(tables, column))


def _together(tables: Iterable[pa.Table], column: str, rows: int = 1 << 20) -> Iterator[pa.ChunkedArray]:
    """Give a column in portions of many rows: a look-up table is made for each."""
    waiting: list[pa.Array] = []
    for table in tables:
        waiting.extend(table[column].chunks)
        if sum(len(chunk) for chunk in waiting) >= rows:
            yield pa.chunked_array(waiting, pa.string())
            waiting = []
    if waiting:
        yield pa.chunked_array(waiting, pa.string())


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
