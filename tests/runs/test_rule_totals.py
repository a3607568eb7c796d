"""Totals: what memberships and profiles count, over which portals, and what they say without enrollments."""

from __future__ import annotations

from typing import Any

import pytest
from runs.stage import MEMBERSHIP, Stage

COUNTS = ("Enrolled", "Not_Started", "In_Progress", "Pending_Review", "Completed", "Passed", "Failed")


def counts(row: dict[str, Any]) -> list[Any]:
    """Return the seven counts of a membership or profile."""
    return [row[f"LU_Number_{name}__c"] for name in COUNTS]


@pytest.mark.rule("3.12", "3.13", "2.3", "2.8")
def test_each_status_is_counted_alone(stage: Stage) -> None:
    """Enrolled counts all that is not unenrolled; each status its own; an unknown one counts as enrolled only."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact)
    numbers = {"not_started": 1, "in_progress": 2, "pending_review": 3, "completed": 4, "passed": 5, "failed": 6}
    for status, number in numbers.items():
        for _ in range(number):
            stage.enroll(learner, status=status)
        stage.enroll(learner, status=status, unenrolled=True)
    stage.enroll(learner, status="under_appeal")
    stage.synced()
    assert counts(stage.row(MEMBERSHIP, f"12345:member:{learner}")) == [22, 1, 2, 3, 4, 5, 6]
    assert counts(stage.person(contact)) == [22, 1, 2, 3, 4, 5, 6]
    stage.settled()


@pytest.mark.rule("3.13", "3.14", "3.15")
def test_profile_sums_over_all_portals(stage: Stage) -> None:
    """One person in two portals (twice in the first): each membership its own, the profile the sum and the latest."""
    contact = stage.contact()
    again = stage.learner(sf_contact_id=contact, last_sign_in_at=None, id=70)
    first = stage.learner(sf_contact_id=contact[:15], last_sign_in_at="2026-03-01T09:00:00Z", id=50)
    other = stage.learner(stage.partners, sf_contact_id=contact, last_sign_in_at="2026-05-01T09:00:00Z", id=3)
    stage.enroll(first, status="passed")
    stage.enroll(again, status="failed")
    for _ in range(2):
        stage.enroll(other, portal=stage.partners, status="passed")
    stage.synced()
    memberships = {key: counts(row) for key, row in stage.rows(MEMBERSHIP).items()}
    assert memberships == {
        "12345:member:50": [1, 0, 0, 0, 0, 1, 0],
        "12345:member:70": [1, 0, 0, 0, 0, 0, 1],
        "67890:member:3": [2, 0, 0, 0, 0, 2, 0],
    }
    profile = stage.person(contact)
    assert counts(profile) == [4, 0, 0, 0, 0, 3, 1]
    assert profile["LU_Last_Accessed_At__c"] == "2026-05-01T09:00:00.000Z"
    assert profile["LU_User_ID__c"] == 50
    assert stage.row(MEMBERSHIP, "12345:member:70")["LU_Last_Accessed_At__c"] is None
    stage.settled()


@pytest.mark.rule("3.15")
def test_first_portal_is_the_configurations_first(stage: Stage) -> None:
    """Which portal is the first one is the configuration's order, not the ids'; without that portal it is the next."""
    contact, late = stage.contact(), stage.user()
    stage.settings["portals"].reverse()
    stage.learner(sf_contact_id=contact, id=5)
    stage.learner(stage.partners, sf_contact_id=contact, id=9)
    stage.learner(sf_user_id=late, id=6)
    stage.synced()
    assert (stage.person(contact)["LU_User_ID__c"], stage.person(late)["LU_User_ID__c"]) == (9, 6)


@pytest.mark.rule("3.17", "2.2")
def test_no_enrollments_are_zeros(stage: Stage) -> None:
    """A learner with no enrollments has a membership, and zeros there and on the profile, not blanks."""
    user = stage.user()
    learner = stage.learner(sf_user_id=user)
    stage.synced()
    assert counts(stage.row(MEMBERSHIP, f"12345:member:{learner}")) == [0] * 7
    assert counts(stage.person(user)) == [0] * 7
    assert stage.person(user)["LU_User_ID__c"] == learner
    stage.settled()


@pytest.mark.rule("3.16", "3.13")
def test_profiles_follow_from_the_memberships_alone(stage: Stage) -> None:
    """Portals run apart leave profiles alone; `totals` then makes them from the memberships, LearnUpon not asked."""
    contact, user = stage.contact(), stage.user()
    for portal in (stage.academy, stage.partners):
        for ids in ({"sf_contact_id": contact}, {"sf_user_id": user}):
            learner = stage.learner(portal, last_sign_in_at="2026-03-01T09:00:00Z", **ids)
            stage.enroll(learner, portal=portal, status="completed")
    for name in ("partners", "academy"):
        assert not {"Contact", "User"} & {entry.object for entry in stage.synced("run", "--portal", name).effects}
    assert counts(stage.person(contact)) == [None] * 7
    result = stage.synced("totals")
    assert result.learnupon_calls == ()
    for person in (contact, user):
        assert counts(stage.person(person)) == [2, 0, 0, 0, 2, 0, 0]
        assert stage.person(person)["LU_Last_Accessed_At__c"] == "2026-03-01T09:00:00.000Z"
    stage.settled()


@pytest.mark.rule("3.16", "3.11")
def test_a_membership_that_is_left_still_counts_on_the_profile(stage: Stage) -> None:
    """The counts of a membership left as it is (its learner is unmatched now) stay in the profile's sum."""
    contact = stage.contact()
    lost = stage.learner(sf_contact_id=contact)
    kept = stage.learner(stage.partners, sf_contact_id=contact)
    stage.enroll(lost, status="passed")
    stage.synced()
    stage.academy.change_user(lost, sf_contact_id=None)
    stage.enroll(kept, portal=stage.partners, status="failed")
    stage.synced()
    assert counts(stage.person(contact)) == [2, 0, 0, 0, 0, 1, 1]
    assert stage.person(contact)["LU_User_ID__c"] == lost
