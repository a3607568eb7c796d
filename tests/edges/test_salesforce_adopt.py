"""Jobs of earlier runs are brought to an end before anything new happens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from salesforce_kit import Notes, Plans, World, loader, portal_row, world

from etl.clock import Clock
from etl.emulator.faults import Fault
from etl.errors import Interrupted, OutcomeUnknown
from etl.salesforce.adopt import adopt
from etl.salesforce.joblist import look, own_jobs
from etl.salesforce.load import Load
from etl.schema import PORTAL
from etl.state.journal import Journal


def stuck_run(served: World, folder: Path) -> Notes:
    """Write two portals by a job that does not end, and return the journal."""
    notes, plans = Notes(), Plans(folder)
    plans.create(PORTAL, portal_row(1), portal_row(2))
    served.store.stuck_jobs = True
    with pytest.raises(OutcomeUnknown):
        loader(served.connect(job_timeout_minutes=1), folder, notes).apply(plans)
    return notes


class Dying(Notes):
    """A journal of a run that is interrupted at an event."""

    def __init__(self, at: str) -> None:
        """Die when this event is recorded."""
        super().__init__()
        self.at = at

    def record(self, event: str, **facts: object) -> None:
        """Record, then die if this is the moment."""
        super().record(event, **facts)
        if event == self.at:
            raise Interrupted(15)


def died_at(served: World, folder: Path, event: str) -> Dying:
    """Return the journal of a run that died right after recording this event."""
    notes, plans = Dying(event), Plans(folder)
    plans.create(PORTAL, portal_row(1), portal_row(2))
    with pytest.raises(Interrupted):
        loader(served.connect(), folder, notes).apply(plans)
    notes.at = ""
    return notes


@pytest.mark.parametrize("event", ["job_created", "job_uploading", "job_closing"])
def test_open_job_is_aborted(tmp_path: Path, event: str) -> None:
    """A job that was never closed is aborted; it has written nothing."""
    with world() as served:
        notes = died_at(served, tmp_path, event)
        org = served.connect()
        (line,) = adopt(org, [notes])
        assert "aborted, nothing was written" in line
        assert look(org, notes.kept[1]["job"]).state == "Aborted"
        assert notes.unfinished_jobs() == []
        assert served.effects() == []


@pytest.mark.parametrize("event", ["job_closed", "job_settled"])
def test_running_job_is_waited_for(tmp_path: Path, event: str) -> None:
    """A job that was closed is waited for to its end, whoever began it."""
    with world() as served:
        notes = died_at(served, tmp_path, event)
        (line,) = adopt(served.connect(), [notes])
        assert "JobComplete, 2 rows processed, 0 failed" in line
        assert len(served.effects()) == 2
        assert adopt(served.connect(), [notes]) == []


def test_job_that_takes_its_time(tmp_path: Path) -> None:
    """A job that is found running, and again when it is looked at once more, is waited for all the same."""
    with world() as served:
        notes = stuck_run(served, tmp_path)
        served.faults.add(Fault("GET .*jobs/ingest/[^/?]+$", nth=4, hook=lambda _: served.store.unstick()))
        (line,) = adopt(served.connect(), [notes])
        assert "JobComplete, 2 rows processed, 0 failed" in line
        assert len(served.effects()) == 2


def test_job_that_does_not_end(tmp_path: Path) -> None:
    """A job of an earlier run that still does not end is 75, its id named, and it stays unfinished."""
    with world() as served:
        notes = stuck_run(served, tmp_path)
        with pytest.raises(OutcomeUnknown, match=notes.kept[1]["job"]):
            adopt(served.connect(job_timeout_minutes=1), [notes])
        assert notes.unfinished_jobs() == [notes.kept[1]["job"]]


def test_job_that_is_gone(tmp_path: Path) -> None:
    """A job that Salesforce no longer knows is noted and not asked about again."""
    with world() as served:
        notes = Notes()
        notes.record("job_created", job="7505g00000ZZZZZAAA", object=PORTAL.name)
        (line,) = adopt(served.connect(), [notes])
        assert "no longer known" in line
        assert notes.unfinished_jobs() == []


def test_creation_that_was_lost_with_the_run(tmp_path: Path) -> None:
    """When a run died while it asked for a job, the job it may have made is found and aborted."""
    with world() as served:
        notes = died_at(served, tmp_path, "job_creating")
        org = served.connect()
        org.json("POST", org.path("jobs/ingest"), json={"object": PORTAL.name, "operation": "upsert",
                                                        "externalIdFieldName": "LU_Key__c"})  # fmt: skip
        assert adopt(org, [notes]) == ["1 jobs that an earlier run had begun to create: aborted"]
        jobs, _ = own_jobs(org)
        assert [job.state for job in jobs] == ["Aborted"]


def test_with_the_real_journal(tmp_path: Path) -> None:
    """The journal on disk tells the same story: unfinished before, finished after."""
    journal = Journal(tmp_path / "20261122T020000Z-abcd" / "journal.jsonl", Clock(now=lambda: datetime.now(UTC)))
    journal.path.parent.mkdir()
    with world() as served:
        served.store.stuck_jobs = True
        plans = Plans(tmp_path)
        plans.create(PORTAL, portal_row(1))
        org = served.connect(job_timeout_minutes=1)
        with pytest.raises(OutcomeUnknown):
            Load(org, journal=journal, folder=tmp_path / "files").apply(plans)
        assert len(journal.unfinished_jobs()) == 1
        served.store.stuck_jobs = 0
        served.store.unstick()
        assert len(adopt(served.connect(), [journal])) == 1
        assert journal.unfinished_jobs() == []
