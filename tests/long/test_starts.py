"""Runs started together, with shared and separate state folders: one writes, the others are sent away, none in vain.

STARTS says how many trials; the figures are printed in the end (`make starts`).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runs.afterwards import at_rest, held, ingest_jobs
from runs.elsewhere import Elsewhere
from runs.org_time import records
from runs.scenarios import SCENARIOS
from runs.stage import Stage

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
TRIALS = int(os.environ.get("STARTS", "200"))
_LATEST_S = 1.5
"""Some of the starts come a little later than the first, so that they meet it at every step."""


class Starter:
    """The warm process in which runs are forked."""

    def __init__(self) -> None:
        """Start it."""
        environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        command = [sys.executable, str(Path(__file__).with_name("starter.py"))]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, machines: list[Elsewhere], after_s: list[float]) -> list[int]:
        """Run the program on these machines and return the exit codes."""
        orders = [
            {"argv": ["-q", "--config", str(one.config()), "run"], "words": str(one.folder / "words.txt"), "after_s": s}
            for one, s in zip(machines, after_s, strict=True)
        ]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(orders) + "\n")
        self.process.stdin.flush()
        codes: list[int] = json.loads(self.process.stdout.readline())
        return codes

    def stop(self) -> None:
        """End it."""
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    """Give a warm process for this module's runs."""
    made = Starter()
    yield made
    made.stop()


def machines_of(stage: Stage, dice: random.Random) -> list[Elsewhere]:
    """Return two to four machines: all with one state folder, each with its own, or some of both."""
    count = dice.randint(2, 4)
    folders = dice.choice((["shared"] * count, [f"own{n}" for n in range(count)], ["shared", "shared", "own2", "own3"]))
    return [Elsewhere(stage, stage.folder / name) for name in folders[:count]]


def calm(folder: Path, starter: Starter) -> tuple[dict[str, Any], int]:
    """Return what Salesforce holds after one undisturbed run, and how many ingest jobs that took."""
    folder.mkdir()
    with Stage(folder) as stage:
        SCENARIOS["first load"](stage, lambda: 0)
        assert starter.start([Elsewhere(stage, folder / "one")], [0.0]) == [0]
        return held(stage), len(ingest_jobs(stage))


def trial(folder: Path, number: int, starter: Starter, expected: tuple[dict[str, Any], int]) -> Counter[str]:
    """Start some runs together; see that the org is as after one, and return what happened."""
    folder.mkdir()
    dice = random.Random(number)  # noqa: S311 - the same trial each time
    state, jobs = expected
    with Stage(folder) as stage:
        SCENARIOS["first load"](stage, lambda: 0)
        machines = machines_of(stage, dice)
        later = [dice.choice((0.0, dice.uniform(0, _LATEST_S))) for _ in machines]
        codes = starter.start(machines, later)
        words = [(one.folder / "words.txt").read_text(encoding="utf-8") for one in machines]
        assert set(codes) <= {0, 75}, (number, codes, words)
        assert codes.count(0) >= 1, (number, codes, words)
        assert held(stage) == state, (number, codes)
        assert len(ingest_jobs(stage)) == jobs, (number, codes)
        at_rest(stage)
        assert records(stage, "lease:") == {}, number
        lines = records(stage, "run:").values()
        assert [line["Exit_Code__c"] for line in lines] == [0] * codes.count(0), number
    shared = len({one.folder for one in machines}) == 1
    return Counter(
        trials=1, starts=len(codes), worked=codes.count(0), sent_away=codes.count(75), shared=shared,
        separate=len({one.folder for one in machines}) == len(machines),
    )  # fmt: skip


def test_runs_started_together(tmp_path: Path, starter: Starter, capsys: pytest.CaptureFixture[str]) -> None:
    """However many runs are started together, the org is as after one run, each row written once, and nobody hangs."""
    expected = calm(tmp_path / "calm", starter)
    began, total = time.monotonic(), Counter[str]()
    for number in range(TRIALS):
        total += trial(tmp_path / str(number), number, starter, expected)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{total['trials']} trials, {total['starts']} starts ({total['shared']} trials with one state folder, "
            f"{total['separate']} with one each): {total['worked']} did the work or found it done, "
            f"{total['sent_away']} were sent away with 75; 0 rows written twice, 0 jobs too many, 0 leases left; "
            f"{time.monotonic() - began:.0f} s\n"
        )
    assert total["sent_away"] > 0
