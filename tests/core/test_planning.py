"""The plan as a whole, on paper: every rule of who, what, kept, deleted and moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from core.situations import Portal, World, contact, enrollment, learner, path_enrollment, user

from etl.schema import CONTACT, CONTACT_ENROLLMENT, CONTACT_PATH, MEMBERSHIP, PORTAL, USER, USER_ENROLLMENT

CE, UE, CP, M = CONTACT_ENROLLMENT.name, USER_ENROLLMENT.name, CONTACT_PATH.name, MEMBERSHIP.name


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two empty portals and an empty org."""
    return World(tmp_path)


def test_first_load_creates_parents_rows_and_profiles(world: World) -> None:
    """A matched learner gets portal, membership, enrollment rows and a profile."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5, "passed", percentage=80.0)])
    plan = world.run()
    assert {name: part.counts.create for name, part in plan.entities.items() if part.counts.create} == {
        PORTAL.name: 2,
        M: 1,
        CE: 1,
    }
    assert world.org[CE]["11:enrollment:7"]["SFContact__c"] == contact(5)
    assert world.org[CE]["11:enrollment:7"]["Status__c"] == "Passed"
    assert world.org[M]["11:member:5"]["LU_Number_Passed__c"] == 1
    assert world.org["Contact"][contact(5)]["LU_Number_Enrolled__c"] == 1
    assert world.org["Contact"][contact(5)]["LU_User_ID__c"] == 5


def test_second_plan_is_empty(world: World) -> None:
    """Running twice changes nothing the second time."""
    world.portals[0] = Portal(
        [learner(5), learner(6, sf_contact_id=None, sf_user_id=user(6))],
        [enrollment(7, 5, "passed"), enrollment(8, 6), enrollment(9, 6, "failed", unenrolled=True)],
        [path_enrollment(3, 5, 1)],
        [{"path_id": 1, "course_id": 1, "course_source_id": 1}],
    )
    world.run()
    assert world.plan().changes == 0


def test_both_portals_of_a_person_add_up(world: World) -> None:
    """The profile sums a person's memberships in all portals; the user id is that of the first portal."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5, "passed")])
    world.portals[1] = Portal([learner(9, sf_contact_id=contact(5))], [enrollment(7, 9), enrollment(8, 9, "failed")])
    world.run()
    profile = world.org["Contact"][contact(5)]
    assert (profile["LU_User_ID__c"], profile["LU_Number_Enrolled__c"], profile["LU_Number_Failed__c"]) == (5, 3, 1)


def test_a_row_listed_twice_is_one_row(world: World) -> None:
    """Listed twice, by other pages or as it changed meanwhile, an enrollment is one row, the newest, counted once."""
    day = pd.Timestamp("2026-11-20", tz="UTC").as_unit("s")
    new = enrollment(7, 5, "passed", updated_at=day)
    world.portals[0] = Portal([learner(5)], [new, enrollment(7, 5, updated_at=day - pd.Timedelta(days=1)), new])
    plan = world.run()
    assert plan.entities[CE].counts.create == 1
    assert world.org[CE]["11:enrollment:7"]["Status__c"] == "Passed"
    assert world.org[M]["11:member:5"]["LU_Number_Enrolled__c"] == 1
    assert world.plan().changes == 0


def test_absent_rows_stay_until_confirmed(world: World) -> None:
    """A row missing from the listing is left alone and counted until LearnUpon says it is gone."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5), enrollment(8, 5, "passed")])
    world.run()
    world.portals[0].enrollments = []
    counts = world.plan().entities[CE].counts
    assert (counts.unconfirmed, counts.delete, counts.existing) == (2, 0, 2)


def test_confirmed_gone_rows_are_deleted_or_kept_by_their_status(world: World) -> None:
    """Gone and unfinished is deleted; gone and finished is kept as it is and flagged, and not asked about again."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5), enrollment(8, 5, "passed")])
    world.run()
    world.portals[0].enrollments = []
    world.gone = {"enrollment": [(0, 7), (0, 8)]}
    plan = world.run()
    assert plan.entities[CE].deletes.read()["reason"].to_pylist() == ["gone"]
    assert list(world.org[CE]) == ["11:enrollment:8"]
    assert world.org[CE]["11:enrollment:8"]["Removed_In_LearnUpon__c"]
    world.gone = {}
    again = world.plan()
    assert (again.changes, again.entities[CE].counts.kept) == (0, 1)


def test_unenrolled_unfinished_has_no_row_and_finished_is_flagged(world: World) -> None:
    """While LearnUpon lists a row as unenrolled its status there decides, on a first load too."""
    world.portals[0] = Portal(
        [learner(5)], [enrollment(7, 5, unenrolled=True), enrollment(8, 5, "passed", unenrolled=True)]
    )
    world.run()
    assert {key: row["Removed_In_LearnUpon__c"] for key, row in world.org[CE].items()} == {"11:enrollment:8": True}
    assert world.org[M]["11:member:5"]["LU_Number_Enrolled__c"] == 0


def test_unenrolling_deletes_an_unfinished_row(world: World) -> None:
    """An existing row whose enrollment becomes unenrolled and unfinished is deleted, with that proof."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5)])
    world.run()
    world.portals[0].enrollments = [enrollment(7, 5, unenrolled=True)]
    assert world.plan().entities[CE].deletes.read()["reason"].to_pylist() == ["unenrolled"]


def test_reappearing_row_loses_the_flag(world: World) -> None:
    """A flagged row that LearnUpon lists again loses the flag."""
    world.portals[0] = Portal([learner(5)], [enrollment(8, 5, "passed", unenrolled=True)])
    world.run()
    world.portals[0].enrollments = [enrollment(8, 5, "passed")]
    world.run()
    assert not world.org[CE]["11:enrollment:8"]["Removed_In_LearnUpon__c"]


def test_gone_learner_keeps_membership_with_zero_counts(world: World) -> None:
    """A learner confirmed gone keeps the membership, flagged, with counts 0; the id and last access stay."""
    world.portals[0] = Portal([learner(5, last_sign_in_at="2026-02-01T00:00:00Z")], [enrollment(7, 5, "passed")])
    world.run()
    world.portals[0] = Portal()
    world.gone = {"member": [(0, 5)], "enrollment": [(0, 7)]}
    world.run()
    member, profile = world.org[M]["11:member:5"], world.org["Contact"][contact(5)]
    assert member["Removed_In_LearnUpon__c"]
    assert member["LU_Number_Enrolled__c"] == profile["LU_Number_Enrolled__c"] == 0
    assert profile["LU_User_ID__c"] == 5
    assert profile["LU_Last_Accessed_At__c"] is not None
    world.gone = {}
    assert world.plan().changes == 0


def test_unmatched_learner_leaves_rows_as_they_are(world: World) -> None:
    """Rows of a learner who is still listed but no longer matched stay as they are, listed or not."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5), enrollment(8, 5)])
    world.run()
    world.portals[0] = Portal([{"user_id": 5}], [enrollment(7, 5, "passed")])
    plan = world.plan()
    assert plan.changes == 0
    assert plan.entities[CE].counts.unchanged == 2


def test_mover_gets_the_new_row_and_loses_the_old_one(world: World) -> None:
    """A learner who becomes a User gets rows there; the old ones are deleted, finished or flagged or not."""
    world.portals[0] = Portal(
        [learner(5)], [enrollment(7, 5), enrollment(8, 5, "passed"), enrollment(9, 5, "failed", unenrolled=True)]
    )
    world.run()
    world.portals[0].enrollments.pop()
    world.portals[0].users = [{"user_id": 5, "sf_user_id": user(5)}]
    world.gone = {"enrollment": [(0, 9)]}
    plan = world.run()
    assert plan.entities[CE].deletes.read()["reason"].to_pylist() == ["moved"] * 3
    assert sorted(world.org[UE]) == ["11:enrollment:7", "11:enrollment:8", "11:enrollment:9"]
    assert world.org[CE] == {}
    assert world.org["Contact"][contact(5)]["LU_Number_Enrolled__c"] == 0
    assert world.org["User"][user(5)]["LU_Number_Enrolled__c"] == 2
    assert world.plan().changes == 0


def test_a_mover_whose_new_row_is_impossible_keeps_the_old_one(world: World) -> None:
    """A row is deleted as moved only when its new row can be written: else it stays, unconfirmed, and is listed."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5, "failed"), enrollment(8, 5)])
    world.run()
    shapes = dict(world.shapes[UE])
    shapes["Status__c"] = replace(shapes["Status__c"], choices=frozenset({"In Progress"}))
    world.shapes[UE] = shapes
    world.portals[0].users = [{"user_id": 5, "sf_user_id": user(5)}]
    plan = world.run()
    assert plan.rejected["key"].tolist() == ["11:enrollment:7"]
    assert (list(world.org[CE]), list(world.org[UE])) == (["11:enrollment:7"], ["11:enrollment:8"])
    counts = plan.entities[CE].counts
    assert (counts.delete, counts.unconfirmed, counts.existing) == (1, 1, 2)
    assert world.plan().changes == 0


def test_other_contact_takes_rows_over(world: World) -> None:
    """A learner who becomes another Contact takes the rows along; the old Contact's counts become 0."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5)])
    world.run()
    world.portals[0].users = [learner(5, sf_contact_id=contact(6))]
    world.run()
    assert world.org[CE]["11:enrollment:7"]["SFContact__c"] == contact(6)
    assert world.org["Contact"][contact(5)]["LU_Number_Enrolled__c"] == 0
    assert world.org["Contact"][contact(6)]["LU_Number_Enrolled__c"] == 1


def test_foreign_profiles_are_not_touched(world: World) -> None:
    """A person with a LearnUpon id that is none of ours belongs to somebody else and stays as it is."""
    world.org["Contact"][contact(77)] = {"LU_User_ID__c": 4711, "LU_Number_Enrolled__c": 9}
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5)])
    world.run()
    assert world.org["Contact"][contact(77)]["LU_Number_Enrolled__c"] == 9


def test_path_progress_counts_a_course_once_by_id_or_source(world: World) -> None:
    """A course of a path is done by a passed or completed enrollment on its id or source, once, not unenrolled."""
    world.portals[0] = Portal(
        [learner(5)],
        [
            enrollment(1, 5, "passed", course_id=101, course_source_id=100),
            enrollment(2, 5, "completed", course_id=102, course_source_id=100),
            enrollment(3, 5, "failed", course_id=200, course_source_id=200),
            enrollment(4, 5, "passed", course_id=300, course_source_id=300, unenrolled=True),
        ],
        [path_enrollment(9, 5, 1)],
        [{"path_id": 1, "course_id": course, "course_source_id": course} for course in (100, 200, 300)],
    )
    world.run()
    row = world.org[CP]["11:path:9"]
    assert (row["Number_Of_Courses_On_Path__c"], row["Number_Of_Courses_Completed_On_Path__c"]) == (3, 1)


def test_rejected_rows_are_listed_and_add_up(world: World) -> None:
    """A value that cannot be held rejects its row with a reason; the counts still add up; the old row stays."""
    world.portals[0] = Portal([learner(5)], [enrollment(7, 5, percentage=50.0)])
    world.run()
    world.portals[0].enrollments = [enrollment(7, 5, percentage=123456.0), enrollment(8, 5, percentage=99999.0)]
    plan = world.plan()
    counts = plan.entities[CE].counts
    assert (counts.rejected, counts.unconfirmed, counts.existing, counts.desired) == (2, 1, 1, 2)
    assert plan.rejected["key"].tolist() == ["11:enrollment:7", "11:enrollment:8"]
    assert USER.name in plan.entities
    assert CONTACT.name in plan.entities
