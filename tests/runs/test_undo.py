"""Putting a whole night back: every field of every row it changed or deleted, and what is told about the rest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from runs.afterwards import held
from runs.result import Result
from runs.stage import CONTACT_ROWS, Stage
from runs.undo_world import UNDO, State, a_night, created, differing, done, left, run_id, totals, undone

LEARNERS = 40
"""Enough for more than 200 rows changed and deleted."""


@dataclass
class Night:
    """A night that was put back."""

    before: State
    run: Result
    worst: dict[str, dict[str, Any]]
    """What differed after the night."""
    undo: Result
    after: State


@pytest.mark.fault("D38")
def test_a_night_of_200_rows_is_put_back(stage: Stage) -> None:
    """Rows that a run changed or deleted hold what they held before, field by field; all the rest is told and left."""
    before, run = a_night(stage, LEARNERS)
    worst = differing(before, held(stage))
    night = Night(before, run, worst, undone(stage, run), held(stage))
    every_field_is_as_before(night)
    only_what_differs_is_sent(night)
    created_rows_stay_and_are_listed(stage, night)
    guards_are_read_and_stop_nothing(night)
    the_report_names_the_run(stage, night)
    a_second_time_there_is_nothing_to_do(stage, night)
    the_next_plan_shows_the_same_again(stage, night)


@pytest.mark.fault("D38")
def test_rows_that_the_recycle_bin_has_no_more_are_put_back(stage: Stage) -> None:
    """Half of the deleted rows have left the recycle bin: all come back from the run's own copy, field by field."""
    before, run = a_night(stage, LEARNERS // 2)
    worst = differing(before, held(stage))
    deleted = [entry for entry in run.effects if entry.operation == "delete"]
    assert len(deleted) >= 20
    for entry in deleted[::2]:
        stage.org.purge(entry.object, entry.id)
    night = Night(before, run, worst, undone(stage, run), held(stage))
    assert differing(before, night.after) == {}
    assert totals(night.undo, "created", "refused", "unknown") == [len(deleted), 0, 0]
    made = sorted((entry.object, str(entry.key)) for entry in night.undo.effects if entry.operation == "create")
    assert made == sorted((entry.object, str(entry.key)) for entry in deleted)
    a_second_time_there_is_nothing_to_do(stage, night)


def every_field_is_as_before(night: Night) -> None:
    """See that of the rows that were there nothing differs, and that the counts say what was done to them."""
    assert sum(len(rows) for rows in night.worst.values()) >= 200
    assert len(night.worst) == 8
    assert differing(night.before, night.after) == {}
    assert totals(night.undo, "updated", "created") == totals(night.run, "updated", "deleted")
    assert set(done(night.undo, "create")) == set(done(night.run, "delete"))
    assert {entry.operation for entry in night.undo.effects} == {"create", "update"}


def only_what_differs_is_sent(night: Night) -> None:
    """See that a row that is put back gets the fields that the run had changed, and no other."""
    assert done(night.undo, "update") == done(night.run, "update")


def created_rows_stay_and_are_listed(stage: Stage, night: Night) -> None:
    """See that what the run created is there, and that left.csv names each with its record id, and nothing else."""
    stays = created(night.before, night.after)
    assert stays
    assert left(night.undo, "created") == stays
    lines = night.undo.table("left.csv")
    assert len(lines) == len(stays)
    rows = stage.rows(CONTACT_ROWS)
    ids = {line["key"]: line["record_id"] for line in lines if line["object"] == CONTACT_ROWS}
    assert ids == {key: rows[key]["Id"] for key in ids}
    assert f"{len(stays)} rows that the run created stay" in night.undo.warnings


def guards_are_read_and_stop_nothing(night: Night) -> None:
    """See that the share of updates is recorded as overridden, and that no guard on deletes had anything to lift."""
    guards = {line["name"]: line for line in night.undo.report["guards"]}
    assert (guards["max_update_percent"]["overridden"], guards["max_update_percent"]["tripped"]) == (True, False)
    assert (guards["max_deletes"]["value"], guards["max_deletes"]["overridden"]) == (0, False)


def the_report_names_the_run(stage: Stage, night: Night) -> None:
    """See that an undo is a run: its report says what it put back, LearnUpon was not asked, the history lists it."""
    assert (night.undo.report["command"], night.undo.report["undoes"]) == (UNDO, run_id(night.run))
    assert night.undo.learnupon_calls == ()
    listed = json.loads(stage.run("runs", "--json").out)
    assert run_id(night.undo) in {line["run_id"] for line in listed if line["command"] == UNDO}


def a_second_time_there_is_nothing_to_do(stage: Stage, night: Night) -> None:
    """See that a run that was put back has nothing left to put back: no job, exit 0."""
    again = undone(stage, night.run)
    assert (again.effects, again.ingest_jobs) == ([], [])
    assert f"nothing of run {run_id(night.run)} is left to put back" in again.out


def the_next_plan_shows_the_same_again(stage: Stage, night: Night) -> None:
    """See that nothing is held against LearnUpon: a plan shows exactly the updates and deletes that were put back."""
    assert "this lasts until the next run" in night.undo.warnings
    plan = stage.run("plan")
    for name, counts in night.run.report["objects"].items():
        planned = plan.report["objects"][name]
        assert (planned["create"], planned["update"], planned["delete"]) == (0, counts["update"], counts["delete"])
        shown = [result.table(f"changes/{name}.csv") for result in (night.run, plan)]
        what = ("action", "key", "changed", "reason")
        ran, plans = ({tuple(line[word] for word in what) for line in lines} for lines in shown)
        assert {line for line in ran if line[0] != "create"} == plans
