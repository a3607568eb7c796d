"""A read by a mirror held against a full read, and the world in which most of those reads happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirrored import Observatory, rows_of

from etl.stages.held import Held


@contextmanager
def last_night(folder: Path) -> Iterator[Observatory]:
    """Give an org with some rows that was read last night; a full read is not due."""
    with Observatory(folder) as made:
        made.fill()
        made.pass_hours(1)
        made.read()
        made.pass_hours(24)
        yield made


def same(lab: Observatory, held: Held | None = None) -> Held:
    """Read (unless that was done), see that a full read finds the same, and return what was read."""
    held = held or lab.read()
    assert rows_of(held) == lab.whole()
    assert held.warnings == []
    return held


def by_mirror(held: Held) -> set[str]:
    """Return the objects that were not read in full."""
    return {name for name, way in held.ways.items() if way.startswith("mirror + ")}


def why(held: Held) -> str:
    """Return the only reason why everything was read in full."""
    (reason,) = set(held.ways.values())
    return reason.removeprefix("full read: ")
