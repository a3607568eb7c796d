"""How far a learner is on a learning path, from their course enrollments; LearnUpon does not say; does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from etl import keys

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
_FEWEST_WAITING = 1_000_000
"""Courses done that wait before those found twice are thrown out: that goes over all of them."""


class Progress:
    """The courses of paths that learners have done, gathered while course enrollments go by.

    It holds 8 bytes for each course of a path that a learner has done.
    """

    def __init__(self, path_courses: pd.DataFrame) -> None:
        """Take the courses of paths: place (of the portal), path (a code), course_id, course_source_id."""
        slots = _once(path_courses)
        self._slots = max(1, len(slots))
        paths = pd.Index(slots["path"].astype("int64"))
        self._paths = keys.ready(paths.unique())
        self._path_of = self._paths.get_indexer(paths)
        self._sizes = np.append(np.bincount(self._path_of, minlength=len(self._paths)), 0)
        self._by = [_Lookup(slots, column) for column in ("course_id", "course_source_id")]
        self._done: list[Numbers] = []
        self._waiting = 0
        self._counted: tuple[pd.Index, Numbers] | None = None

    def watch(self, learners: Numbers, courses: Iterable[tuple[Numbers, Numbers]]) -> None:
        """Note rows that are done; a course counts by its id or by its source id (another version of the course).

        `learners` are numbers of learners from 0 up; `courses` are the codes of their courses and of the sources of
        these, each with the places of its rows among `learners`.
        """
        for lookup, (codes, rows) in zip(self._by, courses, strict=True):
            hits, slots = lookup.find(codes)
            done = learners[rows[hits]] * self._slots + slots
            self._done.append(done)
            self._waiting += len(done)
        self._counted = None
        if self._waiting > max(_FEWEST_WAITING, len(self._done[0])):
            self._together()

    def _together(self) -> Numbers:
        done = np.sort(np.concatenate([np.empty(0, dtype="int64"), *self._done]))
        self._done = [done[np.append(True, done[1:] != done[:-1])[: len(done)]]]  # 20 times numpy's unique (measured)
        self._waiting = 0
        return self._done[0]

    def count(self) -> tuple[pd.Index, Numbers]:
        """Count what was watched, once; then `done` may be asked from several threads. For `done` alone."""
        if self._counted is None:
            done = self._together()
            # a learner's courses of one path need not lie side by side: slots of different paths may alternate
            pairs = done // self._slots * len(self._paths) + self._path_of[done % self._slots] if len(done) else done
            found, counts = np.unique(pairs, return_counts=True)
            self._counted = keys.ready(pd.Index(found)), np.append(counts, 0).astype("int64")
        return self._counted

    def sizes(self, paths: pd.Series) -> Numbers:
        """Return the number of courses of paths (codes), each course counted once."""
        return self._sizes[self._paths.get_indexer(pd.Index(paths))]

    def done(self, learners: Numbers, paths: pd.Series) -> Numbers:
        """Return how many courses of a path a learner has done, each once; a learner below 0 has done none."""
        index, counts = self.count()
        place = self._paths.get_indexer(pd.Index(paths))
        asked = np.where((learners < 0) | (place < 0), -1, learners * len(self._paths) + place)
        return counts[index.get_indexer(pd.Index(asked))]


def _once(path_courses: pd.DataFrame) -> pd.DataFrame:
    """Return the courses of paths, a course that is listed twice on a path once."""
    if not len(path_courses):
        return pd.DataFrame({name: pd.Series(dtype="Int64") for name in ("place", "path", *_BY)})
    return path_courses.drop_duplicates(["path", "course_id"]).reset_index(drop=True)


_BY = ("course_id", "course_source_id")


class _Lookup:
    """Where a course (a code) is on paths."""

    def __init__(self, slots: pd.DataFrame, column: str) -> None:
        known = slots[slots[column].notna()]
        codes = (known[column].astype("int64") + known["place"].astype("int64") * keys.PLACE).to_numpy()
        order = np.argsort(codes, kind="stable")
        self._slots = known.index.to_numpy(dtype="int64")[order]
        distinct, self._first, self._count = np.unique(codes[order], return_index=True, return_counts=True)
        self._codes = pd.Index(distinct)

    def find(self, codes: Numbers) -> tuple[Any, Any]:
        """Return the rows that are on paths, once for each path, and the slots they are there."""
        place = self._codes.get_indexer(pd.Index(codes))
        rows = np.flatnonzero(place >= 0)
        counts = self._count[place[rows]]
        # the n-th of the slots of a row: how far a place is from where its row begins
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(rows, counts), self._slots[np.repeat(self._first[place[rows]], counts) + within]
