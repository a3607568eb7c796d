"""How far a learner is on a learning path, from their course enrollments; LearnUpon does not say; does no I/O."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

PAIRS = ["learner", "path", "slot"]


def courses_on_paths(path_courses: pd.DataFrame) -> pd.DataFrame:
    """Return the courses of paths with a `slot` number each: path (a code), course_id, course_source_id, slot."""
    once = path_courses.drop_duplicates(["path", "course_id"]).reset_index(drop=True)
    return once.assign(slot=range(len(once)))


def sizes(slots: pd.DataFrame) -> pd.Series:
    """Return the number of courses of each path that has any, indexed by path."""
    return slots.groupby("path").size()


def done_slots(listing: pd.DataFrame, slots: pd.DataFrame, done_statuses: Sequence[str]) -> pd.DataFrame:
    """Return which learners have done which courses of which paths (learner, path, slot), each once.

    A course is done by an enrollment with one of `done_statuses` that is not `unenrolled`, on the same course id or
    else on the same source id (another version of the course). `slots` and `listing` carry `place`, the portal.
    """
    if not len(slots):
        return pd.DataFrame({name: pd.Series(dtype="int64") for name in PAIRS})
    live = listing[listing["status"].isin(list(done_statuses)).to_numpy(dtype=bool)]
    live = live[~live["unenrolled"].to_numpy(dtype=bool)]
    found = []
    for column in ("course_id", "course_source_id"):
        left = live[["learner", "place", column]].dropna().drop_duplicates()
        right = slots[["path", "place", "slot", column]].dropna()
        found.append(left.merge(right, on=["place", column])[PAIRS])
    return pd.concat(found, ignore_index=True).drop_duplicates(ignore_index=True)


def progress(done: pd.DataFrame) -> pd.DataFrame:
    """Return how many courses of a path each learner has done: learner, path, done."""
    return done.drop_duplicates().groupby(["learner", "path"], as_index=False).size().rename(columns={"size": "done"})
