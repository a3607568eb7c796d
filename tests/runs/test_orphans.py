"""A pod dies and its disk with it: what it left in Salesforce is found there, and ended, by the next run."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs.afterwards import at_rest, held, ingest_jobs
from runs.elsewhere import Elsewhere
from runs.org_time import OrgTime, lease_of, records
from runs.programs import ended
from runs.result import RUN_LOG
from runs.scenarios import new_job
from runs.stage import CONTACT_ROWS, Stage

from etl.emulator.faults import Fault

KILLS = {
    "create": "POST .*/jobs/ingest$",
    "upload": "PUT .*/jobs/ingest/.*/batches",
    "close": "PATCH .*/jobs/ingest/",
}
"""The request in the middle of which a run is killed: Salesforce has it, the run never learns what came of it."""


def furnish(stage: Stage) -> None:
    """Enroll two learners, always the same ones."""
    course = stage.course()
    for _ in range(2):
        stage.enroll(stage.learner(), course, status="completed")


def killed(stage: Stage, folder: Path, request: str, nth: int) -> None:
    """Kill a run on another machine at the n-th such request, and lose the machine with its disk."""
    stage.emu.salesforce_faults.add(Fault(match=request, nth=nth, hook=lambda _: process.kill()))
    process = Elsewhere(stage, folder / "pod").start()
    ((code, words),) = ended([process])
    assert code == -9, words
    stage.ledger.settle()


@pytest.mark.fault("R6")
@pytest.mark.parametrize("nth", [1, pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.parametrize("step", KILLS)
def test_a_lost_disk_leaves_nothing_behind(stage: Stage, tmp_path: Path, step: str, nth: int) -> None:
    """Killed while a job is made, filled or closed, its folder lost: one more run leaves no job open, nothing twice."""
    furnish(stage)
    time = OrgTime(stage)
    killed(stage, tmp_path, KILLS[step], nth)
    assert stage.run().code == 75  # the dead run's lease is still good
    time.jump(11)
    result = stage.run()
    assert result.code == 0, result.err
    at_rest(stage)
    assert records(stage, "lease:") == {}
    (tmp_path / "calm").mkdir()
    with Stage(tmp_path / "calm") as calm:
        furnish(calm)
        calm.synced()
        assert {name: sorted(rows) for name, rows in held(calm).items()} == {
            name: sorted(rows) for name, rows in held(stage).items()
        }


@pytest.mark.long
def test_a_job_that_still_runs_is_waited_for(stage: Stage, tmp_path: Path) -> None:
    """A lost run's job that Salesforce is still working on is waited for before anything is read."""
    furnish(stage)
    stage.org.job_seconds = 4.0
    killed(stage, tmp_path, KILLS["close"], 1)
    for row in records(stage, "lease:").values():
        stage.org.delete(RUN_LOG, row["Id"])  # an admin who knows that the pod is gone
    stage.before("POST .*/jobs/query", lambda: seen.append({job.state for job in ingest_jobs(stage)}))
    seen: list[set[str]] = []
    stage.before("GET .*/jobs/ingest/", lambda: setattr(stage.org, "job_seconds", 0.0))
    result = stage.synced()
    assert "in no journal here: JobComplete" in result.warnings
    assert seen == [{"JobComplete"}]
    at_rest(stage)


def test_a_living_neighbour_keeps_its_open_job(stage: Stage) -> None:
    """While a run for another portal is at work its Open job is left alone; one that is older than that run is not."""
    time = OrgTime(stage)
    old = new_job(stage, object=CONTACT_ROWS)
    time.jump(1)
    lease_of(stage, "67890", time.text())
    neighbours = new_job(stage, object=CONTACT_ROWS)
    result = stage.run("run", "--portal", "academy")
    assert (result.code, old.state, neighbours.state) == (0, "Aborted", "Open")
    time.jump(11)
    assert stage.run().code == 0
    assert neighbours.state == "Aborted"


def test_without_a_lease_only_old_jobs_are_ended(stage: Stage) -> None:
    """Without the run object nobody knows who is at work: an Open job is ended once it is older than a run waits."""
    del stage.org.objects[RUN_LOG]
    del stage.org.tables[RUN_LOG]
    time = OrgTime(stage)
    job = new_job(stage, object=CONTACT_ROWS)
    assert (stage.run().code, job.state) == (0, "Open")
    time.jump(121)
    assert (stage.run().code, job.state) == (0, "Aborted")


def test_jobs_that_are_not_ours_are_left_alone(stage: Stage) -> None:
    """Of the same user's jobs only those of the kinds the program makes are ended."""
    others = [
        new_job(stage, object="Contact", operation="insert"),
        new_job(stage, object="Account", operation="update"),
    ]
    ours = new_job(stage, object="Contact", operation="update")
    assert stage.run().code == 0
    assert [job.state for job in (*others, ours)] == ["Open", "Open", "Aborted"]


def test_jobs_of_other_users_are_left_alone(stage: Stage) -> None:
    """A job that somebody else made is neither ended nor waited for, however much it looks like one of ours."""
    job = new_job(stage, object=CONTACT_ROWS)
    somebody = stage.user()
    listing = Fault(match=r"GET .*/jobs/ingest\?", times=None, when="mid", replace=(stage.org.user_id, somebody))
    stage.emu.salesforce_faults.add(listing)
    assert (stage.run().code, job.state) == (0, "Open")
    stage.emu.salesforce_faults.clear()
    assert (stage.run().code, job.state) == (0, "Aborted")


def test_finding_nothing_costs_one_request(stage: Stage) -> None:
    """In the usual case, when there is nothing to end, one request says so."""
    stage.enroll(stage.learner())
    stage.synced()
    calls = [call.target for call in stage.run().salesforce_calls if "/jobs/ingest" in call.target]
    assert [target.split("/", 4)[-1] for target in calls] == ["jobs/ingest?jobType=V2Ingest"]
