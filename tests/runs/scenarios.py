"""Worlds in which runs are disturbed, from a first load to a job that must be adopted; always the same ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from runs.afterwards import ingest_jobs
from runs.stage import CONTACT_ROWS, Stage

from etl.emulator.faults import Fault

Sync = Callable[[], int]
"""Runs the program on the stage and returns its exit code."""

_GUARDED = 2
"""Rows that the guard of the scenario lets a run delete."""


def first_load(stage: Stage, _: Sync) -> None:
    """Two portals, a Contact in both of them, a User, paths, finished and unfinished rows."""
    shared, user = stage.contact(), stage.user()
    for portal in (stage.academy, stage.partners):
        courses = [stage.course(portal, name=f"Course {n}") for n in range(3)]
        path = stage.path(*courses[:2], portal=portal, name="Way in")
        others: list[dict[str, Any]] = [{"sf_user_id": user, "is_salesforce_contact": False}, {}]
        for person in [{"sf_contact_id": shared}, *others]:
            learner = stage.learner(portal, **person)
            for course, status in zip(courses, ("completed", "in_progress", "not_started"), strict=True):
                stage.enroll(learner, course, portal, status=status)
            stage.enroll_path(learner, path, portal)


def night(stage: Stage, sync: Sync) -> None:
    """After a first load: rows changed, new, unenrolled, gone; a learner gone, and one who became a User."""
    nothing(stage, sync)
    portal = stage.academy
    first, _, third = list(portal.users)
    rows = {row["course_id"]: row["id"] for row in portal.enrollments.values() if row["user_id"] == first}
    done, going, waiting = rows.values()
    portal.change_enrollment(going, status="passed", percentage=88)
    portal.unenroll(done)
    portal.remove_enrollment(waiting)
    stage.enroll(first, portal=portal)
    portal.change_user(third, sf_contact_id=None, sf_user_id=stage.user(), is_salesforce_contact=False)
    stage.partners.remove_user(list(stage.partners.users)[2])


def nothing(stage: Stage, sync: Sync) -> None:
    """After a first load: nothing has changed."""
    first_load(stage, sync)
    assert sync() == 0
    stage.ledger.clear()


def mass_change(stage: Stage, sync: Sync) -> None:
    """After a first load of more learners: every enrollment has another status."""
    first_load(stage, sync)
    course = stage.course(name="For everybody")
    for _ in range(30):
        stage.enroll(stage.learner(), course, status="not_started")
    assert sync() == 0
    for portal in (stage.academy, stage.partners):
        for row in list(portal.enrollments.values()):
            portal.change_enrollment(row["id"], status="passed", percentage=91)
    stage.ledger.clear()


def after_a_guard(stage: Stage, sync: Sync) -> None:
    """More rows are to be deleted than may be: a run was stopped by that, and a person allows it for the next one."""
    stage.configure(guards={"max_deletes": _GUARDED})
    night(stage, sync)
    for row in [row for row in stage.partners.enrollments.values() if row["status"] != "completed"]:
        stage.partners.remove_enrollment(row["id"])
    assert sync() == 3


def a_job_to_adopt(stage: Stage, sync: Sync) -> None:
    """A run gave up on a job that goes on, and a pod that is lost left one Open: both are there when the run begins."""
    night(stage, sync)
    new_job(stage, object=CONTACT_ROWS)
    stage.org.stuck_jobs = 1
    stage.configure(salesforce={"job_timeout_minutes": 0.005})
    assert sync() == 75
    stage.configure(salesforce={"job_timeout_minutes": 1})
    goes_on = Fault(match=r"^GET .*/jobs/ingest/\w+$", nth=3, hook=lambda _: stage.org.unstick())
    stage.emu.salesforce_faults.add(goes_on)


def new_job(stage: Stage, **job: str) -> Any:
    """Make an ingest job as a client of the same user would, and return it."""
    base = f"{stage.emu.salesforce.url}/services/data/v67.0/jobs/ingest"
    headers = {"Authorization": f"Bearer {stage.org.access_token}"}
    spec = {"operation": "upsert", "externalIdFieldName": "LU_Key__c", **job}
    if spec["operation"] != "upsert":
        del spec["externalIdFieldName"]
    answer = requests.post(base, json=spec, headers=headers, timeout=10)
    answer.raise_for_status()
    return next(one for one in ingest_jobs(stage) if one.id == answer.json()["id"])


SCENARIOS: dict[str, Callable[[Stage, Sync], None]] = {
    "first load": first_load,
    "a night of changes": night,
    "mass change": mass_change,
    "nothing to do": nothing,
    "after a guard": after_a_guard,
    "a job to adopt": a_job_to_adopt,
}
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "mass change": ("run", "--allow-updates", "500"),
    "after a guard": ("run", "--allow-deletes", "50"),
}
"""How the disturbed run of a scenario is called, and the one after it; else it is `run`."""
