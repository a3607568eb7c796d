"""The guards: numbers that stop a run before its first write; pure, decides from counts and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from etl.config.models import GuardSettings

SHRINK = "max_source_shrink_percent"
QUESTIONS = "max_confirmations"
"""The guards on the source; the others follow from the plan's counts."""
SCOPE = "scope_changed"
"""The guard on settings that decide which rows are wanted (`etl.scope`)."""


@dataclass(frozen=True)
class Reading:
    """One guard: what was measured against which limit, and whether it stops the run."""

    name: str
    value: float
    limit: float
    tripped: bool
    overridden: bool = False
    where: str = ""
    """The object or portal the value comes from."""


@dataclass(frozen=True)
class Allowed:
    """Overrides for this run alone, each bound to a number of rows; None: not given."""

    deletes: int | None = None
    updates: int | None = None


@dataclass(frozen=True)
class Load:
    """What a plan would do to one object, as the guards count it."""

    existing: int
    """Rows the object holds; people newly referred to are not among them."""
    updates: int
    """Updates of those rows."""
    deletes: int


def percent(part: int, whole: int) -> float:
    """Return `part` of `whole` in per cent; 0 of nothing is 0. Not rounded: 50.001 is more than 50."""
    return 100.0 * part / whole if whole else 0.0


def source_shrink(held: Mapping[str, tuple[int, int]], limits: GuardSettings) -> Reading:
    """Read the guard on a listing that lost rows: `held` maps a place to (rows held, rows of them not listed)."""
    worst = _worst(((where, missing, rows) for where, (rows, missing) in held.items()), limits.min_rows)
    limit = limits.max_source_shrink_percent
    return Reading(SHRINK, worst[1], limit, worst[1] > limit, where=worst[0])


def _worst(parts: Iterable[tuple[str, int, int]], min_rows: int) -> tuple[str, float]:
    measured = [(where, percent(part, whole)) for where, part, whole in parts if whole >= min_rows and part]
    return max(measured, key=lambda pair: pair[1], default=("", 0.0))


def writes(loads: Mapping[str, Load], limits: GuardSettings, allowed: Allowed) -> list[Reading]:
    """Read the guards on deletes and updates of a plan; `loads` maps an object to what would be done to it."""
    deletes = sum(load.deletes for load in loads.values())
    updates = sum(load.updates for load in loads.values())
    lift_deletes = allowed.deletes is not None and deletes <= allowed.deletes
    lift_updates = allowed.updates is not None and updates <= allowed.updates
    deleted = _worst(((name, load.deletes, load.existing) for name, load in loads.items()), limits.min_rows)
    updated = _worst(((name, load.updates, load.existing) for name, load in loads.items()), limits.min_rows)
    return [
        _reading("max_deletes", deletes, limits.max_deletes, "", lifted=lift_deletes),
        _reading("max_delete_percent", deleted[1], limits.max_delete_percent, deleted[0], lifted=lift_deletes),
        _reading("max_update_percent", updated[1], limits.max_update_percent, updated[0], lifted=lift_updates),
    ]


def over_time(
    loads: Mapping[str, Load], past: Mapping[str, int], limits: GuardSettings, allowed: Allowed
) -> list[Reading]:
    """Read the guards on a plan's deletes together with those of the last seven days: `past`, rows by object.

    The single run's limits would let as much pass every night, and at every retry. The number is held to
    `max_deletes_7_days`, without it to what one run may delete. The percentage is held to
    `max_delete_percent_7_days`, without it to twice what one run may delete: rows that are unenrolled in the ordinary
    course of a week would stop small portals at the single run's. Only a plan that deletes is held to the past, and
    only the objects it deletes from to their percentage.
    """
    deletes = sum(load.deletes for load in loads.values())
    if not deletes:
        return []
    lifted = allowed.deletes is not None and deletes <= allowed.deletes
    parts = [(name, past.get(name, 0), load) for name, load in loads.items() if load.deletes]
    worst = _worst(
        ((name, before + load.deletes, before + load.existing) for name, before, load in parts), limits.min_rows
    )
    rows, share = limits.max_deletes_7_days, limits.max_delete_percent_7_days
    return [
        _reading("max_deletes_7_days", deletes + sum(past.values()), rows, "", lifted=lifted),
        _reading("max_delete_percent_7_days", worst[1], share, worst[0], lifted=lifted),
    ]


def scope_changed(loads: Mapping[str, Load], changed: str, allowed: Allowed) -> list[Reading]:
    """Read the guard on a changed scope, `changed` naming what did (nothing: no guard): no delete passes unseen."""
    deletes = sum(load.deletes for load in loads.values())
    lifted = allowed.deletes is not None and deletes <= allowed.deletes
    return [_reading(SCOPE, deletes, 0, changed, lifted=lifted)] if changed else []


def again(readings: Iterable[Reading], limits: GuardSettings) -> list[Reading]:
    """Read the guards on the source anew that were read when a plan was made, against the limits of now."""
    current = {SHRINK: limits.max_source_shrink_percent, QUESTIONS: limits.max_confirmations}
    mine = [(one, current[one.name]) for one in readings if one.name in current]
    return [replace(one, limit=limit, tripped=one.name == SHRINK and one.value > limit) for one, limit in mine]


def _reading(name: str, value: float, limit: float, where: str, *, lifted: bool) -> Reading:
    over = value > limit
    return Reading(name, value, limit, over and not lifted, over and lifted, where)


def remedy(reading: Reading, deletes: int, updates: int) -> str:
    """Return what a person can do about a tripped guard."""
    if reading.name == SCOPE:
        return (
            f"look at the plan; if these deletes are what the new settings mean, run once with --allow-deletes "
            f"{deletes}, else put the settings back"
        )
    if "delete" in reading.name:
        return f"look at the plan; if these deletes are right, run once with --allow-deletes {deletes}"
    if "update" in reading.name:
        return f"look at the plan; if these updates are right, run once with --allow-updates {updates}"
    return (
        "see what happened to the portal in LearnUpon; if it is right, raise guards.max_source_shrink_percent for a run"
    )
