"""An answer that is not what was asked makes the whole read untrustworthy, and says why without naming anybody."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from http_stage import Reply
from scripted_portal import Json, ScriptedPortal, enrollment, path, small_portal

from etl.errors import AccessRefused, SourceUntrusted

Change = Callable[[Any], Any]


def altered(change: Change) -> Callable[[Reply], Reply]:
    """Return an alteration of the JSON of an answer; its headers stay."""

    def alter(reply: Reply) -> Reply:
        value = change(json.loads(reply.body))
        return Reply(reply.status, value if isinstance(value, bytes) else json.dumps(value).encode(), reply.headers)

    return alter


def numbered(rows: Any, number: object) -> Any:
    """Return an answer's rows with that id each."""
    return {key: [{**row, "id": number} for row in listed] for key, listed in rows.items()}


def headed(**headers: str | None) -> Callable[[Reply], Reply]:
    """Return an alteration of the headers of an answer: None drops one."""

    def alter(reply: Reply) -> Reply:
        for name, value in headers.items():
            reply.headers.pop(name.replace("_", "-"), None)
            if value is not None:
                reply.headers[name.replace("_", "-")] = value
        return reply

    return alter


def refused(portal: ScriptedPortal, folder: Path) -> str:
    """Read a portal that cannot be trusted and return the words."""
    with portal, pytest.raises(SourceUntrusted) as caught:
        portal.read(folder)
    assert caught.value.exit_code == 65
    text = str(caught.value)
    assert "portal academy" in text
    for secret in ("pass:word", "example.com", "Ann", "Lee"):
        assert secret not in text
    return text


LISTINGS = ("^/users", "^/courses", "^/learning_paths", "^/enrollments/search.*course_id=10", "^/learning_path_enroll")


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (headed(LU_Has_Next_Page=None), "LU-Has-Next-Page is missing"),
        (headed(LU_Has_Next_Page="maybe"), "LU-Has-Next-Page is maybe"),
        (headed(LU_Has_Next_Page=""), "LU-Has-Next-Page is"),
        (headed(LU_Current_Page="9"), "LU-Current-Page is 9"),
        (headed(LU_Current_Page="one"), "LU-Current-Page is one"),
        (altered(lambda _: {"rows": []}), "keys seen: rows"),
        (altered(lambda _: {}), "keys seen: none"),
        (altered(lambda _: []), "unexpected shape"),
        (altered(lambda _: None), "unexpected shape"),
        (altered(lambda _: {"error": "rate"}), "error with status 200"),
        (altered(lambda _: {"message": "internal error, please try again", "response_code": 1}), "internal error"),
        (altered(lambda rows: rows | {"error": "partial"}), "error: partial"),
        (altered(dict.fromkeys), "unexpected shape"),
        (altered(lambda rows: {key: [None] for key in rows}), "unexpected shape"),
        (altered(lambda rows: {key: {} for key in rows}), "unexpected shape"),
        (altered(lambda rows: dict.fromkeys(rows, "none")), "unexpected shape"),
        (altered(lambda rows: numbered(rows, None)), "is missing"),
        (altered(lambda rows: numbered(rows, True)), "unexpected shape"),
        (lambda reply: Reply(200, b"<html>log in</html>", reply.headers), "log in"),
        (lambda reply: Reply(200, b"{}", reply.headers | {"Content-Type": "text/html"}), "text/html instead of JSON"),
        (lambda reply: Reply(200, b"<?xml version='1.0'?><users/>", reply.headers), "xml"),
        (lambda reply: Reply(200, b"OK", reply.headers), "malformed JSON"),
        (lambda reply: Reply(200, reply.body.replace(b": [", b": NaN, 'x': [", 1), reply.headers), "malformed JSON"),
        (lambda reply: Reply(200, reply.body + b"{}", reply.headers), "malformed JSON"),
        (lambda reply: Reply(200, b"\xff" + reply.body, reply.headers), "malformed JSON"),
        (lambda reply: Reply(200, b"", reply.headers), "malformed JSON of 0 bytes"),
        (lambda reply: Reply(201, reply.body, reply.headers), "HTTP 201"),
        (lambda reply: Reply(206, reply.body, reply.headers), "HTTP 206"),
        (lambda reply: Reply(204, b"", reply.headers), "HTTP 204"),
        (lambda _: Reply(400, b'{"error": "internal error, please try again"}'), "HTTP 400"),
        (lambda _: Reply(404, b"{}"), "HTTP 404"),
        (lambda _: Reply(302, b"", {"Location": "http://[broken"}), "a redirect, is not followed"),
        (lambda reply: Reply(200, b'{"x": ' + b"[" * 100_000, reply.headers), "malformed JSON"),
        (lambda _: Reply(302, b"", {"Location": "http://elsewhere.invalid/login"}), "redirect to elsewhere.invalid"),
    ],
)
def test_an_answer_that_is_not_the_listing(
    tmp_path: Path, listing: str, change: Callable[[Reply], Reply], words: str
) -> None:
    """Whatever listing it is, a wrong header, shape, status or kind of content is refused in plain words."""
    portal = small_portal()
    portal.alter(listing, change)
    assert words in refused(portal, tmp_path)


def test_the_list_key_twice_is_refused(tmp_path: Path) -> None:
    """Two lists under one key, of which a decoder keeps the last, are not taken for one."""
    portal = small_portal()
    double = b'{"enrollments": [], "enrollments": []}'
    portal.alter("course_id=10", lambda reply: Reply(200, double, reply.headers))
    assert "the key enrollments twice" in refused(portal, tmp_path)


def test_an_id_twice_in_a_row_is_refused(tmp_path: Path) -> None:
    """A row with two ids is not taken for the second."""
    portal = small_portal()

    def twice(reply: Reply) -> Reply:
        return Reply(200, reply.body.replace(b'"id": 100', b'"id": 1, "id": 100'), reply.headers)

    portal.alter("course_id=10", twice)
    assert "the key id twice" in refused(portal, tmp_path)


def test_both_list_keys_at_once_are_refused(tmp_path: Path) -> None:
    """`user` and `users` are both known, but only one may come."""
    portal = small_portal()
    portal.alter("^/users", altered(lambda rows: rows | {"users": []}))
    assert "no list under user or users" in refused(portal, tmp_path)


def test_a_page_served_again_is_refused(tmp_path: Path) -> None:
    """A portal that ignores the page and says nothing of it is found out by its rows."""
    portal = small_portal()
    first: list[bytes] = []

    def again(reply: Reply) -> Reply:
        first.append(reply.body)
        return Reply(200, first[0], {"Content-Type": "application/json", "LU-Has-Next-Page": "true"})

    portal.alter("course_id=10", again)
    portal.alter("course_id=10", Reply(400), nth=20)  # an end for a reader that would go on
    assert "the same rows came on an earlier page" in refused(portal, tmp_path)


def test_an_empty_page_with_a_next_one_is_refused(tmp_path: Path) -> None:
    """A listing that goes on after an empty page does not end."""
    portal = small_portal()
    portal.alter("course_id=20", altered(lambda _: {"enrollments": []}))
    portal.alter("course_id=20", headed(LU_Has_Next_Page="true"))
    portal.alter("course_id=20", Reply(400), nth=20)  # an end for a reader that would go on
    assert "an empty page says that there is a next one" in refused(portal, tmp_path)


@pytest.mark.parametrize(
    ("pattern", "rows", "words"),
    [
        ("^/enrollments/search.*course_id=20", [enrollment(1, 1, 20), enrollment(2, 1, 10)], "not of course_id 20"),
        ("lp_id=7", [{"id": 9, "user_id": 1, "lp_id": 8, "status": "completed"}], "not of lp_id 7"),
        ("course_id=20", [enrollment(2, 1, 99, course_source_id=20)], "not of course_id 20"),
    ],
)
def test_rows_of_another_course_or_path_are_refused(tmp_path: Path, pattern: str, rows: list[Json], words: str) -> None:
    """LearnUpon answers 200 with everything when it ignores a filter: one foreign row is enough to notice."""
    portal = small_portal()
    portal.alter(pattern, altered(lambda _: {"enrollments": rows}))
    assert words in refused(portal, tmp_path)


@pytest.mark.parametrize("field", ["id", "user_id", "course_id", "status"])
def test_a_row_without_what_identifies_it_is_refused(tmp_path: Path, field: str) -> None:
    """An enrollment without id, learner, course or status is not written as something else."""
    portal = small_portal()
    portal.enrollments[-1][field] = None
    portal.alter("course_id=20", altered(lambda _: {"enrollments": [portal.enrollments[-1]]}))
    assert f"{field} of row" in refused(portal, tmp_path)


def test_paths_without_their_courses_are_refused(tmp_path: Path) -> None:
    """A path without the list of courses that was asked for is refused, one with an empty list is not."""
    portal = small_portal()
    portal.paths = [path(8)]
    with portal:
        assert len(portal.read(tmp_path / "a").paths) == 1
    portal = small_portal()
    portal.paths = [path(8, None)]
    assert "path 8 without courses" in refused(portal, tmp_path / "b")


@pytest.mark.parametrize("element", [None, [10], "ten", {"course": {"id": 10}}, {"title": "x"}, 1.5])
def test_an_unknown_shape_of_a_paths_course_is_refused(tmp_path: Path, element: object) -> None:
    """Elements that are neither ids nor objects with one are refused, not skipped."""
    portal = small_portal()
    portal.paths = [path(7, [10, element])]
    assert refused(portal, tmp_path)


def test_a_swollen_page_is_refused(tmp_path: Path) -> None:
    """A page of more than 64 MiB once decoded is refused before it fills the memory."""
    portal = small_portal()
    body = gzip.compress(b'{"enrollments": [' + b" " * (70 << 20) + b"]}", 1)
    portal.alter("course_id=20", lambda reply: Reply(200, body, reply.headers | {"Content-Encoding": "gzip"}))
    assert "larger than 67108864 bytes" in refused(portal, tmp_path)


def test_nobody_at_the_end_of_a_redirect_hears_the_key(tmp_path: Path) -> None:
    """A redirect to another host is refused, and that host is not asked."""
    with ScriptedPortal() as other:
        portal = small_portal()
        portal.alter("^/users", Reply(307, b"", {"Location": other.stage.url + "/academy/api/v1/users?page=1"}))
        assert "redirect" in refused(portal, tmp_path)
        assert other.stage.asked == []


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("where", ["^/courses", "course_id=10&page=2"])
def test_a_refused_key_names_portal_and_path(tmp_path: Path, status: int, where: str) -> None:
    """401 and 403, at the start or in the middle, end with 77, name portal and path and never the key."""
    with small_portal() as portal:
        portal.alter(where, Reply(status, b'{"message": "pass:word"}'))
        with pytest.raises(AccessRefused) as caught:
            portal.read(tmp_path)
    assert caught.value.exit_code == 77
    assert "portal academy: GET /" in str(caught.value)
    assert "pass:word" not in str(caught.value)
