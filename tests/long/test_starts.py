"""Runs started together, with shared and separate state folders: one writes, the others are sent away, none in vain.

STARTS says how many trials; the figures are printed in the end (`make starts`).
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from long.turns import turns, written
from runs.afterwards import at_rest, held, ingest_jobs
from runs.elsewhere import Elsewhere
from runs.org_time import records
from runs.scenarios import SCENARIOS
from runs.stage import Stage

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
TRIALS = int(os.environ.get("STARTS", "200"))
_LATEST, _AS_IT_ENDS = 0.6, 1.5
"""Half of the starts come later than the others, by at most so much of the time that a run takes, so that they meet
one at every step; in one of so many trials also as it ends, when who comes may find the work done."""
_ENDS_EVERY = 16
_PROMPT_S = 10.0
"""Who is sent away is gone so soon: a whole run takes a second here, and several are at work on two cores."""
_SENT_AWAY = re.compile(
    r"error: (another run holds \S+var\b|run \S+ \(run\) has held lease:\S+ in this org since ).*"
    r"nothing was written; run again once it has ended"
)
_ONE_PERCENT = 90
"""In so many of the trials one run ends with 0 and all others are sent away."""


@dataclass(frozen=True)
class Start:
    """How one of the runs ended: its exit code, its last words, and when, in seconds since all were let go."""

    code: int
    began: float
    ended: float
    words: str


@dataclass(frozen=True)
class Calm:
    """An undisturbed run: what Salesforce holds after it, how many ingest jobs that took, and how long."""

    state: dict[str, Any]
    jobs: int
    took_s: float


class Starter:
    """The warm process in which runs are forked."""

    def __init__(self) -> None:
        """Start it."""
        environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        command = [sys.executable, str(Path(__file__).with_name("starter.py"))]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, machines: list[Elsewhere], after_s: list[float]) -> list[Start]:
        """Run the program on these machines and return how each run ended."""
        words = [one.stage.folder / f"words{number}.txt" for number, one in enumerate(machines)]
        orders = [
            {"argv": ["-v", "--config", str(one.config()), "run"], "words": str(told), "after_s": later}
            for one, told, later in zip(machines, words, after_s, strict=True)
        ]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(orders) + "\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        return [Start(words=told.read_text(encoding="utf-8"), **one) for one, told in zip(found, words, strict=True)]

    def stop(self) -> None:
        """End it."""
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    """Give a warm process for this module's runs."""
    made = Starter()
    yield made
    made.stop()


def machines_of(stage: Stage, number: int, dice: random.Random) -> list[Elsewhere]:
    """Return two to four machines: by turns all with one state folder, each with its own, or some of both."""
    count = dice.randint(2, 4)
    kinds = ["shared"] * count, [f"own{n}" for n in range(count)], ["shared", "shared", "own2", "own3"]
    return [Elsewhere(stage, stage.folder / name) for name in kinds[number % len(kinds)][:count]]


def calm(folder: Path, starter: Starter) -> Calm:
    """Return what an undisturbed run comes to; it is made twice, since the first one takes longer."""
    for name in ("first", "second"):
        (folder / name).mkdir(parents=True)
        with Stage(folder / name) as stage:
            SCENARIOS["first load"](stage, lambda: 0)
            (run,) = starter.start([Elsewhere(stage, folder / name / "one")], [0.0])
            assert run.code == 0, run.words
            found = Calm(held(stage), len(ingest_jobs(stage)), run.ended)
    return found


def trial(folder: Path, number: int, starter: Starter, expected: Calm) -> Counter[str]:
    """Start some runs together; see that one of them did it all, and return what happened."""
    folder.mkdir()
    dice = random.Random(number)  # noqa: S311 - the same trial each time
    latest_s = expected.took_s * (_AS_IT_ENDS if number % _ENDS_EVERY == _ENDS_EVERY - 1 else _LATEST)
    with Stage(folder) as stage:
        SCENARIOS["first load"](stage, lambda: 0)
        machines = machines_of(stage, number, dice)
        starts = starter.start(machines, [dice.choice((0.0, dice.uniform(0, latest_s))) for _ in machines])
        kept_apart(starts)
        assert held(stage) == expected.state, starts
        assert len(ingest_jobs(stage)) == expected.jobs, starts
        at_rest(stage)
        one_wrote(stage, machines, sum(one.code == 0 for one in starts))
    folders = {one.folder for one in machines}
    codes = Counter(one.code for one in starts)
    return Counter(
        trials=1, starts=len(starts), worked=codes[0], sent_away=codes[75], alone=codes[0] == 1,
        shared=len(folders) == 1, separate=len(folders) == len(machines),
    )  # fmt: skip


def kept_apart(starts: list[Start]) -> None:
    """See that each run did its work or was sent away at once, with the words for it, by one that was under way."""
    assert {one.code for one in starts} <= {0, 75}, starts
    working = [one for one in starts if one.code == 0]
    assert working, starts
    for one in starts:
        if one.code == 75:
            assert _SENT_AWAY.search(one.words), one
            assert one.ended - one.began < _PROMPT_S, one
            assert any(other.began < one.ended and one.began < other.ended for other in working), starts


def one_wrote(stage: Stage, machines: list[Elsewhere], worked: int) -> None:
    """See that the runs that ended with 0, and they alone, had the lease, one after another, and the first wrote all.

    Whoever was let in later found the work done.
    """
    had = turns(stage)
    lines = {line["Run_Id__c"]: line["Exit_Code__c"] for line in records(stage, "run:").values()}
    assert lines == dict.fromkeys(had, 0)
    assert len(had) == worked
    ((writer, effects),) = written(stage, {one.folder / "var" for one in machines}).items()
    assert writer == next(iter(had)), (writer, had)
    begun, given_back = had[writer]
    assert begun < effects[0].seq <= effects[-1].seq < given_back


def test_runs_started_together(tmp_path: Path, starter: Starter, capsys: pytest.CaptureFixture[str]) -> None:
    """Of runs that are started together one writes, all of it, and the others are sent away at once, none in vain."""
    expected = calm(tmp_path / "calm", starter)
    began, total = time.monotonic(), Counter[str]()
    for number in range(TRIALS):
        total += trial(tmp_path / str(number), number, starter, expected)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{total['trials']} trials, {total['starts']} starts ({total['shared']} trials with one state folder, "
            f"{total['separate']} with one each): {total['worked']} did the work or found it done, "
            f"{total['sent_away']} were sent away with 75; in {total['alone']} trials all but one; 0 with two writers, "
            f"0 rows written twice, 0 jobs too many, 0 leases left; {time.monotonic() - began:.0f} s\n"
        )
    assert min(total["shared"], total["separate"]) >= TRIALS // 4
    assert total["alone"] * 100 >= TRIALS * _ONE_PERCENT
