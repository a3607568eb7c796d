"""Every step of six scenarios: a run killed there, and one more run, end like a run that nobody disturbed.

CRASH_POINTS says how many steps, evenly chosen, if not every one, CRASH_WORKERS how many are tried at a time; the
figures are printed in the end (`make crash`).
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from long.trying import Trying
from runs.laboratory import Laboratory
from runs.scenarios import SCENARIOS
from runs.trials import evenly

pytestmark = pytest.mark.long

MOST = int(os.environ.get("CRASH_POINTS", "0"))
_LEAST = 1000
"""So many runs must have been killed when every step is tried."""
AT_ONCE = int(os.environ.get("CRASH_WORKERS", "2"))
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


@pytest.mark.fault("R3", "R6")
def test_every_kill_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever a run dies, one more run ends in the same place, and after it there is nothing left to do."""
    found = Counter[str]()
    trying = Trying(tmp_path, AT_ONCE, capsys)

    def crash(laboratory: Laboratory, point: Point) -> None:
        name, at_step, lost = point
        answer = laboratory.play(name, "killed", at_step=at_step, lost=lost)
        found.update([name] + ["killed"] * (answer["code"] == -signal.SIGKILL))
        found.update(["lost"] * lost + ["waited"] * answer["waited"])

    chosen = points(trying.steps())
    trying.work_off(chosen, crash, "points")
    trying.tell(
        ", ".join(f"{name}: {found[name]} points" for name in SCENARIOS)
        + f"; {found['killed']} runs killed, the others had ended before; {found['lost']} times the state folder was "
        f"lost too, and {found['waited']} times the next one waited until the dead run's lease had expired"
    )
    assert not trying.violations, "\n\n".join(trying.violations[:5])
    assert sum(found[name] for name in SCENARIOS) == len(chosen)
    assert found["killed"] >= (_LEAST if not MOST else len(chosen) * 3 // 4)
