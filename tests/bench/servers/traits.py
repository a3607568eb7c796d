"""What repeats from row to row: statuses, scores, dates, and what happens to a row overnight; seeded, without ids."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from bench.servers.digits import Ints

STATUSES = ("not_started", "in_progress", "pending_review", "completed", "passed", "failed")
IN_PROGRESS = 1
DONE = (3, 4)
"""Statuses that count as done on a path: completed, passed."""
SAME, NEW, GONE, STATUS, SCORE = range(5)
"""What happens overnight: nothing, made, unenrolled, another status, another score."""
SHARES = {NEW: 0.005, GONE: 0.005, STATUS: 0.01, SCORE: 0.005}


@dataclass(frozen=True)
class Traits:
    """Columns of the rows that repeat; times are LearnUpon's texts."""

    change: Ints
    today: Ints
    """Statuses, as places in `STATUSES`."""
    scores: Sequence[float | None]
    percent: Sequence[int]
    version: Sequence[int]
    enrolled: Sequence[str]
    started: Sequence[str | None]
    completed: Sequence[str | None]

    def status(self, day: str) -> Ints:
        """Return the statuses on a day: what is finished today and changed overnight was in progress yesterday."""
        return self.today if day == "today" else np.where(self.change == STATUS, IN_PROGRESS, self.today)

    def score(self, place: int, day: str) -> float | None:
        """Return a row's score on a day."""
        today = self.scores[place]
        changed = day == "yesterday" and self.change[place] == SCORE
        return round((today or 0.0) / 2 + 0.5, 1) if changed else today

    def ended(self, place: int, day: str) -> str | None:
        """Return when a row was completed, as of a day."""
        return None if day == "yesterday" and self.change[place] == STATUS else self.completed[place]


def _moment(chance: random.Random) -> str:
    day = f"20{chance.randrange(18, 26)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    return f"{day}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}Z"


def _changes(rows: int, chance: random.Random) -> Ints:
    """Return what happens to each row: the shares hold in every period, and at least one row has each fate."""
    order = list(range(rows))
    chance.shuffle(order)
    change, start = np.zeros(rows, np.int64), 0
    for kind, share in SHARES.items():
        stop = start + max(1, round(rows * share))
        change[order[start:stop]] = kind
        start = stop
    return change


def traits(rows: int, seed: int) -> Traits:
    """Return the traits of so many rows: 60 % completed, 80 % started."""
    chance = random.Random(seed)  # noqa: S311 - to be had again by its seed
    change = _changes(rows, chance)
    done = [bool(change[place] == STATUS) or chance.random() < 0.6 for place in range(rows)]
    started = [finished or chance.random() < 0.5 for finished in done]
    return Traits(
        change=change,
        today=np.array([chance.choice((3, 4, 5) if finished else (0, 1, 2)) for finished in done], np.int64),
        scores=[
            round(chance.random() * 98 + 2, 1) if begun or change[place] == SCORE else None
            for place, begun in enumerate(started)
        ],
        percent=[chance.randrange(101) for _ in range(rows)],
        version=[chance.randrange(1, 9) for _ in range(rows)],
        enrolled=[_moment(chance) for _ in range(rows)],
        started=[_moment(chance) if begun else None for begun in started],
        completed=[_moment(chance) if finished else None for finished in done],
    )
