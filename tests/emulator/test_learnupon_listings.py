"""Conformance of the emulated LearnUpon: paging, order, caching, and rows that change while they are read."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import pytest
from learnupon_portal import Door

from etl.emulator.faults import Fault
from etl.emulator.messages import Headers, Request


@pytest.fixture
def door() -> Iterator[Door]:
    """A portal without rows; the emulator must not have failed in the end."""
    with Door() as opened:
        yield opened
        assert opened.server.errors == []


def course_of(door: Door, ids: list[int]) -> int:
    """The course of these enrollments."""
    return int(door.portal.enrollments[ids[0]]["course_id"])


def search(door: Door, ids: list[int]) -> str:
    """The search for the course of these enrollments."""
    return f"enrollments/search?course_id={course_of(door, ids)}"


def test_pages_hold_500_rows_and_headers_are_strings(door: Door) -> None:
    """500 rows a page; three headers tell page, size and whether a next one exists (API documents, pagination)."""
    path = search(door, door.taken(501))
    first, second = door.get(path), door.get(f"{path}&page=2")
    assert len(first.json()["enrollments"]) == 500
    assert len(second.json()["enrollments"]) == 1
    names = ("LU-Current-Page", "LU-Records-Per-Page", "LU-Has-Next-Page")
    assert [first.headers[name] for name in names] == ["1", "500", "true"]
    assert [second.headers[name] for name in names] == ["2", "500", "false"]


def test_every_row_comes_once_over_all_pages(door: Door) -> None:
    """On a quiet portal each id comes exactly once (measured)."""
    ids = door.taken(23)
    door.store.knobs.page_size = 5
    assert sorted(door.ids(search(door, ids), "enrollments")) == ids


def test_a_full_last_page_says_there_is_no_next(door: Door) -> None:
    """The header, not the row count, ends a listing (measured)."""
    path = search(door, door.taken(4))
    door.store.knobs.page_size = 4
    assert door.get(path).headers["LU-Has-Next-Page"] == "false"


def test_499_rows_a_page_with_a_next_page(door: Door) -> None:
    """LU-Records-Per-Page 499 with a next page was captured on a real portal."""
    path = search(door, door.taken(500))
    door.store.knobs.page_size = 499
    answer = door.get(path)
    assert (answer.headers["LU-Records-Per-Page"], answer.headers["LU-Has-Next-Page"]) == ("499", "true")


def test_past_the_end_is_an_empty_page(door: Door) -> None:
    """A page after the last is an empty array (assumed), or 404 by knob."""
    path = search(door, door.taken(2))
    answer = door.get(f"{path}&page=9")
    assert answer.json() == {"enrollments": []}
    assert (answer.headers["LU-Current-Page"], answer.headers["LU-Has-Next-Page"]) == ("9", "false")
    door.store.knobs.past_end = "404"
    assert door.get(f"{path}&page=9").status_code == 404
    assert door.get(f"{path}&page=1").status_code == 200


def test_per_page_and_limit_are_ignored(door: Door) -> None:
    """Page sizes in the query are not documented: ignored, or obeyed by knob."""
    path = search(door, door.taken(3))
    assert len(door.get(f"{path}&per_page=1&limit=1").json()["enrollments"]) == 3
    door.store.knobs.honour_per_page = True
    assert len(door.get(f"{path}&per_page=1").json()["enrollments"]) == 1


def test_deleted_rows_shift_the_next_page(door: Door) -> None:
    """Offset paging over live data: rows deleted from page 1 make page 2 skip as many (inferred)."""
    ids = door.taken(10)
    path = search(door, ids)
    course = course_of(door, ids)
    door.store.knobs.page_size = 5
    tick = {"portal": "academy", "course_id": course, "count": 2}
    door.server.faults.add(Fault(match="page=2", tick="remove_rows", tick_args=tick))
    assert door.ids(path, "enrollments") == [*ids[:5], *ids[7:]]


def test_inserted_rows_push_others_to_the_next_page(door: Door) -> None:
    """With the newest first, an insert between two pages shows a row twice."""
    ids = door.taken(6)
    path = search(door, ids)
    course = course_of(door, ids)
    door.store.knobs.page_size, door.store.knobs.order = 3, "id_desc"
    door.server.faults.add(
        Fault(match="page=2", tick="insert_rows", tick_args={"portal": "academy", "course_id": course})
    )
    seen = door.ids(path, "enrollments")
    assert len(seen) == 7
    assert len(set(seen)) == 6


def test_order_by_update_moves_rows_during_the_walk(door: Door) -> None:
    """Sorted by update time, a row updated while page 1 is read goes to the end and another is skipped."""
    ids = door.taken(6)
    path = search(door, ids)
    course = course_of(door, ids)
    door.store.knobs.page_size, door.store.knobs.order = 3, "updated_at"
    door.store.now = door.store.now.replace(hour=5)
    door.server.faults.add(
        Fault(match="page=2", tick="update_rows", tick_args={"portal": "academy", "course_id": course})
    )
    assert door.ids(path, "enrollments") == [*ids[:3], ids[4], ids[5], ids[0]]


def test_a_change_of_a_row_shows_on_the_next_page_read(door: Door) -> None:
    """Pages are remembered between changes only: any change to any row or table is seen at once."""
    ids = door.taken(2, status="in_progress")
    path = search(door, ids)
    assert door.rows(path, "enrollments")[0]["status"] == "in_progress"
    door.portal.enrollments[ids[0]]["status"] = "passed"
    assert door.rows(path, "enrollments")[0]["status"] == "passed"
    door.portal.enrollments[ids[0]].update(percentage=80)
    assert door.rows(path, "enrollments")[0]["percentage"] == 80
    del door.portal.enrollments[ids[0]]
    assert door.ids(path, "enrollments") == [ids[1]]
    learner = door.portal.enrollments[ids[1]]["user_id"]
    door.portal.add_enrollment(user_id=learner, course_id=course_of(door, ids[1:]))
    assert len(door.ids(path, "enrollments")) == 2


def test_a_remembered_page_costs_little(door: Door) -> None:
    """Benchmarks read the same pages again: an unchanged page takes well under a millisecond of the emulator."""
    course = course_of(door, door.taken(500))
    login = base64.b64encode(f"{door.portal.username}:{door.portal.password}".encode()).decode()
    headers = Headers([("Authorization", f"Basic {login}"), ("Accept-Encoding", "gzip")])
    target = f"/academy/api/v1/enrollments/search?course_id={course}"
    asked = Request("GET", target.split("?", maxsplit=1)[0], {"course_id": [str(course)]}, headers, b"", target)
    assert door.server.app.handle(asked).status == 200
    start = time.perf_counter()
    for _ in range(50):
        door.server.app.handle(asked)
    assert (time.perf_counter() - start) / 50 < 0.001


def test_texts_survive_as_they_are(door: Door) -> None:
    """Names come in UTF-8, unescaped, with quotes, line ends and emoji as they were typed."""
    name = 'Ünïcode, "quotes"\r\n\U0001f525 <b>\u2028'
    door.portal.add_course(name=name)
    answer = door.get("courses")
    assert answer.json()["courses"][0]["name"] == name
    assert "Ü".encode() in answer.content
