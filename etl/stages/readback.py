"""Reads back what a run wrote and compares it: Salesforce's word for each row is checked against the row itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
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
from etl.stages.threads import Crew, first_failure

_WHOLE_FROM = 0.1
"""Share of an object's rows from which reading all of them costs less than asking for keys."""
_FEW = 4_000
AT_ONCE = 4
"""Objects read at a time: the first read of a run asks as many queries at once."""
_PLACE = "place"
_PART_ROWS = 131_072
COLUMNS = ["object", "key", "operation", "code", "message"]
_TWINS = "written, but there more than once when read back; remove all but one"
_NOTHING = pd.DataFrame(columns=COLUMNS, dtype="string[pyarrow]")


class ReadBack:
    """The rows of one run looked at again, each object as soon as it is written, while the next one still is."""

    def __init__(
        self, org: Org, shapes: Mapping[str, Shapes], portal_ids: tuple[int, ...], folder: Path, crew: Crew
    ) -> None:
        """Look at nothing yet; `crew` does the reading, since most of it is waiting."""
        self._org = org
        self._shapes = shapes
        self._portal_ids = portal_ids
        self._folder = folder
        self._crew = crew
        self._looks: list[Future[pd.DataFrame]] = []
        self._of: dict[str, Future[pd.DataFrame]] = {}
        """By object: the look at its created and updated rows."""

    def written(self, plan: EntityPlan, refused: pa.Array) -> None:
        """Look at the rows created and updated, but for those of the refused keys."""
        if plan.counts.create + plan.counts.update > 0:
            folder = self._folder / plan.entity.name
            shapes = self._shapes[plan.entity.name]
            look = self._crew.submit(_as_written, self._org, plan, self._portal_ids, shapes, refused, folder)
            self._of[plan.entity.name] = look
            self._looks.append(look)

    def before_deletes(self, plan: EntityPlan) -> None:
        """Wait until the object's rows are read: held against a count, they must not become fewer meanwhile."""
        if plan.entity.name in self._of:
            wait([self._of[plan.entity.name]])

    def deleted(self, plan: EntityPlan, refused: pa.Array) -> None:
        """Look for the rows deleted, but for those of the refused keys: they are known to be there."""
        if plan.counts.delete > 0:
            park = Park(self._folder / f"{plan.entity.name}-deleted", entity_schema(plan.entity))
            self._looks.append(self._crew.submit(_undead, self._org, plan, refused, park))

    def found(self) -> pd.DataFrame:
        """Return the rows that are not in Salesforce as they were written (COLUMNS), in the order of the writes.

        Raises what reading them raised.
        """
        return _together(first_failure(self._looks))


def _as_written(
    org: Org, plan: EntityPlan, portal_ids: tuple[int, ...], shapes: Shapes, skipped: pa.Array, folder: Path
) -> pd.DataFrame:
    number = numbered_by(plan.entity.key)
    actual = Park(folder, entity_schema(plan.entity), number=number)
    _fill(org, plan, portal_ids, actual)
    found = [_unlike(plan, written, now, skipped, shapes) for written, now in _in_parts(plan, actual, number)]
    actual.clear()
    return _together(found)


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
    found = place.drop_null().to_numpy()
    # LearnUpon's package lets somebody make a second row of a number meanwhile: which of them was written nobody knows.
    twice = np.bincount(found, minlength=written.num_rows) > 1
    wanted = to_pandas(written).assign(**{_PLACE: np.arange(written.num_rows)})
    there = to_pandas(actual.filter(place.is_valid())).assign(**{_PLACE: found})
    changes = diff(wanted[~twice], there[~twice[found]], _PLACE, shapes)
    twins = _lines(entity, wanted.loc[twice, entity.key], "NOT_UNIQUE", _TWINS)
    missing = _lines(entity, changes.creates[entity.key], "NOT_FOUND", "written, but not there when read back")
    other = _lines(entity, changes.updates[entity.key], "OTHER_VALUE", "other values when read back than were written")
    return _together([missing, other, twins])


def _undead(org: Org, plan: EntityPlan, skipped: pa.Array, park: Park) -> pd.DataFrame:
    """Return the rows that were deleted but are still there; those whose delete was refused are known to be."""
    deleted = to_pandas(plan.deletes.read().select(["Id", plan.entity.key]))
    deleted = deleted[~deleted[plan.entity.key].isin(skipped.to_pandas())]
    read_keys(org, plan.entity, deleted["Id"].tolist(), park, by="Id")
    return _lines(
        plan.entity, to_pandas(park.read())[plan.entity.key], "STILL_THERE", "deleted, but there when read back"
    )


def _lines(entity: Entity, keys: pd.Series, code: str, message: str) -> pd.DataFrame:
    if not len(keys):
        return _NOTHING
    facts = {"object": entity.name, "operation": "read back", "code": code, "message": message}
    return pd.DataFrame({"key": keys.reset_index(drop=True)}).assign(**facts)[COLUMNS].astype("string[pyarrow]")


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    some = [part for part in parts if len(part)]
    return pd.concat(some, ignore_index=True) if some else _NOTHING
