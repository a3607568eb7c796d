"""A few changes of a plan with their old and new values, for people to look at; it reads only the first parked rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from etl.diff import CHANGED, changed_columns
from etl.park import Park
from etl.plan import EntityPlan
from etl.report.model import Change


def sample_changes(plans: Mapping[str, EntityPlan], limit: int = 10) -> list[Change]:
    """Return up to `limit` creates, updates and deletes of each object, one Change a column.

    A created row shows what it will hold, an updated one old and new values, a deleted one the reason alone.
    """
    found: list[Change] = []
    for name, plan in plans.items():
        found.extend(_creates(name, plan, limit))
        found.extend(_updates(name, plan, limit))
        found.extend(_deletes(name, plan, limit))
    return found


def _creates(name: str, plan: EntityPlan, limit: int) -> Iterator[Change]:
    for row in _first(plan.creates, limit):
        for column in plan.entity.columns:
            if row[column] is not None:
                yield Change(name, "create", row[plan.entity.key], column, None, row[column])


def _updates(name: str, plan: EntityPlan, limit: int) -> Iterator[Change]:
    for row, old in zip(_first(plan.updates, limit), _first(plan.before, limit), strict=True):
        for column in changed_columns(row[CHANGED], plan.entity.columns):
            yield Change(name, "update", row[plan.entity.key], column, old[column], row[column])


def _deletes(name: str, plan: EntityPlan, limit: int) -> Iterator[Change]:
    for row in _first(plan.deletes, limit):
        yield Change(name, "delete", row[plan.entity.key], reason=row["reason"])


def _first(park: Park, limit: int) -> Iterator[dict[str, Any]]:
    rows = (row for table in park.batches() for row in table.slice(0, limit).to_pylist())
    return islice(rows, limit)
