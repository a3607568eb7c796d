"""Unenrolled and gone: what becomes of rows that LearnUpon lists as unenrolled, or lists no more."""

from __future__ import annotations

import pytest
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, Stage

from etl.emulator.faults import Fault

FLAG = "Removed_In_LearnUpon__c"
UNFINISHED, FINISHED = ("not_started", "in_progress", "pending_review"), ("completed", "passed", "failed")


def key(number: int, row: str = "enrollment") -> str:
    """Return the key of a row of the first portal."""
    return f"12345:{row}:{number}"


def flags(stage: Stage, name: str = CONTACT_ROWS) -> dict[str, bool]:
    """Return key to flag of an object's rows."""
    return {name: row[FLAG] for name, row in stage.rows(name).items()}


@pytest.mark.rule("3.31", "3.32", "3.33", "3.12")
def test_listed_as_unenrolled_on_a_first_load(stage: Stage) -> None:
    """Unfinished and unenrolled gets no row; finished and unenrolled a flagged one, with LearnUpon's values."""
    learner, course = stage.learner(), stage.course()
    path = stage.path(course)
    for status in UNFINISHED:
        stage.enroll(learner, course, status=status, unenrolled=True)
        stage.enroll_path(learner, path, status=status, unenrolled=True)
    rows = {stage.enroll(learner, course, status=one, percentage=61, unenrolled=True): one for one in FINISHED}
    paths = {stage.enroll_path(learner, path, status=one, unenrolled=True): one for one in FINISHED}
    stage.synced()
    assert flags(stage) == dict.fromkeys(map(key, rows), True)
    assert flags(stage, CONTACT_PATHS) == {key(number, "path"): True for number in paths}
    for number, status in rows.items():
        row = stage.row(CONTACT_ROWS, key(number))
        assert (row["Status__c"], row["Score__c"]) == (status.title(), 61)
    assert stage.row(MEMBERSHIP, f"12345:member:{learner}")["LU_Number_Enrolled__c"] == 0
    stage.settled()


@pytest.mark.rule("3.32", "3.33")
def test_unenrolled_after_the_first_load(stage: Stage) -> None:
    """An existing row is deleted when its enrollment is unenrolled unfinished, and follows LearnUpon when finished."""
    stage.store.knobs.list_unfinished_unenrolled = True
    learner, course = stage.learner(), stage.course()
    started, done = stage.enroll(learner, course, status="in_progress"), stage.enroll(learner, course, status="passed")
    on_path = stage.enroll_path(learner, stage.path(course), status="in_progress")
    stage.synced()
    stage.academy.unenroll(started)
    stage.academy.unenroll(done)
    stage.academy.change_enrollment(done, percentage=77)
    stage.academy.change_path_enrollment(on_path, unenrolled=True)
    result = stage.synced()
    assert result.done(CONTACT_ROWS, "delete") == [key(started)]
    assert result.done(CONTACT_PATHS, "delete") == [key(on_path, "path")]
    assert result.sent(CONTACT_ROWS)[key(done)] == {"LU_Key__c": key(done), "Score__c": 77, FLAG: True}
    assert result.reasons(CONTACT_ROWS) == {key(started): "unenrolled"}
    assert not result.asked(f"/enrollments/{started}")
    stage.settled()


@pytest.mark.rule("3.34", "3.35", "3.36", "3.40")
@pytest.mark.parametrize("answer", ["404", "empty"])
def test_gone_altogether(stage: Stage, answer: str) -> None:
    """Gone by a 404 or an empty list: unfinished is deleted, finished kept as it is, flagged, and asked about once."""
    stage.store.knobs.gone = answer
    learner, course = stage.learner(), stage.course()
    path = stage.path(course)
    rows = {one: stage.enroll(learner, course, status=one, percentage=50) for one in (*UNFINISHED, *FINISHED)}
    paths = {one: stage.enroll_path(learner, path, status=one) for one in ("in_progress", "passed")}
    stage.synced()
    before = stage.rows(CONTACT_ROWS)
    for number in rows.values():
        stage.academy.remove_enrollment(number)
    for number in paths.values():
        stage.academy.remove_path_enrollment(number)
    result = stage.synced()
    assert result.done(CONTACT_ROWS, "delete") == sorted(key(rows[one]) for one in UNFINISHED)
    assert set(result.reasons(CONTACT_ROWS).values()) == {"gone"}
    assert flags(stage, CONTACT_PATHS) == {key(paths["passed"], "path"): True}
    for one in FINISHED:
        now, then = stage.row(CONTACT_ROWS, key(rows[one])), before[key(rows[one])]
        same = {name for name in then if now[name] == then[name]}
        assert set(then) - same <= {FLAG, "LastModifiedDate", "SystemModstamp"}
        assert now[FLAG] is True
    assert (result.counts(CONTACT_ROWS)["kept"], result.counts(CONTACT_PATHS)["kept"]) == (3, 1)
    again = stage.synced()
    assert (again.effects, again.ingest_jobs) == ([], [])
    assert not again.asked(f"/enrollments/{rows['passed']}")
    assert not again.asked(f"/learning_path_enrollments/{paths['passed']}")
    assert again.counts(CONTACT_ROWS)["kept"] == 3


@pytest.mark.rule("3.34", "3.35", "3.31")
def test_status_in_salesforce_decides_over_what_is_gone(stage: Stage) -> None:
    """What LearnUpon last said and never told Salesforce does not count; rules.finished_statuses does."""
    stage.configure(rules={"finished_statuses": ["passed", "pending_review"]})
    learner, course = stage.learner(), stage.course()
    late = stage.enroll(learner, course, status="in_progress")
    completed, reviewed = (stage.enroll(learner, course, status=one) for one in ("completed", "pending_review"))
    by_hand = stage.enroll(learner, course, status="in_progress")
    stage.synced()
    stage.academy.change_enrollment(late, status="passed")
    stage.org.update(CONTACT_ROWS, stage.row(CONTACT_ROWS, key(by_hand))["Id"], {"Status__c": "Passed"}, record=False)
    for number in (late, completed, reviewed, by_hand):
        stage.academy.remove_enrollment(number)
    stage.synced()
    assert flags(stage) == {key(reviewed): True, key(by_hand): True}


@pytest.mark.rule("3.38", "3.36")
def test_absent_but_alive_joins(stage: Stage) -> None:
    """A row no listing shows but that answers by id is kept in step, counts, and is neither deleted nor flagged."""
    learner, course = stage.learner(), stage.course()
    orphan = stage.enroll(learner, course, status="passed", percentage=70)
    started, hidden = stage.enroll(learner, status="in_progress"), stage.course()
    unlisted = stage.enroll(learner, hidden, status="in_progress")
    path = stage.path(course)
    on_path = stage.enroll_path(learner, path, status="in_progress")
    stage.synced()
    stage.academy.remove_course(course)
    stage.academy.change_enrollment(orphan, percentage=75)
    nothing = '{"enrollments": []}'
    for asked in (
        rf"/enrollments/search\?.*course_id={hidden}\b",
        rf"/learning_path_enrollments/search\?.*lp_id={path}\b",
    ):
        stage.emu.learnupon_faults.add(Fault(match=asked, when="mid", body=nothing, times=None))
    result = stage.synced()
    assert result.asked(f"/enrollments/{orphan}")
    assert result.asked(f"/enrollments/{unlisted}")
    assert result.asked(f"/learning_path_enrollments/{on_path}")
    assert result.sent(CONTACT_ROWS) == {key(orphan): {"LU_Key__c": key(orphan), "Score__c": 75}}
    assert flags(stage) == dict.fromkeys(map(key, (orphan, started, unlisted)), False)
    assert stage.row(MEMBERSHIP, f"12345:member:{learner}")["LU_Number_Enrolled__c"] == 3
    assert set(stage.rows(CONTACT_PATHS)) == {key(on_path, "path")}
    stage.settled()


@pytest.mark.rule("3.37")
def test_nothing_is_gone_unless_everything_was_read(stage: Stage) -> None:
    """One listing that cannot be trusted, of any portal, and nothing is asked, deleted or flagged anywhere."""
    learner, course = stage.learner(), stage.course()
    number = stage.enroll(learner, course, status="in_progress")
    stage.enroll_path(learner, stage.path(course))
    stage.synced()
    stage.academy.remove_enrollment(number)
    for broken in (r"/enrollments/search\?", r"lp_id=", r"/users(\?|$)", r"/partners.*/courses"):
        stage.emu.learnupon_faults.add(Fault(match=broken, when="mid", drop_headers=["LU-Has-Next-Page"], times=None))
        result = stage.run()
        assert (result.code, result.effects, result.ingest_jobs) == (65, [], [])
        assert not result.asked(f"/enrollments/{number}")
        stage.emu.learnupon_faults.clear()
    assert stage.synced().done(CONTACT_ROWS, "delete") == [key(number)]


@pytest.mark.rule("3.36", "3.37")
def test_a_question_without_an_answer_proves_nothing(stage: Stage) -> None:
    """An answer that is neither a row, nor a 404, nor an empty list stops the run before anything is written."""
    learner = stage.learner()
    number = stage.enroll(learner, status="in_progress")
    stage.synced()
    stage.academy.remove_enrollment(number)
    for fault in (
        Fault(match=f"/enrollments/{number}", status=200, body="<html>gone</html>"),
        Fault(match=f"/enrollments/{number}", status=200, body='{"error": "no"}'),
        Fault(match=f"/enrollments/{number}", status=403, body='{"message": "no"}'),
    ):
        stage.emu.learnupon_faults.add(fault)
        result = stage.run()
        assert result.code in {65, 77}
        assert (result.effects, result.ingest_jobs) == ([], [])
    assert stage.synced().done(CONTACT_ROWS, "delete") == [key(number)]


@pytest.mark.rule("3.39", "1.1")
def test_questions_are_limited(stage: Stage) -> None:
    """Beyond max_confirmations rows stay untouched, unconfirmed, with a warning; later runs ask about the rest."""
    stage.configure(guards={"max_confirmations": 2})
    learner, course = stage.learner(), stage.course()
    numbers = [stage.enroll(learner, course, status="in_progress") for _ in range(3)]
    on_path = stage.enroll_path(learner, stage.path(course), status="in_progress")
    stage.synced()
    for number in numbers:
        stage.academy.remove_enrollment(number)
    stage.academy.remove_path_enrollment(on_path)
    result = stage.synced()
    first = result.done(CONTACT_ROWS, "delete") + result.done(CONTACT_PATHS, "delete")
    assert len(first) == 2
    assert result.counts(CONTACT_ROWS)["unconfirmed"] + result.counts(CONTACT_PATHS)["unconfirmed"] == 2
    asked = [call for call in result.learnupon_calls if call.target.rsplit("/", 1)[-1].isdecimal()]
    assert len(asked) == 2
    assert "2 rows are missing from LearnUpon's listings but not confirmed gone" in result.warnings
    last = stage.synced()
    rest = last.done(CONTACT_ROWS, "delete") + last.done(CONTACT_PATHS, "delete")
    assert sorted(first + rest) == sorted([*map(key, numbers), key(on_path, "path")])
    assert last.report["warnings"] == []
    stage.settled()


@pytest.mark.rule("3.41")
def test_reappearing_rows_lose_the_flag(stage: Stage) -> None:
    """A flagged row that LearnUpon has again, gone before or unenrolled, follows LearnUpon and loses the flag."""
    learner, course = stage.learner(), stage.course()
    gone, left = (stage.enroll(learner, course, status="passed", percentage=60) for _ in range(2))
    stage.synced()
    stage.academy.remove_enrollment(gone)
    stage.academy.unenroll(left)
    stage.synced()
    assert flags(stage) == {key(gone): True, key(left): True}
    stage.enroll(learner, course, id=gone, status="in_progress")
    stage.academy.change_enrollment(left, unenrolled=False)
    stage.synced()
    assert flags(stage) == {key(gone): False, key(left): False}
    assert stage.row(CONTACT_ROWS, key(gone))["Status__c"] == "In Progress"
    assert stage.row(MEMBERSHIP, f"12345:member:{learner}")["LU_Number_Enrolled__c"] == 2
    stage.settled()


@pytest.mark.rule("2.16", "3.35")
def test_a_finished_label_that_was_cut_is_still_finished(stage: Stage) -> None:
    """A finished row that is gone is kept and flagged, also where the org's field holds only the start of its label."""
    stage.org.objects[CONTACT_ROWS].fields["Status__c"].length = 20
    stage.configure(rules={"status_labels": {"passed": "Passed with distinction"}})
    number = stage.enroll(stage.learner(), status="passed", date_completed=None)
    stage.synced()
    stage.academy.remove_enrollment(number)
    stage.synced()
    assert stage.row(CONTACT_ROWS, key(number))["Status__c"] == "Passed with distinct"
    assert flags(stage) == {key(number): True}


@pytest.mark.rule("3.35")
def test_a_finished_row_with_a_label_of_earlier_settings_is_kept(stage: Stage) -> None:
    """A label that no settings of now know hides no finished row: the day of completion says that it is one."""
    contact = stage.contact()
    away, there = stage.learner(sf_contact_id=contact), stage.learner()
    stage.configure(rules={"status_labels": {"completed": "Fertig"}}, guards={"max_source_shrink_percent": 100})
    numbers = [stage.enroll(learner, status="completed") for learner in (away, there)]
    unfinished = stage.enroll(there, status="on_hold", date_completed=None)
    stage.synced("backfill")
    stage.academy.change_user(away, sf_contact_id=None)
    stage.settings["rules"] = {}
    stage.synced("run", "--portal", "partners")
    for number in (*numbers, unfinished):
        stage.academy.remove_enrollment(number)
    stage.synced()
    stage.academy.change_user(away, sf_contact_id=contact)
    stage.synced()
    assert {name: (row["Status__c"], row[FLAG]) for name, row in stage.rows(CONTACT_ROWS).items()} == {
        key(number): ("Fertig", True) for number in numbers
    }
    stage.settled()
