"""Questions beside the nightly read: rows by id, one scope, and whether this is the pinned portal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from http_stage import Reply
from scripted_portal import ScriptedPortal, enrollment, path_enrollment, small_portal, user

from etl import frames
from etl.errors import AccessRefused, SourceUntrusted, Unavailable, UsageFault, WrongTarget
from etl.learnupon import check_portal, confirm, read_scope
from etl.learnupon.pin import subdomains


def test_gone_is_a_404_or_an_empty_list() -> None:
    """Of four ids two exist; one is answered 404 and one with an empty list, and both are gone."""
    with small_portal() as portal:
        answer = confirm(portal.client(), "enrollments", [100, 101, 998, 999, 999])
        assert len(portal.asked) == 4
    assert answer.gone == {998, 999}
    assert answer.alive.schema == frames.ENROLLMENTS
    assert sorted(answer.alive["id"].to_pylist()) == [100, 101]


def test_learners_and_path_enrollments_are_asked_about_too() -> None:
    """Each kind has its own address and columns."""
    with small_portal() as portal:
        client = portal.client()
        assert confirm(client, "users", [1, 9]).gone == {9}
        paths = confirm(client, "path_enrollments", [300])
        assert paths.alive.schema == frames.PATH_ENROLLMENTS
        assert paths.alive["id"].to_pylist() == [300]
        assert sorted(portal.asked) == ["/learning_path_enrollments/300", "/users/1", "/users/9"]


def test_no_question_no_request() -> None:
    """Without ids nothing is asked and nothing is gone."""
    with small_portal() as portal:
        answer = confirm(portal.client(), "users", [])
        assert (answer.gone, answer.alive.num_rows, portal.asked) == (frozenset(), 0, [])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b'{"enrollments": [{"id": 5, "user_id": 1, "course_id": 1, "status": "passed"}]}'),
        Reply(200, b'{"enrollments": [{"id": 100}, {"id": 101}]}'),
        Reply(200, b"{}"),
        Reply(200, b'{"message": "gone"}'),
        Reply(200, b"<html>maintenance</html>"),
        Reply(404, b"<html>no such page</html>", {"Content-Type": "text/html"}),
        Reply(410, b"{}"),
        Reply(302, b"", {"Location": "/login"}),
    ],
)
def test_an_unclear_answer_proves_nothing(reply: Reply) -> None:
    """Another row, several, no list, an error, a page for people, another status: not gone, but untrusted."""
    with small_portal() as portal:
        portal.alter("/enrollments/100", reply)
        with pytest.raises(SourceUntrusted):
            confirm(portal.client(), "enrollments", [100, 101])


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_question_proves_nothing(status: int) -> None:
    """An id whose question is refused for want of rights is not gone: that is 77."""
    with small_portal() as portal:
        portal.alter("/enrollments/100", Reply(status))
        with pytest.raises(AccessRefused):
            confirm(portal.client(), "enrollments", [100])


def test_a_silent_portal_proves_nothing() -> None:
    """An id whose question is always answered 503 is not gone: the run cannot go on."""
    with small_portal() as portal:
        portal.alter("/enrollments/999", Reply(503))
        with pytest.raises(Unavailable):
            confirm(portal.client(), "enrollments", [999])


def test_one_course_is_read(tmp_path: Path) -> None:
    """The scope of a course holds all learners and that course's enrollments, and no path."""
    with small_portal() as portal:
        read = read_scope(portal.client(), tmp_path, course=20)
        assert not [asked for asked in portal.asked if "learning_path" in asked]
    assert read.enrollments.read()["id"].to_pylist() == [200]
    assert (len(read.users), len(read.courses), len(read.paths), read.path_enrollments.rows) == (3, 2, 0, 0)


def test_a_course_that_is_not_listed_is_searched_all_the_same(tmp_path: Path) -> None:
    """Enrollments outlive their course; a warning says that it is not listed."""
    with small_portal() as portal:
        portal.enrollments.append(enrollment(400, 1, 99))
        read = read_scope(portal.client(), tmp_path, course=99)
    assert read.enrollments.rows == 1
    assert "course 99 is not listed" in read.warnings[0]


@pytest.mark.parametrize("learner", ["1", "ann.1@example.com", " ANN.1@Example.com "])
def test_one_learner_is_read(tmp_path: Path, learner: str) -> None:
    """A learner is found by id or e-mail address, whatever its case, with all enrollments and paths."""
    with small_portal() as portal:
        portal.users[0]["email"] = learner.strip() if "@" in learner else "ann.1@example.com"
        read = read_scope(portal.client(), tmp_path, learner=learner)
        assert not [asked for asked in portal.asked if asked.startswith("/users?")]
    assert read.users["user_id"].tolist() == [1]
    assert sorted(read.enrollments.read()["id"].to_pylist()) == [100, 103, 200]
    assert read.path_enrollments.rows == 1
    assert len(read.path_courses) == 2


def test_one_learner_in_one_course_is_read(tmp_path: Path) -> None:
    """With both given, the learner's enrollments of that course are kept."""
    with small_portal() as portal:
        read = read_scope(portal.client(), tmp_path, learner="1", course=20)
    assert read.enrollments.read()["id"].to_pylist() == [200]


def test_a_scope_without_bounds_is_everything(tmp_path: Path) -> None:
    """Neither course nor learner: all that the nightly read has."""
    with small_portal() as portal:
        read = read_scope(portal.client(), tmp_path)
    assert (len(read.users), read.enrollments.rows, read.path_enrollments.rows) == (3, 5, 1)


@pytest.mark.parametrize("learner", ["99", "98", "nobody@example.com"])
def test_an_unknown_learner_is_wrong_usage(tmp_path: Path, learner: str) -> None:
    """A learner whom the portal does not have is told to the caller as such, without repeating the address."""
    with small_portal() as portal, pytest.raises(UsageFault) as caught:
        read_scope(portal.client(), tmp_path, learner=learner)
    assert "nobody" not in str(caught.value)


def test_422_is_an_unknown_learner_too(tmp_path: Path) -> None:
    """A search without a hit may be answered 422 (one client in the field handles it)."""
    with small_portal() as portal:
        portal.alter("/users/search", Reply(422, b"{}"))
        with pytest.raises(UsageFault):
            read_scope(portal.client(), tmp_path, learner="nobody@example.com")


def test_a_search_that_ignores_the_address_is_refused(tmp_path: Path) -> None:
    """Another learner than the one searched for means that the filter was ignored; no message holds the address."""
    with small_portal() as portal:
        portal.alter(
            "/users/search", lambda reply: Reply(200, b'{"user": [{"id": 2, "email": "bob@x"}]}', reply.headers)
        )
        with pytest.raises(SourceUntrusted, match="filter was ignored") as caught:
            read_scope(portal.client(), tmp_path, learner="ann.1@example.com")
    assert "ann.1" not in str(caught.value)


def test_a_learner_search_that_ignores_the_user_is_refused(tmp_path: Path) -> None:
    """Enrollments of somebody else in a learner's search are noticed."""
    with small_portal() as portal:
        body = b'{"enrollments": [{"id": 1, "user_id": 2, "course_id": 10, "status": "passed"}]}'
        portal.alter("/enrollments/search", lambda reply: Reply(200, body, reply.headers))
        with pytest.raises(SourceUntrusted, match="not of user_id 1"):
            read_scope(portal.client(), tmp_path, learner="1")


def pinned(listed: list[dict[str, Any]], **settings: Any) -> list[str]:
    """Check the pin of a portal against what GET /portals lists."""
    with ScriptedPortal() as portal:
        portal.portals = listed
        return check_portal(portal.client(**settings))


def test_the_right_portal_passes() -> None:
    """The subdomain listed under the pinned id is the right portal, on whatever page it is listed."""
    others = [{"id": number, "subdomain": f"other{number}"} for number in range(1, 6)]
    assert pinned([*others, {"id": 12345, "subdomain": "Academy"}]) == []


def test_another_id_is_the_wrong_portal() -> None:
    """The subdomain listed under another id is 78, both ids named."""
    with pytest.raises(WrongTarget, match=r"under id 999.*portal_id 12345") as caught:
        pinned([{"id": "999", "subdomain": "academy"}, {"id": 12345, "subdomain": "elsewhere"}])
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("listed", [[], [{"id": 1, "subdomain": "else"}], [{"id": 1, "subdomain": None}]])
def test_a_portal_that_is_not_listed_is_a_warning(listed: list[dict[str, Any]]) -> None:
    """Neither subdomain nor id listed: it could not be checked, which is said once."""
    assert len(pinned(listed)) == 1


def test_the_id_alone_is_enough() -> None:
    """Behind an address of its own the subdomain is not the host's first label; the id is what counts."""
    assert pinned([{"id": 12345, "subdomain": "acme"}]) == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, b'{"message": "not found"}'), None),
        (Reply(401), AccessRefused),
        (Reply(403), AccessRefused),
        (Reply(200, b"<html>"), SourceUntrusted),
    ],
)
def test_what_else_portals_may_answer(reply: Reply, error: type[Exception] | None) -> None:
    """404 is a warning, a refused key 77, and a page for people is not to be trusted."""
    with ScriptedPortal() as portal:
        portal.alter("/portals", reply)
        if error is None:
            assert len(check_portal(portal.client())) == 1
        else:
            with pytest.raises(error):
                check_portal(portal.client())


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://acme.learnupon.com", ["acme"]),
        ("https://ACME.learnuponau.com/", ["acme"]),
        ("http://127.0.0.1:8080/partners", ["partners", "academy", "127"]),
        ("http://localhost:8080", ["academy", "localhost"]),
    ],
)
def test_what_the_subdomain_may_be_called(url: str, names: list[str]) -> None:
    """The host's first label; on loopback the last part of the path and the configured name before it."""
    assert subdomains(url, "academy") == names


def test_rows_of_a_live_answer_join_as_they_are() -> None:
    """A row found alive comes with its values as the listing would have given them."""
    with small_portal() as portal:
        portal.path_enrollments = [path_enrollment(300, 2, 7, status="Completed", unenrolled=True)]
        portal.users = [user(5, sf_contact_id="")]
        client = portal.client()
        row = confirm(client, "path_enrollments", [300]).alive.to_pylist()[0]
        assert (row["status"], row["unenrolled"], row["path_id"]) == ("completed", True, 7)
        assert confirm(client, "users", [5]).alive["sf_contact_id"].to_pylist() == [None]
