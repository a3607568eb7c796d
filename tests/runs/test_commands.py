"""The commands through the whole program: their exit codes, what they show, and what they leave alone."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from runs.afterwards import at_rest
from runs.small_world import SmallWorld, furnish
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, Stage

from etl.clock import Clock
from etl.state import lock


def _two_portals(stage: Stage) -> SmallWorld:
    """The small world, and a learner of the other portal."""
    world = furnish(stage)
    stage.enroll(stage.learner(stage.partners), portal=stage.partners)
    return world


def test_a_plan_writes_nothing_and_says_so_with_its_code(stage: Stage) -> None:
    """`plan` is 0 whatever it found, 2 with --detailed-exitcode for changes, and sends no writing request."""
    _two_portals(stage)
    for arguments, code in ((["plan"], 0), (["plan", "--detailed-exitcode"], 2), (["run", "--dry-run"], 0)):
        result = stage.run(*arguments)
        assert result.code == code, result.err
        assert (result.ledger, result.ingest_jobs, result.writing_calls) == ((), [], [])
        assert result.counts(CONTACT_ROWS)["create"] == 5
        assert result.counts(CONTACT_ROWS)["created"] == 0
        assert result.report["dry_run"] is True
    stage.synced()
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_a_plan_can_be_read_by_programs_and_people(stage: Stage) -> None:
    """--json prints report.json, --markdown a table; values of rows are shown with --show-values only."""
    furnish(stage)
    as_json = stage.run("plan", "--json")
    assert json.loads(as_json.out) == as_json.report
    markdown = stage.run("plan", "--markdown").out
    assert f"| {CONTACT_ROWS} " in markdown or f"| `{CONTACT_ROWS}` " in markdown, markdown
    stage.synced()
    stage.academy.rename_course(next(iter(stage.academy.courses)), "Scaffolds")
    hidden, shown = stage.run("plan"), stage.run("plan", "--show-values")
    assert "Scaffolds" not in hidden.out + json.dumps(hidden.report)
    assert "Ladders → Scaffolds" in shown.out


def test_one_portal_alone_leaves_the_others_and_the_profiles(stage: Stage) -> None:
    """`run --portal` writes that portal's rows only and no profile; `totals` brings the profiles afterwards."""
    _two_portals(stage)
    result = stage.synced("run", "--portal", "academy")
    assert set(result.report["objects"]).isdisjoint({"Contact", "User"})
    assert {key.partition(":")[0] for key in (*stage.rows(MEMBERSHIP), *stage.rows(CONTACT_ROWS))} == {"12345"}
    assert not result.asked("/partners/")
    stage.synced("run", "--portal", "partners", "--portal", "academy")
    assert len(stage.rows(CONTACT_ROWS)) == 5
    assert all(person["LU_User_ID__c"] is None for person in stage.rows("Contact").values())
    totals = stage.synced("totals")
    assert totals.learnupon_calls == ()
    assert totals.counts("Contact")["updated"] == 4
    stage.settled()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--portal", "nowhere"],
        ["run", "--allow-deletes", "-1"],
        ["run", "--shard", "2/2"],
        ["run", "--portal", "academy", "--shard", "0/2"],
        ["backfill", "--enrolled-from", "2026-02-01", "--enrolled-to", "2026-01-01"],
        ["runs", "20260101T000000Z-0000"],
        ["walk"],
    ],
)
def test_wrong_usage_asks_nobody(stage: Stage, arguments: list[str]) -> None:
    """A command line that cannot be meant is 64, says why, and neither vendor hears of it."""
    result = stage.run(*arguments)
    assert (result.code, result.learnupon_calls, result.salesforce_calls) == (64, (), ())
    assert result.err.startswith("error: ")


def test_a_second_run_does_not_wait(stage: Stage) -> None:
    """While a run holds the state folder another one ends at once with 75 and names the holder; a plan may look."""
    furnish(stage)
    with lock(stage.state_dir, run_id="20261122T030000Z-abcd"):
        result = stage.run()
        assert (result.code, result.folder, result.salesforce_calls) == (75, None, ())
        assert f"process {os.getpid()}" in result.err
        assert "20261122T030000Z-abcd" in result.err
        assert stage.run("plan").code == 0
    stage.synced()


def test_a_state_folder_that_cannot_be_used_is_74(stage: Stage) -> None:
    """Without a place for the journal nothing is written: 74, and the path is named."""
    furnish(stage)
    stage.state_dir.write_text("not a folder")
    result = stage.run()
    assert (result.code, result.ledger) == (74, ())
    assert str(stage.state_dir) in result.err
    stage.state_dir.unlink()


def test_a_bug_is_70_and_leaves_a_report_without_values(stage: Stage) -> None:
    """An exception nobody foresaw is 70: a report, a traceback, and none of the values that were at hand."""
    world = furnish(stage)
    began = time.monotonic()

    def broken() -> float:
        if len(stage.emu.salesforce.calls) > 12:
            raise RuntimeError(stage.academy.users[world.learners[0]]["email"])
        return time.monotonic() - began

    result = stage.run(clock=Clock(monotonic=broken))
    assert (result.code, result.report["outcome"], result.effects) == (70, "bug", [])
    assert "RuntimeError" in result.err
    last = result.err.splitlines()[-1]
    assert last.startswith("error: this is a bug in learnupon-sync (RuntimeError): the traceback is in the log")
    assert f"what was done until then is in {result.folder}. Nothing was written to Salesforce. Report it" in last
    assert "zora." not in (result.err + result.out + json.dumps(result.report)).lower()


@pytest.mark.parametrize(
    ("moment", "signum", "code"),
    [
        ("GET .*/jobs/query/", signal.SIGINT, 130),
        ("PUT .*/batches", signal.SIGTERM, 143),
        (r"GET .*/jobs/ingest/\w+$", signal.SIGTERM, 143),
    ],
    ids=["reading", "uploading", "waiting"],
)
def test_an_interrupted_run_stops_cleanly(stage: Stage, moment: str, signum: signal.Signals, code: int) -> None:
    """SIGINT and SIGTERM end a run with 130 and 143 and a report; the next run brings the rest and leaves no job."""
    furnish(stage)
    stage.before(moment, lambda: os.kill(os.getpid(), signum))
    result = stage.run()
    assert result.code == code, result.err
    assert (result.report["exit_code"], result.report["outcome"]) == (code, "interrupted")
    assert stage.run().code == 0
    assert len(stage.rows(CONTACT_ROWS)) == 4
    at_rest(stage)
    stage.settled()


def test_the_history_tells_every_run(stage: Stage) -> None:
    """`runs` lists when, what, outcome and counts, newest first; `runs RUN_ID` shows one in full; nobody is asked."""
    furnish(stage)
    first = stage.synced()
    plan = stage.run("plan", clock=Clock(now=lambda: datetime.now(UTC) + timedelta(minutes=1)))
    listed = stage.run("runs")
    assert (listed.code, listed.salesforce_calls, listed.learnupon_calls) == (0, (), ())
    lines = listed.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [plan.report["run_id"], first.report["run_id"]]
    assert "ok" in lines[2]
    full = stage.run("runs", first.report["run_id"])
    assert full.code == 0
    assert f"{CONTACT_ROWS}  " in full.out
    assert json.loads(stage.run("runs", first.report["run_id"], "--json").out) == first.report


@pytest.mark.parametrize("scope", ["days", "everything"])
def test_a_backfill_stays_in_its_scope_and_never_deletes(stage: Stage, scope: str) -> None:
    """`backfill` creates and updates what its scope names, inclusive days, and deletes nothing that is gone."""
    world = furnish(stage)
    path = stage.path(world.first_course)
    stage.enroll_path(world.learners[2], path)
    gone = stage.enroll(world.learners[0], world.first_course)
    stage.synced()
    stage.academy.remove_enrollment(gone)
    new = {
        "first": stage.enroll(world.learners[1], world.first_course, date_enrolled="2026-03-01T00:00:00Z"),
        "second": stage.enroll(world.learners[1], world.second_course, date_enrolled="2026-03-02T23:59:59Z"),
        "other": stage.enroll(world.learners[2], world.second_course, date_enrolled="2026-03-03T00:00:00Z"),
    }
    options, expected = {
        "days": (["--enrolled-from", "2026-03-01", "--enrolled-to", "2026-03-02"], {"first", "second"}),
        "everything": ([], set(new)),
    }[scope]
    if scope == "everything":
        dry = stage.run("backfill", *options, "--dry-run")
        assert (dry.code, dry.effects, dry.writing_calls) == (0, [], [])
    result = stage.run("backfill", *options)
    assert result.code == 0, result.err
    assert result.done(CONTACT_ROWS, "create") == sorted(f"12345:enrollment:{new[name]}" for name in expected)
    assert not [entry for entry in result.effects if entry.operation == "delete"]
    assert f"12345:enrollment:{gone}" in stage.rows(CONTACT_ROWS)
    assert len(stage.rows(CONTACT_PATHS)) == 1
    assert stage.run("backfill", *options).effects == []


def test_today_is_read_from_the_clock_that_was_given(stage: Stage) -> None:
    """The run's id and stamps are UTC and come from the one clock of the program."""
    moment = datetime(2026, 12, 24, 18, 0, 5, tzinfo=UTC)
    result = stage.run("plan", clock=Clock(now=lambda: moment))
    assert result.report["run_id"].startswith("20261224T180005Z-")
    assert result.report["started_at"] == "2026-12-24T18:00:05Z"
