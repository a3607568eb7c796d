"""A backfill that was stopped goes on where it was: what was read to its end is not read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runs.stage import CONTACT_ROWS, Stage

from etl.clock import Clock
from etl.emulator.faults import Fault


def _searches(stage: Stage) -> int:
    """Return how many course listings the last run asked for."""
    return sum("/enrollments/search?course_id=" in call.target for call in stage.emu.learnupon.calls)


def _stopped(stage: Stage) -> int:
    """Enroll a learner in four courses and stop a backfill at the last one; return the enrollments."""
    stage.configure(portals=[{**portal, "concurrency": 1} for portal in stage.settings["portals"][:1]])
    learner = stage.learner()
    rows = [stage.enroll(learner) for _ in range(4)]
    last = max(stage.academy.courses)
    stage.emu.learnupon_faults.add(Fault(match=f"search.course_id={last}", status=200, body="<html>not now</html>"))
    result = stage.run("backfill")
    assert (result.code, result.effects) == (65, [])
    return len(rows)


def test_finished_listings_are_not_read_again(stage: Stage) -> None:
    """The second backfill of the same scope reads only what the first had not read to its end, and writes all of it."""
    rows = _stopped(stage)
    result = stage.run("backfill")
    assert result.code == 0
    assert len(stage.rows(CONTACT_ROWS)) == rows
    assert _searches(stage) == 1
    assert "3 listings were taken from the same backfill" in result.out


def test_a_week_that_lasts_for_what_is_left_is_used(stage: Stage) -> None:
    """Listings that need not be read again are not held against LearnUpon's week: what is left of it may suffice."""
    for _ in range(40):
        stage.course()
    _stopped(stage)
    stage.store.knobs.requests_per_week = len(stage.emu.learnupon.calls) + 30
    assert stage.run("backfill").code == 0


def test_nothing_is_kept_after_the_end(stage: Stage) -> None:
    """A backfill that ended is used up: the next one reads everything anew."""
    rows = _stopped(stage)
    stage.run("backfill")
    assert stage.run("backfill").code == 0
    assert _searches(stage) == rows


def test_old_listings_are_read_again(stage: Stage) -> None:
    """What was read more than two hours ago, so that a nightly run may have overtaken it, is thrown away."""
    rows = _stopped(stage)
    later = datetime.now(UTC) + timedelta(hours=2, minutes=1)
    assert stage.run("backfill", clock=Clock(now=lambda: later)).code == 0
    assert _searches(stage) == rows


def test_another_scope_starts_anew(stage: Stage) -> None:
    """Listings kept for one scope serve no other."""
    _stopped(stage)
    course = min(stage.academy.courses)
    assert stage.run("backfill", "--course", str(course)).code == 0
    assert _searches(stage) == 1


def test_a_learner_is_looked_for_in_every_portal(stage: Stage) -> None:
    """`--learner` succeeds when one portal lists the learner, and is a wrong usage when none does."""
    learner = stage.learner(stage.partners, email="one@example.com")
    stage.enroll(learner, portal=stage.partners)
    assert stage.run("backfill", "--learner", "One@example.com").code == 0
    assert len(stage.rows(CONTACT_ROWS)) == 1
    assert stage.run("backfill", "--learner", "nobody@example.com").code == 64
