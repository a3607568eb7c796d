"""Reads back what a run wrote and compares it: Salesforce's word for each row is checked against the row itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.diff import diff
from etl.frames import entity_schema, numbered_by, to_pandas
from etl.normalise import Shapes
from etl.park import Number, Park, parts_for
from etl.plan import EntityPlan
from etl.salesforce.org import Org
from etl.salesforce.snapshot import read_existing, read_keys
from etl.schema import Entity
from etl.stages.threads import first_failure, threads

_WHOLE_FROM = 0.1
"""Share of an object's rows from which reading all of them costs less than asking for keys."""
_FEW = 4_000
_AT_ONCE = 4
"""Objects read at a time: the first read of a run asks as many queries at once."""
_PLACE = "place"
_PART_ROWS = 131_072
COLUMNS = ["object", "key", "operation", "code", "message"]


def read_back(
    org: Org,
    plans: Mapping[str, EntityPlan],
    refused: pd.DataFrame,
    shapes: Mapping[str, Shapes],
    portal_ids: tuple[int, ...],
    folder: Path,
    stop: threading.Event,
) -> pd.DataFrame:
    """Return the rows that are not in Salesforce as they were written (COLUMNS); those refused are not asked about.

    Several objects are read at a time, since most of it is waiting. Setting `stop` ends that; it is set when a read
    fails.
    """
    present = [(name, plan) for name, plan in plans.items() if plan.changes]

    def look(name: str, plan: EntityPlan) -> list[pd.DataFrame]:
        skipped = pa.array(refused.loc[refused["object"] == name, "key"], pa.string())
        found = []
        if plan.counts.create + plan.counts.update > 0:
            found += _as_written(org, plan, portal_ids, shapes[name], skipped, folder / name)
        if plan.counts.delete > 0:
            found.append(_undead(org, plan, skipped, Park(folder / f"{name}-deleted", entity_schema(plan.entity))))
        return found

    with threads(min(len(present), _AT_ONCE), stop) as pool:
        parts = first_failure([pool.submit(look, name, plan) for name, plan in present])
    found = [one for part in parts for one in part if len(one)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS, dtype="string[pyarrow]")


def _as_written(
    org: Org, plan: EntityPlan, portal_ids: tuple[int, ...], shapes: Shapes, skipped: pa.Array, folder: Path
) -> list[pd.DataFrame]:
    number = numbered_by(plan.entity.key)
    actual = Park(folder, entity_schema(plan.entity), number=number)
    _fill(org, plan, portal_ids, actual)
    found = [_unlike(plan, written, now, skipped, shapes) for written, now in _in_parts(plan, actual, number)]
    actual.clear()
    return found


def _fill(org: Org, plan: EntityPlan, portal_ids: tuple[int, ...], park: Park) -> None:
    """Read the written rows: by key while they are few, else the whole object."""
    entity, counts = plan.entity, plan.counts
    written = counts.create + counts.update
    keyed = entity.row == "profile" or not org.settings.namespace  # the package's objects have no key to ask by
    if keyed and written <= max(_FEW, _WHOLE_FROM * counts.desired):
        read_keys(org, entity, _keys(plan), park)
        return
    read_existing(org, entity, portal_ids, park)
    if entity.row == "profile":  # who was cleared is no longer found by a LearnUpon id
        _add(org, entity, sorted(set(_keys(plan)).difference(_texts(park, entity.key))), park)


def _keys(plan: EntityPlan) -> list[str]:
    return [key for rows in _written(plan) for key in _texts(rows, plan.entity.key)]


def _texts(park: Park, column: str) -> Iterator[str]:
    return (text for table in park.batches() for text in table[column].to_pylist())


def _add(org: Org, entity: Entity, keys: list[str], park: Park) -> None:
    """Read the rows of these keys into a park that has others already."""
    if not keys:
        return
    others = Park(park.folder / "others", park.schema)
    read_keys(org, entity, keys, others)
    for table in others.batches():
        park.append(table)
    others.clear()


def _written(plan: EntityPlan) -> list[Park]:
    return [park for park in (plan.creates, plan.updates) if plan.entity.key in park.schema.names]


def _in_parts(plan: EntityPlan, actual: Park, number: Number) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Give the written rows and the actual ones partition by partition, so that memory does not grow with them."""
    columns = list(dict.fromkeys([plan.entity.key, *plan.entity.columns]))
    count = parts_for(max(actual.rows, plan.changes), _PART_ROWS)
    written = [park.partitions(count, number, columns) for park in _written(plan)]
    for now in actual.partitions(count):
        yield pa.concat_tables([next(rows) for rows in written]), now


def _unlike(plan: EntityPlan, written: pa.Table, actual: pa.Table, skipped: pa.Array, shapes: Shapes) -> pd.DataFrame:
    """Compare written with actual rows; only what was sent is compared: of an update, all its columns were equal."""
    entity: Entity = plan.entity
    written = written.filter(pc.invert(pc.is_in(written[entity.key], value_set=skipped)))
    # Rows are matched by number, since comparing tens of thousands of texts as Python's takes longer than all the rest.
    place = pc.index_in(actual[entity.key], value_set=written[entity.key].combine_chunks())
    found = actual.filter(place.is_valid())
    changes = diff(
        to_pandas(written).assign(**{_PLACE: np.arange(written.num_rows)}),
        to_pandas(found).assign(**{_PLACE: place.drop_null().to_numpy()}),
        _PLACE,
        shapes,
    )
    if not len(changes.creates) and not len(changes.updates):
        return changes.creates
    missing = _lines(entity, changes.creates[entity.key], "NOT_FOUND", "written, but not there when read back")
    other = _lines(entity, changes.updates[entity.key], "OTHER_VALUE", "other values when read back than were written")
    return pd.concat([missing, other], ignore_index=True)


def _undead(org: Org, plan: EntityPlan, skipped: pa.Array, park: Park) -> pd.DataFrame:
    """Return the rows that were deleted but are still there; those whose delete was refused are known to be."""
    deleted = to_pandas(plan.deletes.read().select(["Id", plan.entity.key]))
    deleted = deleted[~deleted[plan.entity.key].isin(skipped.to_pandas())]
    read_keys(org, plan.entity, deleted["Id"].tolist(), park, by="Id")
    return _lines(
        plan.entity, to_pandas(park.read())[plan.entity.key], "STILL_THERE", "deleted, but there when read back"
    )


def _lines(entity: Entity, keys: pd.Series, code: str, message: str) -> pd.DataFrame:
    facts = {"object": entity.name, "operation": "read back", "code": code, "message": message}
    return pd.DataFrame({"key": keys.reset_index(drop=True)}).assign(**facts)[COLUMNS].astype("string[pyarrow]")
