"""A world that one run changes and deletes all over, for `undo` to put back; and what was put back, compared."""

from __future__ import annotations

from typing import Any

from runs.afterwards import held
from runs.result import Result
from runs.stage import Stage

UNDO = "undo"
WIDE = ("--allow-deletes", "1000000", "--allow-updates", "1000000")
State = dict[str, dict[str, dict[str, Any]]]
_NAMES = ("Ladders", 'Ropes, "old" and new', "Brände\nlöschen", "=1+1", "急救 🚑", "-")
_DATES: dict[str, Any] = {"date_enrolled": "2026-01-05T08:00:00Z", "date_completed": "2026-02-06T09:10:11Z"}


def learned(stage: Stage, learners: int) -> None:
    """Sync learners of both sides, each with three enrollments and a path, their texts and numbers of every kind."""
    stage.configure(guards={"max_source_shrink_percent": 100})
    portal = stage.academy
    courses = [stage.course(name=name, version=1 + n % 3) for n, name in enumerate(_NAMES)]
    paths = [stage.path(*courses[:2], name="Way, in"), stage.path(*courses[2:], name="Way\nout")]
    for n in range(learners):
        person = {"sf_user_id": stage.user()} if n % 2 else {"sf_contact_id": stage.contact()}
        learner = stage.learner(portal, **person, last_sign_in_at=f"2026-03-01T09:{n % 60:02}:00Z")
        first, second, third = (courses[(n + step) % len(courses)] for step in range(3))
        stage.enroll(learner, first, status="in_progress", percentage=12.34 + n % 7, percentage_complete=66.66)
        stage.enroll(learner, second, status="completed", percentage=(None, 0, 100)[n % 3], **_DATES)
        stage.enroll(learner, third, status="in_progress", percentage_complete=n % 100, **_DATES)
        stage.enroll_path(learner, paths[n % 2], status="in_progress", percentage=n % 101, **_DATES)
    stage.synced("run", *WIDE)


def a_night_later(stage: Stage) -> None:
    """Let everything change: values, names, blanks; rows unenrolled and gone; learners who left, and who moved."""
    portal = stage.academy
    stage.settings["portals"][0]["title"] = "Acme Campus"
    portal.rename_course(next(iter(portal.courses)), "Ladders, steep")
    numbers = iter(list(portal.enrollments))
    threes = zip(numbers, numbers, numbers, strict=True)
    for n, (learner, (first, second, third)) in enumerate(zip(list(portal.users), threes, strict=True)):
        portal.change_enrollment(first, status="passed", percentage=99.99, percentage_complete=100, **_DATES)
        if n % 7 == 0:
            portal.change_enrollment(first, version=9)
        if n % 4 == 0:
            portal.change_enrollment(second, status="in_progress", percentage=None, date_completed=None)
        if n % 25 == 3:
            portal.remove_enrollment(third)
        else:
            portal.change_enrollment(third, unenrolled=True)
        if n % 5 == 2:
            portal.change_user(learner, last_sign_in_at="2026-03-02T10:00:00Z")
        if n % 10 in {4, 5}:
            nobody: dict[str, Any] = {"sf_contact_id": None, "sf_user_id": None, "is_salesforce_contact": None}
            other = {"sf_contact_id": stage.contact()} if n % 2 else {"sf_user_id": stage.user()}
            portal.change_user(learner, **{**nobody, **other})
        if n % 50 == 1:
            portal.remove_user(learner)
    path = next(iter(portal.paths))
    portal.path_courses[path].append(stage.course())
    for n, row in enumerate(list(portal.path_enrollments)):
        if n % 3:
            portal.change_path_enrollment(row, status="completed", percentage=77.7)
        else:
            portal.change_path_enrollment(row, unenrolled=True)


def differing(before: State, after: State) -> dict[str, dict[str, Any]]:
    """Return, of the rows that were there before, those that now differ, field by field; by object and key."""
    return {
        name: found
        for name, rows in before.items()
        if (
            found := {
                key: _fields(row, after[name].get(key)) for key, row in rows.items() if after[name].get(key) != row
            }
        )
    }


def _fields(was: dict[str, Any], now: dict[str, Any] | None) -> Any:
    return "missing" if now is None else {name: (was[name], now[name]) for name in was if was[name] != now[name]}


def created(before: State, after: State) -> set[tuple[str, str]]:
    """Return object and key of the rows that were not there before."""
    own = {name: rows for name, rows in after.items() if name not in {"Contact", "User"}}
    return {(name, key) for name, rows in own.items() for key in rows if key not in before[name]}


def left(result: Result, reason: str) -> set[tuple[str, str]]:
    """Return object and key of what an undo left for that reason."""
    return {(line["object"], line["key"]) for line in result.table("left.csv") if line["reason"] == reason}


def totals(result: Result, *names: str) -> list[int]:
    """Return counts of a report over all objects."""
    return [sum(counts[name] for counts in result.report["objects"].values()) for name in names]


def done(result: Result, operation: str) -> dict[tuple[str, str], set[str]]:
    """Return object and key of what was created, updated or deleted, with the fields that were sent."""
    return {(one.object, one.key or one.id): set(one.after) for one in result.effects if one.operation == operation}


def run_id(result: Result) -> str:
    """Return the id of a run."""
    return str(result.report["run_id"])


def undone(stage: Stage, run: Result) -> Result:
    """Put a run back, and see that it ended well."""
    result = stage.run(UNDO, run_id(run), "--yes")
    assert result.code == 0, result.out + result.err
    return result


def a_night(stage: Stage, learners: int) -> tuple[State, Result]:
    """Let a night pass over a synced world; return what Salesforce held before, and the run that changed it."""
    learned(stage, learners)
    before = held(stage)
    a_night_later(stage)
    return before, stage.synced("run", *WIDE)
