"""The benchmark itself: it runs, it measures something, and its verdict follows from its figures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from bench.__main__ import MOST_MIB, MOST_RATIO, Measured, row
from bench.floor import Floor
from bench.product import Run

ROOT = Path(__file__).parents[2]


def measured(wall_s: float, peak_mib: float) -> Measured:
    """Return a round in which the floor took one second."""
    return Measured("first load", Run(wall_s, 1.0, peak_mib, 1, 1, 1, 1), 1.0, Floor(1.0, 1, 1, 1))


def test_the_verdict_is_the_median_against_the_aims() -> None:
    """One slow round among three is forgiven, two are not, and memory counts as time does."""
    good, slow = measured(MOST_RATIO, MOST_MIB), measured(MOST_RATIO + 1, MOST_MIB)
    big = measured(MOST_RATIO, MOST_MIB + 1)
    assert row("first load", [good, slow, good])[1]
    assert not row("first load", [slow, slow, good])[1]
    assert not row("first load", [big, big, good])[1]


def test_a_small_benchmark_runs_from_end_to_end() -> None:
    """Three scenarios with real figures: rows are written first and none when nothing changed, and bytes were moved."""
    command = [sys.executable, "-m", "bench", "--learners", "40", "--enrollments-per-learner", "5", "--rounds", "1"]
    environ = os.environ | {"PYTHONPATH": "tests"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environ, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    lines = dict(re.findall(r"^(first load|nothing changed|a night of changes) +(.*)$", done.stdout, re.MULTILINE))
    cells = {scenario: line.split() for scenario, line in lines.items()}
    written = {scenario: int(line[7].replace(",", "")) for scenario, line in cells.items()}
    assert written["first load"] > 0
    assert written["nothing changed"] == 0
    assert written["a night of changes"] > 0
    assert all(float(line[8]) > 0 and float(line[9]) > 0 for line in cells.values())
    assert ("PASS" in done.stdout.splitlines()[-1]) == (done.returncode == 0)
