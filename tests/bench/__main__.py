"""`make bench`: the program against the floor, in time and memory; prints a table and says whether the aims are met.

Three scenarios on 100,000 enrollments of 5,000 learners: the first load, a night in which nothing changed, and a night
of changes (the table says how many rows were written). The emulators run in a process of their own without delays, the
program as a process, and right after each run the floor: curl fetching the same pages and results and uploading the
same bytes. Three rounds; medians. The floor moves bytes only; a run also waits while the emulators look at every row
of a job, so the CPU seconds they used meanwhile stand beside it.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TextIO

from bench.floor import Floor, measure
from bench.product import Run, run
from bench.world import World

MOST_RATIO = 15.0
"""Aim: wall time of the program against the floor (performance notes, section 9)."""
MOST_MIB = 400.0
"""Aim: highest resident memory at 100,000 enrollments."""
MOVERS = ("one curl process a side", "a plain http.client loop, as curl is missing here")
SCENARIOS = ("first load", "nothing changed", "a night of changes")


@dataclass(frozen=True)
class Measured:
    """One scenario in one round."""

    scenario: str
    run: Run
    served_s: float
    """CPU seconds the emulators used during the run."""
    floor: Floor


def one_round(learners: int, per_learner: int, seed: int) -> Iterator[Measured]:
    """Go through the scenarios in a fresh world; the floor follows each run, on the same data."""
    with World(learners, per_learner, seed) as world, tempfile.TemporaryDirectory() as folder:
        for scenario in SCENARIOS:
            if scenario == "a night of changes":
                world.night(seed)
            world.forget_calls()
            before = world.cpu_s()
            done = run(world.config)
            yield Measured(scenario, done, world.cpu_s() - before, measure(world, Path(folder)))


def middle(values: list[float]) -> float:
    """Return the median of the rounds."""
    return float(median(values))


def row(scenario: str, rounds: list[Measured]) -> tuple[list[str], bool]:
    """Return a scenario's line of the table, and whether it meets the aims."""
    runs, floors = [one.run for one in rounds], [one.floor for one in rounds]
    ratio = middle([one.run.wall_s / one.floor.wall_s for one in rounds])
    peak = middle([one.peak_mib for one in runs])
    met = ratio <= MOST_RATIO and peak <= MOST_MIB
    moved = middle([floor.bytes_in + floor.bytes_out for floor in floors]) / 1e6
    line = [
        scenario,
        f"{middle([one.wall_s for one in runs]):.2f}",
        f"{middle([one.cpu_s for one in runs]):.2f}",
        f"{middle([one.served_s for one in rounds]):.2f}",
        f"{peak:.0f}",
        f"{runs[-1].calls_learnupon:,}",
        f"{runs[-1].calls_salesforce:,}",
        f"{runs[-1].desired:,}",
        f"{runs[-1].written:,}",
        f"{moved:.1f}",
        f"{middle([floor.wall_s for floor in floors]):.2f}",
        f"{ratio:.1f}x",
        "PASS" if met else "FAIL",
    ]
    return line, met


HEAD = [
    "scenario",
    "wall s",
    "CPU s",
    "served s",
    "peak MiB",
    "LU calls",
    "SF calls",
    "rows",
    "written",
    "MB",
    "floor s",
    "ratio",
    "",
]


def table(lines: list[list[str]]) -> str:
    """Return the lines under their headings, in columns."""
    widths = [max(len(line[column]) for line in [HEAD, *lines]) for column in range(len(HEAD))]
    ordered = []
    for first, *others in [HEAD, *lines]:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        ordered.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join([ordered[0], "-" * len(ordered[0]), *ordered[1:]])


def say(line: str, stream: TextIO = sys.stdout) -> None:
    """Write a line at once: a round takes a while."""
    stream.write(line + "\n")
    stream.flush()


def main() -> int:
    """Measure, print, and return 0 when every scenario meets the aims, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", type=int, default=5_000)
    parser.add_argument("--enrollments-per-learner", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    enrollments = given.learners * given.enrollments_per_learner
    say(
        f"{given.learners:,} learners, {enrollments:,} enrollments; the floor is {MOVERS[shutil.which('curl') is None]}"
    )
    say(f"Python {platform.python_version()} on {platform.machine()}; the emulators share the machine's cores")
    measured: list[Measured] = []
    for number in range(given.rounds):
        for one in one_round(given.learners, given.enrollments_per_learner, given.seed + number):
            measured.append(one)
            said = f"{one.run.wall_s:.2f} s, {one.run.peak_mib:.0f} MiB; floor {one.floor.wall_s:.2f} s"
            say(f"  round {number + 1}, {one.scenario}: {said}", sys.stderr)
    rows = [row(scenario, [one for one in measured if one.scenario == scenario]) for scenario in SCENARIOS]
    met = all(ok for _, ok in rows)
    verdict = "PASS" if met else "FAIL"
    say(f"\n{table([line for line, _ in rows])}\n")
    say(f"Aim: at most {MOST_RATIO:.0f}x the floor and {MOST_MIB:.0f} MiB in every scenario: {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
