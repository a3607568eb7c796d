"""A portal is read whole, with the requests that LearnUpon documents, or not at all."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest
from http_stage import Reply
from scripted_portal import KEY, ScriptedPortal, course, enrollment, path, path_enrollment, small_portal, user

from etl.clock import Stopped, stoppable
from etl.errors import Interrupted, SourceUntrusted, Unavailable
from etl.learnupon import read_portal


def test_a_whole_portal_is_read(tmp_path: Path) -> None:
    """Every learner, course, path and enrollment of a portal comes back, over as many pages as it takes."""
    with small_portal() as portal:
        read = portal.read(tmp_path)
    assert (read.name, read.portal_id, read.title, read.warnings) == ("academy", 12345, "Acme Academy", ())
    assert read.users["user_id"].tolist() == [1, 2, 3]
    assert read.courses["course_id"].tolist() == [10, 20]
    assert read.paths["name"].tolist() == ["Path 7"]
    assert sorted(read.path_courses["course_id"].tolist()) == [10, 20]
    assert sorted(read.enrollments.read()["id"].to_pylist()) == [100, 101, 102, 103, 200]
    assert read.path_enrollments.read()["id"].to_pylist() == [300]


def test_the_requests_are_those_documented(tmp_path: Path) -> None:
    """Flags are sent as the text true, filters again on every page, and enrollments searched by course and path."""
    with small_portal() as portal:
        portal.read(tmp_path)
        assert sorted(portal.asked) == [
            "/courses?include_all_versions=true&include_licensed_courses=true&page=1",
            "/enrollments/search?course_id=10&page=1",
            "/enrollments/search?course_id=10&page=2",
            "/enrollments/search?course_id=20&page=1",
            "/learning_path_enrollments/search?lp_id=7&page=1",
            "/learning_paths?include_courses=true&page=1",
            "/users?page=1",
            "/users?page=2",
        ]


def test_no_content_type_is_sent(tmp_path: Path) -> None:
    """A GET carries Accept and Basic authentication (UTF-8), and no Content-Type: that was answered 400."""
    with small_portal() as portal:
        portal.read(tmp_path)
        for asked in portal.stage.asked:
            assert asked.headers["Accept"] == "application/json"
            assert asked.headers["Authorization"] == KEY
            assert "Content-Type" not in asked.headers


def test_an_empty_portal_is_complete(tmp_path: Path) -> None:
    """A portal without rows is read to its end: three listings and nothing else."""
    with ScriptedPortal() as portal:
        read = portal.read(tmp_path)
        assert len(portal.asked) == 3
    assert len(read.users) == len(read.courses) == len(read.path_courses) == read.enrollments.rows == 0
    assert str(read.users["user_id"].dtype) == "Int64"


def test_calls_count_what_was_sent(tmp_path: Path) -> None:
    """`calls` counts every request, repeats included."""
    with small_portal() as portal:
        portal.alter("/users", Reply(503), nth=1)
        client = portal.client()
        read_portal(client, tmp_path)
        assert client.calls == len(portal.asked) == 9


def test_a_short_page_does_not_end_a_listing(tmp_path: Path) -> None:
    """One row on a page of two with a next page is allowed: 499 of 500 were seen in the field."""
    with small_portal(page_rows=1) as portal:
        portal.headers = {"LU-Records-Per-Page": "500"}
        assert portal.read(tmp_path).enrollments.rows == 5


@pytest.mark.parametrize(("yes", "no"), [("true", "false"), ("TRUE", "False"), ("1", "0"), (" True ", "FALSE")])
def test_the_next_page_header_in_all_its_spellings(tmp_path: Path, yes: str, no: str) -> None:
    """LU-Has-Next-Page is read whatever its case, and as 1 or 0."""

    def respell(reply: Reply) -> Reply:
        reply.headers["LU-Has-Next-Page"] = yes if reply.headers["LU-Has-Next-Page"] == "true" else no
        return reply

    with small_portal() as portal:
        portal.alter("", respell)
        assert portal.read(tmp_path).enrollments.rows == 5


def test_listings_run_side_by_side(tmp_path: Path) -> None:
    """With concurrency 4, four listings are under way at the same time: each waits here for the other three."""
    together = threading.Barrier(4, timeout=10)

    def wait(reply: Reply) -> Reply:
        together.wait()
        return reply

    with ScriptedPortal() as portal:
        portal.courses = [course(number) for number in (1, 2, 3)]
        portal.alter(r"^/users|^/enrollments", wait)
        portal.read(tmp_path, concurrency=4)
    assert together.broken is False


def test_one_at_a_time_is_obeyed(tmp_path: Path) -> None:
    """With concurrency 1, a request starts only after the one before was answered."""
    with small_portal() as portal:
        most = portal.crowd()
        portal.read(tmp_path, concurrency=1)
        assert len({asked.port for asked in portal.stage.asked}) == 1
    assert max(most) == 1


def test_big_courses_come_first(tmp_path: Path) -> None:
    """The stale num_enrolled only decides the order: the course that seems biggest is read first."""
    with ScriptedPortal() as portal:
        portal.courses = [course(1, num_enrolled=0), course(2, num_enrolled=90_000), course(3, num_enrolled=None)]
        portal.read(tmp_path, concurrency=1)
        searched = [asked for asked in portal.asked if asked.startswith("/enrollments")]
    assert searched[0] == "/enrollments/search?course_id=2&page=1"
    assert len(searched) == 3


def test_the_same_row_twice_is_one(tmp_path: Path) -> None:
    """Learners, courses and paths listed twice come once, as read last, and a warning counts them."""
    with small_portal() as portal:
        portal.users.append(user(1, email="newer@example.com"))
        portal.courses.append(course(10, name="Newer"))
        portal.paths.append(path(7, [10]))
        read = portal.read(tmp_path)
        searched = [asked for asked in portal.asked if "course_id=10&page=1" in asked or "lp_id=7" in asked]
    assert dict(zip(read.users["user_id"], read.users["email"], strict=True))[1] == "newer@example.com"
    assert dict(zip(read.courses["course_id"], read.courses["course_name"], strict=True))[10] == "Newer"
    assert len(read.paths) == 1
    assert sorted(read.path_courses["course_id"]) == [10, 20]
    assert len(searched) == 2
    assert len(read.warnings) == 3
    assert "1 of 4 users" in read.warnings[0]


def test_progress_is_told_and_ends_full(tmp_path: Path) -> None:
    """Progress counts pages up to what is expected, never beyond, and ends with both equal."""
    told: list[tuple[int, int]] = []
    with small_portal() as portal:
        portal.courses[0]["num_enrolled"] = 5_000
        read_portal(portal.client(), tmp_path, progress=lambda done, expected: told.append((done, expected)))
    assert told[-1] == (8, 8)
    assert all(done <= expected for done, expected in told)


def test_the_first_failure_stops_the_others(tmp_path: Path) -> None:
    """When one listing cannot be trusted, the rest is not read to its end."""
    with ScriptedPortal(500) as portal:
        portal.courses = [course(number) for number in range(1, 200)]
        portal.alter("course_id=3&", Reply(body=b"[]"))
        with pytest.raises(SourceUntrusted, match="course_id 3, page 1"):
            portal.read(tmp_path, concurrency=2)
        assert len(portal.asked) < 100


def test_a_signal_stops_all_threads(tmp_path: Path) -> None:
    """An interruption in the main thread comes through at once, and no further request is sent."""

    def interrupt(done: int, _expected: int) -> None:
        if done:
            raise Interrupted(15)

    with ScriptedPortal(500) as portal:
        portal.courses = [course(number) for number in range(1, 200)]
        with pytest.raises(Interrupted):
            read_portal(portal.client(), tmp_path, progress=interrupt)
        assert len(portal.asked) < 100


def test_a_read_stopped_from_outside_is_no_read(tmp_path: Path) -> None:
    """A client closed while it reads raises: half a portal never looks like a whole one."""
    with ScriptedPortal(500) as portal:
        portal.courses = [course(number) for number in range(1, 50)]
        client = portal.client()

        def close(reply: Reply) -> Reply:
            client.close()
            return reply

        portal.alter("course_id=20&", close)
        with pytest.raises(Stopped):
            read_portal(client, tmp_path)


def test_a_stopped_clock_ends_a_read_that_waits(tmp_path: Path) -> None:
    """A read whose portal has gone silent ends soon after the run's clock was stopped, not after the silence."""
    stop, silent = threading.Event(), threading.Event()

    def hush(reply: Reply) -> Reply:
        stop.set()
        silent.wait(20)
        return reply

    with small_portal() as portal:
        portal.alter("course_id=10", hush)
        client = portal.client()
        client.clock = stoppable(client.clock, stop)
        began = time.monotonic()
        with pytest.raises(Stopped):
            read_portal(client, tmp_path)
        assert time.monotonic() - began < 5
        silent.set()


def test_a_server_error_for_ever_is_unavailable(tmp_path: Path) -> None:
    """A 500 on one page for ever ends the read with exit 69 after five attempts."""
    with small_portal() as portal:
        portal.alter("course_id=20", Reply(500))
        with pytest.raises(Unavailable, match="after 5 attempts"):
            portal.read(tmp_path)
        assert sum("course_id=20" in asked for asked in portal.asked) == 5


def test_a_cut_page_is_read_again(tmp_path: Path) -> None:
    """A page cut by a lost connection is asked for again, and none of its rows is missing or doubled."""

    def cut(reply: Reply) -> Reply:
        reply.length, reply.body = len(reply.body), reply.body[:-20]
        return reply

    with small_portal() as portal:
        portal.alter("course_id=10", cut, nth=1)
        assert sorted(portal.read(tmp_path).enrollments.read()["id"].to_pylist()) == [100, 101, 102, 103, 200]


def test_a_page_cut_without_a_length_is_read_again(tmp_path: Path) -> None:
    """JSON that ends too early, with no length to tell, is a cut page; for ever, it is not to be trusted."""

    def cut(reply: Reply) -> Reply:
        reply.length, reply.body = None, reply.body[:-20]
        return reply

    with small_portal() as portal:
        portal.alter("course_id=10&page=1", cut, nth=1)
        assert portal.read(tmp_path / "a").enrollments.rows == 5
        portal.alter("course_id=10&page=1", cut)
        with pytest.raises(SourceUntrusted, match="malformed JSON"):
            portal.read(tmp_path / "b")


def test_versions_of_a_source_course_may_come_with_it(tmp_path: Path) -> None:
    """Rows of a later version found by its source course are no foreign rows, those of another course are."""
    with ScriptedPortal() as portal:
        portal.courses = [course(10), course(11, source_id=10), course(20)]
        portal.enrollments = [enrollment(1, 1, 10), enrollment(2, 1, 11, course_source_id=10)]
        rows = b"".join((b'{"enrollments": [', b", ".join(_encoded(row) for row in portal.enrollments), b"]}"))
        portal.alter("course_id=10&", lambda reply: Reply(200, rows, reply.headers))
        read = portal.read(tmp_path / "a")
        assert set(read.enrollments.read()["id"].to_pylist()) == {1, 2}
        portal.alter("course_id=10&", lambda reply: Reply(200, rows.replace(b"11,", b"20,"), reply.headers))
        with pytest.raises(SourceUntrusted, match="the filter was ignored"):
            portal.read(tmp_path / "b")


def _encoded(row: object) -> bytes:
    import json  # noqa: PLC0415 - one test's need

    return json.dumps(row).encode()


def test_logs_hold_ids_and_counts_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No name and no address of a learner is logged, not even while a call is repeated."""
    with caplog.at_level(logging.DEBUG), small_portal() as portal:
        portal.path_enrollments.append(path_enrollment(301, 2, 7))
        portal.alter("/users", Reply(503), nth=1)
        portal.read(tmp_path)
    text = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("etl"))
    assert "3 learners" in text
    for word in ("Ann", "Lee", "example.com", "Path 7", "pass:word"):
        assert word not in text
