"""`backfill`: history for a chosen scope; it creates and updates there, never deletes, and touches nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_ROWS, Row, Stage

NAMES = ("Enrolled", "Not_Started", "In_Progress", "Pending_Review", "Completed", "Passed", "Failed")


def key(number: int, kind: str = "enrollment", portal: int = 12345) -> str:
    """Return the `LU_Key__c` of a row."""
    return f"{portal}:{kind}:{number}"


def counts(row: Row) -> list[Any]:
    """Return the seven counts of a membership or profile."""
    return [row[f"LU_Number_{name}__c"] for name in NAMES]


def held(stage: Stage) -> set[str]:
    """Return the keys of all enrollment and path rows that the org holds."""
    return {*stage.rows(CONTACT_ROWS), *stage.rows(CONTACT_PATHS), *stage.rows(USER_ROWS)}


class Portal:
    """Two learners (`first`, `second`) in two courses and a path of the first portal, another in the second portal."""

    def __init__(self, stage: Stage) -> None:
        """Invent them; the numbers are those of the enrollments: learner, then course."""
        self.contacts = [stage.contact(), stage.contact()]
        self.courses = [stage.course(), stage.course()]
        self.first, self.second = (
            stage.learner(sf_contact_id=contact, email=f"Learner.{n}@example.com")
            for n, contact in enumerate(self.contacts)
        )
        self.path = stage.path(*self.courses)
        self.rows = {
            (who, which): stage.enroll(learner, course, status="passed", percentage=50)
            for who, learner in enumerate((self.first, self.second))
            for which, course in enumerate(self.courses)
        }
        self.paths = [stage.enroll_path(learner, self.path) for learner in (self.first, self.second)]
        self.away = stage.learner(stage.partners, sf_contact_id=self.contacts[0], email="learner.0@example.com")
        self.far = stage.enroll(self.away, stage.course(stage.partners, id=990_001), stage.partners, id=990_002)

    def keys(self, *rows: tuple[int, int]) -> set[str]:
        """Return the keys of course enrollments of the first portal."""
        return {key(self.rows[row]) for row in rows}


def test_everything(stage: Stage) -> None:
    """Without a scope all portals' history comes in, with memberships, totals and profiles, as a run would bring it."""
    world = Portal(stage)
    result = stage.synced("backfill")
    assert len(held(stage)) == 4 + 2 + 1
    assert counts(stage.person(world.contacts[0])) == [3, 1, 0, 0, 0, 2, 0]
    assert result.report["command"] == "backfill"
    stage.settled()


def test_one_portal(stage: Stage) -> None:
    """`--portal` brings in that portal only, its totals too, and leaves profiles to a run that knows all portals."""
    world = Portal(stage)
    result = stage.synced("backfill", "--portal", "partners")
    assert held(stage) == {key(world.far, portal=67890)}
    assert counts(stage.row(MEMBERSHIP, key(world.away, "member", 67890))) == [1, 1, 0, 0, 0, 0, 0]
    assert set(stage.rows("LearnUpon_Portal__c")) == {"67890"}
    assert not result.asked("/academy/")
    assert counts(stage.person(world.contacts[0])) == [None] * 7
    assert stage.run("backfill", "--portal", "nowhere").code == 64


def test_one_course(stage: Stage) -> None:
    """`--course` reads one course and no path; memberships that are missing come without counts, a run fills them."""
    world = Portal(stage)
    result = stage.synced("backfill", "--course", str(world.courses[0]))
    assert held(stage) == world.keys((0, 0), (1, 0))
    assert len(result.asked("/enrollments/search")) == 2  # one in each portal
    assert not result.asked("/learning_path")
    assert {name: counts(row) for name, row in stage.rows(MEMBERSHIP).items()} == {
        key(world.first, "member"): [None] * 7,
        key(world.second, "member"): [None] * 7,
    }
    assert [counts(stage.person(contact)) for contact in world.contacts] == [[None] * 7] * 2
    after = stage.synced()
    assert len(held(stage)) == 7
    assert after.counts(MEMBERSHIP)["updated"] == 2
    assert counts(stage.row(MEMBERSHIP, key(world.first, "member"))) == [2, 0, 0, 0, 0, 2, 0]
    stage.settled()


def test_one_course_leaves_known_totals_alone(stage: Stage) -> None:
    """By `--course` the totals of memberships that are there are not judged: not all enrollments were read."""
    world = Portal(stage)
    stage.synced()
    stage.academy.change_enrollment(world.rows[0, 0], status="failed", percentage=10)
    stage.academy.change_enrollment(world.rows[0, 1], status="failed", percentage=10)
    result = stage.synced("backfill", "--course", str(world.courses[0]))
    assert set(result.sent(CONTACT_ROWS)) == world.keys((0, 0))
    assert {entry.object for entry in result.effects} == {CONTACT_ROWS}
    assert counts(stage.row(MEMBERSHIP, key(world.first, "member"))) == [2, 0, 0, 0, 0, 2, 0]


@pytest.mark.parametrize("by", ["id", "e-mail"])
def test_one_learner(stage: Stage, by: str) -> None:
    """`--learner` finds the learner by id or e-mail (in any case, in every portal): rows, paths and right totals."""
    world = Portal(stage)
    given = str(world.second) if by == "id" else " LEARNER.1@example.COM "
    result = stage.synced("backfill", "--learner", given)
    assert held(stage) == world.keys((1, 0), (1, 1)) | {key(world.paths[1], "path")}
    assert set(stage.rows(MEMBERSHIP)) == {key(world.second, "member")}
    assert counts(stage.row(MEMBERSHIP, key(world.second, "member"))) == [2, 0, 0, 0, 0, 2, 0]
    assert counts(stage.person(world.contacts[1])) == [2, 0, 0, 0, 0, 2, 0]
    assert not result.asked("course_id=")


def test_a_learner_of_two_portals(stage: Stage) -> None:
    """An e-mail that both portals know brings in both, and the profile is the sum."""
    world = Portal(stage)
    stage.synced("backfill", "--learner", "learner.0@example.com")
    expected = world.keys((0, 0), (0, 1)) | {key(world.paths[0], "path"), key(world.far, portal=67890)}
    assert held(stage) == expected
    assert counts(stage.person(world.contacts[0])) == [3, 1, 0, 0, 0, 2, 0]


def test_one_learner_in_one_course(stage: Stage) -> None:
    """`--learner` and `--course` together bring in what is in both, without paths or counts."""
    world = Portal(stage)
    stage.synced("backfill", "--learner", str(world.first), "--course", str(world.courses[1]))
    assert held(stage) == world.keys((0, 1))
    assert counts(stage.row(MEMBERSHIP, key(world.first, "member"))) == [None] * 7


def dated(stage: Stage, *dates: str | None) -> list[int]:
    """Enroll one learner in a course at these moments and return the enrollments."""
    learner, course = stage.learner(), stage.course()
    return [stage.enroll(learner, course, date_enrolled=date) for date in dates]


def test_dates_are_utc_days_and_inclusive(stage: Stage) -> None:
    """Both ends belong to the scope, from the first second of the one UTC day to the last of the other."""
    moments = (
        "2026-03-09T23:59:59Z",
        "2026-03-10T00:00:00Z",
        "2026-03-09T23:30:00-01:00",
        "2026-03-12T23:59:59Z",
        "2026-03-13T00:00:00Z",
        "2026-03-13T00:30:00+01:00",
        None,
    )
    rows = dated(stage, *moments)
    stage.synced("backfill", "--enrolled-from", "2026-03-10", "--enrolled-to", "2026-03-12")
    assert held(stage) == {key(rows[n]) for n in (1, 2, 3, 5)}
    member = next(iter(stage.rows(MEMBERSHIP).values()))
    assert member["LU_Number_Enrolled__c"] == 7, "all enrollments of the learner were read"


@pytest.mark.parametrize(("option", "inside"), [("--enrolled-from", (1, 2)), ("--enrolled-to", (0, 1))])
def test_one_end_is_open(stage: Stage, option: str, inside: tuple[int, ...]) -> None:
    """With one date only the other end is open, for path enrollments too."""
    moments = ("2026-03-09T12:00:00Z", "2026-03-10T12:00:00Z", "2026-03-11T12:00:00Z")
    rows = dated(stage, *moments)
    path, learner = stage.path(stage.course()), stage.learner()
    paths = [stage.enroll_path(learner, path, date_enrolled=moment) for moment in moments]
    stage.synced("backfill", option, "2026-03-10")
    assert held(stage) == {key(rows[n]) for n in inside} | {key(paths[n], "path") for n in inside}


def test_learners_without_rows_between_the_dates_stay_out(stage: Stage) -> None:
    """By dates only learners with a row in scope get a membership and totals."""
    inside = stage.learner()
    stage.enroll(inside, date_enrolled="2026-03-10T12:00:00Z")
    outside = stage.learner()
    stage.enroll(outside, date_enrolled="2026-02-10T12:00:00Z")
    stage.synced("backfill", "--enrolled-from", "2026-03-01")
    assert set(stage.rows(MEMBERSHIP)) == {key(inside, "member")}
    stage.synced()
    stage.settled()


def test_portal_course_and_dates_together(stage: Stage) -> None:
    """Scopes narrow each other down."""
    learner, course, other = stage.learner(), stage.course(), stage.course()
    early, late = (stage.enroll(learner, course, date_enrolled=f"2026-0{n}-10T12:00:00Z") for n in (2, 3))
    stage.enroll(learner, other, date_enrolled="2026-03-10T12:00:00Z")
    stage.synced("backfill", "--portal", "academy", "--course", str(course), "--enrolled-from", "2026-03-10")
    assert held(stage) == {key(late)}
    stage.synced("backfill", "--learner", str(learner), "--enrolled-to", "2026-02-10")
    assert held(stage) == {key(late), key(early)}
