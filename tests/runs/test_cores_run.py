"""A whole run that has others decode its pages: one of them killed, or everything told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runs.elsewhere import Elsewhere
from runs.programs import ROOT
from runs.stage import CONTACT_ROWS, Stage
from runs.told import told
from runs.worker_processes import held_until_they_wait, workers

from etl.cores import available
from etl.decoders import how_many
from etl.emulator.faults import Fault

COURSES = 112
"""As many pages of enrollments: more than are decoded before workers are started."""
LATE = 108
pytestmark = pytest.mark.skipif(available() < 2, reason="one core: no workers")


@pytest.mark.parametrize(("cores", "most"), [(1, 0), (2, 1), (3, 2), (8, 2)])
def test_fetching_has_a_core(cores: int, most: int) -> None:
    """Pages are decoded by as many workers as cores, two at most, but for the core that fetches."""
    assert how_many(cores) == most


@pytest.fixture
def long(stage: Stage) -> Stage:
    """Give a portal of so many pages that workers are started."""
    learner = stage.learner()
    for _ in range(COURSES):
        stage.enroll(learner, status="passed")
    return stage


def test_workers_start_before_the_program_has_loaded(stage: Stage, tmp_path: Path) -> None:
    """A run has its workers at the first question, however little there is to read; when it ends they have ended."""
    found: list[int] = []
    match = r"GET .*/api/v1/portals"
    stage.emu.learnupon_faults.add(Fault(match=match, hook=lambda _: found.extend(held_until_they_wait(process.pid))))
    with Elsewhere(stage, tmp_path / "pod").start() as process:
        assert process.wait(timeout=60) == 0
    assert len(found) == how_many(available())
    assert [pid for pid in found if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.parametrize(
    ("arguments", "code", "started"),
    [
        (["run"], 78, True),
        (["plan", "--json"], 78, True),
        (["backfill"], 78, True),
        (["run", "-h"], 0, False),
        (["runs"], 78, False),
    ],
)
def test_workers_of_a_command_that_cannot_begin_end_with_it(arguments: list[str], code: int, *, started: bool) -> None:
    """Without a configuration the workers of a command that reads end with it; help and other commands start none."""
    script = (
        "import sys\nfrom etl import cores\nmade = []\n"
        "class Noted(cores._Worker):\n"
        "    def __init__(self, *more):\n        super().__init__(*more)\n        made.append(self._process)\n"
        "cores._Worker = Noted\nfrom etl.__main__ import main\n"
        "code = main()\nprint(len(made), all(one.poll() is not None for one in made), code)\n"
    )
    command = [sys.executable, "-c", script, "--config", "nowhere.yaml", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    count = how_many(available()) if started else 0
    assert done.stdout.splitlines()[-1] == f"{count} True {code}", done.stderr


def at_a_late_page(stage: Stage, happens: object) -> None:
    """Let something happen while one of the last pages is awaited."""
    match = r"/academy/.*enrollments/search"
    stage.emu.learnupon_faults.add(Fault(match=match, nth=LATE, hook=happens))  # type: ignore[arg-type]


@pytest.mark.fault("R9")
def test_a_run_whose_worker_is_killed_writes_nothing(long: Stage) -> None:
    """A worker that the kernel kills for its memory ends the run with 74, nothing written; the next run is whole."""
    killed: list[int] = []

    def kill(_: object) -> None:
        killed.extend(held_until_they_wait(os.getpid()))
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    at_a_late_page(long, kill)
    result = long.run()
    assert killed, "no worker was started"
    told(result, 74, "a worker process of this run was ended by SIGKILL", "memory")
    assert result.effects == []
    long.synced()
    assert len(long.rows(CONTACT_ROWS)) == COURSES
    assert list(workers(os.getpid())) == []


@pytest.mark.fault("R4")
def test_a_signal_to_all_processes_of_a_run_stops_it_cleanly(long: Stage) -> None:
    """SIGTERM to the run and its workers alike, as an init system sends it: 143, soon, and no process is left."""
    found: list[int] = []
    began: list[float] = []

    def stop(_: object) -> None:
        found.extend(held_until_they_wait(process.pid))
        began.append(time.monotonic())
        for pid in (*found, process.pid):
            os.kill(pid, signal.SIGTERM)

    at_a_late_page(long, stop)
    machine = Elsewhere(long, long.folder / "pod")
    with machine.start() as process:
        assert process.wait(timeout=90) == 143
    assert found, "no worker was started"
    assert time.monotonic() - began[0] < 20
    assert [pid for pid in found if Path(f"/proc/{pid}").exists()] == []
    (report,) = machine.reports()
    assert (report["exit_code"], report["outcome"]) == (143, "interrupted")
