"""The run log in Salesforce, the heartbeat, and orgs that have neither."""

from __future__ import annotations

import threading
import time as real_time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from runs.org_time import OrgTime, brisk, records
from runs.result import RUN_LOG
from runs.stage import CONTACT_ROWS, Stage

from etl.clock import Clock
from etl.emulator.faults import Fault
from etl.emulator.salesforce.refusal import Refusal


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true; AssertionError when it does not become so."""
    end = real_time.monotonic() + seconds
    while not true():
        assert real_time.monotonic() < end
        real_time.sleep(0.01)


def test_the_log_has_a_line_a_run(stage: Stage) -> None:
    """Each run leaves one record: id, command, times, outcome, exit code, and rows as in its report."""
    stage.enroll(stage.learner())
    results = [stage.run(), stage.run()]
    lines = records(stage, "run:")
    assert len(lines) == 2
    for result in results:
        line = lines[f"run:{result.report['run_id']}"]
        assert (line["Run_Id__c"], line["Command__c"]) == (result.report["run_id"], "run")
        assert (line["Outcome__c"], line["Exit_Code__c"]) == ("ok", 0)
        for what in ("created", "updated", "deleted", "refused"):
            assert line[f"Rows_{what.title()}__c"] == sum(one[what] for one in result.report["objects"].values())
        assert line["Started_At__c"] <= line["Finished_At__c"]


def test_lease_log_and_scope_cost_seven_requests(stage: Stage) -> None:
    """A run spends five requests on lease and log, one on earlier jobs, one on the last scope: none is a Bulk job."""
    parts = (RUN_LOG, "/composite/sobjects", "jobs/ingest?jobType")
    for requests in (8, 7):  # the first run keeps its scope, which takes one more
        calls = stage.run().salesforce_calls
        assert sum(any(part in call.target for part in parts) for call in calls) == requests


def test_a_log_that_cannot_be_written_is_a_warning(stage: Stage) -> None:
    """Trouble with the log changes nothing about the run but a warning."""
    stage.enroll(stage.learner())
    stage.emu.salesforce_faults.add(Fault(match=f"PATCH .*{RUN_LOG}/LU_Key__c", status=500, times=None))
    result = stage.run()
    assert (result.code, len(stage.rows(CONTACT_ROWS))) == (0, 1)
    assert "the run log in Salesforce could not be written" in result.warnings
    assert records(stage, "lease:") == {}


def test_a_lease_that_cannot_be_given_back_is_a_warning(stage: Stage) -> None:
    """When the lease cannot be deleted, the run says so; it ends by itself."""
    stage.emu.salesforce_faults.add(Fault(match="DELETE .*/composite/sobjects", status=503, times=None))
    result = stage.run()
    assert result.code == 0
    assert "the lease could not be given back" in result.warnings


def test_without_the_object(stage: Stage) -> None:
    """An org without the run object is served without lease and log, and asked about it once."""
    del stage.org.objects[RUN_LOG]
    del stage.org.tables[RUN_LOG]
    stage.enroll(stage.learner())
    result = stage.synced()
    assert result.report["warnings"] == []
    assert sum(RUN_LOG in call.target or "/composite/" in call.target for call in result.salesforce_calls) == 1


def test_a_key_that_is_not_unique_keeps_nobody_apart(stage: Stage) -> None:
    """When the run object's key is not unique the lease would keep nobody away: 78, and `check` says the same."""
    stage.org.objects[RUN_LOG].fields["LU_Key__c"].unique = False
    result = stage.run()
    assert (result.code, result.effects) == (78, [])
    assert f"{RUN_LOG}.LU_Key__c" in result.err
    checked = stage.run("check")
    assert (checked.code, f"{RUN_LOG}.LU_Key__c" in checked.out) == (78, True)


def test_the_heartbeat_keeps_the_lease(stage: Stage) -> None:
    """A run that takes longer than a lease lasts keeps it by its signs of life, and so does its line in the log."""
    org_time = OrgTime(stage)
    stage.enroll(stage.learner())
    codes: list[int] = []

    def long_work() -> None:
        for _ in range(3):
            org_time.jump(9)
            now = org_time.text()
            until(lambda now=now: all(row["Heartbeat_At__c"] >= now for row in records(stage, "").values()))  # type: ignore[misc]
        assert len(records(stage, "")) == 4
        codes.append(1)

    stage.before("POST .*/jobs/query", long_work)
    result = stage.run("run", clock=brisk())
    assert (result.code, codes) == (0, [1])
    assert len(stage.rows(CONTACT_ROWS)) == 1


def test_a_run_that_slept_asks_before_it_writes(stage: Stage) -> None:
    """A run that was held up, signs of life and all, sees that its lease is gone before it begins to write."""
    stage.enroll(stage.learner())
    late = OrgTime(stage)
    held_up = Clock(
        now=lambda: datetime.now(UTC) + timedelta(seconds=late.ahead_s),
        wait=lambda event, _: threading.Event.wait(event, 60),
    )

    def sleep_on() -> None:
        late.jump(5)
        for row in records(stage, "lease:").values():
            stage.org.delete(RUN_LOG, row["Id"])

    stage.before("POST .*/jobs/query", sleep_on)
    result = stage.run("run", clock=held_up)
    assert (result.code, result.ingest_jobs, result.effects) == (75, [], []), result.err
    assert "the lease of this run was lost" in result.err
    assert stage.run().code == 0


@pytest.mark.parametrize(("minutes", "beats", "code"), [(11, True, 75), (5, False, 69)])
def test_a_refused_sign_of_life_is_none(stage: Stage, minutes: float, beats: bool, code: int) -> None:  # noqa: FBT001 - a table
    """A run whose signs of life a rule refuses stops as one that gives none: after ten minutes, or before it writes."""
    stage.enroll(stage.learner())
    stage.org.refuse = [Refusal(RUN_LOG, {}, "FIELD_CUSTOM_VALIDATION_EXCEPTION:frozen", operations=("update",))]
    late = OrgTime(stage)
    clock = Clock(
        now=lambda: datetime.now(UTC) + timedelta(seconds=late.ahead_s),
        wait=lambda event, _: threading.Event.wait(event, 0.05 if beats else 60),
    )

    def hold_up() -> None:
        late.jump(minutes)
        real_time.sleep(0.3)  # several heartbeats, if any

    stage.before("POST .*/jobs/query", hold_up)
    result = stage.run("run", clock=clock)
    assert (result.code, result.ingest_jobs, result.effects) == (code, [], []), result.err
    assert "no sign of life could be given" in result.err or not beats
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION frozen" in result.err


@pytest.mark.parametrize("request_", ["POST .*/jobs/query", "PUT .*/jobs/ingest"])
def test_a_lost_lease_stops_the_run(stage: Stage, request_: str) -> None:
    """A run whose lease was taken away stops with 75 before it writes any more, and says why."""
    stage.enroll(stage.learner())
    stage.configure(salesforce={"poll_seconds": 0.3})

    def taken() -> None:
        for row in records(stage, "lease:").values():
            stage.org.delete(RUN_LOG, row["Id"])
        real_time.sleep(0.3)  # several heartbeats

    stage.before(request_, taken)
    result = stage.run("run", clock=brisk())
    assert (result.code, result.report["outcome"]) == (75, "later"), result.err
    assert "the lease of this run was lost" in result.err
    assert len(result.effects) == 0
    assert stage.run().code == 0
    assert len(stage.rows(CONTACT_ROWS)) == 1
