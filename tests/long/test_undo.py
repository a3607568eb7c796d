"""Putting back at size: 10,000 rows changed and deleted, field by field; and a kill at every request that writes.

UNDO_LEARNERS says how many learners the night has; the figures are printed in the end (`make undo`).
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from runs.afterwards import held
from runs.saved_plans import changes_of_every_kind
from runs.stage import Stage
from runs.undo_killed import killed
from runs.undo_world import UNDO, a_night, created, differing, done, left, totals, undone

pytestmark = pytest.mark.long

LEARNERS = int(os.environ.get("UNDO_LEARNERS", "2000"))
_ROWS, _DELETED = LEARNERS * 5, LEARNERS
"""At least so many rows differ after the night, and so many of them are gone: 10,000 and 2,000."""
_MOST_REQUESTS = 200


def test_a_night_of_10_000_rows_is_put_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every field of every row that a large night changed or deleted is as before, and every new row is listed."""
    with Stage(tmp_path) as stage:
        before, run = a_night(stage, LEARNERS)
        worst = [found for rows in differing(before, held(stage)).values() for found in rows.values()]
        gone = worst.count("missing")
        assert len(worst) >= _ROWS
        assert _DELETED <= gone <= len(worst) - _DELETED
        started = time.monotonic()
        undo = undone(stage, run)
        took = time.monotonic() - started
        after = held(stage)
        assert differing(before, after) == {}
        assert done(undo, "update") == done(run, "update")
        assert set(done(undo, "create")) == set(done(run, "delete"))
        assert left(undo, "created") == created(before, after)
        again = undone(stage, run)
        assert (again.effects, again.ingest_jobs) == ([], [])
    changed, anew = totals(undo, "updated", "created")
    assert anew >= gone
    assert changed + anew >= len(worst)
    with capsys.disabled():
        print(  # noqa: T201 -- the figures of `make undo`
            f"\n{len(worst):,} rows differed after the night, {gone:,} of them gone; "
            f"{changed:,} were changed back and {anew:,} made anew in {took:.0f} s; 0 fields differ; "
            f"{len(left(undo, 'created')):,} created rows left and listed"
        )


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_every_request_that_writes(tmp_path: Path, when: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever a run dies it is put back as far as it came; wherever its undo dies, the next undo does the rest."""
    trials = 0
    for nth in range(1, _MOST_REQUESTS):
        place = tmp_path / str(nth)
        place.mkdir()
        with Stage(place) as stage:
            changes_of_every_kind(stage)
            before = held(stage)
            first, run = killed(stage, "run", nth=nth, when=when)
            stage.ledger.settle()
            second, _ = killed(stage, UNDO, run, "--yes", nth=nth, when=when)
            stage.ledger.settle()
            result = stage.run(UNDO, run, "--yes")
            assert result.code == 0, (nth, result.err)
            assert differing(before, held(stage)) == {}, nth
            stage.synced()
            stage.settled()
        trials += (first == -signal.SIGKILL) + (second == -signal.SIGKILL)
        if first == second == 0:
            break
    with capsys.disabled():
        print(f"\n{trials} kills {when} a request that writes, 0 rows not as before")  # noqa: T201
    assert trials >= 20
