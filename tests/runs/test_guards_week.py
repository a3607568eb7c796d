"""The guards on deletes over seven days: what counts is what Salesforce says that this user deleted."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from runs.org_time import OrgTime
from runs.result import Result
from runs.small_world import quick, stopped
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, Stage

from etl.emulator.faults import Fault

pytestmark = pytest.mark.usefixtures("in_full")  # what is asked with deleted rows is then asked for the past alone

_DAY = 24 * 60.0
_ROWS = 12
_WEEK = "max_deletes_7_days"
_SHARE = "max_delete_percent_7_days"


def _school(stage: Stage, **guards: Any) -> list[int]:
    """Twelve enrollments in progress, synced, and no percentages; returns them."""
    stage.store.knobs.list_unfinished_unenrolled = True
    stage.configure(guards={"min_rows": 1000, "max_deletes": 4, **guards})
    learner, course = stage.learner(), stage.course()
    rows = [stage.enroll(learner, course, status="in_progress") for _ in range(_ROWS)]
    stage.synced()
    return rows


def _unenroll(stage: Stage, rows: list[int]) -> None:
    for row in rows:
        stage.academy.unenroll(row)


def _night(stage: Stage, rows: list[int], *arguments: str) -> Result:
    """Unenroll, and run."""
    _unenroll(stage, rows)
    return stage.run(*(arguments or ("run",)), clock=quick())


def _guard(result: Result, name: str = _WEEK) -> tuple[float, float, bool]:
    found = {one["name"]: (one["value"], one["limit"], one["tripped"]) for one in result.report["guards"]}
    return found[name]


def _queried(stage: Stage) -> int:
    return sum("queryAll" in call.target and "COUNT" in call.target for call in stage.emu.salesforce.calls)


@pytest.mark.fault("C8")
def test_an_allowance_is_not_spent_again_the_next_night(stage: Stage) -> None:
    """Three of four rows allowed go one night, two more the next: that is five in seven days, and stops with 3.

    Started again and again it stays stopped, with the same number; a plan shows it.
    """
    rows = _school(stage)
    first = _night(stage, rows[:3])
    assert (first.code, _guard(first)) == (0, (3, 4, False)), first.err
    kept = stage.rows(CONTACT_ROWS)
    second = _night(stage, rows[3:5])
    stopped(second, 3, f"{_WEEK}: 5 is over 4", "--allow-deletes 2")
    assert _guard(second, "max_deletes") == (2, 4, False)
    assert stage.rows(CONTACT_ROWS) == kept
    for _ in range(3):
        again = stage.run(clock=quick())
        assert (again.code, _guard(again), again.effects) == (3, (5, 4, True), [])
    dry = stage.run("run", "--dry-run", clock=quick())
    assert (dry.code, _guard(dry)) == (0, (5, 4, True)), "a plan is shown, whatever the guards say"


def test_a_run_without_deletes_is_never_held_to_the_past(stage: Stage) -> None:
    """Whatever was deleted before: a night that only writes goes on, and does not even ask."""
    rows = _school(stage)
    assert _night(stage, rows[:4]).code == 0
    stage.configure(guards={_WEEK: 0})
    stage.academy.change_enrollment(rows[5], percentage=77)
    result = stage.run(clock=quick())
    assert (result.code, len(result.effects)) == (0, 1)
    assert _queried(stage) == 0
    assert not any("7_days" in one["name"] for one in result.report["guards"])


def test_after_seven_days_the_allowance_is_whole_again(stage: Stage) -> None:
    """Deletes count for seven days by Salesforce's clock, not a minute more."""
    time = OrgTime(stage)
    rows = _school(stage)
    assert _night(stage, rows[:4]).code == 0
    time.jump(7 * _DAY - 5)
    stopped(_night(stage, rows[4:6]), 3, f"{_WEEK}: 6 is over 4")
    time.jump(6)
    result = stage.run(clock=quick())
    assert (result.code, _guard(result)) == (0, (2, 4, False)), result.err
    assert _queried(stage) == 4, "one request an object whose rows can be deleted"


def test_what_a_person_allowed_does_not_count_again(stage: Stage) -> None:
    """Deletes of a run that --allow-deletes lifted over a guard are done with; without the state folder they count.

    An allowance that no guard needed lifts nothing: those deletes count like any.
    """
    rows = _school(stage)
    assert _night(stage, rows[10:11], "run", "--allow-deletes", "50").code == 0
    allowed = _night(stage, rows[:6], "run", "--allow-deletes", "6")
    assert (allowed.code, allowed.report["overrides"]) == (0, {"allow_deletes": 6})
    result = _night(stage, rows[6:8])
    assert (result.code, _guard(result)) == (0, (3, 4, False)), result.err
    shutil.rmtree(stage.state_dir)
    stopped(_night(stage, rows[8:9]), 3, f"{_WEEK}: 10 is over 4")


def test_allowed_deletes_that_left_the_bin_hide_no_others(stage: Stage) -> None:
    """What a person allowed is taken off itself alone: emptied from the recycle bin it makes no room for more."""
    rows = _school(stage)
    assert _night(stage, rows[:6], "run", "--allow-deletes", "6").code == 0
    for row in stage.org.rows(CONTACT_ROWS, include_deleted=True):
        if row["IsDeleted"]:
            stage.org.purge(CONTACT_ROWS, row["Id"])
    assert _night(stage, rows[6:9]).code == 0
    stopped(_night(stage, rows[9:11]), 3, f"{_WEEK}: 5 is over 4")


def test_only_our_own_deletes_of_our_portals_count(stage: Stage) -> None:
    """What people delete counts for nothing, nor what this user deletes of other portals or of nobody's rows."""
    rows = _school(stage)
    person = stage.user()
    member = next(iter(stage.rows(MEMBERSHIP).values()))["Id"]
    for number in range(5):
        for key, by in ((f"12345:enrollment:99{number}", person), (f"777:enrollment:{number}", ""), (None, "")):
            fields = {"LU_Key__c": key, "LearnUpon_Portal_Membership__c": member}
            made = stage.org.insert(CONTACT_ROWS, fields, record=False)
            stage.org.delete(CONTACT_ROWS, made, record=False, by=by)
    result = _night(stage, rows[:2])
    assert (result.code, _guard(result)) == (0, (2, 4, False)), result.err


def test_rows_of_every_object_count(stage: Stage) -> None:
    """The number is over all objects: course rows of one night and path rows of the next."""
    rows = _school(stage)
    learner = next(iter(stage.academy.users))
    path = stage.path(stage.course())
    mine = [stage.enroll_path(learner, path, status="in_progress")]
    stage.synced()
    assert _night(stage, rows[:4]).code == 0
    for row in mine:
        stage.academy.remove_path_enrollment(row)
    stopped(stage.run(clock=quick()), 3, f"{_WEEK}: 5 is over 4")
    assert len(stage.rows(CONTACT_PATHS)) == 1


def test_the_share_of_a_week_is_twice_that_of_a_night(stage: Stage) -> None:
    """Of 100 rows 5 may go a night and, without a key of its own, 10 in seven days; the object is named."""
    stage.store.knobs.list_unfinished_unenrolled = True
    learner, course = stage.learner(), stage.course()
    rows = [stage.enroll(learner, course, status="in_progress") for _ in range(100)]
    stage.synced()
    first, second = _night(stage, rows[:5]), _night(stage, rows[5:9])
    assert (first.code, _guard(first, _SHARE)) == (0, (5, 10, False)), first.err
    assert (second.code, _guard(second, _SHARE)) == (0, (9, 10, False)), second.err
    stopped(_night(stage, rows[9:11]), 3, f"{_SHARE}: 11 is over 10 ({CONTACT_ROWS})")
    stage.configure(guards={_SHARE: 20})
    assert stage.run(clock=quick()).code == 0


def test_a_saved_plan_is_held_to_the_week(stage: Stage) -> None:
    """`apply` counts anew: deletes since the plan was made stop it, and --allow-deletes lifts that."""
    rows = _school(stage)
    _unenroll(stage, rows[:2])
    folder = stage.folder / "saved"
    assert stage.run("plan", "--out", str(folder), clock=quick()).code == 0
    member = next(iter(stage.rows(MEMBERSHIP).values()))["Id"]
    for number in range(3):  # by another run of the same user, that this machine knows nothing of
        fields = {"LU_Key__c": f"12345:enrollment:99{number}", "LearnUpon_Portal_Membership__c": member}
        stage.org.delete(CONTACT_ROWS, stage.org.insert(CONTACT_ROWS, fields, record=False), record=False)
    stopped(stage.run("apply", str(folder), clock=quick()), 3, f"{_WEEK}: 5 is over 4", "--allow-deletes 2")
    applied = stage.run("apply", str(folder), "--allow-deletes", "2", clock=quick())
    assert (applied.code, len(stage.rows(CONTACT_ROWS))) == (0, _ROWS - 2), applied.err


def test_a_past_that_cannot_be_seen_stops_the_run(stage: Stage) -> None:
    """When Salesforce refuses to say how much was deleted, no row is: 77. Where REST is too slow a query job counts."""
    rows = _school(stage)
    assert _night(stage, rows[:3]).code == 0
    _unenroll(stage, rows[3:5])
    refusal = '[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]'
    stage.emu.salesforce_faults.add(Fault("queryAll.*COUNT", status=403, body=refusal, times=None))
    stopped(stage.run(clock=quick()), 77, "queryAll")
    stage.emu.salesforce_faults.clear()
    stage.emu.salesforce_faults.add(Fault("queryAll.*COUNT", status=503, body="busy", times=None))
    stopped(stage.run(clock=quick()), 3, f"{_WEEK}: 5 is over 4")
