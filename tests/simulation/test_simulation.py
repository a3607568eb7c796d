"""A fixed share of what `make faults` and `make drift` play: the same stories each time, every one judged."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from simulation.alone import STORIES as ALONE
from simulation.drift import walk
from simulation.many import scratch, share
from simulation.shifting import Shifting, Written
from simulation.story import play
from simulation.year import live

SHARES, STORIES, NIGHTS = 30, 10, 10


@pytest.mark.parametrize("part", range(SHARES))
def test_no_mishap_loses_doubles_or_wrongly_deletes_a_row(part: int) -> None:
    """Whatever goes wrong in a night, every row is right in the end, and every exit code told the truth."""
    first = part * STORIES
    total = share(list(range(first, first + STORIES)), sockets=False)
    assert total.failed == {}
    assert total.stories == STORIES
    assert total.fired


@pytest.mark.parametrize("what", ALONE)
def test_a_single_mishap_where_it_matters_does_no_harm(what: str) -> None:
    """Each lie of a page and each trouble of a job, falling where rows hang on it, loses none and is told honestly."""
    with tempfile.TemporaryDirectory(dir=scratch(), prefix="learnupon-night-") as folder:
        for story in ALONE[what]:
            played = play(story, Path(folder) / "stage")
            assert not played.violations, (story.tries, played.violations)
            assert played.fired, story.tries


@pytest.mark.parametrize("seed", [1, 2])
def test_one_org_through_bad_nights_in_a_row_comes_out_right(seed: int, tmp_path: Path) -> None:
    """Something goes wrong in all nights but one at most, people work on both sides, and in the end nothing drifted."""
    year = live(seed, tmp_path, NIGHTS)
    assert (year.nights, year.struck) in {(NIGHTS, NIGHTS), (NIGHTS, NIGHTS - 1)}
    assert (year.last, year.left_to_do) == (0, 0)
    assert year.effects


@pytest.mark.parametrize(("kind", "changes"), [("deleted", 200), ("reordered", 200)])
def test_rows_that_move_while_they_are_read_are_not_deleted(kind: str, changes: int, tmp_path: Path) -> None:
    """A row that the listing lacks, since others moved while it was read, is asked about and stays."""
    found = walk(Shifting(4_000, kind, changes, 7, Written()), tmp_path)
    assert found.naive_wrong > 0
    assert found.wrong == 0
    assert found.asked >= found.naive_wrong
    assert (found.deleted > 0) == (kind == "deleted")
