"""Faults of Salesforce around jobs that write: answers that are lost, files stored short, jobs that end badly."""

from __future__ import annotations

import pytest
from runs.afterwards import at_rest, ingest_jobs
from runs.small_world import furnish, quick
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage
from runs.told import refused, told

from etl.emulator.faults import Fault
from etl.emulator.salesforce.org import Refusal

CREATE, UPLOAD, CLOSE = r"POST \S*/jobs/ingest$", r"PUT \S*/batches$", r"PATCH \S*/jobs/ingest/\w+$"
_ROWS_FILE = 3
"""The portal's file is the first of a first load, the memberships' the second, the enrollments' the third."""


def _first_load(stage: Stage, *faults: Fault) -> list[str]:
    """Load the small world while faults are played, see that it went well, and return the jobs' states in order."""
    furnish(stage)
    for fault in faults:
        stage.emu.salesforce_faults.add(fault)
    result = stage.run(clock=quick())
    assert result.code == 0, result.err
    assert stage.emu.salesforce_faults.fired
    assert len(result.done(CONTACT_ROWS, "create")) == len(stage.rows(CONTACT_ROWS)) == 4
    return [job.state for job in ingest_jobs(stage)]


@pytest.mark.fault("D9")
def test_a_job_whose_creation_nobody_answered_is_aborted(stage: Stage) -> None:
    """The job that was made without an answer is found by user, object and moment, aborted, and made anew; exit 0."""
    states = _first_load(stage, Fault(match=CREATE, nth=_ROWS_FILE, when="after", reset=True))
    assert sorted(states) == ["Aborted", *["JobComplete"] * 4]
    at_rest(stage)


@pytest.mark.fault("D9")
def test_a_lost_job_that_cannot_be_looked_for_is_found_by_the_next_run(stage: Stage) -> None:
    """When the list of jobs is not answered either the run stops with 69; the next one aborts the job, and loads."""
    furnish(stage)
    stage.emu.salesforce_faults.add(Fault(match=CREATE, nth=_ROWS_FILE, when="after", reset=True))
    stage.emu.salesforce_faults.add(Fault(match=r"GET \S*/jobs/ingest\?", nth=2, times=None, status=503))
    told(stage.run(clock=quick()), 69, "503", "run again")
    assert [job.state for job in ingest_jobs(stage)].count("Open") == 1
    stage.emu.salesforce_faults.clear()
    result = stage.synced()
    assert "1 jobs that an earlier run had begun to create: aborted" in result.warnings
    at_rest(stage)


@pytest.mark.fault("D10")
def test_an_upload_that_nobody_answered_is_not_sent_twice_to_a_job(stage: Stage) -> None:
    """A stored upload without an answer costs its job, which is aborted before the rows go into another one; exit 0."""
    states = _first_load(stage, Fault(match=UPLOAD, nth=_ROWS_FILE, when="after", reset=True))
    assert sorted(states) == ["Aborted", *["JobComplete"] * 4]
    at_rest(stage)


@pytest.mark.long
@pytest.mark.fault("D10")
def test_a_job_that_could_not_be_aborted_is_aborted_by_the_next_run(stage: Stage) -> None:
    """An Open job that is left since its abort failed never runs, and the next run aborts it."""
    lost = Fault(match=UPLOAD, nth=_ROWS_FILE, when="after", reset=True)
    states = _first_load(stage, lost, Fault(match=CLOSE, nth=_ROWS_FILE, times=5, status=503))
    assert sorted(states) == [*["JobComplete"] * 4, "Open"]
    assert "aborted, nothing was written" in stage.synced().warnings
    at_rest(stage)


@pytest.mark.fault("D11")
def test_a_close_that_nobody_answered_is_seen_in_the_job(stage: Stage) -> None:
    """A job that was closed without an answer is waited for: no second job, one effect a row, exit 0."""
    states = _first_load(stage, Fault(match=CLOSE, nth=_ROWS_FILE, when="after", reset=True))
    assert states == ["JobComplete"] * 4
    at_rest(stage)


@pytest.mark.fault("D12")
def test_a_close_that_never_arrived_is_said_again(stage: Stage) -> None:
    """A job that is seen Open after its close got no answer is closed again, with the file it holds; exit 0."""
    states = _first_load(stage, Fault(match=CLOSE, nth=_ROWS_FILE, when="before", reset=True))
    assert states == ["JobComplete"] * 4
    at_rest(stage)


def _cut(share: float, *, at_line: bool) -> tuple[Fault, Fault]:
    """Return the two faults that store the enrollments' file short: at a line's end, or within one."""
    short = Fault(match=UPLOAD, nth=_ROWS_FILE, truncate_request=0)

    def measure(request: object) -> None:
        body: bytes = request.body  # type: ignore[attr-defined]
        place = int(len(body) * share)
        short.truncate_request = body.rindex(b"\n", 0, place) + 1 if at_line else place

    return Fault(match=UPLOAD, nth=_ROWS_FILE, hook=measure), short


@pytest.mark.fault("D13")
@pytest.mark.parametrize(
    "at_line", [True, pytest.param(False, marks=pytest.mark.long)], ids=["at a line's end", "within a line"]
)
def test_an_upload_that_was_stored_short_is_noticed(stage: Stage, *, at_line: bool) -> None:
    """Rows that no result names are unknown: 75 with number and job; a torn file fails: 1, listed; then sent once."""
    furnish(stage)
    for fault in _cut(0.6, at_line=at_line):
        stage.emu.salesforce_faults.add(fault)
    result = stage.run(clock=quick())
    there = result.done(CONTACT_ROWS, "create")
    lost = sorted({f"12345:enrollment:{one}" for one in stage.academy.enrollments} - set(there))
    counts = result.counts(CONTACT_ROWS)
    if at_line:
        assert (len(there), len(lost)) == (1, 3)
        told(result, 75, "of 3 rows sent Salesforce did not say what became", result.report["jobs"][2])
        assert (counts["created"], counts["unknown"], counts["refused"]) == (1, 3, 0)
    else:
        assert there == []
        refused(result, *((CONTACT_ROWS, key, "JOB_FAILED") for key in lost))
        assert {line["message"].split(":")[0] for line in result.table("refused.csv")} == {"InvalidBatch "}
        assert (counts["created"], counts["unknown"], counts["refused"]) == (0, 0, 4)
    assert stage.synced().done(CONTACT_ROWS, "create") == lost
    at_rest(stage)


@pytest.mark.fault("D8")
def test_a_full_org_still_gets_its_changes_and_deletes(stage: Stage) -> None:
    """New rows refused for want of storage are listed, exit 1; rows are changed and deleted all the same."""
    world = furnish(stage)
    changed, gone = (stage.enroll(world.learners[1], world.second_course) for _ in range(2))
    stage.synced()
    stage.academy.change_enrollment(changed, status="in_progress")
    stage.academy.remove_enrollment(gone)
    new = stage.enroll(world.learners[2], world.second_course)
    stage.configure(guards={"max_delete_percent": 100})
    stage.org.refuse = [Refusal(CONTACT_ROWS, {}, "STORAGE_LIMIT_EXCEEDED", operations=("create",))]
    result = stage.run(clock=quick())
    refused(result, (CONTACT_ROWS, f"12345:enrollment:{new}", "STORAGE_LIMIT_EXCEEDED"))
    assert result.done(CONTACT_ROWS, "update") == [f"12345:enrollment:{changed}"]
    assert result.done(CONTACT_ROWS, "delete") == [f"12345:enrollment:{gone}"]
    stage.org.refuse = []
    assert stage.synced().done(CONTACT_ROWS, "create") == [f"12345:enrollment:{new}"]


@pytest.mark.fault("D6")
def test_a_session_that_dies_for_good_while_a_job_runs(stage: Stage) -> None:
    """When even a fresh session is refused while a job runs, its outcome is unknown: 75, the job named, adopted."""
    furnish(stage)
    body = '[{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]'
    stage.org.stuck_jobs = 1
    stage.emu.salesforce_faults.add(Fault(match=r"GET \S*/jobs/ingest/\w+$", status=401, body=body, times=None))
    result = stage.run(clock=quick())
    told(result, 75, result.report["jobs"][0], "INVALID_SESSION_ID", "next run")
    assert result.counts("LearnUpon_Portal__c")["unknown"] == 2
    stage.emu.salesforce_faults.clear()
    stage.org.unstick()
    assert f"job {result.report['jobs'][0]} of an earlier run: JobComplete" in stage.synced().warnings
    at_rest(stage)


@pytest.mark.fault("D29")
@pytest.mark.parametrize("kind", ["successfulResults", pytest.param("unprocessedrecords", marks=pytest.mark.long)])
def test_results_of_a_job_that_has_ended_cannot_be_read(stage: Stage, kind: str) -> None:
    """Whichever result is not to be had: 75 with the job's counts, its rows unknown; the next run ends well."""
    furnish(stage)
    stage.emu.salesforce_faults.add(Fault(match=f"/{kind}", nth=2, status=404, body="[]", times=None))
    result = stage.run(clock=quick())
    told(result, 75, result.report["jobs"][1], "0 of 3 rows failed", "compares anew")
    assert result.counts(MEMBERSHIP)["unknown"] == 3
    stage.emu.salesforce_faults.clear()
    stage.synced()
    at_rest(stage)
