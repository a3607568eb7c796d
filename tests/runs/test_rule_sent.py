"""Only what differs is sent: rows, columns, clears; and what is no difference; plans send nothing at all."""

from __future__ import annotations

from typing import Any

import pytest
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Stage


@pytest.mark.rule("1.1", "1.2", "3.50")
def test_plan_then_run_then_nothing(stage: Stage) -> None:
    """A plan and a dry run send no writing request and foresee exactly what the run does; then nothing is left."""
    stage.store.knobs.list_unfinished_unenrolled = True
    learner, other = stage.learner(), stage.learner(sf_user_id=stage.user())
    course = stage.course()
    numbers = [stage.enroll(learner, course, status=one) for one in ("passed", "in_progress", "in_progress")]
    stage.enroll(other, course)
    stage.enroll_path(learner, stage.path(course))
    for night in (lambda: None, lambda: stage.academy.unenroll(numbers[1])):
        night()
        foreseen = []
        for arguments in (("plan",), ("run", "--dry-run"), ("plan", "--json")):
            plan = stage.synced(*arguments)
            assert (plan.writing_calls, plan.effects) == ([], [])
            foreseen.append(plan.report["objects"])
        result = stage.synced()
        words = ("created", "updated", "deleted")
        planned = {name: {**one, **dict.fromkeys(words, 0)} for name, one in result.report["objects"].items()}
        assert foreseen == [planned] * 3
        assert result.writing_calls
        again = stage.synced()
        assert (again.writing_calls, again.effects, again.ingest_jobs) == ([], [], [])


@pytest.mark.rule("3.50", "3.12")
def test_only_columns_that_differ_are_sent(stage: Stage) -> None:
    """One changed enrollment sends its changed columns and key; so do the membership and the profile; nobody else."""
    contact = stage.contact()
    learner, idle = stage.learner(sf_contact_id=contact), stage.learner()
    course = stage.course()
    number, _ = stage.enroll(learner, course, status="in_progress"), stage.enroll(idle, course)
    stage.synced()
    stage.academy.change_enrollment(number, status="passed", percentage=87)
    uploads = stage.uploads()
    result = stage.synced()
    row, member = f"12345:enrollment:{number}", f"12345:member:{learner}"
    moved = {"LU_Number_In_Progress__c": 0, "LU_Number_Passed__c": 1}
    assert result.sent(CONTACT_ROWS) == {row: {"LU_Key__c": row, "Status__c": "Passed", "Score__c": 87}}
    assert result.sent(MEMBERSHIP) == {member: {"LU_Key__c": member, **moved}}
    assert result.sent("Contact") == {contact: moved}
    assert len(result.effects) == 3
    assert {name: len(lines) for name, lines in uploads} == {CONTACT_ROWS: 1, MEMBERSHIP: 1, "Contact": 1}


@pytest.mark.fault("D30")
@pytest.mark.rule("3.50", "3.23", "3.52")
def test_rows_of_one_file_send_their_own_columns(stage: Stage) -> None:
    """Rows that differ in different columns share a file, yet each sends its own columns only; a new row sends all."""
    learner, course = stage.learner(), stage.course()
    first, second, third = (stage.enroll(learner, course, status="passed", percentage=80) for _ in range(3))
    stage.synced()
    stage.academy.change_enrollment(first, status="failed")
    stage.academy.change_enrollment(second, percentage=None)
    stage.academy.change_enrollment(third, course_name="Renamed")
    fresh = stage.enroll(learner, course, status="not_started")
    uploads = stage.uploads()
    result = stage.synced()
    keys = [f"12345:enrollment:{number}" for number in (first, second, third, fresh)]
    sent = result.sent(CONTACT_ROWS)
    assert [sent[key] for key in keys[:3]] == [
        {"LU_Key__c": keys[0], "Status__c": "Failed"},
        {"LU_Key__c": keys[1], "Score__c": None},
        {"LU_Key__c": keys[2], "Course_Name__c": "Renamed"},
    ]
    assert (sent[keys[3]]["Status__c"], sent[keys[3]]["Course_Id__c"]) == ("Not Started", course)
    assert [name for name, _ in uploads].count(CONTACT_ROWS) == 1
    stage.settled()


@pytest.mark.rule("3.50", "3.23")
def test_what_a_person_changed_is_put_back_alone(stage: Stage) -> None:
    """A field somebody edited in Salesforce is put back, that one only; fields that are not ours are left."""
    user = stage.user()
    learner = stage.learner(sf_user_id=user)
    number = stage.enroll(learner, status="passed", percentage=70)
    stage.synced()
    row = f"12345:enrollment:{number}"
    stage.org.update(USER_ROWS, stage.row(USER_ROWS, row)["Id"], {"Score__c": 99, "Course_Name__c": None}, record=False)
    stage.org.update("User", user, {"LU_Number_Passed__c": None, "LastName": "Married"}, record=False)
    result = stage.synced()
    course = stage.academy.enrollments[number]["course_name"]
    assert result.sent(USER_ROWS) == {row: {"LU_Key__c": row, "Score__c": 70, "Course_Name__c": course}}
    assert result.sent("User") == {user: {"LU_Number_Passed__c": 1}}
    assert stage.person(user)["LastName"] == "Married"
    stage.settled()


@pytest.mark.rule("3.51", "1.1", "2.15", "3.1")
def test_other_spellings_of_the_same_value_are_no_change(stage: Stage) -> None:
    """Times, numbers, ids and blanks that LearnUpon writes another way compare equal and are not sent again."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact, last_sign_in_at="2026-03-01T09:00:00Z")
    course = stage.course(name="Plain")
    fields: dict[str, Any] = {"percentage": 87, "percentage_complete": 100, "date_enrolled": "2026-01-05T08:00:00Z"}
    number = stage.enroll(learner, course, status="passed", date_completed="2026-01-06T10:30:00Z", **fields)
    blank = stage.enroll(learner, course, status="in_progress", date_completed=None, percentage=None)
    stage.synced()
    spellings = (
        {"percentage": 87.0, "percentage_complete": "100", "version": "1", "date_enrolled": "2026-01-05T08:00:00.750Z"},
        {"percentage": "87.00", "date_enrolled": "2026-01-05T10:00:00+02:00", "course_name": " Plain "},
        {
            "percentage": 87.001,
            "date_completed": "2026-01-06T10:30:00.000Z",
            "date_enrolled": "2026-01-05 08:00:00 UTC",
        },
    )
    for spelling in spellings:
        stage.academy.change_enrollment(number, **spelling)
        stage.academy.change_enrollment(blank, date_completed="", percentage="")
        stage.academy.change_user(learner, sf_contact_id=contact[:15], last_sign_in_at="2026-03-01T01:00:00.999-08:00")
        stage.settled()
    row = stage.row(CONTACT_ROWS, f"12345:enrollment:{number}")
    assert (row["Date_Enrolled__c"], row["Date_Completed__c"]) == (
        "2026-01-05T08:00:00.000Z",
        "2026-01-06T10:30:00.000Z",
    )
    assert stage.row(MEMBERSHIP, f"12345:member:{learner}")["LU_Last_Accessed_At__c"] == "2026-03-01T09:00:00.000Z"


@pytest.mark.rule("3.51", "3.50")
def test_a_second_is_a_difference_and_a_cent_too(stage: Stage) -> None:
    """The normalisation hides nothing that Salesforce can hold: a second, a hundredth, a capital letter are sent."""
    learner, course = stage.learner(), stage.course(name="Plain")
    number = stage.enroll(learner, course, status="passed", percentage=87, date_enrolled="2026-01-05T08:00:00Z")
    stage.synced()
    row = f"12345:enrollment:{number}"
    stage.academy.change_enrollment(number, percentage=87.01, date_enrolled="2026-01-05T08:00:01Z", course_name="plain")
    assert stage.synced().sent(CONTACT_ROWS) == {
        row: {
            "LU_Key__c": row,
            "Score__c": 87.01,
            "Date_Enrolled__c": "2026-01-05T08:00:01.000Z",
            "Course_Name__c": "plain",
        }
    }


@pytest.mark.rule("2.13", "2.12", "3.52")
def test_files_name_parents_by_key_and_people_by_id(stage: Stage) -> None:
    """A file points at portal and membership by their keys, updates people by Id, and holds no column of others."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact)
    course = stage.course()
    stage.enroll(learner, course)
    stage.enroll_path(learner, stage.path(course))
    uploads = stage.uploads()
    stage.synced()
    lines = {name: rows[0] for name, rows in uploads}
    assert lines[MEMBERSHIP]["LearnUpon_Portal__r.LU_Key__c"] == "12345"
    for name in (CONTACT_ROWS, CONTACT_PATHS):
        assert lines[name]["LearnUpon_Portal_Membership__r.LU_Key__c"] == f"12345:member:{learner}"
        assert not {"Id", "LearnUpon_Portal_Membership__c"} & set(lines[name])
    assert lines["Contact"]["Id"] == contact
    assert [name for name, _ in uploads] == ["LearnUpon_Portal__c", MEMBERSHIP, CONTACT_ROWS, CONTACT_PATHS, "Contact"]
