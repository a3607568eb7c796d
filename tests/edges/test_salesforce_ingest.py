"""One job: uploaded once, closed, waited for; after every unclear answer it is looked up, never blindly repeated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from salesforce_kit import Notes, Plans, World, loader, portal_row, world

from etl.emulator.faults import Fault
from etl.errors import AccessRefused, OutcomeUnknown, QuotaSpent, SyncError, Unavailable
from etl.salesforce.joblist import abort_lost, own_jobs
from etl.salesforce.load import Load, Written
from etl.schema import PORTAL

CREATE = "POST .*jobs/ingest$"
UPLOAD = "PUT .*/batches"
CLOSE = "PATCH .*jobs/ingest/"
POLL = "GET .*jobs/ingest/[^/?]+$"
ROWS = 4
ALL = Written(created=ROWS)


def attempt(served: World, folder: Path, *faults: Fault, **changed: Any) -> tuple[Load, Notes]:
    """Prepare to write four portals with these faults in the way."""
    org = served.connect(**changed)
    for fault in faults:
        served.faults.add(fault)
    notes = Notes()
    return loader(org, folder, notes), notes


def plans(folder: Path) -> Plans:
    """Plan four portals."""
    made = Plans(folder)
    made.create(PORTAL, *(portal_row(n) for n in range(ROWS)))
    return made


def states(served: World) -> list[str]:
    """Return the states of all ingest jobs, as the org lists them."""
    jobs, _ = own_jobs(served.connect())
    return sorted(job.state for job in jobs)


def written(served: World) -> int:
    """Return how many effects there were, each on another record."""
    effects = served.effects()
    assert len({entry.id for entry in effects}) == len(effects)
    return len(effects)


def test_steps_are_noted_before_they_are_taken(tmp_path: Path) -> None:
    """The journal knows job, rows and file hash, and each step is in it before its request is sent."""
    with world() as served:
        load, notes = attempt(served, tmp_path)
        seen: list[tuple[str, str]] = []
        for match in (CREATE, UPLOAD, CLOSE):
            served.faults.add(Fault(match, hook=lambda request: seen.append((request.method, notes.names[-1]))))
        assert load.apply(plans(tmp_path))[PORTAL.name] == ALL
        assert seen == [("POST", "job_creating"), ("PUT", "job_uploading"), ("PATCH", "job_closing")]
        assert notes.names == [
            "job_creating", "job_created", "job_uploading", "job_closing", "job_closed", "job_settled", "job_ended",
        ]  # fmt: skip
        created = notes.kept[1]
        assert (created["job"], created["rows"], created["operation"]) == (load.jobs[0], ROWS, "upsert")
        assert len(created["sha256"]) == 64
        assert notes.unfinished_jobs() == []


def test_one_upload_with_its_length(tmp_path: Path) -> None:
    """The file is sent by one PUT with its length, as UTF-8 CSV."""
    with world() as served:
        load, _ = attempt(served, tmp_path)
        seen: list[Any] = []
        served.faults.add(Fault(UPLOAD, hook=seen.append))
        load.apply(plans(tmp_path))
        (request,) = seen
        assert int(request.headers["Content-Length"]) == len(request.body)
        assert request.headers["Content-Type"] == "text/csv; charset=UTF-8"
        assert len(served.requests("PUT ")) == 1


@pytest.mark.parametrize("fault", [{"when": "after", "reset": True}, {"when": "after", "status": 503}, {"reset": True}])
def test_creation_not_answered(tmp_path: Path, fault: dict[str, Any]) -> None:
    """When the answer to a creation is lost, the job is found and aborted, and a new one is made: none stays open."""
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(CREATE, **fault))
        assert load.apply(plans(tmp_path))[PORTAL.name] == ALL
        assert "Open" not in states(served)
        assert written(served) == ROWS


def test_other_jobs_are_left_alone(tmp_path: Path) -> None:
    """Open jobs of another object, another operation, or of an earlier time are not ours to abort."""
    with world() as served:
        org = served.connect()
        made = []
        for thing, operation in (("Contact", "update"), (PORTAL.name, "delete"), (PORTAL.name, "insert")):
            job = {"object": thing, "operation": operation}
            made.append(org.json("POST", org.path("jobs/ingest"), json=job)["id"])
        assert abort_lost(org, PORTAL.name, "insert", 3600.0, 60.0) == 0
        assert states(served) == ["Open", "Open", "Open"]
        assert abort_lost(org, PORTAL.name, "insert", 60.0, 60.0) == 1
        assert states(served) == ["Aborted", "Open", "Open"]


@pytest.mark.parametrize(
    "fault", [{"when": "after", "reset": True}, {"reset": True}, {"when": "after", "status": 504}, {"status": 500}]
)
def test_upload_not_answered(tmp_path: Path, fault: dict[str, Any]) -> None:
    """When the answer to an upload is lost, nothing is uploaded to that job again: it is aborted and made anew."""
    with world() as served:
        load, notes = attempt(served, tmp_path, Fault(UPLOAD, **fault))
        assert load.apply(plans(tmp_path))[PORTAL.name] == ALL
        assert states(served) == ["Aborted", "JobComplete"]
        assert written(served) == ROWS
        assert "job_aborted" in notes.names


def test_uploads_that_never_arrive(tmp_path: Path) -> None:
    """After three jobs that could not be filled, that is 69, and no job is left open."""
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(UPLOAD, times=None, when="after", reset=True))
        with pytest.raises(Unavailable, match="3 jobs could not be filled"):
            load.apply(plans(tmp_path))
        assert states(served) == ["Aborted"] * 3
        assert (written(served), load.written[PORTAL.name]) == (0, Written())


@pytest.mark.parametrize("fault", [{"when": "after", "reset": True}, {"reset": True}, {"when": "after", "status": 502}])
def test_close_not_answered(tmp_path: Path, fault: dict[str, Any]) -> None:
    """When the answer to the close is lost, the job's state decides: it is waited for, or closed again."""
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(CLOSE, **fault))
        assert load.apply(plans(tmp_path))[PORTAL.name] == ALL
        assert (len(load.jobs), written(served)) == (1, ROWS)


def test_close_that_never_arrives(tmp_path: Path) -> None:
    """A job that cannot be closed is aborted, its rows are not written and not unknown, and the run ends with 69."""
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault("PATCH .*jobs/ingest/", times=5, reset=True))
        with pytest.raises(Unavailable, match="could not be closed"):
            load.apply(plans(tmp_path))
        assert states(served) == ["Aborted"]
        assert load.written[PORTAL.name] == Written()


def test_close_refused(tmp_path: Path) -> None:
    """A close that Salesforce refuses while the job is open ends it; nothing was written."""
    body = json.dumps([{"errorCode": "INVALIDJOB", "message": "Found multipe contents for job"}])
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(CLOSE, status=400, body=body))
        with pytest.raises(Unavailable, match="INVALIDJOB"):
            load.apply(plans(tmp_path))
        assert states(served) == ["Aborted"]
        assert load.written[PORTAL.name] == Written()


def test_stuck_job(tmp_path: Path) -> None:
    """A job that does not end in time is 75 with its id, its rows are unknown, and nothing is sent again."""
    with world() as served:
        served.store.stuck_jobs = True
        load, notes = attempt(served, tmp_path, job_timeout_minutes=1)
        with pytest.raises(OutcomeUnknown) as caught:
            load.apply(plans(tmp_path))
        assert load.jobs[0] in str(caught.value)
        assert caught.value.exit_code == 75
        assert load.written[PORTAL.name] == Written(unknown=ROWS)
        assert (len(load.jobs), len(served.requests("PUT "))) == (1, 1)
        assert 60 <= sum(served.time.slept) <= 90
        assert notes.unfinished_jobs() == load.jobs


def test_waits_grow(tmp_path: Path) -> None:
    """The first look at a job comes after poll_seconds, later ones less and less often."""
    with world() as served:
        served.store.stuck_jobs = True
        load, _ = attempt(served, tmp_path, poll_seconds=5, job_timeout_minutes=10)
        with pytest.raises(OutcomeUnknown):
            load.apply(plans(tmp_path))
        assert served.time.slept[0] == 5
        assert served.time.slept[:-1] == sorted(served.time.slept[:-1])
        assert len(served.time.slept) <= 600 / 30 + 6


def test_short_maintenance_while_waiting(tmp_path: Path) -> None:
    """A service that is away for a while is waited out: the job goes on without us."""
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(POLL, times=7, status=503, body="down"))
        assert load.apply(plans(tmp_path))[PORTAL.name] == ALL
        assert written(served) == ROWS


@pytest.mark.parametrize(
    ("match", "status", "code"),
    [
        (POLL, 503, "SERVER_UNAVAILABLE"), (POLL, 404, "NOT_FOUND"), (POLL, 403, "REQUEST_LIMIT_EXCEEDED"),
        (POLL, 401, "INVALID_SESSION_ID"), ("GET .*successfulResults", 500, "UNKNOWN_EXCEPTION"),
        ("GET .*failedResults", 403, "REQUEST_LIMIT_EXCEEDED"), ("GET .*unprocessedrecords", 404, "NOT_FOUND"),
    ],
)  # fmt: skip
def test_end_not_seen(tmp_path: Path, match: str, status: int, code: str) -> None:
    """Once a job is closed, whatever keeps its end or its results from being seen is 75 with its id, rows unknown."""
    body = json.dumps([{"errorCode": code, "message": "x"}])
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(match, times=None, status=status, body=body))
        with pytest.raises(OutcomeUnknown) as caught:
            load.apply(plans(tmp_path))
        assert load.jobs[0] in str(caught.value)
        assert load.written[PORTAL.name] == Written(unknown=ROWS)
        assert len(load.jobs) == 1


@pytest.mark.parametrize(
    ("code", "error"), [("REQUEST_LIMIT_EXCEEDED", QuotaSpent), ("INSUFFICIENT_ACCESS", AccessRefused)]
)
def test_refused_before_anything_was_written(tmp_path: Path, code: str, error: type[SyncError]) -> None:
    """A refusal before the close keeps its own exit code, and nothing is unknown."""
    body = json.dumps([{"errorCode": code, "message": "x"}])
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(CREATE, status=403, body=body))
        with pytest.raises(error):
            load.apply(plans(tmp_path))
        assert load.written[PORTAL.name] == Written()


def test_a_job_that_cannot_be_aborted_hides_nothing(tmp_path: Path) -> None:
    """When an upload is refused and the job cannot be aborted either, the run ends with why the upload was refused."""
    body = json.dumps([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "x"}])
    with world() as served:
        no_abort = Fault(CLOSE, times=None, status=503)
        load, _ = attempt(served, tmp_path, Fault(UPLOAD, status=403, body=body), no_abort)
        with pytest.raises(QuotaSpent):
            load.apply(plans(tmp_path))
        assert served.requests("PATCH ")


@pytest.mark.parametrize("match", [CREATE, UPLOAD, CLOSE, POLL, "GET .*failedResults"])
def test_session_expires_on_the_way(tmp_path: Path, match: str) -> None:
    """A session that expires at any step is renewed, and the step is done once."""
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(match, hook=lambda _: served.store.expire_sessions()))
        assert load.apply(plans(tmp_path))[PORTAL.name] == ALL
        assert (len(load.jobs), written(served)) == (1, ROWS)


def test_results_without_charset(tmp_path: Path) -> None:
    """Results are read as UTF-8, whether the answer names a charset or not."""
    with world() as served:
        served.store.refuse = []
        load, _ = attempt(
            served, tmp_path, Fault("GET .*Results", times=2, when="mid", headers={"Content-Type": "text/csv"})
        )
        made = Plans(tmp_path)
        made.create(PORTAL, portal_row(1), {**portal_row(2), "LU_Key__c": "Å-学-🎓"})
        assert load.apply(made)[PORTAL.name] == Written(created=2)


def test_results_cut_and_read_again(tmp_path: Path) -> None:
    """Results that do not add up with the job are read once more before a row counts as unknown."""
    cut: dict[str, Any] = {"when": "mid", "close_after_bytes": 90, "honest_length": False}
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault("GET .*successfulResults", **cut))
        assert load.apply(plans(tmp_path))[PORTAL.name] == ALL


def test_results_cut_at_a_row_and_read_again(tmp_path: Path) -> None:
    """Results that end too early at a row's edge look whole; the job's own counts tell that they are not."""
    row = '"a05000000000000AAA","true","1","Portal 1","1"\n'
    header = '"sf__Id","sf__Created","LU_Key__c","Name","Portal_Id__c"\n'
    cut: dict[str, Any] = {"when": "mid", "close_after_bytes": len(header) + 2 * len(row), "honest_length": False}
    with world() as served:
        load, notes = attempt(served, tmp_path, Fault("GET .*successfulResults", **cut))
        assert load.apply(plans(tmp_path))[PORTAL.name] == ALL
        assert len(served.requests("successfulResults")) == 2
        assert notes.kept[-1]["unknown"] == 0


def test_upload_stored_short(tmp_path: Path) -> None:
    """When Salesforce has stored fewer rows than were sent, the rows it never saw are unknown, and not sent again."""
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(UPLOAD, truncate_request=len("LU_Key__c,Name,Portal_Id__c\n") + 26))
        assert load.apply(plans(tmp_path))[PORTAL.name] == Written(created=2, unknown=2)
        assert len(load.jobs) == 1


def test_upload_stored_short_within_a_row(tmp_path: Path) -> None:
    """When the job fails since its file cannot be read, all of its rows are refused with the job's own words."""
    with world() as served:
        load, _ = attempt(served, tmp_path, Fault(UPLOAD, truncate_request=70))
        assert load.apply(plans(tmp_path))[PORTAL.name] == Written(refused=ROWS)
        assert set(load.refusals["code"]) == {"JOB_FAILED"}
        assert load.refusals["message"].str.startswith("InvalidBatch").all()
        assert (len(load.jobs), written(served)) == (1, 0)
