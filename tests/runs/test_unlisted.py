"""Rows that LearnUpon has but does not list: of archived paths and of courses that are gone; they are not lost."""

from __future__ import annotations

import stat
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas import Series
from runs import package_org as package
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, Stage

from etl.stages.judge import draw

ON, DONE = "Number_Of_Courses_On_Path__c", "Number_Of_Courses_Completed_On_Path__c"


def key(number: int, row: str = "enrollment") -> str:
    """Return the key of a row of the first portal."""
    return f"12345:{row}:{number}"


def archive(stage: Stage, path: int) -> None:
    """Archive a path: LearnUpon lists it no more, nor its enrollments, which it still has."""
    stage.academy.paths[path]["published_status_id"] = "archived"
    stage.academy.touch()


def passed(stage: Stage, learner: int) -> Any:
    """Return how many courses a learner has passed by the membership."""
    return stage.row(MEMBERSHIP, key(learner, "member"))["LU_Number_Passed__c"]


def _on_paths(stage: Stage) -> dict[str, tuple[Any, Any, Any]]:
    return {name: (row[ON], row[DONE], row["Status__c"]) for name, row in stage.rows(CONTACT_PATHS).items()}


@pytest.mark.parametrize("command", [("run",), ("backfill", "--learner", "{learner}")])
def test_an_archived_path_keeps_its_numbers(stage: Stage, command: tuple[str, ...]) -> None:
    """How many courses an archived path has is not known: a row keeps its numbers, takes all else, and is told of."""
    learner, courses = stage.learner(), [stage.course() for _ in range(3)]
    for course in courses[:2]:
        stage.enroll(learner, course, status="passed")
    path = stage.path(*courses)
    number = stage.enroll_path(learner, path, status="in_progress")
    stage.synced()
    archive(stage, path)
    stage.academy.change_path_enrollment(number, status="completed")
    result = stage.synced(*(word.format(learner=learner) for word in command))
    assert _on_paths(stage) == {key(number, "path"): (3, 2, "Completed")}
    assert "1 enrollments are on learning paths that LearnUpon does not list" in result.warnings
    stage.settled()


def test_an_archived_path_that_is_new_has_no_numbers(stage: Stage) -> None:
    """Of a path never seen while it was listed the numbers are blank, and not 0."""
    learner, path = stage.learner(), stage.path(stage.course())
    number = stage.enroll_path(learner, path, status="completed")
    archive(stage, path)
    stage.synced("backfill", "--learner", str(learner))
    assert _on_paths(stage) == {key(number, "path"): (None, None, "Completed")}
    stage.settled()


def test_questions_come_round_to_every_row(stage: Stage) -> None:
    """Rows that stay unlisted though they are there keep no other row from being asked about, night after night."""
    stage.configure(guards={"max_confirmations": 2})
    learner, course = stage.learner(), stage.course()
    orphans = [stage.enroll(learner, course, status="passed") for _ in range(3)]
    removed = stage.enroll(learner, status="in_progress")
    on_path = stage.enroll_path(learner, stage.path(stage.course()), status="in_progress")
    stage.synced()
    stage.academy.remove_course(course)
    stage.academy.remove_enrollment(removed)
    stage.academy.remove_path_enrollment(on_path)
    chance = Random(1)  # noqa: S311 - a test's dice
    for _ in range(8):
        stage.run("run", random=chance)
    assert set(stage.rows(CONTACT_ROWS)) == {key(number) for number in orphans}
    assert stage.rows(CONTACT_PATHS) == {}


@given(st.lists(st.integers(0, 6), min_size=1, max_size=3), st.integers(0, 12), st.randoms())
def test_as_many_are_drawn_as_there_is_room_for(sizes: list[int], room: int, chance: Random) -> None:
    """All are asked about when there is room, else as many as there is room for, and in time every one of them."""
    kinds = ("member", "enrollment", "path")
    missing = {kind: Series(range(size), dtype="int64") for kind, size in zip(kinds, sizes, strict=False)}
    drawn = draw(missing, room, chance)  # type: ignore[arg-type] # a dict of the same names
    assert sum(len(codes) for codes in drawn.values()) == min(room, sum(sizes))
    assert all(set(drawn[kind]) <= set(codes) for kind, codes in missing.items())  # type: ignore[index]
    rounds = [draw(missing, room, Random(seed)) for seed in range(60)]  # type: ignore[arg-type] # noqa: S311
    seen = {(kind, code) for one in rounds for kind, codes in one.items() for code in codes}
    assert len(seen) == (sum(sizes) if room else 0)


@pytest.mark.rule("3.12")
@pytest.mark.parametrize("most", [0, 1])
def test_a_row_that_nobody_asked_about_still_counts(stage: Stage, most: int) -> None:
    """Absence is not proof for totals either: an unconfirmed row counts as Salesforce has it."""
    learner, course = stage.learner(), stage.course()
    for _ in range(2):
        stage.enroll(learner, course, status="passed")
    stage.enroll(learner, status="passed")
    stage.synced()
    assert passed(stage, learner) == 3
    stage.academy.remove_course(course)
    stage.configure(guards={"max_confirmations": most})
    result = stage.synced()
    assert (passed(stage, learner), result.effects) == (3, [])
    assert result.counts(CONTACT_ROWS)["unconfirmed"] == 2 - most


@pytest.mark.parametrize("scope", [("--portal", "academy"), ("--enrolled-from", "2001-01-01"), ("--learner", "{id}")])
def test_a_backfill_lowers_no_totals(stage: Stage, scope: tuple[str, ...]) -> None:
    """A backfill asks nobody: what Salesforce holds of a learner and LearnUpon does not list still counts."""
    contact = stage.contact()
    learner, course = stage.learner(sf_contact_id=contact), stage.course()
    other = stage.learner()
    for who in (learner, other):
        stage.enroll(who, course, status="passed")
    stage.enroll(learner, status="passed")
    stage.synced()
    stage.academy.remove_course(course)
    stage.synced()
    result = stage.synced("backfill", *(word.format(id=learner) for word in scope))
    assert result.effects == []
    assert (passed(stage, learner), stage.person(contact)["LU_Number_Passed__c"], passed(stage, other)) == (2, 2, 1)


def _with_an_archived_path(stage: Stage) -> None:
    """Twenty enrollments on paths, synced; then the path of five of them is archived."""
    course = stage.course()
    listed, archived = stage.path(course), stage.path(course)
    for number in range(20):
        stage.enroll_path(stage.learner(), listed if number < 15 else archived, status="completed")
    stage.synced()
    archive(stage, archived)


def test_what_was_accepted_once_stops_no_later_run(stage: Stage) -> None:
    """Missing rows stop the run by their share until a person lets one pass: from then on they are no news."""
    _with_an_archived_path(stage)
    result = stage.run()
    assert (result.code, result.effects) == (3, [])
    assert "max_source_shrink_percent: 25 is over 20 (path enrollments of academy)" in result.err
    stage.configure(guards={"max_source_shrink_percent": 50})
    stage.synced()
    stage.configure(guards={"max_source_shrink_percent": 20})
    for _ in range(2):
        assert stage.synced().effects == []


@pytest.mark.parametrize("left", ["", "{", '{"format": 1, "orgs": {"ORG": {"12345:path": ["x", -1]}}}'])
def test_without_what_was_accepted_all_is_news(stage: Stage, left: str) -> None:
    """A state folder that forgot, or a file that is torn or says nonsense, makes missing rows news again: 3."""
    _with_an_archived_path(stage)
    stage.configure(guards={"max_source_shrink_percent": 50})
    stage.synced()
    stage.configure(guards={"max_source_shrink_percent": 20})
    file = stage.state_dir / "missing.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text(left.replace("ORG", stage.org.org_id))
    assert stage.run().code == 3


def test_a_package_without_a_flag_is_not_stopped_for_ever(tmp_path: Path) -> None:
    """Kept rows of LearnUpon's package, which has no flag, are missing every night, and are news in the first alone."""
    with Stage(tmp_path, namespace=package.SPACE) as stage:
        learner, course = stage.learner(), stage.course()
        numbers = [stage.enroll(learner, course, status="passed") for _ in range(20)]
        stage.synced()
        for night in range(3):
            for number in numbers[night * 3 : night * 3 + 3]:
                stage.academy.remove_enrollment(number)
            assert package.local(stage.synced().sent(package.api(CONTACT_ROWS))) == {}
        assert len(package.enrollments(stage, CONTACT_ROWS)) == 20
