"""Reads back what a run wrote and compares it: Salesforce's word for each row is checked against the row itself."""

from __future__ import annotations

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

_WHOLE_FROM = 0.1
"""Share of an object's rows from which reading all of them costs less than asking for keys."""
_FEW = 4_000
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
) -> pd.DataFrame:
    """Return the rows that are not in Salesforce as they were written (COLUMNS); those refused are not asked about."""
    found = [pd.DataFrame({name: [] for name in COLUMNS}, dtype="string[pyarrow]")]
    for name, plan in plans.items():
        skipped = pa.array(refused.loc[refused["object"] == name, "key"], pa.string())
        if plan.counts.create + plan.counts.update > 0:
            number = numbered_by(plan.entity.key)
            actual = Park(folder / name, entity_schema(plan.entity), number=number)
            _fill(org, plan, portal_ids, actual)
            for written, now in _in_parts(plan, actual, number):
                found.append(_unlike(plan, written, now, skipped, shapes[name]))
            actual.clear()
        if plan.counts.delete > 0:
            found.append(_undead(org, plan, skipped, Park(folder / f"{name}-deleted", entity_schema(plan.entity))))
    return pd.concat(found, ignore_index=True)


def _fill(org: Org, plan: EntityPlan, portal_ids: tuple[int, ...], park: Park) -> None:
    """Read the written rows: by key while they are few, else the whole object."""
    entity, counts = plan.entity, plan.counts
    written = counts.create + counts.update
    keyed = entity.row == "profile" or not org.settings.namespace  # the package's objects have no key to ask by
    if entity.row == "profile" or (keyed and written <= max(_FEW, _WHOLE_FROM * counts.desired)):
        keys = [key for rows in _written(plan) for table in rows.batches() for key in table[entity.key].to_pylist()]
        read_keys(org, entity, keys, park)
    else:
        read_existing(org, entity, portal_ids, park)


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
