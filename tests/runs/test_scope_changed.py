"""A changed scope: settings that decide which rows are wanted are not those of the last run; no delete goes unasked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runs import package_org as package
from runs.org_time import records
from runs.result import RUN_LOG, Result
from runs.small_world import quick, stopped
from runs.stage import CONTACT_ROWS, USER_ROWS, Stage

from etl.emulator.faults import Fault

_CHANGES: dict[str, dict[str, Any]] = {
    "rules.finished_statuses": {"rules": {"finished_statuses": ["passed", "failed"]}},
    "rules.status_labels": {"rules": {"status_labels": {"completed": "Erledigt"}}},
    "matching.both_ids": {"matching": {"both_ids": "user"}},
}


def _world(stage: Stage, **settings: Any) -> dict[str, int]:
    """A finished row, one that moves with `both_ids`, and one that goes at night anyway; synced."""
    stage.configure(guards={"min_rows": 1000, "max_deletes": 50, "max_update_percent": 100}, **settings)
    course = stage.course()
    learner = stage.learner()
    both = stage.learner(sf_contact_id=stage.contact(), sf_user_id=stage.user(), is_salesforce_contact=True)
    rows = {
        "done": stage.enroll(learner, course, status="completed", date_completed=None),
        "both": stage.enroll(both, course, status="completed"),
        "goes": stage.enroll(learner, stage.course(), status="in_progress"),
    }
    stage.synced()
    return rows


def _scope_line(result: Result) -> tuple[float, bool, bool]:
    """Return value, tripped and overridden of the guard; AssertionError without it."""
    (line,) = (one for one in result.report["guards"] if one["name"] == "scope_changed")
    assert line["limit"] == 0
    return line["value"], line["tripped"], line["overridden"]


def _has_line(result: Result) -> bool:
    return any(one["name"] == "scope_changed" for one in result.report["guards"])


@pytest.mark.fault("C3")
@pytest.mark.parametrize("what", _CHANGES)
def test_deletes_under_changed_settings_are_asked_about(stage: Stage, what: str) -> None:
    """The first plan that deletes rows after such a change stops with 3, naming it, and passes once allowed."""
    rows = _world(stage, rules={"status_labels": {"completed": "Fertig"}} if "labels" in what else {})
    before = {name: stage.rows(name) for name in (CONTACT_ROWS, USER_ROWS)}
    stage.configure(**_CHANGES[what])
    if what != "matching.both_ids":
        stage.academy.remove_enrollment(rows["done"])
    result = stage.run(clock=quick())
    stopped(result, 3, "scope_changed: 1 is over 0", what, "--allow-deletes 1", "put the settings back")
    assert _scope_line(result) == (1, True, False)
    assert f"have changed since run {_last_run(stage)}: {what}" in result.warnings
    assert {name: stage.rows(name) for name in before} == before
    allowed = stage.run("run", "--allow-deletes", "1", clock=quick())
    assert (allowed.code, _scope_line(allowed)) == (0, (1, False, True)), allowed.err


def _last_run(stage: Stage) -> str:
    return str(records(stage, "scope:")["scope:12345"]["Run_Id__c"])


@pytest.mark.fault("C3")
def test_a_fresh_pod_notices_too(stage: Stage) -> None:
    """The last scope is kept in Salesforce: without the state folder the change is seen, and is over once allowed."""
    rows = _world(stage)
    shutil.rmtree(stage.state_dir)
    stage.configure(rules={"finished_statuses": ["passed"]})
    stage.academy.remove_enrollment(rows["done"])
    plan = stage.run("plan", clock=quick())
    assert (plan.code, _scope_line(plan)) == (0, (1, True, False))
    shutil.rmtree(stage.state_dir)
    stopped(stage.run(clock=quick()), 3, "scope_changed: 1 is over 0 (rules.finished_statuses)")
    assert stage.run("run", "--allow-deletes", "1", clock=quick()).code == 0
    stage.academy.remove_enrollment(rows["goes"])
    after = stage.run(clock=quick())
    assert (after.code, _has_line(after), len(after.done(CONTACT_ROWS, "delete"))) == (0, False, 1), after.err


def test_without_deletes_a_change_is_a_warning_once(stage: Stage) -> None:
    """A run that deletes nothing goes on, says what changed, and its scope is the one to compare with from then on."""
    rows = _world(stage)
    assert "settings" not in stage.run("check").out
    stage.configure(rules={"status_labels": {"completed": "Fertig"}, "finished_statuses": ["failed", "completed"]})
    checked = stage.run("check")
    assert (checked.code, "settings: settings that decide which rows are wanted have changed" in checked.out) == (
        0,
        True,
    )
    result = stage.run(clock=quick())
    assert (result.code, _scope_line(result)) == (0, (0, False, False)), result.err
    assert "rules.finished_statuses, rules.status_labels" in result.warnings
    stage.academy.remove_enrollment(rows["goes"])
    after = stage.run(clock=quick())
    assert (after.code, _has_line(after), after.report["warnings"]) == (0, False, []), after.err


def test_a_change_is_not_settled_while_rows_wait_to_be_asked_about(stage: Stage) -> None:
    """Rows that no question was left for could go under the new settings unseen: the change stays open until then."""
    rows = _world(stage, rules={"status_labels": {"completed": "Fertig"}})
    stage.configure(rules={"status_labels": {"completed": "Erledigt"}}, guards={"max_confirmations": 0})
    stage.academy.remove_enrollment(rows["done"])
    waits = stage.run(clock=quick())
    assert (waits.code, waits.counts(CONTACT_ROWS)["unconfirmed"], _scope_line(waits)[0]) == (0, 1, 0), waits.err
    stage.configure(guards={"max_confirmations": 1000})
    stopped(stage.run(clock=quick()), 3, "scope_changed: 1 is over 0 (rules.status_labels)")


def test_settings_that_mean_the_same_are_no_change(stage: Stage) -> None:
    """What counts is what settings mean: order, repeats, and saying what is so anyway change nothing."""
    rows = _world(stage)
    stage.configure(
        rules={
            "status_labels": {"completed": "Completed"},
            "finished_statuses": ["failed", "completed", "passed"],
            "path_done_statuses": ["passed", "completed", "passed"],
        },
        guards={"max_deletes": 49},
        report={"keep_days": 5},
    )
    stage.academy.remove_enrollment(rows["goes"])
    result = stage.run(clock=quick())
    assert (result.code, _has_line(result), result.report["warnings"]) == (0, False, []), result.err


def test_another_list_of_portals_is_a_change_and_some_of_them_are_none(stage: Stage) -> None:
    """A portal more is said and does not stop a run that deletes nothing; --portal and --shard are no change."""
    portals = stage.settings["portals"]
    stage.configure(portals=portals[:1])
    rows = _world(stage)
    stage.configure(portals=portals)
    more = stage.run(clock=quick())
    assert (more.code, _scope_line(more)) == (0, (0, False, False)), more.err
    assert ": portals;" in more.warnings
    for arguments in (("run", "--portal", "academy"), ("run", "--shard", "1/2"), ("run",)):
        assert not _has_line(stage.run(*arguments, clock=quick())), arguments
    stage.configure(portals=portals[:1])
    stage.academy.remove_enrollment(rows["goes"])
    stopped(stage.run(clock=quick()), 3, "scope_changed: 1 is over 0 (portals)")


def test_plans_and_backfills_leave_nothing_behind(stage: Stage) -> None:
    """What only looks, or brings in a part, is no scope to compare with; a run that wrote keeps one record a portal."""
    stage.configure(guards={"min_rows": 1000})
    row = stage.enroll(stage.learner(), status="completed")
    for arguments in (("plan",), ("run", "--dry-run"), ("backfill",), ("totals",)):
        stage.synced(*arguments)
        assert (records(stage, "scope:"), (stage.state_dir / "scope.json").exists()) == ({}, False)
    stage.synced()
    assert set(records(stage, "scope:")) == {"scope:12345", "scope:67890", "scope:profiles"}
    stage.configure(rules={"finished_statuses": ["failed"]})
    stage.academy.remove_enrollment(row)
    kept = records(stage, "scope:")
    for arguments in (("plan",), ("backfill",)):
        assert stage.run(*arguments, clock=quick()).code == 0
    assert records(stage, "scope:") == kept
    stopped(stage.run(clock=quick()), 3, "scope_changed")


def test_a_saved_plan_brings_its_own_scope(stage: Stage) -> None:
    """`apply` is held to the scope the plan was made with, and keeps that one: the next run asks for its own."""
    rows = _world(stage)
    stage.configure(rules={"finished_statuses": ["failed"]})
    stage.academy.remove_enrollment(rows["done"])
    folder = stage.folder / "saved"
    assert stage.run("plan", "--out", str(folder), clock=quick()).code == 0
    stage.configure(rules={"finished_statuses": ["completed", "passed", "failed"]})
    stopped(stage.run("apply", str(folder), clock=quick()), 3, "scope_changed: 1 is over 0 (rules.finished_statuses)")
    assert stage.run("apply", str(folder), "--allow-deletes", "1", clock=quick()).code == 0
    stage.academy.remove_enrollment(rows["goes"])
    stopped(stage.run(clock=quick()), 3, "scope_changed: 1 is over 0 (rules.finished_statuses)")


@pytest.fixture
def without_log(stage: Stage) -> Stage:
    """Give an org without the run object."""
    del stage.org.objects[RUN_LOG]
    del stage.org.tables[RUN_LOG]
    return stage


def test_without_the_run_object_the_state_folder_remembers(without_log: Stage) -> None:
    """There the scope lies in scope.json, readable by its owner only; a torn file is no baseline, and is mended."""
    stage = without_log
    rows = _world(stage)
    file = stage.state_dir / "scope.json"
    assert file.stat().st_mode & 0o777 == 0o600
    stage.configure(rules={"finished_statuses": ["failed"]})
    stage.academy.remove_enrollment(rows["done"])
    stopped(stage.run(clock=quick()), 3, "scope_changed: 1 is over 0 (rules.finished_statuses)")
    file.write_bytes(file.read_bytes()[:100])
    result = stage.run(clock=quick())
    assert (result.code, _has_line(result), "scope.json cannot be read" in result.err) == (0, False, True), result.err
    orgs = json.loads(file.read_text(encoding="utf-8"))["orgs"]
    assert set(orgs[stage.org.org_id]) == {"12345", "67890", "profiles"}


def test_a_scope_that_cannot_be_kept_is_a_warning(stage: Stage) -> None:
    """Neither the disk nor the run object takes it: the rows are written, the run says so and ends with 0."""
    stage.enroll(stage.learner())
    stage.state_dir.mkdir(mode=0o700)
    (stage.state_dir / ".scope.json.new").mkdir()
    stage.emu.salesforce_faults.add(Fault(f"PATCH .*{RUN_LOG}/LU_Key__c", nth=2, status=500, times=2))
    result = stage.run(clock=quick())
    assert (result.code, len(stage.rows(CONTACT_ROWS))) == (0, 1), result.err
    assert result.warnings.count("the scope of this run could not be kept in") == 2
    assert records(stage, "scope:") == {}
    stage.settled()
    assert len(records(stage, "scope:")) == 3


def test_a_run_that_did_not_finish_keeps_no_scope(stage: Stage) -> None:
    """When rows of the plan could not be written for sure, the earlier scope stays the one to compare with."""
    _world(stage)
    stage.configure(rules={"status_labels": {"completed": "Fertig"}})
    kept = records(stage, "scope:")
    stage.org.stuck_jobs = True
    stage.configure(salesforce={"job_timeout_minutes": 0.01})
    assert stage.run(clock=quick()).code == 75
    assert records(stage, "scope:") == kept


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Stage]:
    """Give two empty portals and an org with LearnUpon's package, served."""
    with Stage(tmp_path, namespace=package.SPACE) as made:
        yield made


def test_the_package_has_both_guards(installed: Stage) -> None:
    """Without our key deleted rows are counted by their membership's portal, and the scope is kept on the disk."""
    stage = installed
    stage.store.knobs.list_unfinished_unenrolled = True
    stage.configure(guards={"min_rows": 1000, "max_deletes": 2})
    learner, course = stage.learner(), stage.course()
    rows = [stage.enroll(learner, course, status="in_progress") for _ in range(5)]
    stage.synced()
    stage.academy.unenroll(rows[0])
    stage.academy.unenroll(rows[1])
    assert stage.run(clock=quick()).code == 0
    stage.academy.unenroll(rows[2])
    stopped(stage.run(clock=quick()), 3, "max_deletes_7_days: 3 is over 2")
    stage.configure(rules={"finished_statuses": ["passed"]}, guards={"max_deletes": 10})
    stopped(stage.run(clock=quick()), 3, "scope_changed: 1 is over 0 (rules.finished_statuses)")
