"""Enrollments: one row an id, score, status labels, and values that go back to null."""

from __future__ import annotations

import pytest
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_PATHS, Stage

LABELS = {
    "not_started": "Not Started",
    "in_progress": "In Progress",
    "pending_review": "Pending Review",
    "completed": "Completed",
    "passed": "Passed",
    "failed": "Failed",
}


def key(number: int) -> str:
    """Return the key of a course enrollment of the first portal."""
    return f"12345:enrollment:{number}"


@pytest.mark.rule("3.18")
def test_a_retake_is_a_second_row(stage: Stage) -> None:
    """Enrollments of one learner in one course are a row each, with their own values, seen at once or one by one."""
    learner, course = stage.learner(), stage.course()
    first = stage.enroll(learner, course, status="failed", percentage=40)
    second = stage.enroll(learner, course, status="failed", percentage=60)
    stage.synced()
    third = stage.enroll(learner, course, status="passed", percentage=95)
    result = stage.synced()
    assert result.done(CONTACT_ROWS, "create") == [key(third)]
    assert result.done(CONTACT_ROWS, "update") == []
    rows = stage.rows(CONTACT_ROWS)
    assert {name: (row["Status__c"], row["Score__c"]) for name, row in rows.items()} == {
        key(first): ("Failed", 40),
        key(second): ("Failed", 60),
        key(third): ("Passed", 95),
    }
    assert {row["Course_Id__c"] for row in rows.values()} == {course}


@pytest.mark.rule("3.19", "3.20", "2.15")
def test_scores_and_labels(stage: Stage) -> None:
    """A score of 0 is 0 and none is blank, whole or not; every documented status has its label."""
    learner, course = stage.learner(), stage.course()
    scores = {0: 0, None: None, 87: 87, 87.5: 87.5, "66.25": 66.25, 87.456: 87.46, 100: 100}
    by_score = {
        stage.enroll(learner, course, status="passed", percentage=given): kept for given, kept in scores.items()
    }
    by_status = {stage.enroll(learner, course, status=status): label for status, label in LABELS.items()}
    path = stage.path(course)
    on_path = {stage.enroll_path(learner, path, status=status): label for status, label in LABELS.items()}
    stage.synced()
    rows = stage.rows(CONTACT_ROWS)
    assert {number: rows[key(number)]["Score__c"] for number in by_score} == by_score
    assert {number: rows[key(number)]["Status__c"] for number in by_status} == by_status
    paths = stage.rows(CONTACT_PATHS)
    assert {number: paths[f"12345:path:{number}"]["Status__c"] for number in on_path} == on_path
    stage.settled()


@pytest.mark.rule("3.21", "3.31", "3.12")
def test_statuses_can_be_renamed(stage: Stage) -> None:
    """A renamed status shows its label, the others stay; it counts and is finished all the same."""
    learner, course = stage.learner(), stage.course()
    first = stage.enroll(learner, course, status="completed")
    other = stage.enroll(learner, course, status="failed")
    stage.synced()
    stage.configure(rules={"status_labels": {"completed": "Complete", "failed": "Nicht bestanden"}})
    result = stage.synced()
    assert {name: after["Status__c"] for name, after in result.sent(CONTACT_ROWS).items()} == {
        key(first): "Complete",
        key(other): "Nicht bestanden",
    }
    stage.settled()
    stage.academy.remove_enrollment(other)
    stage.synced()
    assert stage.row(CONTACT_ROWS, key(other))["Status__c"] == "Nicht bestanden"
    assert stage.row(CONTACT_ROWS, key(other))["Removed_In_LearnUpon__c"] is True
    assert stage.row(MEMBERSHIP, f"12345:member:{learner}")["LU_Number_Completed__c"] == 1


@pytest.mark.rule("3.22")
def test_unknown_status_is_carried_with_a_warning(stage: Stage) -> None:
    """A status LearnUpon does not document is shown in Title Case, and a warning says how many have which."""
    learner, course = stage.learner(), stage.course()
    numbers = [stage.enroll(learner, course, status="awaiting_sign_off") for _ in range(2)]
    on_path = stage.enroll_path(learner, stage.path(course), status="on_hold")
    result = stage.synced()
    assert {stage.row(CONTACT_ROWS, key(number))["Status__c"] for number in numbers} == {"Awaiting Sign Off"}
    assert stage.row(CONTACT_PATHS, f"12345:path:{on_path}")["Status__c"] == "On Hold"
    assert "2 enrollments have the status awaiting_sign_off, which LearnUpon does not document" in result.warnings
    assert "1 enrollments have the status on_hold, which LearnUpon does not document" in result.warnings
    stage.settled()


@pytest.mark.rule("3.23", "3.52", "3.50")
def test_values_go_back_to_null(stage: Stage) -> None:
    """What LearnUpon clears is cleared, sent as #N/A, and nothing else is sent along."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact, last_sign_in_at="2026-03-01T09:00:00Z")
    course = stage.course()
    number = stage.enroll(learner, course, status="passed", percentage=80, percentage_complete=100)
    on_path = stage.enroll_path(learner, stage.path(course), status="passed", percentage=70)
    stage.synced()
    stage.academy.change_enrollment(
        number, status="in_progress", percentage=None, percentage_complete=None, date_completed=None, course_name=None
    )
    stage.academy.change_path_enrollment(on_path, percentage=None, date_completed=None)
    stage.academy.change_user(learner, last_sign_in_at=None)
    uploads = stage.uploads()
    stage.synced()
    row = stage.row(CONTACT_ROWS, key(number))
    cleared = ("Score__c", "Percent_Complete__c", "Date_Completed__c", "Course_Name__c")
    assert [row[name] for name in cleared] == [None] * 4
    assert stage.row(CONTACT_PATHS, f"12345:path:{on_path}")["Score__c"] is None
    assert stage.person(contact)["LU_Last_Accessed_At__c"] is None
    (sent,) = next(lines for name, lines in uploads if name == CONTACT_ROWS)
    assert {name: value for name, value in sent.items() if value} == {
        "LU_Key__c": key(number),
        "Status__c": "In Progress",
        **dict.fromkeys(cleared, "#N/A"),
    }
    stage.settled()


@pytest.mark.rule("2.4", "2.6", "2.9", "3.18")
def test_a_users_rows_are_in_the_users_objects(stage: Stage) -> None:
    """A User's course and path enrollments are in the User's objects, with the User in their lookup."""
    user = stage.user()
    learner, course = stage.learner(sf_user_id=user), stage.course()
    number = stage.enroll(learner, course)
    on_path = stage.enroll_path(learner, stage.path(course))
    stage.synced()
    assert stage.row("LearnUponEnrollment__c", key(number))["SFUser__c"] == user
    assert stage.row(USER_PATHS, f"12345:path:{on_path}")["SFUser__c"] == user
    assert (stage.rows(CONTACT_ROWS), stage.rows(CONTACT_PATHS)) == ({}, {})
    stage.settled()
