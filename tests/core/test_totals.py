"""Counts per learner and per person, and how far a learner is on a path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from core.situations import contact, frame, user

from etl import frames, keys, paths, totals
from etl.rows import STATUSES
from etl.schema import CONTACT, COUNTS, MEMBERSHIP

SEVEN = list(COUNTS)


def _listing(*rows: tuple[int, str, bool]) -> pd.DataFrame:
    names = ["learner", "status", "unenrolled"]
    return pd.DataFrame({name: [row[place] for row in rows] for place, name in enumerate(names)})


def test_every_status_counts_alone_and_all_count_as_enrolled() -> None:
    """Enrolled counts all; each other total one status; an unknown status is enrolled only; unenrolled is nothing."""
    rows = [(1, status, False) for status in STATUSES]
    counted = totals.count_statuses(_listing(*rows, (1, "passed", False), (1, "on_hold", False), (1, "passed", True)))
    assert counted[SEVEN].to_numpy().tolist() == [[8, 1, 1, 1, 1, 2, 1]]


def test_a_learner_whose_rows_are_all_unenrolled_is_not_counted() -> None:
    """Only live rows make a learner appear; who does not appear has zeros later."""
    assert totals.count_statuses(_listing((1, "passed", True), (2, "failed", False))).index.tolist() == [2]
    assert totals.count_statuses(_listing()).empty


@pytest.mark.parametrize("known", [[1, 2], [2], [], [2, 3, 1]])
def test_parts_add_up_to_the_whole(known: list[int]) -> None:
    """Counting part by part is counting all, whoever is listed: an unlisted learner's rows count too."""
    parts = [_listing((1, "passed", False), (2, "failed", False)), _listing((1, "on_hold", False)), _listing()]
    learners = pd.Index(known, dtype="int64")
    tally = totals.Tally(learners)
    for part in [*parts, _listing((2, "passed", True))]:
        tally.add(part, learners.get_indexer(pd.Index(part["learner"], dtype="int64")))
    whole = totals.count_statuses(pd.concat(parts))
    found = tally.totals()
    assert found.reindex(whole.index).astype("int64").equals(whole)
    assert (found.drop(whole.index) == 0).all(axis=None)


def _members(*rows: dict[str, Any]) -> pd.DataFrame:
    held = frame([dict.fromkeys(SEVEN, 0) | row for row in rows], frames.entity_schema(MEMBERSHIP))
    return held.assign(place=[row["place"] for row in rows])


def _member(place: int, number: int, person: str | None, **columns: Any) -> dict[str, Any]:
    return {"place": place, "LU_Portal_Membership_ID__c": number, "Contact__c": person, **columns}


def test_a_profile_is_the_sum_of_the_memberships() -> None:
    """Counts are summed, the last access is the latest, the id is that of the first portal, the smallest there."""
    found = totals.profiles(
        _members(
            _member(1, 3, contact(1), LU_Number_Enrolled__c=2, LU_Last_Accessed_At__c="2026-02-01T00:00:00Z"),
            _member(0, 9, contact(1), LU_Number_Enrolled__c=3, LU_Last_Accessed_At__c="2026-01-01T00:00:00Z"),
            _member(0, 8, contact(1), LU_Number_Enrolled__c=None),
            _member(0, 7, contact(2)),
            _member(0, 1, None, User__c=user(1)),
        ),
        "Contact",
    )
    assert found["Id"].tolist() == [contact(1), contact(2)]
    assert found[totals.LU_USER].tolist() == [8, 7]
    assert found["LU_Number_Enrolled__c"].tolist() == [5, 0]
    assert found[totals.LAST_ACCESS].iloc[0] == pd.Timestamp("2026-02-01", tz="UTC")
    assert pd.isna(found[totals.LAST_ACCESS].iloc[1])


def test_nobody_gives_no_profiles() -> None:
    """Without memberships of that side there are no profiles."""
    assert totals.profiles(_members(_member(0, 1, contact(1))), "User").empty


def test_who_lost_the_last_membership_is_cleared_if_ours() -> None:
    """Counts 0, no id, no last access; people of other portals, and those still referred to, are left."""
    existing = frame(
        [{"Id": contact(number), totals.LU_USER: number, "LU_Number_Enrolled__c": 4} for number in (1, 2, 3)],
        frames.entity_schema(CONTACT),
    )
    wanted = existing[existing["Id"] == contact(1)]
    cleared = totals.bereft(existing, wanted, pd.Series([1, 2], dtype="Int64"))
    assert cleared["Id"].tolist() == [contact(2)]
    named = totals.bereft(existing, wanted, pd.Series([1, 2], dtype="Int64"), {contact(1), contact(3)})
    assert named["Id"].tolist() == [contact(2), contact(3)]
    assert cleared[SEVEN].iloc[0].tolist() == [0] * 7
    assert cleared[[totals.LU_USER, totals.LAST_ACCESS]].isna().all(axis=None)


ON_PATHS = pd.DataFrame(
    {
        "place": [0, 0, 0, 0, 1],
        "path": [1, 1, 1, 2, 3],
        "course_id": [10, 20, 20, 10, 10],
        "course_source_id": pd.array([5, None, None, 5, 5], dtype="Int64"),
    }
)


def _watch(progress: paths.Progress, course: int, source: int | None, place: int = 0) -> None:
    """Note that learner number 1 has done a course."""
    one = np.array([0])
    code = [np.array([number + place * keys.PLACE]) for number in (course, source or 0)]
    no_source = (np.array([], dtype="int64"), np.array([], dtype="int64"))
    progress.watch(np.array([1]), [(code[0], one), (code[1], one) if source else no_source])


def _done(*courses: tuple[Any, ...]) -> list[int]:
    """Return how many courses learner number 1 has done of each of the three paths, and of one nobody knows."""
    progress = paths.Progress(ON_PATHS)
    for course in courses:
        _watch(progress, *course)
    every = pd.Series([1, 2, 3, 99])
    assert progress.done(np.array([0, 2, -1, 1]), every).tolist() == [0] * 4, "others have done nothing"
    return progress.done(np.array([1] * 4), every).tolist()


def test_the_size_of_a_path_is_its_courses_each_once() -> None:
    """A course listed twice on a path is one course of it; a path without courses has none."""
    assert paths.Progress(ON_PATHS).sizes(pd.Series([1, 2, 3, 99])).tolist() == [2, 1, 1, 0]
    nothing = paths.Progress(ON_PATHS.iloc[:0])
    _watch(nothing, 10, 5)
    assert nothing.sizes(pd.Series([1])).tolist() == nothing.done(np.array([1]), pd.Series([1])).tolist() == [0]


def test_a_course_is_done_on_every_path_that_has_it() -> None:
    """One enrollment counts on each path of its portal, once, whether by course, by source, or by both."""
    assert _done((10, 5)) == [1, 1, 0, 0]
    assert _done((99, 5)) == [1, 1, 0, 0]
    assert _done((10, None)) == [1, 1, 0, 0]
    assert _done((10, 5, 1)) == [0, 0, 1, 0]
    assert _done((20, None), (10, 5)) == [2, 1, 0, 0]


def test_a_course_done_in_two_parts_of_a_listing_counts_once() -> None:
    """Parts are looked at one by one: what two of them say of the same course of a path is one course done."""
    assert _done((10, 5), (10, 5), (99, 5)) == [1, 1, 0, 0]


def test_what_is_not_done() -> None:
    """Another course, and no source against no source, do not count."""
    assert _done((99, None)) == [0, 0, 0, 0]
    assert _done((20, None))[0] == 1
    assert _done((99, 20)) == [0, 0, 0, 0]
