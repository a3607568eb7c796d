"""A school that is in Salesforce already, for faults that must change nothing in it; it is made once for many tests."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from runs.result import Result
from runs.small_world import SmallWorld, furnish, quick, stopped
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, Stage
from runs.told import told

from etl.emulator.faults import Fault, FaultScript


@dataclass(frozen=True)
class School:
    """The small world with two paths, and a second portal."""

    stage: Stage
    world: SmallWorld
    paths: tuple[int, int]
    last: int
    """The one enrollment in the second course."""

    @property
    def faults(self) -> FaultScript:
        """What goes wrong in LearnUpon."""
        return self.stage.emu.learnupon_faults

    def only(self, match: str, **fault: Any) -> None:
        """Let this go wrong, and nothing that was armed before: the real answer, altered, for ever."""
        self.faults.clear()
        self.faults.fired.clear()
        self.faults.add(Fault.from_json({"match": match, "when": "mid", "times": None, **fault}))

    def answer(self, match: str, status: int, body: str | bytes = "", **headers: str) -> None:
        """Let every such request be answered so, with these headers (underscores are hyphens)."""
        self.faults.clear()
        self.faults.fired.clear()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.add(Fault(match=match, status=status, body=body, headers=named, times=None))

    def barred(self, code: int, *words: str, arguments: tuple[str, ...] = ()) -> Result:
        """See that a run stops before its first write, and says why, that nothing was written, and what to do next."""
        names = (CONTACT_ROWS, MEMBERSHIP, CONTACT_PATHS)
        before = [self.stage.rows(name) for name in names]
        result = self.stage.run(*arguments, clock=quick())
        stopped(result, code)
        told(result, code, *words)
        assert self.faults.fired
        assert [self.stage.rows(name) for name in names] == before
        return result

    def unmoved(self) -> Result:
        """See that a run ends well and finds nothing to do."""
        result = self.stage.run(clock=quick())
        assert (result.code, result.effects, result.ingest_jobs) == (0, [], []), result.err + result.out
        assert self.faults.fired
        return result


def some_long(names: Iterable[Any], usual: Container[Any]) -> list[Any]:
    """Return values as parameters of a test; all but the usual ones are shown by the `long` tests only."""
    return [name if name in usual else pytest.param(name, marks=pytest.mark.long) for name in names]


@contextmanager
def opened(folder: Path) -> Iterator[School]:
    """Serve a school."""
    with Stage(folder) as stage:
        world = furnish(stage)
        first, second = stage.path(world.first_course), stage.path(world.second_course)
        stage.enroll_path(world.learners[0], first)
        stage.enroll_path(world.learners[1], second)
        stage.enroll(stage.learner(stage.partners), portal=stage.partners)
        stage.synced()
        last = next(row["id"] for row in stage.academy.enrollments.values() if row["course_id"] == world.second_course)
        yield School(stage, world, (first, second), last)
