"""What a backfill never does: delete, flag, ask who is gone, pass a guard, or write in a dry run."""

from __future__ import annotations

import pytest
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Stage

FLAG = "Removed_In_LearnUpon__c"


def key(number: int, kind: str = "enrollment") -> str:
    """Return the `LU_Key__c` of a row of the first portal."""
    return f"12345:{kind}:{number}"


@pytest.mark.parametrize("scope", ["whole", "course", "dates"])
def test_nothing_is_deleted_or_flagged(stage: Stage, scope: str) -> None:
    """Whatever LearnUpon lacks by now stays as it is, and nobody is asked about it; a later run judges it."""
    stage.store.knobs.list_unfinished_unenrolled = True
    learner, course = stage.learner(), stage.course()
    started, done, left = (
        stage.enroll(learner, course, status=one) for one in ("in_progress", "passed", "not_started")
    )
    on_path = stage.enroll_path(learner, stage.path(course), status="in_progress")
    removed = stage.learner()
    old = stage.enroll(removed, course, status="failed")
    stage.synced()
    before = {name: stage.rows(name) for name in (CONTACT_ROWS, CONTACT_PATHS)}
    stage.academy.remove_enrollment(started)
    stage.academy.remove_enrollment(done)
    stage.academy.remove_path_enrollment(on_path)
    stage.academy.unenroll(left)
    stage.academy.remove_user(removed)
    arguments = {"course": ("--course", str(course)), "dates": ("--enrolled-from", "2001-01-01")}
    result = stage.synced("backfill", *arguments.get(scope, ()))
    assert {name: stage.rows(name) for name in before} == before
    assert [entry for entry in result.effects if entry.operation == "delete"] == []
    assert not any(row[FLAG] for row in stage.rows(MEMBERSHIP).values())
    assert not [call for call in result.learnupon_calls if call.target.rsplit("/", 1)[-1].isdecimal()]
    run = stage.synced()
    assert run.done(CONTACT_ROWS, "delete") == sorted(map(key, (started, left)))
    assert {name: row[FLAG] for name, row in stage.rows(CONTACT_ROWS).items()} == {key(done): True, key(old): True}
    stage.settled()


def test_the_old_row_of_a_mover_is_left_to_a_run(stage: Stage) -> None:
    """A backfill makes a mover's row in the new object and leaves the old one; the next run deletes that."""
    learner = stage.learner()
    number = stage.enroll(learner, status="passed")
    stage.synced()
    user = stage.user()
    stage.academy.change_user(learner, sf_contact_id=None, sf_user_id=user)
    stage.synced("backfill")
    assert (set(stage.rows(USER_ROWS)), set(stage.rows(CONTACT_ROWS))) == ({key(number)}, {key(number)})
    run = stage.synced()
    assert run.done(CONTACT_ROWS, "delete") == [key(number)]
    assert run.reasons(CONTACT_ROWS) == {key(number): "moved"}
    stage.settled()


def test_a_second_backfill_is_idle(stage: Stage) -> None:
    """What was brought in is not sent again, and what changed is sent with the columns that differ only."""
    learner = stage.learner()
    number = stage.enroll(learner, status="passed", percentage=70)
    stage.synced("backfill")
    again = stage.synced("backfill")
    assert (again.effects, again.ingest_jobs) == ([], [])
    stage.academy.change_enrollment(number, percentage=71)
    assert stage.synced("backfill").sent(CONTACT_ROWS) == {key(number): {"LU_Key__c": key(number), "Score__c": 71}}


def test_the_guards_apply(stage: Stage) -> None:
    """A backfill that would change more than the guards allow stops with 3 before it writes; creates are free."""
    learner, course = stage.learner(), stage.course()
    rows = [stage.enroll(learner, course, status="passed", percentage=10) for _ in range(20)]
    assert stage.synced("backfill").counts(CONTACT_ROWS)["created"] == 20
    for number in rows[:11]:
        stage.academy.change_enrollment(number, percentage=20)
    result = stage.run("backfill")
    assert (result.code, result.effects, result.ingest_jobs) == (3, [], [])
    (tripped,) = (guard for guard in result.report["guards"] if guard["tripped"])
    assert (tripped["name"], tripped["value"]) == ("max_update_percent", 55)
    assert "--allow-updates 11" in result.err
    assert stage.synced("backfill", "--allow-updates", "11").counts(CONTACT_ROWS)["updated"] == 11


def test_a_dry_run_writes_nothing(stage: Stage) -> None:
    """`--dry-run` shows what would come in and writes neither to Salesforce nor what a later backfill would go on."""
    stage.enroll(stage.learner(), status="passed")
    result = stage.run("backfill", "--dry-run")
    assert (result.code, result.ledger, result.writing_calls) == (0, (), [])
    assert (result.counts(CONTACT_ROWS)["create"], result.counts(CONTACT_ROWS)["created"]) == (1, 0)
    assert result.report["dry_run"] is True
    assert not (stage.state_dir / "backfill").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--enrolled-from", "2026-03-02", "--enrolled-to", "2026-03-01"), "2026-03-02"),
        (("--enrolled-from", "02.03.2026"), "02.03.2026"),
        (("--course", "0"), "--course"),
        (("--learner", "nobody@example.com"), "--learner"),
        (("--learner", " "), "--learner"),
    ],
)
def test_wrong_scopes_are_wrong_usage(stage: Stage, arguments: tuple[str, ...], word: str) -> None:
    """A scope that cannot be, or that nobody is in by name, is exit 64 and nothing is written."""
    stage.learner()
    result = stage.run("backfill", *arguments)
    assert (result.code, result.effects, result.ingest_jobs) == (64, [], [])
    assert word in result.err
