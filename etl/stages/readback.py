"""Reads back what a run wrote and compares it: Salesforce's word for each row is checked against the row itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

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
        skipped = set(refused.loc[refused["object"] == name, "key"])
        if plan.counts.create + plan.counts.update > 0:
            actual = _actual(org, plan, portal_ids, Park(folder / name, entity_schema(plan.entity)))
            found.append(_unlike(plan, actual, skipped, shapes[name]))
        if plan.counts.delete > 0:
            found.append(_undead(org, plan, skipped, Park(folder / f"{name}-deleted", entity_schema(plan.entity))))
    return pd.concat(found, ignore_index=True)


def _actual(org: Org, plan: EntityPlan, portal_ids: tuple[int, ...], park: Park) -> pd.DataFrame:
    """Read the written rows: by key while they are few, else the whole object."""
    entity, counts = plan.entity, plan.counts
    written = counts.create + counts.update
    keyed = entity.row == "profile" or not org.settings.namespace  # the package's objects have no key to ask by
    if entity.row == "profile" or (keyed and written <= max(_FEW, _WHOLE_FROM * counts.desired)):
        read_keys(org, entity, [key for rows in _written(plan) for key in rows[entity.key]], park)
    else:
        read_existing(org, entity, portal_ids, park)
    return to_pandas(park.read())


def _written(plan: EntityPlan) -> list[pd.DataFrame]:
    columns = list(dict.fromkeys([plan.entity.key, *plan.entity.columns]))
    return [
        to_pandas(table.select(columns))
        for park in (plan.creates, plan.updates)
        if plan.entity.key in park.schema.names
        for table in park.batches()
    ]


def _unlike(plan: EntityPlan, actual: pd.DataFrame, skipped: set[str], shapes: Shapes) -> pd.DataFrame:
    """Compare written with actual rows; only what was sent is compared: of an update, all its columns were equal."""
    entity: Entity = plan.entity
    written = pd.concat(_written(plan), ignore_index=True)
    written = written[~written[entity.key].isin(skipped)]
    changes = diff(written, actual, entity.key, shapes)
    missing = _lines(entity, changes.creates[entity.key], "NOT_FOUND", "written, but not there when read back")
    other = _lines(entity, changes.updates[entity.key], "OTHER_VALUE", "other values when read back than were written")
    return pd.concat([missing, other], ignore_index=True)


def _undead(org: Org, plan: EntityPlan, skipped: set[str], park: Park) -> pd.DataFrame:
    """Return the rows that were deleted but are still there, by record id."""
    deleted = to_pandas(plan.deletes.read().select(["Id", plan.entity.key]))
    deleted = deleted[~deleted["Id"].isin(skipped)]  # a refused delete is told by its record id
    read_keys(org, plan.entity, deleted["Id"].tolist(), park, by="Id")
    return _lines(
        plan.entity, to_pandas(park.read())[plan.entity.key], "STILL_THERE", "deleted, but there when read back"
    )


def _lines(entity: Entity, keys: pd.Series, code: str, message: str) -> pd.DataFrame:
    facts = {"object": entity.name, "operation": "read back", "code": code, "message": message}
    return pd.DataFrame({"key": keys.reset_index(drop=True)}).assign(**facts)[COLUMNS].astype("string[pyarrow]")
