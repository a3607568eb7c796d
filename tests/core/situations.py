"""Builds what both sides said from short rows, plans it, and carries a plan out on paper; talks to nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa

from etl import frames, keys, match, planning, situation
from etl.config.models import RulesSettings
from etl.ids import to_18
from etl.normalise import Shapes, declared_shapes
from etl.park import Park
from etl.plan import Plan
from etl.schema import CUSTOM, ENTITIES, KEY, PROFILES, Entity

PORTALS = {11: "First Academy", 22: "Second Academy"}


def contact(number: int) -> str:
    """Return the record id of an invented Contact."""
    return to_18(pd.Series([f"0035g{number:010d}"], dtype="string[pyarrow]")).iloc[0]


def user(number: int) -> str:
    """Return the record id of an invented User."""
    return to_18(pd.Series([f"0055g{number:010d}"], dtype="string[pyarrow]")).iloc[0]


def learner(user_id: int, **columns: Any) -> dict[str, Any]:
    """Return a learner who is Contact `user_id`, unless told otherwise."""
    return {"user_id": user_id, "sf_contact_id": contact(user_id), **columns}


def enrollment(number: int, user_id: int, status: str = "in_progress", **columns: Any) -> dict[str, Any]:
    """Return a course enrollment."""
    row = {"id": number, "user_id": user_id, "course_id": 1, "course_source_id": 1, "version": 1, "name": "Safety"}
    return {**row, "status": status, "unenrolled": False, "date_enrolled": "2026-01-05T08:00:00Z", **columns}


def path_enrollment(number: int, user_id: int, path_id: int, **columns: Any) -> dict[str, Any]:
    """Return a path enrollment."""
    row = {"id": number, "user_id": user_id, "path_id": path_id, "name": "Onboarding", "status": "in_progress"}
    return {**row, "unenrolled": False, **columns}


@dataclass
class Portal:
    """What one LearnUpon portal lists."""

    users: list[dict[str, Any]] = field(default_factory=list)
    enrollments: list[dict[str, Any]] = field(default_factory=list)
    paths: list[dict[str, Any]] = field(default_factory=list)
    path_courses: list[dict[str, Any]] = field(default_factory=list)
    archived: set[int] = field(default_factory=set)
    """Paths that LearnUpon does not list any more."""


@dataclass
class World:
    """Two portals and an org, on paper: rows of an object by key (or Id)."""

    folder: Path
    portals: list[Portal] = field(default_factory=lambda: [Portal(), Portal()])
    org: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {entity.name: {} for entity in ENTITIES})
    deleted: set[str] = field(default_factory=set)
    rules: RulesSettings = field(default_factory=RulesSettings)
    gone: Mapping[str, Iterable[tuple[int, int]]] = field(default_factory=dict)
    """Row kind: (place, id) of what LearnUpon said is gone."""
    scope: situation.Scope | None = None
    shapes: dict[str, Shapes] = field(
        default_factory=lambda: {entity.name: declared_shapes(entity) for entity in ENTITIES}
    )
    plans: int = 0
    shuffle: Random | None = None
    """Deals the rows of every table out in another order and in several batches."""
    rows_per_partition: int = 250_000

    def people(self, person: str) -> pd.DataFrame:
        """Return the people of one side as matching sees them: everybody claimed exists unless in `deleted`."""
        ids = set(self.org[person])
        for portal in self.portals:
            ids |= {row[f"sf_{person.lower()}_id"] for row in portal.users if row.get(f"sf_{person.lower()}_id")}
        rows = [{"Id": record, "IsDeleted": record in self.deleted} for record in sorted(ids)]
        return frame(rows, frames.PERSON)

    def inputs(self) -> situation.Inputs:
        """Return both sides as the planning sees them."""
        self.plans += 1
        learners = situation.learners_of([frame(self.dealt(portal.users), frames.USERS) for portal in self.portals])
        matched = match.resolve(match.claims(learners, "flag"), self.people("Contact"), self.people("User"))
        learners = pd.concat([learners[["learner", "last_sign_in_at"]], matched], axis=1)
        return situation.Inputs(
            portals=PORTALS,
            learners=learners,
            listings={
                "enrollment": [self.park(portal.enrollments, frames.ENROLLMENTS) for portal in self.portals],
                "path": [self.park(portal.paths, frames.PATH_ENROLLMENTS) for portal in self.portals],
            },
            path_courses=self.path_courses(),
            listed_paths=self.listed_paths(),
            held={entity.name: self.park(self.rows(entity), frames.entity_schema(entity)) for entity in CUSTOM},
            profiles={entity.name: self.profiles(entity, matched) for entity in PROFILES},
            shapes=self.shapes,
            rules=self.rules,
            gone={
                row: frozenset(int(keys.codes(place, pd.Series([number])).iloc[0]) for place, number in pairs)
                for row, pairs in self.gone.items()
            },
            scope=self.scope,
            rows_per_partition=self.rows_per_partition,
        )

    def path_courses(self) -> pd.DataFrame:
        """Return the courses of all portals' paths."""
        parts = []
        for place, portal in enumerate(self.portals):
            part = frame(portal.path_courses, frames.PATH_COURSES)
            parts.append(part.assign(place=place, path=keys.codes(place, part["path_id"])))
        return pd.concat(parts, ignore_index=True)

    def listed_paths(self) -> pd.Index[int]:
        """Return the paths that the portals list: all that are anywhere in it but the archived ones."""
        codes = []
        for place, portal in enumerate(self.portals):
            ids = {row["path_id"] for row in (*portal.paths, *portal.path_courses)} - portal.archived
            codes += [keys.PLACE * place + number for number in sorted(ids)]
        return pd.Index(codes, dtype="int64")

    def rows(self, entity: Entity) -> list[dict[str, Any]]:
        """Return the rows the org holds of an object."""
        return [{"Id": f"a{number:017d}", **row} for number, row in enumerate(self.org[entity.name].values())]

    def profiles(self, entity: Entity, matched: pd.DataFrame) -> pd.DataFrame:
        """Return the people with a LearnUpon id and those referred to; deleted ones are not seen."""
        referred = set(matched.loc[matched["side"] == entity.name, "person_id"])
        known = {record for record, row in self.org[entity.name].items() if not pd.isna(row.get("LU_User_ID__c"))}
        people = self.dealt(sorted((referred | known) - self.deleted))
        return frame(
            [{"Id": record, **self.org[entity.name].get(record, {})} for record in people], frames.entity_schema(entity)
        )

    def dealt(self, rows: list[Any]) -> list[Any]:
        """Return rows in the order of the shuffle."""
        return self.shuffle.sample(rows, len(rows)) if self.shuffle else rows

    def park(self, rows: list[dict[str, Any]], schema: pa.Schema) -> Park:
        """Park rows in a folder of their own."""
        park = Park(self.folder / f"{self.plans}-{len(list(self.folder.iterdir()))}", schema)
        table = arrow(self.dealt(rows), schema)
        cut = self.shuffle.randint(0, len(rows)) if self.shuffle else len(rows)
        for batch in (table.slice(0, cut), table.slice(cut)):
            if batch.num_rows:
                park.append(batch)
        return park

    def plan(self) -> Plan:
        """Plan a run."""
        return planning.build(self.inputs(), self.folder / f"plan-{self.plans}", [])

    def run(self) -> Plan:
        """Plan a run and carry it out on paper."""
        plan = self.plan()
        for name, part in plan.entities.items():
            columns = part.entity.columns
            for row in part.creates.read().to_pylist():
                self.org[name][row[KEY]] = self.stored(name, row)
            for row in part.updates.read().to_pylist():
                changed = {column for place, column in enumerate(columns) if row["changed"] >> place & 1}
                held = self.org[name].setdefault(row[part.entity.key], {})
                held.update(self.stored(name, {column: row[column] for column in changed}))
            for row in part.deletes.read().to_pylist():
                del self.org[name][row[KEY]]
        return plan

    def stored(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row as Salesforce keeps it: texts trimmed, numbers rounded half up, too much refused."""
        kept = {}
        for column, value in row.items():
            shape = self.shapes[name].get(column)
            kept[column] = value
            if isinstance(value, str) and shape is not None:
                assert value.strip() != "#N/A", "Bulk would clear the field"
                kept[column] = value.strip() or None
                assert not shape.length or len(value) <= shape.length, "STRING_TOO_LONG"
                assert shape.choices is None or value in shape.choices, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
            if isinstance(value, float) and shape is not None:
                exact = Decimal(repr(value)).quantize(Decimal(1).scaleb(-shape.scale), ROUND_HALF_UP)
                assert abs(exact) < 10 ** (shape.precision - shape.scale), "NUMBER_OUTSIDE_VALID_RANGE"
                kept[column] = float(exact)
        return kept


def frame(rows: list[dict[str, Any]], schema: pa.Schema) -> pd.DataFrame:
    """Return rows as a frame of the schema; times may be ISO text, what is not given is null."""
    return frames.to_pandas(arrow(rows, schema))


def arrow(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as an arrow table of the schema; times may be ISO text, what is not given is null."""
    columns = {}
    for column in schema:
        values = [row.get(column.name) for row in rows]
        if pa.types.is_timestamp(column.type):
            values = [datetime.fromisoformat(value) if isinstance(value, str) else value for value in values]
        columns[column.name] = pa.array(values, type=column.type, from_pandas=True)
    return pa.table(columns, schema=schema)
