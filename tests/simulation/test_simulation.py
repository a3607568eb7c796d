"""A fixed share of what `make faults` and `make drift` play: the same stories each time, every one judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulation.drift import walk
from simulation.many import share
from simulation.shifting import Shifting, Written

SHARES, STORIES = 30, 10


@pytest.mark.parametrize("part", range(SHARES))
def test_no_mishap_loses_doubles_or_wrongly_deletes_a_row(part: int) -> None:
    """Whatever goes wrong in a night, every row is right in the end, and every exit code told the truth."""
    first = part * STORIES
    total = share(list(range(first, first + STORIES)), sockets=False)
    assert total.failed == {}
    assert total.stories == STORIES
    assert total.fired


@pytest.mark.parametrize(("kind", "changes"), [("deleted", 200), ("reordered", 200)])
def test_rows_that_move_while_they_are_read_are_not_deleted(kind: str, changes: int, tmp_path: Path) -> None:
    """A row that the listing lacks, since others moved while it was read, is asked about and stays."""
    found = walk(Shifting(4_000, kind, changes, 7, Written()), tmp_path)
    assert found.naive_wrong > 0
    assert found.wrong == 0
    assert found.asked >= found.naive_wrong
    assert (found.deleted > 0) == (kind == "deleted")
