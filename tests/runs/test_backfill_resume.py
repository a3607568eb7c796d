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
    last = f"search.course_id={max(stage.academy.courses)}"
    # Threads ask in an order of their own: the last course is first put off, so that all others are read by then.
    stage.emu.learnupon_faults.add(Fault(match=last, status=503))
    stage.emu.learnupon_faults.add(Fault(match=last, nth=2, status=200, body="<html>not now</html>"))
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


def _overtaken(stage: Stage) -> str:
    """Stop a backfill, let LearnUpon change a row that it has read, and return the row's key."""
    _stopped(stage)
    number = min(stage.academy.enrollments)
    stage.academy.change_enrollment(number, status="completed", percentage=90)
    return f"12345:enrollment:{number}"


def _not_taken_back(stage: Stage, key: str) -> None:
    """See that the row has the newer values, and that the same backfill, given again, reads anew and leaves them."""
    again = stage.synced("backfill")
    assert "were taken from the same backfill" not in again.out
    row = stage.row(CONTACT_ROWS, key)
    assert (row["Status__c"], row["Score__c"], key in again.sent(CONTACT_ROWS)) == ("Completed", 90, False)
    assert _searches(stage) == 4
    stage.settled()


def test_a_nightly_run_outdates_what_was_kept(stage: Stage) -> None:
    """After a run that has written, the stopped backfill reads anew: no newer value is taken back."""
    key = _overtaken(stage)
    assert key in stage.synced("run").sent(CONTACT_ROWS)
    _not_taken_back(stage, key)


def test_an_applied_plan_outdates_what_was_kept(stage: Stage) -> None:
    """A saved plan is newer than the listings of a backfill that was stopped before it was applied."""
    key = _overtaken(stage)
    folder = str(stage.folder / "plan")
    assert stage.run("plan", "--out", folder).code == 0
    stage.synced("apply", folder)
    _not_taken_back(stage, key)


def test_another_backfill_outdates_what_was_kept(stage: Stage) -> None:
    """A backfill of another scope that writes outdates what the stopped one kept of the same portal."""
    key = _overtaken(stage)
    course = str(min(stage.academy.courses))
    assert list(stage.synced("backfill", "--course", course).sent(CONTACT_ROWS)) == [key]
    _not_taken_back(stage, key)


def test_a_run_that_finds_all_written_outdates_what_was_kept(stage: Stage) -> None:
    """When a run elsewhere had written the newer values, the run here writes nothing, and the listings are old too."""
    key = _overtaken(stage)
    here = stage.settings["state_dir"]
    stage.configure(state_dir=str(stage.folder / "elsewhere"))
    stage.synced("run")
    stage.configure(state_dir=here)
    assert stage.synced("run").effects == []
    _not_taken_back(stage, key)


def test_what_did_not_write_outdates_nothing(stage: Stage) -> None:
    """A plan, a run that was stopped before it wrote, and a run for another portal leave what was kept."""
    portals = stage.settings["portals"]
    _stopped(stage)
    assert stage.run("plan").code == 0
    stage.emu.learnupon_faults.add(Fault(match="/users", status=200, body="<html>not now</html>"))
    assert stage.run("run").code == 65
    stage.configure(portals=[*stage.settings["portals"], *portals[1:]])
    stage.synced("run", "--portal", "partners")
    assert "3 listings were taken from the same backfill" in stage.synced("backfill", "--portal", "academy").out


def test_what_is_kept_is_for_its_owner_alone(stage: Stage) -> None:
    """Folders of what a stopped backfill keeps are 0700 and files 0600, like all of the state folder."""
    _stopped(stage)
    found = [stage.state_dir, *stage.state_dir.rglob("*")]
    assert [path for path in found if path.suffix == ".arrow"]
    modes = {path: path.stat().st_mode & 0o777 for path in found}
    assert {path: mode for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


def test_listings_of_a_backfill_never_given_again_are_removed(stage: Stage) -> None:
    """What can be gone on with no more is removed by the next run that may write, of any portal; not by a plan."""
    portals = stage.settings["portals"]
    _stopped(stage)
    stage.configure(portals=[*stage.settings["portals"], *portals[1:]])
    kept = stage.state_dir / "backfill"
    later = Clock(now=lambda: datetime.now(UTC) + timedelta(hours=2, minutes=1))
    assert stage.run("plan", clock=later).code == 0
    assert len(list(kept.iterdir())) == 1
    assert stage.run("run", "--portal", "partners", clock=later).code == 0
    assert list(kept.iterdir()) == []
