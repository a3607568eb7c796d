"""A run that was killed half-way is put back as far as it came, and so is one whose undo was killed too."""

from __future__ import annotations

import signal

from runs.afterwards import held
from runs.saved_plans import changes_of_every_kind
from runs.stage import Stage
from runs.undo_killed import killed
from runs.undo_world import UNDO, differing


def test_a_run_killed_half_way_is_put_back_by_an_undo_that_was_killed_too(stage: Stage) -> None:
    """What a dead run has written is put back from its copy; what a dead undo has left to do, the next one does."""
    changes_of_every_kind(stage)
    before = held(stage)
    code, run = killed(stage, "run", nth=2, match=r"^PATCH .*/jobs/ingest/")
    assert code == -signal.SIGKILL
    stage.ledger.settle()
    worst = differing(before, held(stage))
    assert worst
    code, _ = killed(stage, UNDO, run, "--yes", nth=1, match=r"^PATCH .*/jobs/ingest/")
    assert code == -signal.SIGKILL
    stage.ledger.settle()
    half = differing(before, held(stage))
    assert half
    assert half != worst
    result = stage.run(UNDO, run, "--yes")
    assert result.code == 0, result.err
    assert differing(before, held(stage)) == {}
