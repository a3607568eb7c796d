"""Worlds in which runs are disturbed: a first load, a night of changes, and nothing to do; always the same ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runs.stage import Stage

Sync = Callable[[], int]
"""Runs the program on the stage and returns its exit code."""


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


SCENARIOS: dict[str, Callable[[Stage, Sync], None]] = {
    "first load": first_load,
    "a night of changes": night,
    "nothing to do": nothing,
}
