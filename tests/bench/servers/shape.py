"""The arithmetic of the benchmark's world: which rows there are on which day, and how many of what; it serves nothing.

An enrollment is a number `i`, a learner `u`, a course `c`, a path enrollment `j`. Everything about a row follows from
its number: its traits repeat every `PERIOD` rows, its learner and course come from the number itself. So a world of ten
million enrollments takes no more memory than one of ten thousand.

Two days exist. Salesforce holds yesterday; LearnUpon lists yesterday (0 % change) or today (2 %): 0.5 % of the rows are
new, 0.5 % are listed as unenrolled, 1 % have another status, 0.5 % another score, and at most 200 are gone altogether.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from bench.servers.digits import Ints
from bench.servers.traits import DONE, GONE, NEW, STATUSES, Traits, traits

PORTAL_ID = 12345
ENROLLMENT_0, PATH_ENROLLMENT_0 = 1_000_000_000, 3_000_000_000
LEARNER_0, COURSE_0, PATH_0 = 20_000_000, 5_000_000, 301
PATHS, ON_PATH = 5, 6
PAGE = 500
ODD = ("half", "many", "one")
"""One course with half of all rows; courses of two rows each; one learner with 5,000 enrollments."""
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Periodic:
    """Some of the numbers 0, 1, 2, ... below `space`: those whose rest by `period` is one of `rests` (ascending)."""

    space: int
    period: int
    rests: Ints

    def below(self, number: int) -> int:
        """Return how many of them are below a number."""
        whole, rest = divmod(min(number, self.space), self.period)
        return whole * len(self.rests) + int(np.searchsorted(self.rests, rest))

    def __len__(self) -> int:
        """Return how many there are."""
        return self.below(self.space)

    def lines(self, start: int, stop: int) -> Ints:
        """Return where the ones from place `start` to `stop` stand among `rests`."""
        return np.arange(start, stop) % len(self.rests)

    def numbers(self, start: int, stop: int) -> Ints:
        """Return the ones from place `start` to `stop`."""
        places = np.arange(start, stop)
        return places // len(self.rests) * self.period + self.rests[places % len(self.rests)]

    def has(self, numbers: Ints) -> np.ndarray:
        """Say which numbers are among them."""
        member = np.zeros(self.period, bool)
        member[self.rests] = True
        return (numbers >= 0) & (numbers < self.space) & member[numbers % self.period]


@dataclass(frozen=True)
class Shape:
    """A world: its size, its seed, and in which way it is odd."""

    enrollments: int
    seed: int = 1
    odd: str = ""

    @cached_property
    def period(self) -> int:
        """Rows after which traits repeat: so that a learner's are not the same ones again and again."""
        return min(15_990, self.enrollments // 10 * 10)

    @cached_property
    def learners(self) -> int:
        """A twentieth of the enrollments; a multiple of ten: every tenth learner is a User, the others are Contacts."""
        return max(100, self.enrollments // 200 * 10)

    @cached_property
    def courses(self) -> int:
        """2,000, fewer in a small world, half as many as enrollments in the odd one."""
        return self.enrollments // 2 if self.odd == "many" else min(2_000, max(40, self.enrollments // 50))

    @cached_property
    def path_enrollments(self) -> int:
        """A tenth of the enrollments."""
        return self.enrollments // 10

    @cached_property
    def vanished(self) -> int:
        """Rows that yesterday's listing has and today's has not: numbers from `enrollments` on."""
        return min(200, max(2, self.enrollments // 5_000))

    @cached_property
    def bounds(self) -> Ints:
        """First number of each course, and the end of the last."""
        if self.odd == "half":
            half = self.enrollments // 2
            rest = half + np.arange(self.courses, dtype=np.int64) * (self.enrollments - half) // (self.courses - 1)
            return np.concatenate([np.zeros(1, np.int64), rest])
        return np.arange(self.courses + 1, dtype=np.int64) * self.enrollments // self.courses

    @cached_property
    def path_bounds(self) -> Ints:
        """First number of each path, and the end of the last."""
        return np.arange(PATHS + 1, dtype=np.int64) * self.path_enrollments // PATHS

    @cached_property
    def _step(self) -> int:
        """A step through all learners: like 1 by ten, so that a number and its learner have the same last digit."""
        step = int(self.learners * 0.618) // 10 * 10 + 1
        while math.gcd(step, self.learners) != 1:
            step += 10
        return step

    def learner(self, numbers: Ints) -> Ints:
        """Return the learners of enrollments or path enrollments."""
        usual = numbers * self._step % self.learners
        if self.odd != "one":
            return usual
        every = max(10, self.enrollments // 5_000 // 10 * 10)
        return np.where(numbers % every == 0, 0, usual)

    def course(self, numbers: Ints) -> Ints:
        """Return the courses of enrollments."""
        return np.minimum(np.searchsorted(self.bounds, numbers, side="right") - 1, self.courses - 1)

    def path(self, numbers: Ints) -> Ints:
        """Return the paths of path enrollments."""
        return np.minimum(np.searchsorted(self.path_bounds, numbers, side="right") - 1, PATHS - 1)

    @cached_property
    def traits(self) -> Traits:
        """What repeats of course enrollments."""
        return traits(self.period, self.seed)

    @cached_property
    def path_traits(self) -> Traits:
        """What repeats of path enrollments."""
        return traits(min(3_990, self.path_enrollments // 10 * 10), self.seed + 1)

    def listed(self, day: str) -> Periodic:
        """Return the enrollments LearnUpon lists on a day."""
        if day == "today":
            return Periodic(self.enrollments, self.period, np.arange(self.period))
        return Periodic(self.enrollments + self.vanished, self.period, np.flatnonzero(self.traits.change != NEW))

    def paths_listed(self, day: str) -> Periodic:
        """Return the path enrollments LearnUpon lists on a day."""
        made = np.ones(len(self.path_traits.change), bool) if day == "today" else self.path_traits.change != NEW
        return Periodic(self.path_enrollments, len(made), np.flatnonzero(made))

    def courses_on(self, path: int) -> range:
        """Return the courses of a path."""
        return range(path * ON_PATH, (path + 1) * ON_PATH)

    def counted(self, day: str) -> Periodic:
        """Return the enrollments that count on a day: those listed and not unenrolled."""
        if day == "yesterday":
            return self.listed(day)
        return Periodic(self.enrollments, self.period, np.flatnonzero(self.traits.change != GONE))

    def totals(self, day: str) -> Ints:
        """Return how many enrollments of each status (`STATUSES`) each learner has."""
        status, counted = self.traits.status(day), self.counted(day)
        found = np.zeros(self.learners * len(STATUSES), np.int64)
        for start in range(0, len(counted), _CHUNK):
            numbers = counted.numbers(start, min(start + _CHUNK, len(counted)))
            found += np.bincount(
                self.learner(numbers) * len(STATUSES) + status[numbers % self.period], minlength=len(found)
            )
        return found.reshape(self.learners, len(STATUSES))

    def done(self, day: str) -> Ints:
        """Return how many courses of each path each learner has done: one line a path."""
        status, counted = self.traits.status(day), self.counted(day)
        found = np.zeros((PATHS, self.learners), np.int64)
        for path in range(PATHS):
            for course in self.courses_on(path):
                first, last = (counted.below(int(bound)) for bound in self.bounds[course : course + 2])
                numbers = counted.numbers(first, last)
                numbers = numbers[np.isin(status[numbers % self.period], DONE)]
                found[path, np.unique(self.learner(numbers))] += 1
        return found
