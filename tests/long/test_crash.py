"""Every step of six scenarios: a run killed there, and one more run, end like a run that nobody disturbed.

CRASH_POINTS says how many steps, evenly chosen, if not every one, CRASH_WORKERS how many are tried at a time; the
figures are printed in the end (`make crash`).
"""

from __future__ import annotations

import os
import queue
import random
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from runs.laboratory import Laboratory
from runs.scenarios import SCENARIOS
from runs.trials import evenly

pytestmark = pytest.mark.long

MOST = int(os.environ.get("CRASH_POINTS", "0"))
AT_ONCE = int(os.environ.get("CRASH_WORKERS", "2"))
_TELL_S = 30
_LOST_EVERY = 4
"""Of so many kills one takes the state folder along."""

Point = tuple[str, int, bool]


def points(steps: dict[str, int]) -> list[Point]:
    """Return every step of every scenario, or as many of them as are asked for."""
    share = min(1.0, MOST / sum(steps.values())) if MOST else 1.0
    found = [
        (name, at_step, place % _LOST_EVERY == _LOST_EVERY - 1)
        for name, count in steps.items()
        for place, at_step in enumerate(evenly(1, count, round(count * share)))
    ]
    random.Random(1).shuffle(found)  # noqa: S311 - whoever stops early has seen something of everything
    return found


def crash(laboratory: Laboratory, todo: queue.SimpleQueue[Point], found: Counter[str], violations: list[str]) -> None:
    """Play kills until there is none left to play."""
    while True:
        try:
            name, at_step, lost = todo.get_nowait()
        except queue.Empty:
            return
        try:
            answer = laboratory.play(name, "killed", at_step=at_step, lost=lost)
        except AssertionError as violation:
            violations.append(str(violation))
            continue
        found[name] += 1
        found["killed"] += answer["code"] == -signal.SIGKILL
        found["lost"] += lost
        found["late"] += answer["late"]


@pytest.mark.fault("R3", "R6")
def test_every_kill_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever a run dies, one more run ends in the same place, and after it there is nothing left to do."""
    began, found, violations = time.monotonic(), Counter[str](), list[str]()
    laboratories = [Laboratory(tmp_path / str(number)) for number in range(AT_ONCE)]
    todo: queue.SimpleQueue[Point] = queue.SimpleQueue()
    for point in points({name: len(laboratories[0].steps(name)) for name in SCENARIOS}):
        todo.put(point)
    asked = todo.qsize()
    workers = [threading.Thread(target=crash, args=(one, todo, found, violations)) for one in laboratories]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        workers[0].join(_TELL_S)
        workers[-1].join(_TELL_S)
        with capsys.disabled():
            sys.stdout.write(
                f"{asked - todo.qsize()} of {asked} points, {len(violations)} violations, "
                f"{time.monotonic() - began:.0f} s\n"
            )
            sys.stdout.flush()
    for one in laboratories:
        one.stop()
    with capsys.disabled():
        sys.stdout.write("\n" + "".join(f"{name}: {found[name]} points\n" for name in SCENARIOS))
        sys.stdout.write(
            f"{asked} points: {found['killed']} runs killed, the others had ended before; {found['lost']} times the "
            f"state folder was lost too, and {found['late']} times the dead run's lease held the next one up; "
            f"{len(violations)} violations; {time.monotonic() - began:.0f} s\n"
        )
    assert not violations, "\n\n".join(violations[:5])
    assert sum(found[name] for name in SCENARIOS) == asked
    assert found["killed"] > asked // 2
