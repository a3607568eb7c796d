"""Random worlds for the property tests: two portals, an org, and what people do to both; small, so that ids collide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.situations import Portal, World, contact, enrollment, path_enrollment, user
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from etl.plan import Plan
from etl.schema import CONTACT_ENROLLMENT, CONTACT_PATH, MEMBERSHIP, USER_ENROLLMENT, USER_PATH

ROWS = {"enrollment": (CONTACT_ENROLLMENT.name, USER_ENROLLMENT.name), "path": (CONTACT_PATH.name, USER_PATH.name)}
STATUSES = ["not_started", "in_progress", "pending_review", "completed", "passed", "failed", "on_hold"]
NAMES = ["Safety", " Safety ", "#N/A", "", "two\r\nlines", "a name that is longer than the field", None]
SCORES = [None, 0.0, 87.0, 87.5, 66.665, 12.345, 99.995, 9999.994, 9999.996, 100.0]
TIMES = [None, "2026-01-05T08:00:00Z", "2026-03-01T23:59:59Z"]

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""No shrinking: a world is planned in a tenth of a second, and thousands of smaller ones would take minutes."""


def examples(number: int) -> settings:
    """Return the settings of a property: so many examples, the same ones every time on CI, no deadline.

    EXAMPLES multiplies them, for whoever has the time.
    """
    return settings(
        max_examples=number * int(os.environ.get("EXAMPLES", "1")),
        deadline=None,
        phases=PHASES,
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@st.composite
def listed_users(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw the users of a portal: each a Contact, a User, or nobody."""
    users = []
    for number in draw(st.sets(st.integers(1, 5), max_size=5)):
        side, person = draw(st.sampled_from(["contact", "contact", "user", "nobody"])), draw(st.integers(1, 3))
        ids = {"contact": {"sf_contact_id": contact(person)}, "user": {"sf_user_id": user(person)}, "nobody": {}}[side]
        users.append({"user_id": number, "last_sign_in_at": draw(st.sampled_from(TIMES)), **ids})
    return users


@st.composite
def listed_rows(draw: st.DrawFn, most: int) -> list[dict[str, Any]]:
    """Draw course enrollments; user 6 is one whom `/users` never lists."""
    return [
        enrollment(
            number,
            draw(st.integers(1, 6)),
            draw(st.sampled_from(STATUSES)),
            unenrolled=draw(st.sampled_from([False, False, True])),
            name=draw(st.sampled_from(NAMES)),
            percentage=draw(st.sampled_from(SCORES)),
            date_completed=draw(st.sampled_from(TIMES)),
            course_id=draw(st.integers(1, 3)),
            course_source_id=draw(st.sampled_from([None, 1, 2])),
        )
        for number in draw(st.sets(st.integers(1, most), max_size=most))
    ]


@st.composite
def listed_paths(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw path enrollments, whose ids are also those of course enrollments."""
    return [
        path_enrollment(
            number,
            draw(st.integers(1, 6)),
            draw(st.integers(1, 2)),
            status=draw(st.sampled_from(STATUSES)),
            unenrolled=draw(st.sampled_from([False, False, True])),
        )
        for number in draw(st.sets(st.integers(1, 4), max_size=4))
    ]


def portals() -> st.SearchStrategy[Portal]:
    """Draw what a portal lists."""
    courses = st.fixed_dictionaries(
        {
            "path_id": st.integers(1, 2),
            "course_id": st.integers(1, 3),
            "course_source_id": st.sampled_from([None, 1, 2]),
        }
    )
    return st.builds(
        Portal,
        listed_users(),
        listed_rows(8),
        listed_paths(),
        st.lists(courses, max_size=4, unique_by=lambda row: (row["path_id"], row["course_id"])),
    )


def gone() -> st.SearchStrategy[dict[str, set[tuple[int, int]]]]:
    """Draw what LearnUpon would say is gone, asked by id: any of the ids there are, listed or not."""
    pairs = st.sets(st.tuples(st.integers(0, 1), st.integers(1, 8)), max_size=10)
    return st.fixed_dictionaries({"enrollment": pairs, "path": pairs, "member": pairs})


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[str, int, str, Any]]:
    """Draw what people do to rows of the org: object, which row, column (or `delete`), new value."""
    values: dict[str, list[Any]] = {
        "Status__c": [None, "Passed", "passed ", "Elsewhere"],
        "Score__c": [None, 1.0],
        "SFContact__c": [None, contact(2)],
        "SFUser__c": [None, user(2)],
        "LUUser__c": [None, 3],
        "Removed_In_LearnUpon__c": [True, False],
        "Course_Name__c": [None, "Renamed"],
        "LU_Number_Enrolled__c": [None, 41],
        "delete": [None],
    }
    found = []
    for _ in range(draw(st.integers(0, 6))):
        column = draw(st.sampled_from(list(values)))
        name = draw(st.sampled_from([*ROWS["enrollment"], *ROWS["path"], MEMBERSHIP.name, "Contact", "User"]))
        found.append((name, draw(st.integers(0, 9)), column, draw(st.sampled_from(values[column]))))
    return found


def edit(world: World, what: list[tuple[str, int, str, Any]]) -> None:
    """Let people edit the org; a column that an object lacks, or a person who is to be deleted, is left."""
    for name, number, column, value in what:
        rows = world.org[name]
        if not rows:
            continue
        key = list(rows)[number % len(rows)]
        if column in world.shapes[name]:
            rows[key][column] = value
        elif column == "delete" and name in {*ROWS["enrollment"], *ROWS["path"]}:
            del rows[key]


@contextmanager
def empty_world() -> Iterator[World]:
    """Give two empty portals and an empty org in a folder of their own, with short names and a strict picklist."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for name in ROWS["enrollment"]:
            shapes = dict(world.shapes[name])
            shapes["Course_Name__c"] = replace(shapes["Course_Name__c"], length=12)
            world.shapes[name] = shapes
        # only the Users' object refuses a status, so that a learner may move to where the row cannot follow
        labels = frozenset({"Not Started", "In Progress", "Pending Review", "Completed", "Passed"})
        shapes = dict(world.shapes[USER_ENROLLMENT.name])
        shapes["Status__c"] = replace(shapes["Status__c"], choices=labels)
        world.shapes[USER_ENROLLMENT.name] = shapes
        yield world


def contents(plan: Plan) -> dict[str, Any]:
    """Return all that a plan says, without any order of rows."""
    said: dict[str, Any] = {}
    for name, part in plan.entities.items():
        rows = {}
        for what in ("creates", "updates", "before", "deletes"):
            rows[what] = sorted(map(repr, getattr(part, what).read().to_pylist()))
        said[name] = (vars(part.counts), part.newly_referred, rows)
    said["rejected"] = sorted(map(tuple, plan.rejected.to_numpy().tolist()))
    said["warnings"] = sorted(plan.warnings)
    return said
