"""A run killed anywhere, followed by one run, ends in the same Salesforce as a run that nobody disturbed.

KILL_POINTS=all tries every single step; else some steps are chosen, evenly, most of them where the run writes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from runs.afterwards import at_rest, held
from runs.scenarios import SCENARIOS
from runs.stage import Stage

ROOT = Path(__file__).parents[2]
ALL = os.environ.get("KILL_POINTS") == "all"
_WHILE_READING, _WHILE_WRITING = 1, 5
_OTHERWISE = 5


class Launcher:
    """The warm process in which runs are forked."""

    def __init__(self) -> None:
        """Start it; it is ready once it answers."""
        environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        command = [sys.executable, str(Path(__file__).with_name("killed.py"))]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, stage: Stage, die_at: int | None = None) -> tuple[int, list[str]]:
        """Call the program's `run`, killed at its step `die_at`; return the exit code and the steps it took."""
        argv = ["-q", "--config", str(stage.config()), "run"]
        order = {"argv": argv, "folder": str(stage.folder), "state": str(stage.state_dir), "die_at": die_at}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["code"], answer["steps"]

    def stop(self) -> None:
        """End it."""
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    """Give a warm process for this module's runs."""
    made = Launcher()
    yield made
    made.stop()


@dataclass
class Undisturbed:
    """A scenario run by nobody disturbed: what Salesforce holds then, and the steps it took."""

    state: dict[str, Any]
    steps: list[str] = field(repr=False)


_KNOWN: dict[str, Undisturbed] = {}


@contextmanager
def staged(folder: Path, name: str, launcher: Launcher) -> Iterator[Stage]:
    """Give a scenario's world, served, always the same one."""
    with Stage(folder) as stage:
        stage.org.job_seconds = 0.02
        SCENARIOS[name](stage, lambda: launcher.run(stage)[0])
        yield stage


def undisturbed(name: str, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Run a scenario undisturbed, once for the module."""
    if name not in _KNOWN:
        with staged(tmp_path_factory.mktemp("calm"), name, launcher) as stage:
            code, steps = launcher.run(stage)
            assert code == 0
            _KNOWN[name] = Undisturbed(held(stage), steps)
            at_rest(stage)
    return _KNOWN[name]


def _evenly(first: int, last: int, count: int) -> list[int]:
    return sorted({first + (last - first) * n // max(count - 1, 1) for n in range(count)}) if last >= first else []


def points(steps: list[str]) -> list[int]:
    """Return the steps (from 1) to be killed at: of the reading a few, of the writing more, or every one."""
    if ALL:
        return list(range(1, len(steps) + 1))
    first = next((n for n, step in enumerate(steps, 1) if step.startswith("send POST") and "ingest" in step), 0)
    if not first:
        return _evenly(1, len(steps), _OTHERWISE)
    return [*_evenly(first // 3, first - 1, _WHILE_READING), *_evenly(first, len(steps), _WHILE_WRITING)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_killed_run_and_one_more_end_like_an_undisturbed_one(
    name: str, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Dying anywhere and running again ends in the same place, field by field, with no job left and nothing twice."""
    calm = undisturbed(name, launcher, tmp_path_factory)
    chosen = points(calm.steps)
    survived = 0
    for die_at in chosen:
        with staged(tmp_path_factory.mktemp("killed"), name, launcher) as stage:
            code, taken = launcher.run(stage, die_at)
            survived += code != -signal.SIGKILL
            last = f"killed at {die_at} of {len(calm.steps)}, after {taken[-1:]}"
            again, _ = launcher.run(stage)
            assert again == 0, (last, (stage.folder / "words.txt").read_text())
            assert held(stage) == calm.state, last
            at_rest(stage)
            assert not list(stage.state_dir.glob("runs/*/work")), last
    assert survived <= len(chosen) // 3, "steps come in another order each time, but not that much fewer"


def test_the_night_has_every_kind_of_write(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The night that is disturbed creates, updates and deletes, moves a learner, and keeps a finished row."""
    with staged(tmp_path_factory.mktemp("night"), "a night of changes", launcher) as stage:
        result = stage.synced()
        total = {what: sum(one[what] for one in result.report["objects"].values()) for what in ("created", "updated")}
        assert min(total.values()) > 0
        assert result.folder is not None
        tables = [result.table(f"changes/{path.name}") for path in result.folder.glob("changes/*.csv")]
        assert {line["reason"] for table in tables for line in table} == {"", "gone", "moved"}
        stage.settled()
