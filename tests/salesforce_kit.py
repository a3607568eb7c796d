"""Builds an emulated org with a client of ours, plans made of a few rows, and a quick clock; it asserts nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from etl import frames
from etl.clock import Clock
from etl.config import SalesforceSettings
from etl.emulator.world import Emulators
from etl.park import Park
from etl.plan import EntityPlan
from etl.salesforce.load import Load
from etl.salesforce.org import Org
from etl.schema import CONTACT_ENROLLMENT, ENTITIES, MEMBERSHIP, PORTAL, Entity

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@dataclass
class QuickClock:
    """Time that passes by sleeping only, a thousandth of it for real, so that the emulator's jobs go on."""

    slept: list[float] = field(default_factory=list)

    def clock(self, *, ahead_s: float = 0.0) -> Clock:
        """Return the clock; `ahead_s` puts the wall clock wrong by so much."""
        return Clock(
            now=lambda: datetime.now(UTC) + timedelta(seconds=ahead_s),
            monotonic=lambda: sum(self.slept),
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        time.sleep(min(seconds / 1000, 0.02) + 0.002)


@dataclass
class Notes:
    """A journal in memory."""

    kept: list[dict[str, Any]] = field(default_factory=list)

    def record(self, event: str, **facts: Any) -> None:
        """Append an event with the time."""
        self.kept.append({"event": event, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **facts})

    def events(self) -> list[dict[str, Any]]:
        """Return the events so far."""
        return list(self.kept)

    def unfinished_jobs(self) -> list[str]:
        """Return the jobs without an end, as the real journal does."""
        ends = {"job_ended", "job_aborted", "job_adopted"}
        ended = {one["job"] for one in self.kept if one["event"] in ends}
        return list(dict.fromkeys(one["job"] for one in self.kept if one.get("job") and one["job"] not in ended))

    @property
    def names(self) -> list[str]:
        """Return the names of the events."""
        return [one["event"] for one in self.kept]


@dataclass
class World:
    """The emulators, and how to reach them."""

    emulators: Emulators
    time: QuickClock = field(default_factory=QuickClock)

    @property
    def store(self) -> Any:
        """The emulated org, for rows and knobs."""
        return self.emulators.org

    @property
    def faults(self) -> Any:
        """The fault script of the Salesforce side."""
        return self.emulators.salesforce_faults

    def settings(self, **changed: Any) -> SalesforceSettings:
        """Return settings that sign in to the emulated org, with these keys changed."""
        facts = self.emulators.describe()["salesforce"]
        keys = {name: facts[name] for name in ("login_url", "org_id", "client_id", "client_secret")}
        return SalesforceSettings(**{**keys, "poll_seconds": 0.05, "job_timeout_minutes": 5, **changed})

    def connect(self, **changed: Any) -> Org:
        """Return a connected client."""
        return Org.connect(self.settings(**changed), clock=self.time.clock(), random=Random(1))  # noqa: S311 - jitter

    def requests(self, part: str = "") -> list[str]:
        """Return the requests seen by Salesforce whose `METHOD target` holds the text."""
        seen = [f"{one.method} {one.target}" for one in self.emulators.salesforce.calls]
        return [one for one in seen if part in one]

    def people(self, count: int) -> list[str]:
        """Insert Contacts and return their ids."""
        return [
            self.store.insert("Contact", {"LastName": f"Learner {n}", "Email": f"learner.{n}@example.com"})
            for n in range(count)
        ]

    def effects(self) -> list[Any]:
        """Return what was done to records by clients, seeds left out."""
        return [entry for entry in self.emulators.ledger.entries if entry.source != "seed"]


@contextmanager
def world(**made: Any) -> Iterator[World]:
    """Serve an org without rows; in the end no handler may have failed."""
    with Emulators(learners=0, **made) as emulators:
        yield World(emulators)
        errors = list(emulators.salesforce.errors)
    if errors:
        raise AssertionError(errors)


def table(schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of a schema; what a row does not name is null."""
    return pa.table([pa.array([row.get(one.name) for row in rows], one.type) for one in schema], schema=schema)


class Plans(dict[str, EntityPlan]):
    """An empty plan of every object, to be filled row by row."""

    def __init__(self, folder: Path) -> None:
        """Park the rows in `folder`."""
        super().__init__({one.name: EntityPlan(one, folder / "plans" / one.name) for one in ENTITIES})

    def create(self, entity: Entity, *rows: Mapping[str, Any]) -> None:
        """Plan to create rows."""
        park = self[entity.name].creates
        park.append(table(park.schema, rows))

    def change(self, entity: Entity, changed: Sequence[str], *rows: Mapping[str, Any]) -> None:
        """Plan to update rows (complete ones) in these columns."""
        bits = sum(1 << entity.columns.index(name) for name in changed)
        park = self[entity.name].updates
        park.append(table(park.schema, [{**row, "changed": bits} for row in rows]))

    def remove(self, entity: Entity, reason: str, *rows: Mapping[str, Any]) -> None:
        """Plan to delete rows."""
        park = self[entity.name].deletes
        park.append(table(park.schema, [{**row, "reason": reason} for row in rows]))


def loader(org: Org, folder: Path, notes: Notes | None = None) -> Load:
    """Return a writer with its files in `folder`."""
    return Load(org, journal=notes if notes is not None else Notes(), folder=folder / "files")


def portal_row(number: int = 1) -> dict[str, Any]:
    """Return a portal's row."""
    return {"LU_Key__c": str(number), "Name": f"Portal {number}", "Portal_Id__c": number}


def member_row(person: str, user: int, portal: int = 1, **more: Any) -> dict[str, Any]:
    """Return a Contact's membership."""
    return {
        "LU_Key__c": f"{portal}:member:{user}", "LearnUpon_Portal__c": str(portal), "Contact__c": person,
        "Portal_Id__c": portal, "LU_Portal_Membership_ID__c": user, "Removed_In_LearnUpon__c": False,
        "LU_Number_Enrolled__c": 0, **more,
    }  # fmt: skip


def enrollment_row(person: str, number: int, user: int, portal: int = 1, **more: Any) -> dict[str, Any]:
    """Return a Contact's course enrollment."""
    return {
        "LU_Key__c": f"{portal}:enrollment:{number}", "LearnUpon_Portal_Membership__c": f"{portal}:member:{user}",
        "SFContact__c": person, "LUEnrollment__c": number, "LUUser__c": user, "Course_Name__c": "First aid",
        "Status__c": "Passed", "Score__c": 87.5, "Date_Enrolled__c": START, "Removed_In_LearnUpon__c": False, **more,
    }  # fmt: skip


def first_load(world: World, org: Org, folder: Path, rows: int = 3) -> list[str]:
    """Write a portal, one Contact's membership for each row, and their enrollments; return the Contacts."""
    people, plans = world.people(rows), Plans(folder / "first")
    plans.create(PORTAL, portal_row())
    plans.create(MEMBERSHIP, *(member_row(person, n) for n, person in enumerate(people)))
    plans.create(CONTACT_ENROLLMENT, *(enrollment_row(person, n, n) for n, person in enumerate(people)))
    loader(org, folder / "first").apply(plans)
    return people


def park(folder: Path, entity: Entity) -> Park:
    """Return an empty park for an entity's rows."""
    return Park(folder / f"park-{entity.name}-{time.monotonic_ns()}", frames.entity_schema(entity))
