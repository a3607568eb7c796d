"""Reads back what a run wrote and compares it: Salesforce's word for each row is checked against the row itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.diff import diff
from etl.frames import entity_schema, to_pandas
from etl.normalise import Shapes
from etl.park import Park
from etl.plan import EntityPlan
from etl.salesforce.org import Org
from etl.salesforce.snapshot import read_existing, read_keys
from etl.schema import Entity

_WHOLE_FROM = 0.1
"""Share of an object's rows from which reading all of them costs less than asking for keys."""
_FEW = 4_000
_PLACE = "place"
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
            actual = _actual(org, plan, portal_ids, Park(folder / name, entity_schema(plan.entity)))
            found.extend(_unlike(plan, written, actual, skipped, shapes[name]) for written in _written(plan))
        if plan.counts.delete > 0:
            found.append(_undead(org, plan, skipped, Park(folder / f"{name}-deleted", entity_schema(plan.entity))))
    return pd.concat(found, ignore_index=True)


def _actual(org: Org, plan: EntityPlan, portal_ids: tuple[int, ...], park: Park) -> pa.Table:
    """Read the written rows: by key while they are few, else the whole object."""
    entity, counts = plan.entity, plan.counts
    written = counts.create + counts.update
    keyed = entity.row == "profile" or not org.settings.namespace  # the package's objects have no key to ask by
    if entity.row == "profile" or (keyed and written <= max(_FEW, _WHOLE_FROM * counts.desired)):
        read_keys(org, entity, [key for rows in _written(plan) for key in rows[entity.key].to_pylist()], park)
    else:
        read_existing(org, entity, portal_ids, park)
    return park.read()


def _written(plan: EntityPlan) -> Iterator[pa.Table]:
    """Give the written rows in the portions in which they lie on the disk."""
    columns = list(dict.fromkeys([plan.entity.key, *plan.entity.columns]))
    for park in (plan.creates, plan.updates):
        if plan.entity.key in park.schema.names:
            yield from (table.select(columns) for table in park.batches())


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
