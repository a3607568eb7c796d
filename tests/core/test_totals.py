"""Counts per learner and per person, and how far a learner is on a path."""

from __future__ import annotations

from typing import Any

import pandas as pd
from core.situations import contact, frame, user

from etl import frames, paths, totals
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


def test_parts_add_up_to_the_whole() -> None:
    """Counting part by part is counting all, however often it is asked in between."""
    parts = [_listing((1, "passed", False), (2, "failed", False)), _listing((1, "failed", False)), _listing()]
    tally, asked = totals.Tally(), totals.Tally()
    for part in parts:
        tally.add(part)
        asked.add(part)
        asked.totals()
    whole = totals.count_statuses(pd.concat(parts))
    assert tally.totals().equals(whole)
    assert asked.totals().equals(whole)
    assert totals.Tally().totals().empty


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
    assert cleared[SEVEN].iloc[0].tolist() == [0] * 7
    assert cleared[[totals.LU_USER, totals.LAST_ACCESS]].isna().all(axis=None)


SLOTS = paths.courses_on_paths(
    pd.DataFrame(
        {
            "place": [0, 0, 0, 0, 1],
            "path": [1, 1, 1, 2, 3],
            "course_id": [10, 20, 20, 10, 10],
            "course_source_id": [5, None, None, 5, 5],
        }
    )
)


def _done(**row: Any) -> list[tuple[int, int, int]]:
    listing = {"learner": 1, "place": 0, "status": "passed", "unenrolled": False, "course_id": 10}
    done = paths.done_slots(pd.DataFrame([{**listing, "course_source_id": 5, **row}]), SLOTS, ["passed", "completed"])
    return [tuple(one) for one in paths.progress(done).itertuples(index=False)]


def test_the_size_of_a_path_is_its_courses_each_once() -> None:
    """A course listed twice on a path is one course of it."""
    assert paths.sizes(SLOTS).to_dict() == {1: 2, 2: 1, 3: 1}


def test_a_course_is_done_on_every_path_that_has_it() -> None:
    """One enrollment counts on each path of its portal, once, whether by course, by source, or by both."""
    assert _done() == [(1, 1, 1), (1, 2, 1)]
    assert _done(course_id=99) == [(1, 1, 1), (1, 2, 1)]
    assert _done(course_source_id=None) == [(1, 1, 1), (1, 2, 1)]
    assert _done(place=1) == [(1, 3, 1)]


def test_a_course_done_in_two_parts_of_a_listing_counts_once() -> None:
    """Parts are looked at one by one: what two of them say of the same course of a path is one course done."""
    one = pd.DataFrame({"learner": [1], "path": [1], "slot": [0]})
    assert paths.progress(pd.concat([one, one]))["done"].tolist() == [1]


def test_what_is_not_done() -> None:
    """Another status, an unenrolled row, another course, and no source against no source do not count."""
    assert _done(status="failed") == []
    assert _done(unenrolled=True) == []
    assert _done(course_id=99, course_source_id=None) == []
    assert _done(course_id=99, course_source_id=6) == []
