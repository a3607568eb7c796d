"""Allowances of the org: a run stops before it would spend them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from runs.small_world import stopped
from runs.stage import CONTACT_ROWS, Stage
from runs.told import told

from etl.emulator.faults import Fault


@pytest.mark.fault("D7")
def test_too_few_requests_to_read_stop_the_run(stage: Stage) -> None:
    """A day's allowance that would not do to read ends the run with 75 before LearnUpon is asked for anything."""
    stage.enroll(stage.learner())
    stage.org.limits["DailyApiRequests"]["Remaining"] = 60
    result = stage.run("run")
    stopped(result, 75)
    told(result, 75, "DailyApiRequests: about ", "and 50 are left", "run again when the 24 hours have rolled on")
    assert result.learnupon_calls == ()


@pytest.mark.fault("D7")
def test_nothing_large_is_read_until_salesforce_is_counted(stage: Stage) -> None:
    """LearnUpon is asked for no user and no enrollment while it is open whether Salesforce can be read at all."""
    stage.enroll(stage.learner())
    stage.org.limits["DailyBulkV2QueryJobs"]["Remaining"] = 2
    stage.emu.salesforce_faults.add(Fault(match="SELECT COUNT", times=None, delay_s=0.5))
    result = stage.run("run")
    stopped(result, 75)
    told(result, 75, "DailyBulkV2QueryJobs: about 8 query jobs", "and 2 are left", "run again when the 24 hours")
    asked = {urlsplit(call.target).path.rpartition("/")[2] for call in result.learnupon_calls}
    assert asked == {"portals", "courses", "learning_paths"}


@pytest.mark.fault("D7")
@pytest.mark.parametrize(("name", "left", "told_left"), [("DailyApiRequests", 150, 140), ("DailyBulkApiBatches", 2, 2)])
def test_too_little_to_write_stops_the_run_before_the_first_write(
    stage: Stage, name: str, left: int, told_left: int
) -> None:
    """More needed than is left today is 75 with both numbers, and nothing is written; what signing in took is off."""
    stage.enroll(stage.learner())
    stage.org.limits[name]["Remaining"] = left
    result = stage.run("run")
    stopped(result, 75)
    told(result, 75, f"{name}: about ", f"and {told_left} are left", "run again when the 24 hours have rolled on")
    assert result.report["outcome"] == "quota"


def test_a_full_storage_is_told_beforehand(stage: Stage) -> None:
    """New rows that would not fit the org's storage are a warning: Salesforce decides, row by row."""
    learner, course = stage.learner(), stage.course()
    for _ in range(600):
        stage.enroll(learner, course)
    stage.org.limits["DataStorageMB"]["Remaining"] = 0
    result = stage.run("run")
    assert "0 MB of data storage left" in result.out
    assert len(stage.rows(CONTACT_ROWS)) == 600


def test_an_org_that_hides_its_limits_is_served(stage: Stage) -> None:
    """A user who may not read limits runs all the same."""
    stage.enroll(stage.learner())
    body = '[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]'
    stage.emu.salesforce_faults.add(Fault(match="/limits$", status=403, body=body, times=None))
    assert stage.run("run").code == 0
