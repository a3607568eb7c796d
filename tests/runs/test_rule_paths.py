"""Paths: how many courses are on a path, and how many of them a learner has done."""

from __future__ import annotations

import pytest
from runs.stage import CONTACT_PATHS, USER_PATHS, Stage

ON, DONE = "Number_Of_Courses_On_Path__c", "Number_Of_Courses_Completed_On_Path__c"


def progress(stage: Stage, name: str = CONTACT_PATHS) -> dict[int, tuple[int, int]]:
    """Return path enrollment id to courses on the path and courses done."""
    return {int(row["LUEnrollment__c"]): (row[ON], row[DONE]) for row in stage.rows(name).values()}


@pytest.mark.rule("3.27", "3.28", "3.30")
def test_done_courses_are_counted(stage: Stage) -> None:
    """Completed and passed courses of the path count, others do not; nor courses off the path, nor other learners'."""
    courses = [stage.course() for _ in range(6)]
    path, empty = stage.path(*courses[:5]), stage.path()
    learner, idle, user = stage.learner(), stage.learner(), stage.learner(sf_user_id=stage.user())
    for course, status in zip(
        courses, ("completed", "passed", "failed", "in_progress", "passed", "passed"), strict=True
    ):
        stage.enroll(learner, course, status=status)
    stage.enroll(learner, courses[0], status="passed")
    stage.enroll(learner, courses[2], status="passed", unenrolled=True)
    stage.enroll(user, courses[4], status="completed")
    found = {stage.enroll_path(learner, path): (5, 3), stage.enroll_path(learner, empty): (0, 0)}
    found |= {stage.enroll_path(idle, path, status="passed"): (5, 0)}
    users = {stage.enroll_path(user, path): (5, 1)}
    stage.synced()
    assert (progress(stage), progress(stage, USER_PATHS)) == (found, users)
    stage.settled()


@pytest.mark.rule("3.29", "3.30")
def test_other_versions_count_by_source_id(stage: Stage) -> None:
    """A course done in another version counts by its source id, once, also when both versions were done."""
    old = stage.course(id=900, version=1)
    new = stage.course(id=901, version=2, source_id=900)
    lone, other = stage.course(id=910), stage.course(id=920)
    path = stage.path(new, lone)
    learners = [stage.learner() for _ in range(4)]
    stage.enroll(learners[0], old, status="passed")
    stage.enroll(learners[1], old, status="passed")
    stage.enroll(learners[1], new, status="completed")
    stage.enroll(learners[2], new, status="passed")
    stage.enroll(learners[3], other, status="passed")
    found = {stage.enroll_path(one, path): (2, done) for one, done in zip(learners, (1, 1, 1, 0), strict=True)}
    stage.synced()
    assert progress(stage) == found


@pytest.mark.rule("3.27", "3.30", "2.10")
def test_portals_paths_do_not_mix(stage: Stage) -> None:
    """Equal path and course ids of two portals count apart."""
    contact = stage.contact()
    rows = {}
    for portal, status in ((stage.academy, "passed"), (stage.partners, "in_progress")):
        course = stage.course(portal, id=900)
        learner = stage.learner(portal, id=5, sf_contact_id=contact)
        stage.enroll(learner, course, portal, id=77, status=status)
        path = stage.path(course, portal=portal, id=33)
        rows[portal.portal_id] = stage.enroll_path(learner, path, portal, id=44)
    stage.synced()
    paths = stage.rows(CONTACT_PATHS)
    assert {name: row[DONE] for name, row in paths.items()} == {"12345:path:44": 1, "67890:path:44": 0}


@pytest.mark.rule("3.28")
def test_what_counts_as_done_can_be_chosen(stage: Stage) -> None:
    """rules.path_done_statuses says which statuses count."""
    stage.configure(rules={"path_done_statuses": ["failed"]})
    courses = [stage.course() for _ in range(3)]
    learner = stage.learner()
    for course, status in zip(courses, ("completed", "passed", "failed"), strict=True):
        stage.enroll(learner, course, status=status)
    number = stage.enroll_path(learner, stage.path(*courses))
    stage.synced()
    assert progress(stage) == {number: (3, 1)}


@pytest.mark.rule("3.27", "3.28", "3.50")
def test_progress_moves_with_the_learner_and_the_path(stage: Stage) -> None:
    """A course done since, and a course added to the path, change these two numbers and send nothing else."""
    courses = [stage.course() for _ in range(3)]
    path, learner = stage.path(*courses[:2]), stage.learner()
    taken = stage.enroll(learner, courses[0], status="in_progress")
    number = stage.enroll_path(learner, path)
    stage.synced()
    stage.academy.change_enrollment(taken, status="passed")
    key = f"12345:path:{number}"
    assert stage.synced().sent(CONTACT_PATHS) == {key: {"LU_Key__c": key, DONE: 1}}
    stage.academy.path_courses[path].append(courses[2])
    stage.academy.touch()
    assert stage.synced().sent(CONTACT_PATHS) == {key: {"LU_Key__c": key, ON: 3}}
