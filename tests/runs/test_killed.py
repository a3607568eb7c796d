"""A run killed anywhere, followed by one run, ends in the same Salesforce as a run that nobody disturbed.

A few steps where the run writes, of two scenarios, one that leaves a job open; `make crash` tries every step of six.
"""

from __future__ import annotations

import signal

import pytest
from runs.laboratory import Laboratory
from runs.scenarios import SCENARIOS
from runs.stage import Stage
from runs.trials import evenly, first_write

_POINTS = 2
USUAL = {"a night of changes", "a job to adopt"}
"""The scenarios that are played in every run of the tests."""


def points(steps: list[str]) -> list[int]:
    """Return the steps (from 1) to be killed at: amid the writing; where nothing is written, amid all of it."""
    first = first_write(steps)
    apart = (len(steps) - first) // (_POINTS + 1)
    return evenly(first + apart, len(steps) - apart, _POINTS)


@pytest.mark.fault("R3", "R6")
@pytest.mark.parametrize(
    "name", [one if one in USUAL else pytest.param(one, marks=pytest.mark.long) for one in SCENARIOS]
)
def test_a_killed_run_and_one_more_end_like_an_undisturbed_one(name: str, laboratory: Laboratory) -> None:
    """Dying anywhere and running again ends in the same place, field by field, with no job left and nothing twice."""
    chosen = points(laboratory.steps(name))
    found = [
        laboratory.play(name, "killed", at_step=at_step, lost=number % 2 == 1) for number, at_step in enumerate(chosen)
    ]
    assert sum(one["code"] != 0 for one in found) >= len(found) // 2, "steps come in another order each time, no more"


@pytest.mark.fault("R3", "R6")
@pytest.mark.parametrize("lost", [False, True])
def test_a_job_that_a_dead_run_left_open_is_ended(laboratory: Laboratory, *, lost: bool) -> None:
    """A run killed between making a job and filling it leaves it open; the next one ends it, by journal or without."""
    found = laboratory.play("a night of changes", "killed", at_name="/batches", lost=lost)
    assert (found["code"], found["waited"]) == (-signal.SIGKILL, lost)


def test_the_night_has_every_kind_of_write(stage: Stage) -> None:
    """The night that is disturbed creates, updates and deletes, moves a learner, and keeps a finished row."""
    SCENARIOS["a night of changes"](stage, lambda: stage.run().code)
    result = stage.synced()
    total = {what: sum(one[what] for one in result.report["objects"].values()) for what in ("created", "updated")}
    assert min(total.values()) > 0
    assert result.folder is not None
    tables = [result.table(f"changes/{path.name}") for path in result.folder.glob("changes/*.csv")]
    assert {line["reason"] for table in tables for line in table} == {"", "gone", "moved"}
    stage.settled()
