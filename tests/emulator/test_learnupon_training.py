"""Conformance of the emulated LearnUpon: course enrollments, path enrollments and how they disappear."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from learnupon_portal import Door

PATH_KEYS = {
    "id", "percentage", "lp_id", "lp_name", "user_id", "first_name", "last_name", "email", "certificate_name",
    "unenrolled", "status", "due_date", "date_started", "date_completed", "date_lastaccessed", "date_enrolled",
    "cert_expires_at", "was_recertified",
}  # fmt: skip


@pytest.fixture
def door() -> Iterator[Door]:
    """A portal without rows; the emulator must not have failed in the end."""
    with Door() as opened:
        yield opened
        assert opened.server.errors == []


def course_of(door: Door, enrollment: int) -> int:
    """The course of an enrollment."""
    return int(door.portal.enrollments[enrollment]["course_id"])


def test_a_search_needs_a_learner_or_a_course(door: Door) -> None:
    """There is no list of all: without a known filter it is an error; unknown ones and dates do not count."""
    door.taken(1)
    for query in ("", "?group_id=1", "?status=passed", "?date_from=2026-01-01"):
        assert door.get(f"enrollments/search{query}").status_code == 400
    assert door.get("learning_path_enrollments/search?course_id=1").status_code == 400


def test_search_by_each_filter(door: Door) -> None:
    """user_id, email, username, course_id and course_name each find the row, and narrow together (API documents)."""
    portal = door.portal
    learner = portal.add_user(email="ana@example.com", username="ana.k")["id"]
    other = portal.add_user()["id"]
    course = portal.add_course(name="Fire Safety")["id"]
    mine = portal.add_enrollment(user_id=learner, course_id=course)["id"]
    theirs = portal.add_enrollment(user_id=other, course_id=course)["id"]
    for query in (f"user_id={learner}", "email=ANA@example.com", "username=ana.k"):
        assert door.ids(f"enrollments/search?{query}", "enrollments") == [mine]
    for query in (f"course_id={course}", "course_name=Fire Safety"):
        assert door.ids(f"enrollments/search?{query}", "enrollments") == [mine, theirs]
    assert door.ids(f"enrollments/search?course_id={course}&user_id={other}", "enrollments") == [theirs]
    assert door.ids(f"enrollments/search?course_id={course}&email=nobody@example.com", "enrollments") == []


def test_unknown_filters_are_ignored(door: Door) -> None:
    """A filter LearnUpon does not know gives the unfiltered rows with 200 (measured)."""
    ids = door.taken(3)
    path = f"enrollments/search?course_id={course_of(door, ids[0])}&status=passed&group_id=9&updated_since=2026-01-01"
    assert door.ids(path, "enrollments") == ids


def test_a_search_without_hits_is_an_empty_list(door: Door) -> None:
    """No row found is 200 with an empty list (assumed), or 404 by knob."""
    assert door.get("enrollments/search?course_id=31337").json() == {"enrollments": []}
    assert door.get("enrollments/search?course_id=abc").json() == {"enrollments": []}
    door.store.knobs.empty_search = "404"
    assert door.get("enrollments/search?course_id=31337").status_code == 404


def test_dates_are_inclusive_days(door: Door) -> None:
    """date_from and date_to may be the same day (API documents' sample); which date they look at is a knob."""
    ids = door.taken(2, date_enrolled="2026-03-01T23:59:59Z")
    door.portal.enrollments[ids[1]]["date_enrolled"] = "2026-03-02T00:00:00Z"
    base = f"enrollments/search?course_id={course_of(door, ids[0])}"
    assert door.ids(f"{base}&date_from=2026-03-01&date_to=2026-03-01", "enrollments") == [ids[0]]
    assert door.ids(f"{base}&date_from=2026-03-02", "enrollments") == [ids[1]]
    door.store.knobs.date_filter_field = "updated_at"
    assert door.ids(f"{base}&date_from=2026-03-01&date_to=2026-03-01", "enrollments") == []
    assert door.get(f"{base}&date_from=yesterday").status_code == 400


def test_an_enrollment_by_id_is_an_array(door: Door) -> None:
    """One enrollment comes as an array under `enrollments` (PHP SDK's recorded body)."""
    one = door.taken(1)[0]
    assert [row["id"] for row in door.get(f"enrollments/{one}").json()["enrollments"]] == [one]


def test_modules_of_an_enrollment(door: Door) -> None:
    """An enrollment's modules have a title, a place, a status and dates (API documents, enrollments)."""
    one = door.taken(1, status="completed")[0]
    door.portal.courses[course_of(door, one)]["number_of_modules"] = 2
    rows = door.get(f"enrollments/{one}/modules").json()["modules"]
    assert [(row["sequence"], row["status"]) for row in rows] == [(1, "completed"), (2, "completed")]


def test_versions_have_ids_of_their_own(door: Door) -> None:
    """A course version is found by its own id only, unless the portal finds all of a source (unknown: a knob)."""
    portal = door.portal
    old = portal.add_course(published_status_id="archived")["id"]
    new = portal.add_course(source_id=old, version=2)["id"]
    learner = portal.add_user()["id"]
    first = portal.add_enrollment(user_id=learner, course_id=old)
    second = portal.add_enrollment(user_id=learner, course_id=new)
    assert (second["course_source_id"], second["version"]) == (old, 2)
    assert door.ids(f"enrollments/search?course_id={old}", "enrollments") == [first["id"]]
    door.store.knobs.source_id_finds_versions = True
    assert door.ids(f"enrollments/search?course_id={old}", "enrollments") == [first["id"], second["id"]]


def test_a_learner_may_take_a_course_twice(door: Door) -> None:
    """A retake is a second record of the same learner and course (measured)."""
    first = door.taken(1, status="failed", percentage=20)[0]
    row = door.portal.enrollments[first]
    again = door.portal.add_enrollment(user_id=row["user_id"], course_id=row["course_id"])["id"]
    assert door.ids(f"enrollments/search?user_id={row['user_id']}", "enrollments") == [first, again]


def test_unenrolling_an_unfinished_row_removes_it(door: Door) -> None:
    """Unfinished: the row goes away (vendor's help); by knob it stays listed with the flag."""
    ids = door.taken(2, status="in_progress")
    base = f"enrollments/search?course_id={course_of(door, ids[0])}"
    assert door.portal.unenroll(ids[0]) is False
    assert door.ids(base, "enrollments") == [ids[1]]
    door.store.knobs.list_unfinished_unenrolled = True
    assert door.portal.unenroll(ids[1]) is True
    assert [(row["status"], row["unenrolled"]) for row in door.rows(base, "enrollments")] == [("in_progress", True)]


def test_unenrolling_a_finished_row_keeps_it_flagged(door: Door) -> None:
    """Finished: still returned by the search with `unenrolled` true (measured); by knob it goes."""
    ids = door.taken(2, status="passed", percentage=90)
    base = f"enrollments/search?course_id={course_of(door, ids[0])}"
    assert door.portal.unenroll(ids[0]) is True
    assert [row["unenrolled"] for row in door.rows(base, "enrollments")] == [True, False]
    door.store.knobs.list_finished_unenrolled = False
    assert door.portal.unenroll(ids[1]) is False
    assert door.ids(base, "enrollments") == [ids[0]]


def test_orphans_of_a_deleted_course(door: Door) -> None:
    """Finished enrollments of a deleted course show up per learner and by id only; unfinished ones go (measured)."""
    done, open_one = door.taken(2, status="completed")
    door.portal.change_enrollment(open_one, status="in_progress")
    row = door.portal.enrollments[done]
    course, learner = row["course_id"], row["user_id"]
    door.portal.remove_course(course)
    assert door.ids(f"enrollments/search?course_id={course}", "enrollments") == []
    assert door.ids(f"enrollments/search?course_name=Course {course}", "enrollments") == []
    assert door.ids(f"enrollments/search?user_id={learner}", "enrollments") == [done]
    assert door.get(f"enrollments/{done}").json()["enrollments"][0]["course_name"] == f"Course {course}"
    assert open_one not in door.portal.enrollments


def test_marking_complete_by_hand(door: Door) -> None:
    """By hand: an exact hour, no progress, no score for completed (measured); the mark is listed."""
    one = door.taken(1)[0]
    door.portal.mark_complete(one)
    row = door.get(f"enrollments/{one}").json()["enrollments"][0]
    assert (row["status"], row["percentage"], row["percentage_complete"]) == ("completed", None, None)
    assert row["date_started"] == row["date_completed"]
    assert row["date_completed"].endswith(":00:00Z")
    assert door.rows(f"markcompletes?enrollment_id={one}", "markcompletes")[0]["action_source_type"] == "API"
    assert door.rows("markcompletes?enrollment_id=1", "markcompletes") == []
    with pytest.raises(ValueError, match="percentage"):
        door.portal.mark_complete(one, "completed", 50)


def test_names_on_enrollments_follow_the_learner(door: Door) -> None:
    """First name, last name and e-mail are copies of the learner's (API documents, enrollments)."""
    one = door.taken(1)[0]
    learner = door.portal.enrollments[one]["user_id"]
    door.portal.change_user(learner, email="new@example.com", last_name="O'Shea")
    row = door.get(f"enrollments/{one}").json()["enrollments"][0]
    assert (row["email"], row["last_name"]) == ("new@example.com", "O'Shea")


def test_path_enrollments_have_no_counts(door: Door) -> None:
    """18 keys under `enrollments` too; no counts, no progress, no updated_at (recorded body)."""
    portal = door.portal
    learner, other = portal.add_user(email="ana@example.com")["id"], portal.add_user()["id"]
    path = portal.add_path(courses=[], name="Starters")["id"]
    mine = portal.add_path_enrollment(user_id=learner, path_id=path, status="completed")["id"]
    theirs = portal.add_path_enrollment(user_id=other, path_id=path)["id"]
    for query in (f"lp_id={path}", "lp_name=start"):
        assert door.ids(f"learning_path_enrollments/search?{query}", "enrollments") == [mine, theirs]
    for query in (f"user_id={learner}", "email=ana@example.com"):
        rows = door.rows(f"learning_path_enrollments/search?{query}", "enrollments")
        assert [row["id"] for row in rows] == [mine]
        assert set(rows[0]) == PATH_KEYS
    assert door.get(f"learning_path_enrollments/{mine}").json()["enrollments"][0]["lp_name"] == "Starters"
    portal.remove_path(path)
    assert door.ids(f"learning_path_enrollments/search?lp_id={path}", "enrollments") == []


def test_a_status_may_go_backwards(door: Door) -> None:
    """A relaunched completed course is in progress again with no completion date (measured): nulls come through."""
    one = door.taken(1, status="completed")[0]
    assert door.get(f"enrollments/{one}").json()["enrollments"][0]["date_completed"] is not None
    door.portal.change_enrollment(one, status="in_progress", date_completed=None)
    row = door.get(f"enrollments/{one}").json()["enrollments"][0]
    assert (row["status"], row["date_completed"]) == ("in_progress", None)
