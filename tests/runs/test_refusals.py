"""Rows that Salesforce refuses, jobs that fail half way or never end: told honestly, mended by a later run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from runs.afterwards import at_rest, ingest_jobs
from runs.result import Result
from runs.small_world import furnish, quick
from runs.stage import CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Stage
from runs.told import refused, told

from etl.emulator.faults import Fault
from etl.emulator.salesforce.org import Refusal

_RULE = "FIELD_CUSTOM_VALIDATION_EXCEPTION:Scores need a witness"


@pytest.mark.fault("D4", "D28")
def test_refused_rows_are_listed_and_the_others_written(stage: Stage) -> None:
    """Refused rows are listed with Salesforce's reason, all others are applied, exit 1; the next run tries again."""
    world = furnish(stage)
    bad = stage.enroll(world.learners[1], world.second_course, status="passed", percentage=90)
    stage.org.refuse = [Refusal(CONTACT_ROWS, {"Status__c": "Passed"}, _RULE)]
    result = stage.run(clock=quick())
    assert (result.code, result.report["outcome"]) == (1, "rows_refused")
    assert result.report["refused_reasons"] == {"FIELD_CUSTOM_VALIDATION_EXCEPTION": 1}
    assert result.table("refused.csv") == [
        {
            "object": CONTACT_ROWS,
            "key": f"12345:enrollment:{bad}",
            "operation": "upsert",
            "code": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "message": result.table("refused.csv")[0]["message"],
        }
    ]
    assert "Scores need a witness" in result.table("refused.csv")[0]["message"]
    assert (result.counts(CONTACT_ROWS)["created"], result.counts(CONTACT_ROWS)["refused"]) == (4, 1)
    assert "refused.csv" in result.out

    again = stage.run(clock=quick())
    assert (again.code, again.effects) == (1, [])
    stage.org.refuse = []
    assert stage.synced().done(CONTACT_ROWS, "create") == [f"12345:enrollment:{bad}"]
    stage.settled()


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_refused_updates_and_deletes_are_told_once(stage: Stage, operation: str) -> None:
    """A refused update or delete is one line of refused.csv and one row of the counts; the row stays as it was."""
    world = furnish(stage)
    row = stage.enroll(world.learners[1], world.second_course)
    stage.synced()
    key = f"12345:enrollment:{row}"
    if operation == "update":
        stage.academy.change_enrollment(row, status="in_progress")
    else:
        stage.academy.remove_enrollment(row)
        stage.configure(guards={"max_delete_percent": 100})
    before = stage.row(CONTACT_ROWS, key)
    stage.org.refuse = [Refusal(CONTACT_ROWS, {"LU_Key__c": key}, _RULE, operations=(operation,))]
    result = stage.run(clock=quick())
    assert result.code == 1
    assert stage.row(CONTACT_ROWS, key) == before
    lines = result.table("refused.csv")
    assert len(lines) == 1, lines
    assert (lines[0]["code"], lines[0]["key"]) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", key)
    assert result.counts(CONTACT_ROWS)["refused"] == 1
    assert result.report["refused_reasons"] == {"FIELD_CUSTOM_VALIDATION_EXCEPTION": 1}
    stage.org.refuse = []
    stage.synced()
    stage.settled()


def test_a_refused_membership_takes_its_rows_along(stage: Stage) -> None:
    """Rows below a membership that was refused are refused too, and come in once the cause is gone."""
    world = furnish(stage)
    member = f"12345:member:{world.learners[0]}"
    stage.org.refuse = [Refusal(MEMBERSHIP, {"LU_Key__c": member}, _RULE)]
    result = stage.run(clock=quick())
    assert result.code == 1
    assert (result.counts(MEMBERSHIP)["refused"], result.counts(CONTACT_ROWS)["refused"]) == (1, 2)
    assert len(result.table("refused.csv")) == 3
    stage.org.refuse = []
    stage.synced()
    assert len(stage.rows(CONTACT_ROWS)) == 4
    stage.settled()


@pytest.mark.fault("D5")
def test_locked_rows_are_sent_again_in_a_smaller_job(stage: Stage) -> None:
    """Rows refused for UNABLE_TO_LOCK_ROW are sent again by themselves, and the run ends with 0."""
    world = furnish(stage)
    contact = stage.academy.users[world.learners[1]]["sf_contact_id"]
    stage.org.refuse = [Refusal(CONTACT_ROWS, {"SFContact__c": contact}, "UNABLE_TO_LOCK_ROW", times=2)]
    result = stage.run(clock=quick())
    assert result.code == 0, result.err
    assert (result.counts(CONTACT_ROWS)["created"], result.counts(CONTACT_ROWS)["refused"]) == (4, 0)
    jobs = [job for job in ingest_jobs(stage) if job.spec["object"] == CONTACT_ROWS]
    assert [job.processed for job in jobs] == [4, 1, 1]
    stage.settled()


@pytest.mark.fault("D5")
def test_rows_that_stay_locked_are_given_up(stage: Stage) -> None:
    """A row that is locked in three more rounds is refused and listed: exit 1, and the next run tries again."""
    world = furnish(stage)
    stage.org.refuse = [Refusal(CONTACT_ROWS, {"Course_Name__c": "Ropes"}, "UNABLE_TO_LOCK_ROW")]
    result = stage.run(clock=quick())
    (locked,) = (one for one, row in stage.academy.enrollments.items() if row["course_id"] == world.second_course)
    refused(result, (CONTACT_ROWS, f"12345:enrollment:{locked}", "UNABLE_TO_LOCK_ROW"))
    assert "unable to obtain exclusive access" in result.table("refused.csv")[0]["message"]
    assert result.report["refused_reasons"] == {"UNABLE_TO_LOCK_ROW": 1}
    assert [job.processed for job in ingest_jobs(stage) if job.spec["object"] == CONTACT_ROWS] == [4, 1, 1, 1]
    assert len(result.done(CONTACT_ROWS, "create")) == result.counts(CONTACT_ROWS)["created"] == 3
    stage.org.refuse = []
    stage.synced()
    stage.settled()


def test_values_that_no_field_can_hold_are_not_sent(stage: Stage) -> None:
    """What a restricted picklist lacks and numbers with too many digits are rejected before sending: exit 1, listed."""
    fields = stage.org.objects[CONTACT_ROWS].fields
    status = replace(fields["Status__c"], type="picklist", restricted=True, picklist=("Completed", "Not Started"))
    fields["Status__c"] = status
    world = furnish(stage)
    unlisted = stage.enroll(world.learners[1], world.second_course, status="passed", percentage=80)
    result = stage.run(clock=quick())
    assert result.code == 1
    lines = result.table("refused.csv")
    assert [(line["key"], line["operation"], line["code"]) for line in lines] == [
        (f"12345:enrollment:{unlisted}", "none", "rejected")
    ]
    assert "Status__c" in lines[0]["message"]
    assert (result.counts(CONTACT_ROWS)["rejected"], result.counts(CONTACT_ROWS)["created"]) == (1, 4)
    assert f"12345:enrollment:{unlisted}" not in str([entry.after for entry in result.ledger])
    fields["Status__c"] = replace(status, picklist=(*status.picklist, "Passed"))
    stage.synced()
    stage.settled()


def test_a_kept_row_may_hold_what_its_picklist_has_lost(stage: Stage) -> None:
    """A kept row with a status that was retired since is flagged and left alone; a new row with it is rejected."""
    world = furnish(stage)
    learner = stage.learner()
    kept, flagged = (stage.enroll(learner, world.second_course, status="passed") for _ in range(2))
    stage.synced()
    stage.academy.remove_enrollment(flagged)
    stage.synced()
    fields = stage.org.objects[CONTACT_ROWS].fields
    fields["Status__c"] = replace(
        fields["Status__c"], type="picklist", restricted=True, picklist=("Pass", "Completed", "Not Started")
    )
    stage.configure(rules={"status_labels": {"passed": "Pass"}})
    stage.academy.remove_enrollment(kept)
    keys = [f"12345:enrollment:{one}" for one in (kept, flagged)]
    assert stage.synced().sent(CONTACT_ROWS) == {keys[0]: {"LU_Key__c": keys[0], "Removed_In_LearnUpon__c": True}}
    assert [stage.row(CONTACT_ROWS, key)["Status__c"] for key in keys] == ["Passed", "Passed"]
    stage.settled()
    assert not any("have changed since" in line for line in stage.synced().report["warnings"])
    unlisted = stage.enroll(world.learners[1], world.second_course, status="failed")
    result = stage.run(clock=quick())
    assert [line["key"] for line in result.table("refused.csv")] == [f"12345:enrollment:{unlisted}"]


def test_a_score_with_too_many_digits_is_not_sent(stage: Stage) -> None:
    """A percentage that the field's digits cannot hold is rejected and listed; the other rows come in."""
    world = furnish(stage)
    row = stage.enroll(world.learners[1], world.second_course, status="passed", percentage=123456)
    result = stage.run(clock=quick())
    assert result.code == 1
    assert [line["key"] for line in result.table("refused.csv")] == [f"12345:enrollment:{row}"]
    stage.academy.change_enrollment(row, percentage=99)
    stage.synced()
    stage.settled()


@pytest.mark.fault("D2")
def test_a_job_that_fails_half_way_is_finished(stage: Stage) -> None:
    """When a job fails after some of its rows, those are counted, and the others alone go into another job: 0."""
    keys, result = _jobs_fail_after(stage, 2)
    assert result.code == 0, result.err
    assert "Done: 11 created, 3 updated, 0 deleted." in result.out
    assert result.table("refused.csv") == []
    assert result.done(CONTACT_ROWS, "create") == keys
    jobs = [job for job in ingest_jobs(stage) if job.spec["object"] == CONTACT_ROWS]
    assert [(job.state, job.processed) for job in jobs] == [("Failed", 2), ("Failed", 2), ("JobComplete", 2)]
    assert {job.id for job in jobs} <= set(result.report["jobs"])
    stage.org.fail_jobs_after_rows = None
    at_rest(stage)
    stage.settled()


@pytest.mark.fault("D2")
def test_jobs_that_fail_again_and_again_are_given_up(stage: Stage) -> None:
    """When the rows outlast the rounds, those that no job got to are listed: 1; the next run sends them alone."""
    keys, result = _jobs_fail_after(stage, 1)
    done = result.done(CONTACT_ROWS, "create")
    left = sorted(set(keys) - set(done))
    assert (len(done), result.counts(CONTACT_ROWS)["created"], result.counts(CONTACT_ROWS)["refused"]) == (4, 4, 2)
    refused(result, *((CONTACT_ROWS, key, "JOB_FAILED") for key in left))
    stage.org.fail_jobs_after_rows = None
    assert stage.synced().done(CONTACT_ROWS, "create") == left
    at_rest(stage)
    stage.settled()


def _jobs_fail_after(stage: Stage, rows: int) -> tuple[list[str], Result]:
    """Load six enrollments while every job fails after so many rows; return their keys, sorted, and the run."""
    world = furnish(stage)
    for learner in world.learners[1:]:
        stage.enroll(learner, world.second_course)
    stage.org.fail_jobs_after_rows = rows
    return sorted(f"12345:enrollment:{one}" for one in stage.academy.enrollments), stage.run(clock=quick())


@pytest.mark.fault("D29")
def test_results_that_cannot_be_read_are_unknown(stage: Stage) -> None:
    """When nobody can say which rows failed, the run says so with 75 and the job's id, and counts them as unknown."""
    furnish(stage)
    stage.emu.salesforce_faults.add(Fault(match="/failedResults", nth=3, status=500, body="oops", times=None))
    result = stage.run(clock=quick())
    told(result, 75, result.report["jobs"][-1], "0 of 4 rows failed", "compares anew")
    assert result.report["outcome"] == "unknown"
    assert result.counts(CONTACT_ROWS)["unknown"] == 4
    assert "Nothing was written" not in result.out
    stage.emu.salesforce_faults.clear()
    assert stage.run(clock=quick()).code == 0
    at_rest(stage)
    stage.settled()


@pytest.mark.fault("D1")
def test_a_stuck_job_is_named_and_adopted(stage: Stage) -> None:
    """A job that does not end in time ends the run with 75 and its id; the next run waits for it, nothing twice."""
    furnish(stage)
    stage.configure(salesforce={"job_timeout_minutes": 5})
    stage.synced("run", "--portal", "partners")
    stage.org.stuck_jobs = 1
    result = stage.run(clock=quick())
    job = result.report["jobs"][-1]
    told(result, 75, job, "5 minutes", "of 1 rows of", "nothing is sent again", "next run")
    assert result.report["outcome"] == "unknown"

    stuck = stage.run(clock=quick())
    assert (stuck.code, stuck.ingest_jobs) == (75, [])
    assert job in stuck.err

    stage.org.unstick()
    last = stage.run(clock=quick())
    assert last.code == 0, last.err
    assert job in str(last.report)
    at_rest(stage)
    stage.settled()


@pytest.mark.fault("D3")
def test_a_job_that_somebody_aborts_ends_the_run(stage: Stage) -> None:
    """A job aborted by a person is not fought: the run stops, and the next one writes what is missing."""
    furnish(stage)
    stage.before(r"GET /services/data/\S*/jobs/ingest/\w+$", lambda: ingest_jobs(stage)[-1].move("Aborted"))
    result = stage.run(clock=quick())
    told(result, 69, "aborted by someone else", f"job {result.report['jobs'][0]}", "nothing is sent again in this run")
    assert len(result.ingest_jobs) == 1
    assert stage.run(clock=quick()).code == 0
    stage.settled()


@pytest.mark.parametrize("row", ["finished", "unfinished"])
def test_a_moved_row_is_kept_until_its_new_one_stands(stage: Stage, row: str) -> None:
    """When a learner moves and the new row is refused, the old one is not deleted: nothing may be lost."""
    learner = stage.learner()
    enrollment = stage.enroll(learner, status="completed" if row == "finished" else "in_progress")
    stage.synced()
    user = stage.user()
    stage.academy.change_user(learner, sf_contact_id=None, sf_user_id=user, is_salesforce_contact=False)
    stage.org.refuse = [Refusal(USER_ROWS, {}, _RULE)]
    result = stage.run(clock=quick())
    key = f"12345:enrollment:{enrollment}"
    assert result.code == 1
    assert (list(stage.rows(CONTACT_ROWS)), list(stage.rows(USER_ROWS))) == ([key], [])
    assert result.done(CONTACT_ROWS, "delete") == []
    assert {line["code"] for line in result.table("refused.csv")} == {"FIELD_CUSTOM_VALIDATION_EXCEPTION", "HELD_BACK"}
    stage.org.refuse = []
    stage.synced()
    assert (list(stage.rows(CONTACT_ROWS)), list(stage.rows(USER_ROWS))) == ([], [key])
    stage.settled()
