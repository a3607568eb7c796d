"""Nights of four portals, each in a pod of its own, several killed as they write: every night ends like one run.

SHARD_NIGHTS says how many nights; the figures are printed in the end (`make shards`).
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from runs.afterwards import at_rest, held
from runs.pods import ALLOWED, KILLED, Kill, Pods
from runs.programs import ended
from runs.stage import Stage

pytestmark = pytest.mark.long

NIGHTS = int(os.environ.get("SHARD_NIGHTS", "6"))
WORLD = {"learners": 160, "seed": 11, "portals": 4, "enrollments_per_learner": 8}
_LATEST, _LATEST_OF_A_NIGHT = 40, 24
"""Requests about jobs that a shard makes on a first load, and later; a kill beyond its last one comes too late."""


def kills(stage: Stage, night: int) -> list[Kill]:
    """Return who is killed, and when: one to three pods, the same ones each time."""
    dice = random.Random(night)  # noqa: S311 - the same trial each time
    ids = [portal["portal_id"] for portal in stage.settings["portals"]]
    latest = _LATEST_OF_A_NIGHT if night else _LATEST
    return [Kill(one, dice.randint(1, latest)) for one in dice.sample(ids, dice.randint(1, 3))]


def in_common(stage: Stage) -> int:
    """Return how many Contacts and Users are learners of more than one portal."""
    rows = stage.rows("LearnUpon_Portal_Membership__c").values()
    people = Counter(row["Contact__c"] or row["User__c"] for row in rows)
    return sum(1 for times in people.values() if times > 1)


def test_every_night_by_shards_ends_as_by_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever pods are killed, after retries and totals Salesforce is as after one run; a run more writes nothing."""
    began, killed = time.monotonic(), 0
    for folder in ("one", "pods"):
        (tmp_path / folder).mkdir()
    with Stage(tmp_path / "one", **WORLD) as one, Stage(tmp_path / "pods", **WORLD) as stage:
        pods = Pods(stage)
        for night in range(NIGHTS):
            if night:
                one.emu.night(night)
                stage.emu.night(night)
            one.synced("run", *ALLOWED)
            codes = pods.all_at_once(*kills(stage, night), by_name=night % 3 == 2)
            killed += codes.count(KILLED)
            pods.totals()
            assert held(stage) == held(one), night
            at_rest(stage)
            effects = len(stage.ledger.entries)
            assert [code for code, _ in ended([pods.shard(index) for index in range(pods.count)])] == [0] * 4
            pods.totals()
            assert pods.effects(effects) == []
            pods.forget()
        assert in_common(stage) > 10
        stage.settled()
    assert killed >= NIGHTS // 2
    with capsys.disabled():
        told = f"{NIGHTS} nights of 4 portals by shards, {killed} pods killed, {len(stage.ledger.entries):,} effects"
        sys.stdout.write(f"{told}; no difference to one run; {time.monotonic() - began:.0f} s\n")
