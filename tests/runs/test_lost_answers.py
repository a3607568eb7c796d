"""Requests that write and whose answer never comes: the job is looked up, never blindly repeated, nothing done twice.

KILL_POINTS=all loses every answer of every such request in turn; else some are chosen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from runs.afterwards import at_rest, held, ingest_jobs
from runs.scenarios import SCENARIOS
from runs.small_world import quick
from runs.stage import Stage

from etl.emulator.faults import Fault

pytestmark = pytest.mark.long  # run by `make crash`

ALL = os.environ.get("KILL_POINTS") == "all"
_CALLS = {"create": r"POST \S*/jobs/ingest$", "upload": r"PUT \S*/batches$", "close": r"PATCH \S*/jobs/ingest/\w+$"}
_NAMES = ("first load", "a night of changes")
_KNOWN: dict[str, tuple[dict[str, Any], int]] = {}


@contextmanager
def staged(folder: Path, name: str) -> Iterator[Stage]:
    """Give a scenario's world, served."""
    with Stage(folder) as stage:
        SCENARIOS[name](stage, lambda: stage.run(clock=quick()).code)
        yield stage


def calm(name: str, factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """Return what Salesforce holds after a scenario that nobody disturbed, and how many jobs that took."""
    if name not in _KNOWN:
        with staged(factory.mktemp("calm"), name) as stage:
            before = len(ingest_jobs(stage))
            assert stage.run(clock=quick()).code == 0
            _KNOWN[name] = held(stage), len(ingest_jobs(stage)) - before
    return _KNOWN[name]


def chosen(jobs: int) -> list[int]:
    """Return the jobs (from 1) to be disturbed: every one, or the first, one amid, and the last."""
    return list(range(1, jobs + 1)) if ALL else [1, jobs // 2, jobs]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", _CALLS)
@pytest.mark.parametrize("name", _NAMES)
def test_a_lost_answer_does_no_harm(name: str, call: str, when: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """After a create, upload or close without an answer all is as undisturbed, at the latest after the next run."""
    state, jobs = calm(name, tmp_path_factory)
    for nth in chosen(jobs) if when == "after" or ALL else [jobs // 2]:
        with staged(tmp_path_factory.mktemp("lost"), name) as stage:
            stage.emu.salesforce_faults.add(Fault(match=_CALLS[call], nth=nth, when=when, reset=True))
            result = stage.run(clock=quick())
            assert len(stage.emu.salesforce_faults.fired) == 1
            assert result.code in {0, 69, 75}, result.err
            if result.code:
                assert stage.run(clock=quick()).code == 0
            assert held(stage) == state, (call, nth)
            at_rest(stage)


@pytest.mark.parametrize("call", _CALLS)
def test_answers_that_never_come_end_the_run(stage: Stage, call: str) -> None:
    """When no answer to a request of one kind ever comes the run gives up, and a later run ends well."""
    SCENARIOS["first load"](stage, lambda: 0)
    stage.emu.salesforce_faults.add(Fault(match=_CALLS[call], when="after", reset=True, times=None))
    result = stage.run(clock=quick())
    assert result.code in {0, 69, 75}, result.err
    assert (result.code == 0) == (call == "close"), "a close that worked is seen in the job"
    assert len(result.ingest_jobs) <= 8
    stage.emu.salesforce_faults.clear()
    assert stage.run(clock=quick()).code == 0
    at_rest(stage)
    stage.settled()
