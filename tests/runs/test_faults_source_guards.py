"""Faults of the source that no single answer gives away: all gone, new, changed, a new word (S7, S22, S33, S34)."""

from __future__ import annotations

import pytest
from runs.school import some_long
from runs.small_world import quick, stopped
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage
from runs.told import told

from etl.emulator.faults import Fault

_END = {"LU-Has-Next-Page": "false"}
_EMPTY = '{"user": [], "courses": [], "learning_paths": [], "enrollments": []}'


def _school(stage: Stage, size: int, status: str = "in_progress") -> list[int]:
    course = stage.course()
    rows = [stage.enroll(stage.learner(), course, status=status) for _ in range(size)]
    stage.synced()
    return rows


def _guarded(stage: Stage, guard: str, *words: str) -> None:
    before = {name: stage.rows(name) for name in (CONTACT_ROWS, MEMBERSHIP, "Contact")}
    result = stage.run(clock=quick())
    stopped(result, 3)
    told(result, 3, guard, *words)
    assert {name: stage.rows(name) for name in before} == before
    assert [one["name"] for one in result.report["guards"] if one["tripped"]] == [guard]


@pytest.mark.fault("S7")
@pytest.mark.parametrize("by_id", some_long(["alive", "gone"], {"gone"}))
def test_everything_is_suddenly_empty(stage: Stage, by_id: str) -> None:
    """Every listing empty where Salesforce holds rows stops the run, whatever LearnUpon says of single ids: 3."""
    _school(stage, 20)
    where = "/academy/" if by_id == "gone" else "/academy/.*(/users[?]|/courses|/learning_paths|/search)"
    faults = stage.emu.learnupon_faults
    faults.add(Fault(match=f"{where}(?!.*portals)", status=200, body=_EMPTY, headers=_END, times=None))
    _guarded(
        stage, "max_source_shrink_percent", "100 is over 20 (learners of academy)", "see what happened to the portal"
    )
    assert not [call for call in stage.emu.learnupon.calls if "/users/" in call.target], "nobody needs to be asked"


@pytest.mark.fault("S7")
def test_a_small_portal_is_suddenly_empty(stage: Stage) -> None:
    """Below min_rows no percentage counts; every row is asked for by id then, and those that live stay as they are."""
    rows = _school(stage, 3)
    listings = "/academy/.*(/users[?]|/courses|/learning_paths|/search)"
    stage.emu.learnupon_faults.add(Fault(match=listings, status=200, body=_EMPTY, headers=_END, times=None))
    result = stage.run(clock=quick())
    assert (result.code, result.effects, result.ingest_jobs) == (0, [], []), result.err
    assert all(result.asked(f"/enrollments/{row}") for row in rows)


@pytest.mark.fault("S22")
def test_a_status_that_nobody_knows(stage: Stage) -> None:
    """Rows of a new status are carried as it is written, with a warning that counts them; none is taken for gone: 0."""
    rows = _school(stage, 3)
    for row in rows[:2]:
        stage.academy.change_enrollment(row, status="waived")
    result = stage.run(clock=quick())
    assert result.code == 0, result.err
    assert result.done(CONTACT_ROWS, "update") == [f"12345:enrollment:{row}" for row in rows[:2]]
    assert "2 enrollments have the status waived, which LearnUpon does not document" in result.warnings
    held = [row["Status__c"] for row in stage.rows(CONTACT_ROWS).values()]
    assert sorted(held) == ["In Progress", "Waived", "Waived"]
    stage.settled()


@pytest.mark.fault("S33")
def test_four_times_as_many_rows(stage: Stage) -> None:
    """New rows are what a sync is for: no guard counts creates; a storage too small for them is warned of before: 0."""
    _school(stage, 20)
    course = stage.course()
    for user in list(stage.academy.users):
        for _ in range(3):
            stage.enroll(user, course)
    stage.configure(guards={"max_update_percent": 100})
    stage.org.limits["DataStorageMB"] = {"Max": 5, "Remaining": 0}
    for row in range(460):
        stage.enroll(list(stage.academy.users)[row % 20], course)
    result = stage.run(clock=quick())
    assert result.code == 0, result.err
    assert len(result.done(CONTACT_ROWS, "create")) == 520
    assert "0 MB of data storage left and 520 new rows take about 1 MB" in result.warnings


@pytest.mark.fault("S34")
@pytest.mark.parametrize("share", some_long([10, 11], {11}))
def test_one_field_changes_in_every_row(stage: Stage, share: int) -> None:
    """A source that writes names another way in over half of an object's rows stops the run: 3, with the way on."""
    rows = _school(stage, 20)
    for row in rows[:share]:
        stage.academy.change_enrollment(row, course_name="LADDERS")
    if share > 10:
        words = ("55 is over 50 (LearnUponContactEnrollment__c)", "look at the plan", "--allow-updates 11")
        _guarded(stage, "max_update_percent", *words)
    else:
        result = stage.run(clock=quick())
        assert (result.code, len(result.done(CONTACT_ROWS, "update"))) == (0, 10), result.err
