"""Beyond one machine, in processes: shards at once, one killed as it writes, then totals, end where one run does."""

from __future__ import annotations

from pathlib import Path

from runs.afterwards import at_rest, held
from runs.pods import ALLOWED, KILLED, Kill, Pods
from runs.stage import Stage

WORLD = {"learners": 40, "seed": 4, "enrollments_per_learner": 4}


def test_shards_in_pods_of_their_own(tmp_path: Path) -> None:
    """Two shards at once, one killed and tried again, and totals: Salesforce is as after one run; again: no effect."""
    (tmp_path / "one").mkdir()
    with Stage(tmp_path / "one", **WORLD) as stage:
        stage.synced("run", *ALLOWED)
        expected = held(stage)
    with Stage(tmp_path, **WORLD) as stage:
        pods = Pods(stage)
        assert pods.all_at_once(Kill(stage.partners.portal_id, nth=8)) == [0, KILLED]
        pods.totals()
        assert held(stage) == expected
        at_rest(stage)
        again = stage.synced("run", "--shard", "0/2")
        assert (again.effects, again.ingest_jobs) == ([], [])
        stage.settled()
