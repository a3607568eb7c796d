"""Signals at moments that chance chooses: a run ends within 20 seconds, tells the truth, and one more run goes on.

Four of five are SIGTERM, the others SIGINT. STOPS says how many there are, STOPS_SEED which ones, STOPS_WORKERS how
many at a time; the figures are printed in the end (`make stops`).
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from long.trying import Trying
from runs.laboratory import Laboratory
from runs.scenarios import SCENARIOS
from runs.trials import LATEST_S

pytestmark = pytest.mark.long

TRIALS = int(os.environ.get("STOPS", "250"))
SEED = int(os.environ.get("STOPS_SEED", "1"))
AT_ONCE = int(os.environ.get("STOPS_WORKERS", "2"))
_LATE = 1.05
"""A moment is chosen from the whole time an undisturbed run takes, and a little more."""
_CLEAN_PERCENT = 70
"""So many of the signals find the run at work; the others meet it before it has begun, or as it ends."""

Order = dict[str, Any]


def orders(steps: dict[str, int]) -> list[Order]:
    """Return so many trials: moments in time and steps, SIGTERM and SIGINT, warm and new processes."""
    dice = random.Random(SEED)  # noqa: S311 - the same trials each time
    found = []
    for number in range(TRIALS):
        name = dice.choice([*SCENARIOS])
        order: Order = {"scenario": name, "signum": signal.SIGINT if number % 5 == 4 else signal.SIGTERM}
        if number % 2:
            order["at_step"] = dice.randint(1, steps[name])
        else:
            order |= {"share": dice.uniform(0, _LATE), "cold": number % 6 == 0}
        found.append(order)
    return found


def played(laboratory: Laboratory, order: Order) -> Order:
    """Send one signal and return what came of it; a run that had ended before it came is tried again, sooner."""
    answer = laboratory.play(trial="stopped", **order)
    while not answer["sent"]:
        order = {**order, **_sooner(order)}
        answer = laboratory.play(trial="stopped", **order)
    return {**order, **answer}


def _sooner(order: Order) -> Order:
    return {"at_step": max(order["at_step"] // 2, 1)} if "at_step" in order else {"share": order["share"] / 2}


def figures(found: list[Order]) -> str:
    """Return how the runs ended."""
    codes = Counter(one["code"] for one in found)
    kinds = Counter(
        "before a step" if "at_step" in one else "in a new process" if one["cold"] else "at a moment" for one in found
    )
    told = ", ".join(f"{times} with {code}" for code, times in codes.most_common())
    return (
        f"{len(found)} signals, {_terminated(found)} of them SIGTERM "
        f"({', '.join(f'{times} {kind}' for kind, times in kinds.items())}): ended {told} (0: its report was made "
        f"when the signal came; -15, -2: not begun yet); slowest {max(one['took_s'] for one in found):.2f} s"
    )


def _terminated(found: list[Order]) -> int:
    return sum(one["signum"] == signal.SIGTERM for one in found)


@pytest.mark.fault("R4", "R5")
def test_signals_at_random(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whenever a run is told to stop it does so in time and cleanly, and one more run ends as if undisturbed."""
    found = list[Order]()
    trying = Trying(tmp_path, AT_ONCE, capsys)
    trying.work_off(
        orders(trying.steps()), lambda laboratory, order: found.append(played(laboratory, order)), "signals"
    )
    trying.tell(figures(found))
    assert not trying.violations, "\n\n".join(trying.violations[:5])
    assert (len(found), _terminated(found)) == (TRIALS, TRIALS - TRIALS // 5)  # 250: 200 SIGTERM
    assert max(one["took_s"] for one in found) < LATEST_S
    for signum in (signal.SIGTERM, signal.SIGINT):
        codes = [one["code"] for one in found if one["signum"] == signum]
        assert codes.count(128 + signum) * 100 >= len(codes) * _CLEAN_PERCENT, Counter(codes)
