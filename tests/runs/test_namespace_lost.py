"""LearnUpon's installed package when answers are lost: an insert is never made twice, since nothing there is unique."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import package_org as package
from runs.small_world import SmallWorld, furnish, quick
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage

from etl.emulator.faults import Fault
from etl.emulator.salesforce.refusal import Refusal

pytestmark = pytest.mark.long  # run by `make crash`

CREATE, UPLOAD, CLOSE = r"^POST .*/jobs/ingest$", r"^PUT .*/batches", r"^PATCH .*/jobs/ingest/"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Stage]:
    """Give two empty portals and an org with the package and without people, served."""
    with Stage(tmp_path, namespace=package.SPACE) as made:
        yield made


def _whole(stage: Stage, world: SmallWorld) -> None:
    """See that every portal, membership and enrollment is there once."""
    assert set(package.portals(stage)) == {"12345", "67890"}
    assert set(package.members(stage)) == {f"12345:member:{learner}" for learner in world.learners}
    assert len(package.enrollments(stage, CONTACT_ROWS)) == 4


@pytest.mark.parametrize("step", [CREATE, UPLOAD, CLOSE], ids=["create", "upload", "close"])
def test_a_lost_answer_doubles_nothing(installed: Stage, step: str) -> None:
    """A connection that breaks when a step of an insert was taken leaves every row there once, by next night."""
    world = furnish(installed)
    for nth in (1, 2, 3):
        installed.emu.salesforce_faults.add(Fault(match=step, when="after", reset=True, nth=nth + nth // 2))
    result = installed.run(clock=quick())
    assert result.code in {0, 69, 75}, result.err
    assert len(installed.emu.salesforce_faults.fired) >= 2
    installed.emu.salesforce_faults.clear()
    installed.synced()
    _whole(installed, world)
    installed.settled()


@pytest.mark.parametrize("state", ["kept", "lost"])
def test_a_job_that_outlives_its_run_is_waited_for(installed: Stage, state: str) -> None:
    """A run that gives up on a running insert ends with 75; the next waits for it, even without the state folder."""
    world = furnish(installed)
    installed.org.stuck_jobs = 1
    installed.configure(salesforce={"job_timeout_minutes": 0.005})
    result = installed.run()
    assert (result.code, result.report["outcome"]) == (75, "unknown"), result.err
    assert result.counts("LearnUpon_Portal__c")["unknown"] == 2
    assert result.report["jobs"][-1] in result.err
    installed.configure(salesforce={"job_timeout_minutes": 1})
    if state == "lost":
        installed.state_dir = installed.folder / "another"
        installed.configure(state_dir=str(installed.state_dir))
    go_on = Fault(match=r"^GET .*/jobs/ingest/\w+$", nth=3, hook=lambda _: installed.org.unstick())
    installed.emu.salesforce_faults.add(go_on)
    again = installed.synced()
    assert result.report["jobs"][-1] in again.warnings
    assert again.counts("LearnUpon_Portal__c")["create"] == 0
    _whole(installed, world)
    installed.settled()


def test_results_that_cannot_be_read_double_nothing(installed: Stage) -> None:
    """A run that cannot learn which rows were inserted counts them as unknown; the next one looks before it acts."""
    world = furnish(installed)
    fault = Fault(match="/jobs/ingest/.*/(successful|failed)Results", status=503, body="down", times=None)
    installed.emu.salesforce_faults.add(fault)
    result = installed.run(clock=quick())
    assert result.code == 75, result.err
    assert result.counts("LearnUpon_Portal__c")["unknown"] == 2
    installed.emu.salesforce_faults.clear()
    installed.synced()
    _whole(installed, world)
    installed.settled()


def test_rows_without_their_parent_wait_for_it(installed: Stage) -> None:
    """Enrollments whose membership was refused are refused too and not sent; once it can be made all are there once."""
    world = furnish(installed)
    learner = world.learners[0]
    refusal = Refusal(
        package.api(MEMBERSHIP), {package.api("LU_Portal_Membership_ID__c"): learner}, "CANNOT_INSERT_UPDATE: no", 99
    )
    installed.org.refuse = [refusal]
    result = installed.run()
    assert (result.code, result.counts(MEMBERSHIP)["refused"], result.counts(CONTACT_ROWS)["refused"]) == (1, 1, 2)
    assert {line["code"] for line in result.table("refused.csv")} >= {"PARENT_MISSING"}
    installed.org.refuse = []
    installed.synced()
    _whole(installed, world)
    installed.settled()
