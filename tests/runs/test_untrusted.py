"""Answers of LearnUpon that cannot be trusted, and a portal that is down or empty: a whole run writes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from runs.small_world import SmallWorld, furnish, page_of, quick, stopped
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage

from etl.emulator.faults import Fault

_NEXT = "LU-Has-Next-Page"
Spoil = Callable[[Stage, SmallWorld], Fault]


def _searches(**fault: object) -> Spoil:
    return lambda _, __: Fault.from_json({"match": "enrollments/search", "when": "mid", "times": None, **fault})


def _repeated(stage: Stage, world: SmallWorld) -> Fault:
    first = page_of(stage, "enrollments/search", course_id=world.first_course, page=1)
    return Fault(match=f"/search.*course_id={world.first_course}.*page=2", when="mid", body=first)


def _of_another_course(stage: Stage, world: SmallWorld) -> Fault:
    other = page_of(stage, "enrollments/search", course_id=world.first_course, page=1)
    return Fault(match=f"/search.*course_id={world.second_course}", when="mid", body=other)


def _elsewhere(_: Stage, __: SmallWorld) -> Fault:
    return Fault(match="/users", status=301, headers={"Location": "https://elsewhere.example.net/users"}, times=None)


_ANSWERS: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "a web page": (_searches(when="before", status=200, body="<html>Maintenance</html>"), ("text/html", "page 1")),
    "no word of a next page": (_searches(drop_headers=[_NEXT], times=1), (_NEXT, "missing")),
    "an unreadable next page": (_searches(headers={_NEXT: "perhaps"}, times=1), (_NEXT, "perhaps")),
    "a renamed list": (_searches(replace=['"enrollments"', '"enrolments"']), ("enrollments", "enrolments")),
    "an error that says 200": (_searches(body='{"error": "Portal is busy"}', times=1), ("200", "Portal is busy")),
    "the same page again": (_repeated, ("page 2", "earlier page")),
    "an empty page with a next one": (_searches(body='{"enrollments": []}', headers={_NEXT: "true"}), ("empty page",)),
    "rows of another course": (_of_another_course, ("2 of 2 rows", "filter was ignored")),
    "a redirect": (_elsewhere, ("301", "elsewhere.example.net", "check url")),
    "JSON that ends too early": (_searches(close_after_bytes=40, honest_length=False), ("malformed", "40 bytes")),
    "a row without an id": (_searches(replace=['"id":', '"uid":']), ("id",)),
}


@pytest.mark.parametrize("name", _ANSWERS)
def test_an_answer_that_was_not_asked_for_stops_everything(stage: Stage, name: str) -> None:
    """Any answer that is not what was asked ends with 65, and nothing is written for any portal."""
    world = furnish(stage)
    stage.enroll(stage.learner(stage.partners), portal=stage.partners)
    spoil, words = _ANSWERS[name]
    stage.emu.learnupon_faults.add(spoil(stage, world))
    result = stage.run(clock=quick())
    stopped(result, 65, "portal ", *words)
    assert stage.emu.learnupon_faults.fired
    assert not any(line["complete"] for line in result.report["portals"])


def test_a_page_cut_once_is_asked_for_again(stage: Stage) -> None:
    """A cut answer is repeated, and what comes then counts."""
    furnish(stage)
    stage.emu.learnupon_faults.add(Fault(match="/users", when="mid", close_after_bytes=60))
    assert stage.run(clock=quick()).code == 0
    assert len(stage.rows(MEMBERSHIP)) == 3


def test_one_bad_portal_holds_back_the_others(stage: Stage) -> None:
    """A portal that cannot be trusted stops the other portals' rows too, and the next run brings them in."""
    learner = stage.learner(stage.partners)
    stage.enroll(learner, portal=stage.partners)
    stage.emu.learnupon_faults.add(Fault(match="/academy/.*/users", when="mid", drop_headers=[_NEXT]))
    stopped(stage.run(clock=quick()), 65, "portal academy", _NEXT)
    stage.synced()
    assert list(stage.rows(MEMBERSHIP)) == [f"67890:member:{learner}"]
    stage.settled()


@pytest.mark.parametrize("way", ["empty", "lost"])
def test_a_portal_that_lost_its_learners_changes_nothing(stage: Stage, way: str) -> None:
    """An empty portal, or one without most of its learners, where Salesforce holds 20 rows or more, is not believed."""
    learners = [stage.learner() for _ in range(24)]
    stage.synced()
    before = stage.rows(MEMBERSHIP)
    if way == "empty":
        stage.emu.learnupon_faults.add(
            Fault(match="/academy/.*/users", status=200, body='{"user": []}', headers={_NEXT: "false"}, times=None)
        )
    else:
        for learner in learners[:12]:
            stage.academy.remove_user(learner)
    result = stage.run(clock=quick())
    stopped(result, 3, "max_source_shrink_percent", "academy", "over 20")
    assert stage.rows(MEMBERSHIP) == before
    guard = next(one for one in result.report["guards"] if one["name"] == "max_source_shrink_percent")
    assert (guard["tripped"], guard["value"]) == (True, {"empty": 100, "lost": 50}[way])


def test_enrollments_that_vanish_are_not_believed(stage: Stage) -> None:
    """Enrollments lost by more than a fifth stop the run too, whatever LearnUpon says about each by id."""
    course = stage.course()
    rows = [stage.enroll(stage.learner(), course) for _ in range(24)]
    stage.synced()
    for row in rows[:6]:
        stage.academy.remove_enrollment(row)
    stopped(stage.run(clock=quick()), 3, "max_source_shrink_percent", "25", "enrollments of academy")
    assert len(stage.rows(CONTACT_ROWS)) == 24


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault(match="/users", status=401, body="{}", times=None), 77, ("401", "username and password", "Mend")),
        (Fault(match="/portals", status=403, body="{}", times=None), 77, ("403", "username and password")),
        (Fault(match="/users", status=500, body="oops", times=None), 69, ("5 attempts", "500", "Run again later")),
        (Fault(match="/users", reset=True, times=None), 69, ("5 attempts", "/users", "Run again later")),
        (
            Fault(match="", when="mid", headers={"X-LU-Rate-Limit-Remaining-Week": "12"}, times=None),
            75,
            ("12 are left", "week", "Run again"),
        ),
        (Fault(match="/users", status=429, headers={"Retry-After": "7200"}, times=None), 69, ("7200 s", "Retry-After")),
    ],
    ids=["key refused", "portal refused", "errors for ever", "no answers", "week spent", "hours to wait"],
)
def test_a_portal_that_does_not_serve_us(stage: Stage, fault: Fault, code: int, words: tuple[str, ...]) -> None:
    """Refused credentials are 77, a portal that stays away is 69 after retries, a spent week is 75; nothing written."""
    furnish(stage)
    stage.emu.learnupon_faults.add(fault)
    stopped(stage.run(clock=quick()), code, *words)
    assert stage.emu.learnupon_faults.fired


def test_a_question_without_a_clear_answer_deletes_nothing(stage: Stage) -> None:
    """What LearnUpon says of a missing row must be a 404, an empty list or the row; a web page stops the run."""
    world = furnish(stage)
    gone = stage.enroll(world.learners[0], world.second_course)
    stage.synced()
    stage.academy.remove_enrollment(gone)
    stage.emu.learnupon_faults.add(Fault(match=f"/enrollments/{gone}", status=200, body="<html>?</html>", times=None))
    stopped(stage.run(clock=quick()), 65, "text/html", f"/enrollments/{gone}")
    assert f"12345:enrollment:{gone}" in stage.rows(CONTACT_ROWS)
