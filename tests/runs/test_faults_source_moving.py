"""Listings that change while they are read or lost something, rows told twice (S1-S3, S8, S9, S24, S27, S28)."""

from __future__ import annotations

import json

import pytest
from runs.result import Result
from runs.school import some_long
from runs.small_world import page_of, quick
from runs.stage import CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Stage

from etl.emulator.faults import Fault


def _key(number: int, kind: str = "enrollment") -> str:
    return f"12345:{kind}:{number}"


def _course(stage: Stage, size: int, status: str = "in_progress") -> tuple[int, list[int], list[int]]:
    """Fill a course, listed two rows a page, and sync it; return course, learners and enrollments."""
    stage.store.knobs.page_size = 2
    course = stage.course()
    learners = [stage.learner() for _ in range(size)]
    rows = [stage.enroll(learner, course, status=status) for learner in learners]
    stage.synced()
    return course, learners, rows


def _ran(stage: Stage) -> Result:
    result = stage.run(clock=quick())
    assert result.code == 0, result.err + result.out
    return result


def _asked(result: Result, rows: list[int], path: str = "enrollments") -> list[int]:
    return [row for row in rows if result.asked(f"/{path}/{row}")]


@pytest.mark.fault("S1")
def test_rows_that_vanish_while_a_course_is_read(stage: Stage) -> None:
    """Rows that slip to a page already read are missed by the listing, asked for by id, and stay; gone ones go."""
    course, _, rows = _course(stage, 8)
    tick = {"portal": "academy", "course_id": course, "count": 2}
    stage.emu.learnupon_faults.add(Fault(match=f"course_id={course}.*page=2", tick="remove_rows", tick_args=tick))
    result = _ran(stage)
    assert (result.effects, result.ingest_jobs) == ([], [])
    assert _asked(result, rows) == rows[2:4]
    assert "asked about 2 missing enrollments, 0 are gone" in result.err
    after = _ran(stage)
    assert after.done(CONTACT_ROWS, "delete") == [_key(row) for row in rows[:2]]
    assert "asked about 2 missing enrollments, 2 are gone" in after.err
    stage.settled()


@pytest.mark.fault("S1")
def test_learners_that_vanish_while_they_are_read(stage: Stage) -> None:
    """A learner missed because another one was deleted in the middle of the listing is neither flagged nor zeroed."""
    _, learners, rows = _course(stage, 6)
    happens = Fault(match="/users.*page=2", hook=lambda _: stage.academy.remove_user(learners[0]))
    stage.emu.learnupon_faults.add(happens)
    result = _ran(stage)
    assert _asked(result, learners, "users") == [learners[2]]
    flags = {key: row["Removed_In_LearnUpon__c"] for key, row in stage.rows(MEMBERSHIP).items()}
    assert flags == {_key(one, "member"): False for one in learners}
    assert set(result.done(CONTACT_ROWS, "delete")) <= {_key(rows[0])}
    _ran(stage)
    assert stage.row(MEMBERSHIP, _key(learners[0], "member"))["Removed_In_LearnUpon__c"] is True
    assert set(stage.rows(CONTACT_ROWS)) == {_key(row) for row in rows[1:]}
    stage.settled()


@pytest.mark.fault("S2")
@pytest.mark.parametrize("order", some_long(["updated_at", "updated_at_desc"], {"updated_at"}))
def test_rows_that_are_touched_while_they_are_read(stage: Stage, order: str) -> None:
    """In a listing by time of change rows come twice or not at all: one row each, the newest, and none is deleted."""
    course, _, rows = _course(stage, 8)
    stage.store.knobs.order = order

    def touch(_: object) -> None:
        for row in (rows[0], rows[5]):
            stage.academy.change_enrollment(row, percentage=77, updated_at="2026-11-21T01:00:00Z")

    stage.emu.learnupon_faults.add(Fault(match=f"course_id={course}.*page=3", hook=touch))
    result = _ran(stage)
    stage.store.knobs.order = "id"
    assert (result.done(CONTACT_ROWS, "delete"), result.done(CONTACT_ROWS, "create")) == ([], [])
    assert _ran(stage).done(CONTACT_ROWS, "delete") == []
    scores = {key: row["Score__c"] for key, row in stage.rows(CONTACT_ROWS).items()}
    assert scores == {_key(row): 77 if row in (rows[0], rows[5]) else None for row in rows}
    stage.settled()


@pytest.mark.fault("S3")
def test_rows_that_push_in_while_a_course_is_read(stage: Stage) -> None:
    """Rows inserted in front repeat others on the next page: each is uploaded once and counted once."""
    stage.store.knobs.page_size, stage.store.knobs.order = 2, "id_desc"
    course = stage.course()
    learner = stage.learner()
    rows = [stage.enroll(learner, course) for _ in range(5)]
    tick = {"portal": "academy", "course_id": course, "count": 1}
    stage.emu.learnupon_faults.add(Fault(match=f"course_id={course}.*page=2", tick="insert_rows", tick_args=tick))
    files = stage.uploads()
    result = _ran(stage)
    sent = [line["LU_Key__c"] for name, lines in files for line in lines if name == CONTACT_ROWS]
    assert sorted(sent) == sorted(_key(row) for row in rows)
    assert stage.row(MEMBERSHIP, _key(learner, "member"))["LU_Number_Enrolled__c"] == 5
    assert result.counts(CONTACT_ROWS)["desired"] == 5
    assert "1 enrollments were listed more than once" in result.warnings
    assert len(_ran(stage).done(CONTACT_ROWS, "create")) == 1
    stage.settled()


@pytest.mark.fault("S8")
def test_one_course_is_suddenly_empty(stage: Stage) -> None:
    """A course listed as empty, its rows few enough for every guard, loses none: each is asked for by id and stays."""
    course, _, rows = _course(stage, 4)
    nothing = Fault(match=f"/academy/.*course_id={course}", when="mid", body='{"enrollments": []}', times=None)
    stage.emu.learnupon_faults.add(nothing)
    nothing.headers = {"LU-Has-Next-Page": "false"}
    result = _ran(stage)
    assert (result.effects, result.ingest_jobs, _asked(result, rows)) == ([], [], rows)
    assert "asked about 4 missing enrollments, 0 are gone" in result.err


@pytest.mark.long
@pytest.mark.fault("S8")
def test_an_empty_course_beyond_the_questions(stage: Stage) -> None:
    """Rows beyond max_confirmations are not asked about and not touched: unconfirmed, with a warning."""
    _, _, rows = _course(stage, 4)
    stage.configure(guards={"max_confirmations": 1})
    for row in rows:
        stage.academy.remove_enrollment(row)
    result = _ran(stage)
    assert len(result.done(CONTACT_ROWS, "delete")) == len(_asked(result, rows)) == 1
    assert result.counts(CONTACT_ROWS)["unconfirmed"] == 3
    assert "3 rows are missing from LearnUpon's listings but not confirmed gone" in result.warnings


@pytest.mark.fault("S9")
@pytest.mark.parametrize("status", some_long(["in_progress", "completed"], {"in_progress"}))
def test_a_course_that_is_not_listed(stage: Stage, status: str) -> None:
    """A course missing from /courses, whose rows are thus never listed, loses none: each is asked for by id, 0."""
    course, _, rows = _course(stage, 3, status)
    listed = json.loads(page_of(stage, "courses", include_all_versions=1))
    listed["courses"] = [one for one in listed["courses"] if one["id"] != course]
    stage.emu.learnupon_faults.add(
        Fault(match="/academy/.*/courses", when="mid", body=json.dumps(listed).encode(), times=None)
    )
    result = _ran(stage)
    assert not result.asked(f"course_id={course}")
    assert (result.effects, result.ingest_jobs, _asked(result, rows)) == ([], [], rows)


@pytest.mark.fault("S24")
@pytest.mark.parametrize("newer_first", some_long([True, False], {True}))
def test_a_row_told_twice(stage: Stage, *, newer_first: bool) -> None:
    """Of two versions of one row the one with the newer updated_at counts, wherever in the listing it stands: 0."""
    course, _, rows = _course(stage, 2)
    page = json.loads(page_of(stage, "enrollments/search", course_id=course, page=1))
    newer = {**page["enrollments"][0], "status": "passed", "percentage": 91, "updated_at": "2026-11-21T00:00:00Z"}
    page["enrollments"].insert(0 if newer_first else 2, newer)
    body = json.dumps(page).encode()
    stage.emu.learnupon_faults.add(Fault(match=f"/academy/.*course_id={course}", when="mid", body=body, times=None))
    result = _ran(stage)
    assert result.done(CONTACT_ROWS, "update") == [_key(rows[0])]
    assert "1 enrollments were listed more than once; what LearnUpon updated last counts" in result.warnings
    held = stage.row(CONTACT_ROWS, _key(rows[0]))
    assert (held["Status__c"], held["Score__c"]) == ("Passed", 91)
    stage.settled()


@pytest.mark.long
@pytest.mark.fault("S24")
def test_two_versions_of_one_row_of_the_same_moment(stage: Stage) -> None:
    """Of two versions that are equally new one is taken, always the same: the second run has nothing to do."""
    course, _, rows = _course(stage, 2)
    page = json.loads(page_of(stage, "enrollments/search", course_id=course, page=1))
    page["enrollments"].append({**page["enrollments"][0], "status": "passed", "percentage": 91})
    body = json.dumps(page).encode()
    stage.emu.learnupon_faults.add(Fault(match=f"/academy/.*course_id={course}", when="mid", body=body, times=None))
    _ran(stage)
    assert set(stage.rows(CONTACT_ROWS)) == {_key(row) for row in rows}
    stage.settled()


@pytest.mark.fault("S27")
def test_an_account_is_merged_into_another(stage: Stage) -> None:
    """An enrollment that goes over to another user id is the same row at its new learner; an e-mail decides nothing."""
    course, learners, rows = _course(stage, 2)
    old, new = learners
    mail = "same.address@example.com"
    stage.academy.change_user(new, email=mail)
    stage.academy.change_enrollment(rows[0], user_id=new, email=mail)
    again = stage.enroll(new, course, status="not_started")
    stage.academy.remove_user(old)
    result = _ran(stage)
    assert result.done(CONTACT_ROWS, "delete") == []
    held = stage.rows(CONTACT_ROWS)
    person = stage.academy.users[new]["sf_contact_id"]
    assert {key: row["SFContact__c"][:15] for key, row in held.items()} == {
        _key(row): person[:15] for row in (*rows, again)
    }
    gone = stage.row(MEMBERSHIP, _key(old, "member"))
    assert (gone["Removed_In_LearnUpon__c"], gone["LU_Number_Enrolled__c"]) == (True, 0)
    assert stage.row(MEMBERSHIP, _key(new, "member"))["LU_Number_Enrolled__c"] == 3
    stage.settled()


@pytest.mark.fault("S27")
def test_a_row_of_a_learner_that_nobody_knows(stage: Stage) -> None:
    """An enrollment of a user id that /users lacks is given to nobody: its row stays, with a warning."""
    _, learners, rows = _course(stage, 2)
    stage.academy.change_enrollment(rows[0], user_id=99_999_999, status="passed")
    result = _ran(stage)
    assert {_key(rows[0]), _key(rows[1])} == set(stage.rows(CONTACT_ROWS))
    assert not {_key(rows[0])} & set(result.sent(CONTACT_ROWS))
    assert "1 enrollments belong to users that /users does not list" in result.warnings
    assert stage.row(MEMBERSHIP, _key(learners[0], "member"))["LU_Number_Enrolled__c"] == 0


@pytest.mark.fault("S28")
@pytest.mark.parametrize(
    ("status", "stays"), [("in_progress", False), pytest.param("passed", True, marks=pytest.mark.long)]
)
def test_unenrolled_rows_that_are_still_listed(stage: Stage, status: str, *, stays: bool) -> None:
    """A row listed as unenrolled is a tombstone: unfinished it goes, finished it stays with the flag."""
    stage.store.knobs.list_unfinished_unenrolled = True
    user = stage.user()
    learner = stage.learner(sf_user_id=user)
    row = stage.enroll(learner, status=status)
    stage.synced()
    stage.academy.unenroll(row)
    result = _ran(stage)
    assert _asked(result, [row]) == []
    assert result.done(USER_ROWS, "delete") == ([] if stays else [_key(row)])
    held = {key: one["Removed_In_LearnUpon__c"] for key, one in stage.rows(USER_ROWS).items()}
    assert held == ({_key(row): True} if stays else {})
    assert stage.row(MEMBERSHIP, _key(learner, "member"))["LU_Number_Enrolled__c"] == 0
    stage.settled()
