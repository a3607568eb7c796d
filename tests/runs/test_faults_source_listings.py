"""Listings of LearnUpon that do not end, are not what was asked for, or may not be read (S4-S6, S20, S21, S30, S31)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from runs.listener import Listener
from runs.school import School, some_long
from runs.small_world import page_of

_NEXT = "LU-Has-Next-Page"
_LISTINGS = {
    "learners": "/users[?]",
    "courses": "/courses[?]",
    "paths": "/learning_paths[?]",
    "enrollments": "/enrollments/search[?]",
    "path enrollments": "/learning_path_enrollments/search[?]",
}


@pytest.mark.fault("S4")
@pytest.mark.parametrize("listing", some_long(_LISTINGS, {"learners", "enrollments"}))
def test_no_word_of_a_next_page(school: School, listing: str) -> None:
    """A page of any listing without LU-Has-Next-Page, the first or a later one, is not taken for the last: 65."""
    school.only(_LISTINGS[listing], drop_headers=[_NEXT])
    school.barred(65, "portal ", "page 1", f"the header {_NEXT} is missing", "whether the listing ends is not known")
    if listing == "enrollments":
        school.only(_LISTINGS[listing] + ".*page=2", drop_headers=[_NEXT])
        school.barred(65, "portal academy", "page 2", f"the header {_NEXT} is missing")


@pytest.mark.fault("S5")
@pytest.mark.parametrize(("yes", "no"), [("True", "FALSE"), ("1", " 0 ")])
def test_a_next_page_in_another_spelling(school: School, yes: str, no: str) -> None:
    """LU-Has-Next-Page in any case, as a number or with blanks is understood: every page is read, nothing differs."""
    knobs = school.stage.store.knobs
    before = (knobs.true_word, knobs.false_word)
    knobs.true_word, knobs.false_word = yes, no
    school.only("/users", delay_s=0.0)
    school.unmoved()
    knobs.true_word, knobs.false_word = before


@pytest.mark.fault("S5", "S6")
@pytest.mark.parametrize("listing", some_long(_LISTINGS, {"learners", "paths"}))
def test_a_listing_without_an_end(school: School, listing: str) -> None:
    """A next page announced for ever ends at the first empty or repeated page: 65, after few requests."""
    school.only(_LISTINGS[listing], headers={_NEXT: "true"})
    result = school.barred(65, "portal ", "the listing does not end")
    assert len(result.learnupon_calls) < 60


def _rows_of_page_1(school: School) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    course = school.world.first_course
    first = page_of(school.stage, "enrollments/search", course_id=course, page=1).decode()
    words = (f"course_id {course}, page 2", "same rows came on an earlier page")
    return f"/academy/.*/search.*course_id={course}.*page=2", {"body": first}, words


def _number_of_page_1(school: School) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    where = f"/academy/.*/search.*course_id={school.world.first_course}.*page=2"
    return where, {"headers": {"LU-Current-Page": "1"}}, ("page 2 was asked for", "LU-Current-Page is 1")


def _learners_of_page_1(school: School) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    first = page_of(school.stage, "users", page=1).decode()
    return "/academy/.*/users.*page=2", {"body": first}, ("GET /users (page 2)", "same rows came on an earlier page")


def _portals_for_ever(_: School) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    spoilt: dict[str, Any] = {"headers": {_NEXT: "true"}, "body": '{"portals": [{"id": 1, "subdomain": "x"}]}'}
    return "/academy/.*/portals", spoilt, ("GET /portals has no end",)


@pytest.mark.fault("S6")
@pytest.mark.parametrize(
    "spoil",
    some_long([_rows_of_page_1, _number_of_page_1, _learners_of_page_1, _portals_for_ever], {_rows_of_page_1}),
    ids=lambda one: one.__name__,
)
def test_a_page_that_was_not_asked_for(
    school: School, spoil: Callable[[School], tuple[str, dict[str, Any], tuple[str, ...]]]
) -> None:
    """Page 1 served for page 2, told by its number or its rows, is neither taken twice nor asked for for ever: 65."""
    where, spoilt, words = spoil(school)
    school.only(where, **spoilt)
    school.barred(65, "portal academy", *words)


@pytest.mark.fault("S20")
@pytest.mark.parametrize("more", ["true", "false"])
def test_a_page_that_lost_rows_on_the_way(school: School, more: str) -> None:
    """A page cut to fewer rows that is still JSON deletes nothing: what it lacks is asked for by id and stays."""
    course = school.world.first_course
    page = page_of(school.stage, "enrollments/search", course_id=course, page=1)
    short = page[: page.index(b',{"id":')] + b"]}"
    school.only(
        f"/academy/.*/enrollments/search.*course_id={course}.*page=1", body=short.decode(), headers={_NEXT: more}
    )
    result = school.unmoved()
    missing = 1 if more == "true" else 2
    assert len([row for row in school.stage.academy.enrollments if result.asked(f"/enrollments/{row}")]) == missing
    assert f"asked about {missing} missing enrollments, 0 are gone" in result.err


def _other_course(school: School) -> tuple[str, bytes, str]:
    body = page_of(school.stage, "enrollments/search", course_id=school.world.first_course, page=1)
    return f"/academy/.*/enrollments/search.*course_id={school.world.second_course}", body, "of course_id"


def _other_path(school: School) -> tuple[str, bytes, str]:
    body = page_of(school.stage, "learning_path_enrollments/search", lp_id=school.paths[1], page=1)
    return f"/learning_path_enrollments/search.*lp_id={school.paths[0]}", body, "of lp_id"


@pytest.mark.fault("S21")
@pytest.mark.parametrize(
    "other", some_long([_other_course, _other_path], {_other_course}), ids=lambda one: one.__name__
)
def test_a_filter_that_is_ignored(school: School, other: Callable[[School], tuple[str, bytes, str]]) -> None:
    """Rows of another course or path than was asked for are a filter that LearnUpon ignored: 65, with both numbers."""
    where, body, words = other(school)
    school.only(where, body=body.decode())
    school.barred(65, "portal academy", "rows are not", words, "the filter was ignored")


@pytest.mark.fault("S21")
def test_a_learner_filter_that_is_ignored(school: School) -> None:
    """A backfill of one learner that is answered with everybody's rows brings in none of them: 65."""
    body = page_of(school.stage, "enrollments/search", course_id=school.world.first_course, page=1)
    school.only("/enrollments/search[?].*user_id=", body=body.decode())
    arguments = ("backfill", "--portal", "academy", "--learner", str(school.world.learners[2]))
    school.barred(65, "rows are not of user_id", "the filter was ignored", arguments=arguments)


@pytest.mark.fault("S30")
@pytest.mark.parametrize("status", some_long([403, 404], {403}))
def test_one_course_that_may_not_be_read(school: School, status: int) -> None:
    """A course whose rows LearnUpon will not show is no course without rows: 77 or 65, and its rows stay."""
    where = f"/academy/.*/enrollments/search.*course_id={school.world.second_course}"
    school.answer(where, status, '{"message": "Not for you"}')
    words = "the key pair was refused" if status == 403 else "Not for you"
    place = f"course_id {school.world.second_course}, page 1"
    school.barred(77 if status == 403 else 65, "portal academy", place, f"HTTP {status}", words)


@pytest.mark.fault("S31")
@pytest.mark.parametrize(
    ("status", "where"),
    [
        (302, "/users"),
        pytest.param(301, "/portals", marks=pytest.mark.long),
        pytest.param(308, "/enrollments/search", marks=pytest.mark.long),
    ],
)
def test_a_redirect_is_not_followed(school: School, status: int, where: str) -> None:
    """A redirect to another host is refused with its name, and that host hears nothing, let alone the key pair: 65."""
    with Listener() as elsewhere:
        school.answer(where, status, Location=elsewhere.url.replace("127.0.0.1", "localhost") + "/api/v1/users")
        school.barred(
            65, f"HTTP {status}", "a redirect to localhost", "is not followed with the key pair", "check url of portal"
        )
    assert elsewhere.told == []
