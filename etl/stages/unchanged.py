"""Sees that the rows a saved plan would write are still as they were when it was made; it writes nothing.

What is compared are the columns that the plan compared: fields that are not ours may change meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from etl.diff import diff
from etl.errors import GuardTripped
from etl.frames import entity_schema, is_in, numbered_by, to_pandas
from etl.normalise import Shapes
from etl.park import Park, parts_for
from etl.plan import EntityPlan, Plan
from etl.salesforce.org import Org
from etl.salesforce.snapshot import read_existing, read_keys
from etl.schema import KEY

_FEW = 4_000
"""Rows up to which asking for keys costs less than reading all rows of the portals."""
_PART_ROWS = 200_000
_FIRST = 5
_PAIR = "pair"


@dataclass
class Since:
    """What happened to the rows of one object since a plan was made."""

    changed: int = 0
    gone: int = 0
    created: int = 0
    keys: list[str] = field(default_factory=list)
    """The first few of them."""

    @property
    def rows(self) -> int:
        """Return how many rows are not as the plan found them."""
        return self.changed + self.gone + self.created

    def add(self, what: str, keys: pd.Series) -> None:
        """Count rows, and keep their keys as long as there are few."""
        setattr(self, what, getattr(self, what) + len(keys))
        self.keys.extend(str(key) for key in keys.head(_FIRST - len(self.keys)))


def stop_if_changed(
    org: Org, plan: Plan, shapes: Mapping[str, Shapes], portal_ids: Sequence[int], folder: Path
) -> None:
    """Raise GuardTripped when rows to update or delete are not as the plan found them, or rows to create exist."""
    lines = []
    total = 0
    for name, part in plan.entities.items():
        if not part.changes:
            continue
        now = Park(folder / name, entity_schema(part.entity))
        read_now(org, part, portal_ids, now)
        since = compare(part, now, shapes[name])
        now.clear()
        total += since.rows
        if since.rows:
            what = ((since.changed, "changed"), (since.gone, "gone"), (since.created, "created meanwhile"))
            counts = ", ".join(f"{rows:,} {word}" for rows, word in what if rows)
            lines.append(f"{name}: {counts} ({', '.join(since.keys)}{', ...' if since.rows > len(since.keys) else ''})")
    if lines:
        raise GuardTripped(
            f"{total:,} rows are not in Salesforce as the plan found them; nothing was written; make a new plan:\n"
            + "\n".join(lines)
        )


def read_now(org: Org, part: EntityPlan, portal_ids: Sequence[int], now: Park) -> None:
    """Read the rows of a plan as they are now: by key while they are few, else with all of their portals."""
    entity = part.entity
    # of people only those are read who are in the plan; rows of LearnUpon's own package have no key to ask by
    by_key = entity.row == "profile" or (part.changes <= _FEW and not org.settings.namespace)
    if by_key:
        read_keys(org, entity, list(_keys(part)), now)
    else:
        read_existing(org, entity, portal_ids, now)


def _keys(part: EntityPlan) -> Iterator[str]:
    for park in (part.creates, part.before, part.deletes):
        if part.entity.key in park.schema.names:
            for table in park.batches():
                yield from table[part.entity.key].to_pylist()


def compare(part: EntityPlan, now: Park, shapes: Shapes, *, part_rows: int = _PART_ROWS) -> Since:
    """Compare the rows of a plan with those of now, about `part_rows` at a time, so that memory stays flat."""
    since = Since()
    key = part.entity.key
    count = parts_for(max(now.rows, part.changes), part_rows)
    number = numbered_by(key)
    there = now.partitions(count, number)
    before = part.before.partitions(count, number)
    deletes = part.deletes.partitions(count, number)
    creates = part.creates.partitions(count, number, [key]) if key in part.creates.schema.names else None
    for held, old, dead in zip(there, before, deletes, strict=True):
        actual = _paired(held, key)
        expected = _paired(pa.concat_tables([old, dead.select(old.schema.names)]), key)
        mine = actual[is_in(actual[_PAIR], expected[_PAIR])]
        changes = diff(expected, mine, _PAIR, shapes)
        since.add("changed", changes.updates[key])
        since.add("gone", changes.creates[key])
        if creates is not None:
            wanted = to_pandas(next(creates))[key]
            since.add("created", wanted[is_in(wanted, actual[key])])
    return since


def _paired(table: pa.Table, key: str) -> pd.DataFrame:
    """Return rows with what makes one the same row as before: its record id and its key."""
    rows = to_pandas(table)
    return rows.assign(**{_PAIR: rows["Id"] + " " + rows[key] if key == KEY else rows["Id"]})
