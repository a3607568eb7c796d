"""Conformance of the emulated Salesforce: the life of an ingest job (Bulk API 2.0 guide)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from salesforce_door import ENROLLMENT, OrgDoor


@pytest.fixture
def door() -> Iterator[OrgDoor]:
    """An org with portal 1 and member 1; the emulator must not have failed in the end."""
    with OrgDoor() as opened:
        opened.membership()
        opened.ledger.clear()
        yield opened
        assert opened.server.errors == []


def keys(count: int, start: int = 0) -> str:
    """Return a file that upserts so many enrollments."""
    return "LU_Key__c,Status__c\n" + "".join(f"1:enrollment:{n},Passed\n" for n in range(start, start + count))


def test_a_job_goes_through_its_states(door: OrgDoor) -> None:
    """Open, UploadComplete, InProgress, JobComplete; 201 for the upload; nothing runs before the close."""
    created = door.call(
        "POST", "/jobs/ingest", json={"object": ENROLLMENT, "operation": "upsert", "externalIdFieldName": "LU_Key__c"}
    ).json()
    job = created["id"]
    assert job.startswith("750")
    assert created["contentUrl"] == f"services/data/v67.0/jobs/ingest/{job}/batches"
    assert (created["apiVersion"], created["state"], created["concurrencyMode"]) == (67.0, "Open", "Parallel")
    assert (created["lineEnding"], created["columnDelimiter"], created["contentType"]) == ("LF", "COMMA", "CSV")
    answer = door.put(job, keys(3))
    assert (answer.status_code, answer.content) == (201, b"")
    door.now += 60
    assert (door.job(job)["state"], door.ledger.entries) == ("Open", [])
    assert door.set_state(job, "UploadComplete").json()["state"] == "UploadComplete"
    assert door.job(job)["state"] == "UploadComplete"
    door.now += 1
    assert door.job(job)["state"] == "InProgress"
    door.now += 1
    ended = door.job(job)
    assert (ended["state"], ended["jobType"], ended["retries"]) == ("JobComplete", "V2Ingest", 0)
    assert (ended["numberRecordsProcessed"], ended["numberRecordsFailed"]) == (3, 0)
    assert [(one.source, one.job_id, one.operation, one.key) for one in door.ledger.entries] == [
        ("bulk", job, "create", f"1:enrollment:{n}") for n in range(3)
    ]


def test_processed_includes_failures_and_results_divide_the_rows(door: OrgDoor) -> None:
    """JobComplete does not mean that all rows worked; the three files have the input columns."""
    data = keys(3) + f"1:enrollment:9,{'x' * 81}\n"
    job = door.ingest("upsert", data)
    ended = door.job(job)
    assert (ended["numberRecordsProcessed"], ended["numberRecordsFailed"]) == (4, 1)
    good = door.result(job, "successfulResults")
    assert set(good[0]) == {"sf__Id", "sf__Created", "LU_Key__c", "Status__c"}
    assert sorted(row["LU_Key__c"] for row in good) == [f"1:enrollment:{n}" for n in range(3)]
    (bad,) = door.result(job, "failedResults")
    assert bad["sf__Error"].startswith("STRING_TOO_LONG:Status: data value too large: ")
    assert bad["sf__Error"].endswith(":Status__c --")
    assert door.result(job, "unprocessedrecords") == []


def test_results_come_in_any_order_and_may_be_read_again(door: OrgDoor) -> None:
    """Order is not guaranteed, so it is not the input's; a second read gives the same."""
    job = door.ingest("upsert", keys(50))
    first = door.call("GET", f"/jobs/ingest/{job}/successfulResults/").content
    assert first == door.call("GET", f"/jobs/ingest/{job}/successfulResults").content
    order = [row["LU_Key__c"] for row in door.result(job, "successfulResults")]
    assert order != sorted(order, key=lambda key: int(key.split(":")[2]))


@pytest.mark.parametrize("name", ["unprocessedrecords", "unprocessedRecords", "unprocessedrecords/"])
def test_both_spellings_of_unprocessed_records(door: OrgDoor, name: str) -> None:
    """Documented in lower case, sent by clients with a capital, by some with a slash behind."""
    job = door.ingest("upsert", keys(1))
    assert door.call("GET", f"/jobs/ingest/{job}/{name}").text == '"LU_Key__c","Status__c"\n'


def test_two_uploads_make_the_close_fail(door: OrgDoor) -> None:
    """Exactly one PUT a job; the refusal is quoted from a real org, spelling theirs."""
    job = door.new_job("upsert")
    assert [door.put(job, keys(1)).status_code for _ in range(2)] == [201, 201]
    answer = door.set_state(job, "UploadComplete")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALIDJOB")
    assert "Found multipe contents" in answer.json()[0]["message"]
    assert door.job(job)["state"] == "Open"


def test_a_second_close_and_a_late_upload_are_wrong_states(door: OrgDoor) -> None:
    """INVALIDJOBSTATE (documented to exist)."""
    job = door.ingest("upsert", keys(1))
    assert door.set_state(job, "UploadComplete").json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert door.put(job, keys(1)).json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert door.set_state(job, "Aborted").status_code == 400


def test_an_abort_keeps_what_was_committed(door: OrgDoor) -> None:
    """Committed rows are not rolled back; the rest is unprocessed."""
    job = door.new_job("upsert")
    door.put(job, keys(1000))
    door.set_state(job, "UploadComplete")
    door.now += 1.5
    running = door.job(job)
    assert (running["state"], running["numberRecordsProcessed"]) == ("InProgress", 400)
    assert door.set_state(job, "Aborted").json()["state"] == "Aborted"
    door.now += 60
    assert len(door.ledger.entries) == 400
    assert len(door.result(job, "successfulResults")) == 400
    assert len(door.result(job, "unprocessedrecords")) == 600


def test_delete_needs_an_end_and_is_204(door: OrgDoor) -> None:
    """An Open job must be aborted first; afterwards the job is not found."""
    job = door.new_job("upsert")
    assert door.call("DELETE", f"/jobs/ingest/{job}").status_code == 400
    door.set_state(job, "Aborted")
    assert door.call("DELETE", f"/jobs/ingest/{job}").status_code == 204
    gone = door.call("GET", f"/jobs/ingest/{job}")
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_ended_jobs_go_after_seven_days(door: OrgDoor) -> None:
    """Results are kept for seven days."""
    job = door.ingest("upsert", keys(1))
    assert door.job(job)["state"] == "JobComplete"
    door.now += 7 * 86_400 + 60
    assert door.call("GET", f"/jobs/ingest/{job}").status_code == 404


def test_jobs_are_listed_by_pages(door: OrgDoor) -> None:
    """Done, records and nextRecordsUrl; all jobs once, in no order to rely on."""
    door.org.list_page_rows = 2
    made = [door.new_job("upsert") for _ in range(5)]
    page = door.call("GET", "/jobs/ingest", params={"jobType": "V2Ingest"}).json()
    seen = page["records"]
    while not page["done"]:
        page = door.call("GET", page["nextRecordsUrl"]).json()
        seen += page["records"]
    assert page["nextRecordsUrl"] is None
    assert sorted(one["id"] for one in seen) == sorted(made)
    assert {(one["state"], one["createdById"], one["object"]) for one in seen} == {
        ("Open", door.org.user_id, ENROLLMENT)
    }


def test_multipart_makes_uploads_and_closes_in_one(door: OrgDoor) -> None:
    """At most 100,000 characters; no PATCH needed."""
    spec = '{"object":"%s","operation":"upsert","externalIdFieldName":"LU_Key__c"}' % ENROLLMENT  # noqa: UP031
    files = {"job": (None, spec, "application/json"), "content": ("content", keys(2), "text/csv")}
    made = door.call("POST", "/jobs/ingest", files=files).json()
    assert made["state"] == "UploadComplete"
    door.now += 2
    assert door.job(made["id"])["numberRecordsProcessed"] == 2
    files["content"] = ("content", keys(5000), "text/csv")
    assert door.call("POST", "/jobs/ingest", files=files).status_code == 400


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"object": "Nothing__c", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": ENROLLMENT, "operation": "replace"}, "INVALIDOPERATION"),
        ({"object": ENROLLMENT, "operation": "hardDelete"}, "FEATURENOTENABLED"),
        ({"object": ENROLLMENT, "operation": "upsert", "externalIdFieldName": "Status__c"}, "INVALIDJOB"),
        ({"object": ENROLLMENT, "operation": "upsert"}, "INVALIDJOB"),
        ({"object": ENROLLMENT, "operation": "insert", "lineEnding": "CR"}, "INVALIDJOB"),
    ],
)
def test_a_job_that_cannot_be_is_refused_at_once(door: OrgDoor, spec: dict[str, str], code: str) -> None:
    """400 with an array of errors at create."""
    answer = door.call("POST", "/jobs/ingest", json=spec)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_a_stuck_job_waits_until_it_is_freed(door: OrgDoor) -> None:
    """The knob holds so many jobs in InProgress."""
    door.call("POST", "/__knobs", json={"stuck_jobs": 1})
    stuck, free = door.ingest("upsert", keys(1)), door.ingest("upsert", keys(1, 5))
    door.now += 3600
    assert [door.job(one)["state"] for one in (stuck, free)] == ["InProgress", "JobComplete"]
    door.call("POST", "/__tick", json={"name": "unstick"})
    assert door.job(stuck)["state"] == "JobComplete"


def test_a_job_can_fail_after_some_rows(door: OrgDoor) -> None:
    """A Failed job may have committed batches; the rest is unprocessed."""
    door.org.fail_jobs_after_rows = 250
    job = door.ingest("upsert", keys(600))
    failed = door.job(job)
    assert (failed["state"], failed["numberRecordsProcessed"]) == ("Failed", 250)
    assert failed["errorMessage"].startswith("InternalServerError")
    assert len(door.result(job, "unprocessedrecords")) == 350
    assert len(door.ledger.entries) == 250


def test_batches_are_counted_and_those_over_the_quota_leave_nothing(door: OrgDoor) -> None:
    """A job burns a batch for each 10,000 rows begun."""
    door.org.limits["DailyBulkApiBatches"]["Remaining"] = 2
    job = door.ingest("upsert", keys(20_001))
    assert door.job(job)["state"] == "Failed"
    assert door.job(job)["numberRecordsProcessed"] == 20_000
    assert door.result(job, "unprocessedrecords") == []
    assert door.org.limits["DailyBulkApiBatches"]["Remaining"] == 0


def test_an_upload_must_be_csv(door: OrgDoor) -> None:
    """415 for another content type."""
    job = door.new_job("upsert")
    answer = door.call("PUT", f"/jobs/ingest/{job}/batches", data=b"{}", headers={"Content-Type": "application/json"})
    assert answer.status_code == 415
