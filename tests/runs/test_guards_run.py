"""The guards through the whole program: each stops a run beyond its limit, not at it, and can be lifted for N rows."""

from __future__ import annotations

from typing import Any

import pytest
from runs.result import Result
from runs.small_world import quick, stopped
from runs.stage import CONTACT_ROWS, Stage

_ROWS = 20
_WEEK = {"max_deletes_7_days", "max_delete_percent_7_days"}


def _school(stage: Stage, status: str = "in_progress") -> list[int]:
    """Twenty learners with an enrollment each, synced; one that is unenrolled stays listed. Returns the enrollments."""
    stage.store.knobs.list_unfinished_unenrolled = True
    course = stage.course()
    rows = [stage.enroll(stage.learner(), course, status=status) for _ in range(_ROWS)]
    stage.synced()
    return rows


def _unenroll(stage: Stage, rows: list[int]) -> None:
    for row in rows:
        stage.academy.unenroll(row)


def _score(stage: Stage, rows: list[int]) -> None:
    for row in rows:
        score = stage.academy.enrollments[row]["percentage"] or 70
        stage.academy.change_enrollment(row, percentage=score + 1)


def _vanish(stage: Stage, rows: list[int]) -> None:
    for row in rows:
        stage.academy.remove_enrollment(row)


def _guard(result: Result, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in result.report["guards"] if one["name"] == name)
    return found


_GUARDS: dict[str, tuple[Any, int, dict[str, int], float, str]] = {
    "max_deletes": (_unenroll, 3, {"max_deletes": 3, "max_delete_percent": 100}, 3, "in_progress"),
    "max_delete_percent": (_unenroll, 1, {"max_delete_percent": 5}, 5, "in_progress"),
    "max_update_percent": (_score, 10, {"max_update_percent": 50}, 50, "in_progress"),
    "max_source_shrink_percent": (_vanish, 4, {"max_source_shrink_percent": 20}, 20, "completed"),
}


@pytest.mark.parametrize("name", _GUARDS)
def test_a_guard_stops_beyond_its_limit_and_not_at_it(stage: Stage, name: str) -> None:
    """One row more than a guard allows stops the run with 3 and writes nothing; at the limit it goes on."""
    change, allowed, limits, limit, status = _GUARDS[name]
    rows = _school(stage, status)
    stage.configure(guards={"min_rows": 10, **limits})
    change(stage, rows[:allowed])
    at_the_limit = stage.run(clock=quick())
    assert at_the_limit.code == 0, at_the_limit.err
    guard = _guard(at_the_limit, name)
    assert (guard["value"], guard["limit"], guard["tripped"]) == (limit, limit, False)
    before = stage.rows(CONTACT_ROWS)

    change(stage, rows[-allowed - 1 :])
    beyond = stage.run(clock=quick())
    stopped(beyond, 3, name, "over", "run once" if "source" not in name else "LearnUpon")
    assert stage.rows(CONTACT_ROWS) == before
    guard = _guard(beyond, name)
    assert guard["tripped"]
    assert guard["value"] > limit
    plan = stage.run("plan", clock=quick())
    assert (plan.code, _guard(plan, name)["tripped"]) == (0, True), "a plan is shown, whatever the guards say"


def test_percentages_wait_for_enough_rows(stage: Stage) -> None:
    """Percentages apply from min_rows existing rows on: 20 are enough, 19 are not."""
    rows = _school(stage)
    _unenroll(stage, rows[:10])
    stage.configure(guards={"min_rows": _ROWS + 1})
    assert stage.run("plan", clock=quick()).report["guards"][1]["tripped"] is False
    stage.configure(guards={"min_rows": _ROWS})
    stopped(stage.run(clock=quick()), 3, "max_delete_percent", "50")


@pytest.mark.parametrize(("option", "change"), [("--allow-deletes", _unenroll), ("--allow-updates", _score)])
def test_an_allowance_counts_rows(stage: Stage, option: str, change: Any) -> None:
    """--allow-deletes and --allow-updates lift their guards up to N rows in all, not one more, and are recorded."""
    rows = _school(stage)
    limits = {"max_deletes": 3, "max_delete_percent": 5} if change is _unenroll else {"max_update_percent": 10}
    stage.configure(guards=limits)
    change(stage, rows[:6])
    plan = stage.run("plan", clock=quick())
    what = "delete" if change is _unenroll else "update"
    needed = sum(counts[what] for counts in plan.report["objects"].values())
    assert needed >= 6
    stopped(stage.run("run", option, str(needed - 1), clock=quick()), 3, f"{option} {needed}")
    result = stage.run("run", option, str(needed), clock=quick())
    assert result.code == 0, result.err
    assert result.report["overrides"] == {option.removeprefix("--").replace("-", "_"): needed}
    lifted = {guard["name"] for guard in result.report["guards"] if guard["overridden"]}
    assert lifted == set(limits) | (_WEEK if change is _unenroll else set())
    assert sum(counts[f"{what}d"] for counts in result.report["objects"].values()) == needed
    stage.settled()


def test_one_allowance_does_not_lift_the_other_guards(stage: Stage) -> None:
    """Allowed deletes leave the guard on updates and the one on the source as they are."""
    rows = _school(stage)
    stage.configure(guards={"max_update_percent": 10})
    _score(stage, rows[:6])
    stopped(stage.run("run", "--allow-deletes", "900", clock=quick()), 3, "max_update_percent")
