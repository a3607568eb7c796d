"""Learners who move: a Contact becomes a User, a User a Contact, or one Contact another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from runs.result import Result
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_PATHS, USER_ROWS, Stage

PORTAL = "LearnUpon_Portal__c"
TO_USER = {CONTACT_ROWS: USER_ROWS, CONTACT_PATHS: USER_PATHS}


def in_order(result: Result, objects: dict[str, str]) -> None:
    """See in the ledger that every row was made in its new object before any row of the old one went."""
    made = [one.seq for one in result.effects if one.object in objects.values() and one.operation == "create"]
    gone = [one.seq for one in result.effects if one.object in objects and one.operation == "delete"]
    assert made
    assert gone
    assert max(made) < min(gone)


def flags(stage: Stage, objects: Iterable[str]) -> set[str]:
    """Return the keys of these objects' rows that are flagged."""
    return {key for name in objects for key, row in stage.rows(name).items() if row["Removed_In_LearnUpon__c"]}


def load(stage: Stage, learner: int) -> tuple[set[str], set[str]]:
    """Enroll a learner in every way a row can be: unfinished, finished, unenrolled, gone before; return the keys."""
    course = stage.course()
    path = stage.path(course)
    numbers = [stage.enroll(learner, course, status=status) for status in ("in_progress", "passed", "failed")]
    numbers.append(stage.enroll(learner, course, status="completed", unenrolled=True))
    paths = [stage.enroll_path(learner, path, status=status) for status in ("in_progress", "completed")]
    stage.synced()
    stage.academy.remove_enrollment(numbers[2])
    stage.academy.remove_path_enrollment(paths[1])
    stage.synced()
    return {f"12345:enrollment:{number}" for number in numbers}, {f"12345:path:{number}" for number in paths}


@pytest.mark.rule("3.46", "3.47", "3.49", "3.9")
@pytest.mark.parametrize("target", ["user", "contact"])
def test_a_learner_changes_sides(stage: Stage, target: str) -> None:
    """All rows, finished, flagged or not, are made in the new object and only then deleted in the old one."""
    people = {"contact": stage.contact(), "user": stage.user()}
    source = "user" if target == "contact" else "contact"
    objects = TO_USER if target == "user" else {new: old for old, new in TO_USER.items()}
    nobody: dict[str, str | None] = {"sf_contact_id": None, "sf_user_id": None}
    ids: dict[str, dict[str, Any]] = {side: {**nobody, f"sf_{side}_id": people[side]} for side in (source, target)}
    learner = stage.learner(**ids[source], last_sign_in_at="2026-03-01T09:00:00Z")
    rows, paths = load(stage, learner)
    flagged = flags(stage, objects)
    assert len(flagged) == 3
    stage.academy.change_user(learner, **ids[target])
    result = stage.synced()
    in_order(result, objects)
    for (old, new), keys in zip(objects.items(), (rows, paths), strict=True):
        assert stage.rows(old) == {}
        assert set(stage.rows(new)) == keys
        assert set(result.reasons(old).values()) == {"moved"}
        lookup = f"SF{target.title()}__c"
        assert {row[lookup] for row in stage.rows(new).values()} == {people[target]}
    assert flags(stage, objects.values()) == flagged
    member = stage.row(MEMBERSHIP, f"12345:member:{learner}")
    assert (member[f"{target.title()}__c"], member[f"{source.title()}__c"]) == (people[target], None)
    before, after = stage.person(people[source]), stage.person(people[target])
    assert (before["LU_Number_Enrolled__c"], before["LU_Number_Passed__c"]) == (0, 0)
    assert (after["LU_Number_Enrolled__c"], after["LU_Number_Passed__c"], after["LU_User_ID__c"]) == (2, 1, learner)
    stage.settled()


@pytest.mark.rule("3.49", "3.47")
def test_the_old_person_keeps_what_another_portal_counts(stage: Stage) -> None:
    """Who moves in one portal leaves the old person with the counts and the id of the memberships that remain."""
    contact, user = stage.contact(), stage.user()
    mover = stage.learner(sf_contact_id=contact, last_sign_in_at="2026-05-01T09:00:00Z")
    other = stage.learner(stage.partners, sf_contact_id=contact, last_sign_in_at="2026-02-01T09:00:00Z")
    number = stage.enroll(mover, status="passed")
    stays = stage.enroll(other, portal=stage.partners, status="failed")
    stage.synced()
    stage.academy.change_user(mover, sf_contact_id=None, sf_user_id=user)
    result = stage.synced()
    assert result.done(CONTACT_ROWS, "delete") == [f"12345:enrollment:{number}"]
    assert set(stage.rows(CONTACT_ROWS)) == {f"67890:enrollment:{stays}"}
    old, new = stage.person(contact), stage.person(user)
    names = ("LU_Number_Enrolled__c", "LU_Number_Passed__c", "LU_Number_Failed__c", "LU_User_ID__c")
    assert [old[name] for name in names] == [1, 0, 1, other]
    assert [new[name] for name in names] == [1, 1, 0, mover]
    assert old["LU_Last_Accessed_At__c"] == "2026-02-01T09:00:00.000Z"
    stage.settled()


@pytest.mark.rule("3.48", "3.49", "3.50")
def test_another_contact_takes_the_rows_over(stage: Stage) -> None:
    """From Contact to Contact the rows stay where they are and change their lookup only, flagged ones too."""
    first, second = stage.contact(), stage.contact()
    learner = stage.learner(sf_contact_id=first)
    rows, paths = load(stage, learner)
    stage.academy.change_user(learner, sf_contact_id=second[:15])
    result = stage.synced()
    assert result.sent(CONTACT_ROWS) == {key: {"LU_Key__c": key, "SFContact__c": second} for key in rows}
    assert result.sent(CONTACT_PATHS) == {key: {"LU_Key__c": key, "SFContact__c": second} for key in paths}
    member = f"12345:member:{learner}"
    assert result.sent(MEMBERSHIP) == {member: {"LU_Key__c": member, "Contact__c": second}}
    assert {entry.operation for entry in result.effects} == {"update"}
    assert (stage.person(first)["LU_Number_Enrolled__c"], stage.person(second)["LU_Number_Enrolled__c"]) == (0, 2)
    stage.settled()


@pytest.mark.rule("3.46", "3.47")
def test_an_unenrolled_and_unfinished_row_does_not_move(stage: Stage) -> None:
    """A row that is to go anyway is deleted where it is and not made anew on the other side."""
    stage.store.knobs.list_unfinished_unenrolled = True
    contact, user = stage.contact(), stage.user()
    learner = stage.learner(sf_contact_id=contact)
    kept, left, gone = (stage.enroll(learner, status="in_progress") for _ in range(3))
    stage.synced()
    stage.academy.unenroll(left)
    stage.academy.remove_enrollment(gone)
    stage.academy.change_user(learner, sf_contact_id=None, sf_user_id=user)
    result = stage.synced()
    assert result.done(USER_ROWS, "create") == [f"12345:enrollment:{kept}"]
    names = {kept: "moved", left: "unenrolled", gone: "gone"}
    assert result.reasons(CONTACT_ROWS) == {f"12345:enrollment:{number}": reason for number, reason in names.items()}
    stage.settled()


@pytest.mark.rule("3.46", "3.47", "3.35")
def test_a_finished_row_gone_in_the_night_of_the_move_moves_too(stage: Stage) -> None:
    """A finished row that is gone and whose learner moved stays, on the new side, flagged, with Salesforce's values."""
    contact, user = stage.contact(), stage.user()
    learner = stage.learner(sf_contact_id=contact)
    number = stage.enroll(learner, status="passed", percentage=91)
    stage.synced()
    stage.academy.remove_enrollment(number)
    stage.academy.change_user(learner, sf_contact_id=None, sf_user_id=user)
    in_order(stage.synced(), TO_USER)
    row = stage.row(USER_ROWS, f"12345:enrollment:{number}")
    assert (row["SFUser__c"], row["Score__c"], row["Status__c"]) == (user, 91, "Passed")
    assert row["Removed_In_LearnUpon__c"] is True
    assert stage.rows(CONTACT_ROWS) == {}
    stage.settled()


@pytest.mark.rule("3.49")
@pytest.mark.parametrize("other", [None, 999_999])
def test_a_person_whose_number_was_changed_is_cleared_too(stage: Stage, other: int | None) -> None:
    """Whom a membership leaves is cleared, whatever LearnUpon id is there, unless another portal's refers to them."""
    person, shared, now = stage.contact(), stage.contact(), stage.contact()
    learners = [stage.learner(sf_contact_id=one) for one in (person, shared)]
    for learner in learners:
        stage.enroll(learner, status="passed")
    stage.synced()
    portal = stage.org.insert(PORTAL, {"Name": "Other", "LU_Key__c": "777", "Portal_Id__c": 777}, record=False)
    row = {"LU_Key__c": "777:member:5", "LearnUpon_Portal__c": portal, "Contact__c": shared}
    stage.org.insert(MEMBERSHIP, row, record=False)
    for one, learner in zip((person, shared), learners, strict=True):
        stage.org.update("Contact", one, {"LU_User_ID__c": other})
        stage.academy.change_user(learner, sf_contact_id=now)
    stage.synced()
    left = [stage.person(one) for one in (person, shared)]
    assert [(one["LU_User_ID__c"], one["LU_Number_Passed__c"]) for one in left] == [(None, 0), (other, 1)]
    stage.settled()
