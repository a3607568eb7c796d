"""Learners who are gone, and rows that are not ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, Stage

from etl.emulator.faults import Fault

FLAG = "Removed_In_LearnUpon__c"
NAMES = ("Enrolled", "Not_Started", "In_Progress", "Pending_Review", "Completed", "Passed", "Failed")


def counts(row: dict[str, Any]) -> list[Any]:
    """Return the seven counts of a membership or profile."""
    return [row[f"LU_Number_{name}__c"] for name in NAMES]


def hide(stage: Stage, user_id: int) -> None:
    """Leave a learner of the first portal out of `/users` from now on, though `/users/{id}` still answers."""
    rows = [dict(row) for row in stage.academy.users.values() if row["id"] != user_id]
    body = json.dumps({"user": rows, "customDataFieldDefinitions": []})
    stage.emu.learnupon_faults.add(Fault(match=r"GET /academy/api/v1/users(\?|$)", when="mid", body=body, times=None))


@pytest.mark.rule("3.42", "3.43", "3.44", "3.40")
@pytest.mark.parametrize("answer", ["404", "empty"])
def test_a_learner_who_is_gone(stage: Stage, answer: str) -> None:
    """The membership stays, flagged, its counts 0; LearnUpon id and last access stay, on the person too."""
    stage.store.knobs.gone = answer
    contact, course = stage.contact(), stage.course()
    learner = stage.learner(sf_contact_id=contact, last_sign_in_at="2026-03-01T09:00:00Z")
    done = stage.enroll(learner, course, status="passed", percentage=90)
    stage.enroll(learner, course, status="in_progress")
    on_path = stage.enroll_path(learner, stage.path(course), status="passed")
    stage.synced()
    assert counts(stage.person(contact)) == [2, 0, 1, 0, 0, 1, 0]
    stage.academy.remove_user(learner)
    result = stage.synced()
    member, profile = stage.row(MEMBERSHIP, f"12345:member:{learner}"), stage.person(contact)
    assert (member[FLAG], member["Contact__c"], member["LU_Portal_Membership_ID__c"]) == (True, contact, learner)
    assert counts(member) == counts(profile) == [0] * 7
    assert profile["LU_User_ID__c"] == learner
    assert member["LU_Last_Accessed_At__c"] == profile["LU_Last_Accessed_At__c"] == "2026-03-01T09:00:00.000Z"
    assert {name: row[FLAG] for name, row in stage.rows(CONTACT_ROWS).items()} == {f"12345:enrollment:{done}": True}
    assert {name: row[FLAG] for name, row in stage.rows(CONTACT_PATHS).items()} == {f"12345:path:{on_path}": True}
    assert result.counts(MEMBERSHIP)["kept"] == 1
    again = stage.synced()
    assert (again.effects, again.asked(f"/users/{learner}")) == ([], [])


@pytest.mark.rule("3.43")
def test_a_learner_who_left_before_the_profile_was_written(stage: Stage) -> None:
    """A profile follows from the membership rows, also when its run died before it and the learner has left since."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact)
    stage.enroll(learner, status="completed")
    stage.synced()
    stage.org.update("Contact", contact, {"LU_User_ID__c": None, "LU_Number_Completed__c": None}, record=False)
    stage.academy.remove_user(learner)
    stage.synced()
    profile = stage.person(contact)
    assert (profile["LU_User_ID__c"], counts(profile)) == (learner, [0] * 7)
    stage.settled()


@pytest.mark.rule("3.43")
def test_another_portal_still_counts(stage: Stage) -> None:
    """Of a person whose learner is gone in one portal, the other portal's counts and last access remain."""
    user = stage.user()
    gone = stage.learner(sf_user_id=user, last_sign_in_at="2026-05-01T09:00:00Z")
    other = stage.learner(stage.partners, sf_user_id=user, last_sign_in_at="2026-04-01T09:00:00Z")
    stage.enroll(gone, status="passed")
    stage.enroll(other, portal=stage.partners, status="failed")
    stage.synced()
    stage.academy.remove_user(gone)
    stage.synced()
    profile = stage.person(user)
    assert counts(profile) == [1, 0, 0, 0, 0, 0, 1]
    assert (profile["LU_User_ID__c"], profile["LU_Last_Accessed_At__c"]) == (gone, "2026-05-01T09:00:00.000Z")
    stage.settled()


@pytest.mark.rule("3.44", "3.38")
def test_a_learner_missing_from_the_listing_but_alive(stage: Stage) -> None:
    """A learner `/users` does not show but who answers by id stays as if listed: matched, in step, with all rows."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact)
    stage.learner()
    number = stage.enroll(learner, status="in_progress")
    stage.synced()
    stage.academy.change_enrollment(number, status="passed", percentage=88)
    hide(stage, learner)
    result = stage.synced()
    assert result.asked(f"/users/{learner}")
    assert stage.row(MEMBERSHIP, f"12345:member:{learner}")[FLAG] is False
    assert stage.row(CONTACT_ROWS, f"12345:enrollment:{number}")["Status__c"] == "Passed"
    assert counts(stage.person(contact)) == [1, 0, 0, 0, 0, 1, 0]
    assert result.report["portals"][0]["matched"] == 2
    stage.settled()


@pytest.mark.rule("3.44", "3.39")
def test_a_learner_nobody_may_ask_about_stays(stage: Stage) -> None:
    """Without a question to spare a missing learner's membership and rows stay as they are, unconfirmed."""
    stage.configure(guards={"max_confirmations": 0})
    learner = stage.learner()
    stage.enroll(learner, status="in_progress")
    stage.synced()
    before = {name: stage.rows(name) for name in (MEMBERSHIP, CONTACT_ROWS, "Contact")}
    stage.academy.remove_user(learner)
    result = stage.synced()
    assert {name: stage.rows(name) for name in before} == before
    assert (result.counts(MEMBERSHIP)["unconfirmed"], result.counts(CONTACT_ROWS)["unconfirmed"]) == (1, 1)
    assert not result.asked(f"/users/{learner}")


@pytest.mark.rule("3.42", "3.41")
def test_a_learner_who_comes_back(stage: Stage) -> None:
    """A learner who is listed again loses the flag and gets the counts back."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact)
    stage.synced()
    stage.academy.remove_user(learner)
    stage.synced()
    stage.learner(id=learner, sf_contact_id=contact)
    stage.enroll(learner, status="completed")
    stage.synced()
    assert stage.row(MEMBERSHIP, f"12345:member:{learner}")[FLAG] is False
    assert counts(stage.person(contact)) == [1, 0, 0, 0, 1, 0, 0]
    stage.settled()


@pytest.mark.rule("3.45", "2.12")
def test_rows_of_others_are_never_read_or_touched(stage: Stage) -> None:
    """Rows whose key begins with another portal, or that have none, stay as they are and are not even asked for."""
    contact = stage.contact()
    learner = stage.learner(sf_contact_id=contact)
    stage.enroll(learner, status="passed")
    portal = stage.org.insert("LearnUpon_Portal__c", {"Name": "Theirs", "LU_Key__c": "99999"}, record=False)
    for number, text in enumerate(("99999:member:1", "123456:member:2", "1234:member:3", "x12345:member:4", None)):
        fields = {"LearnUpon_Portal__c": portal, "Contact__c": contact, "LU_Key__c": text}
        member = stage.org.insert(MEMBERSHIP, {**fields, "LU_Number_Enrolled__c": 50}, record=False)
        row = {"LearnUpon_Portal_Membership__c": member, "SFContact__c": contact, "Status__c": "In Progress"}
        theirs = {"LUEnrollment__c": number, "LUUser__c": learner}
        enrollment = text and text.replace("member", "enrollment")
        stage.org.insert(CONTACT_ROWS, {**row, **theirs, "LU_Key__c": enrollment}, record=False)
        path = text and text.replace("member", "path")
        stage.org.insert(CONTACT_PATHS, {**row, "LU_Key__c": path}, record=False)
    other = stage.contact(LU_User_ID__c=424242, LU_Number_Enrolled__c=9, LU_Number_Passed__c=9)
    names = (MEMBERSHIP, CONTACT_ROWS, CONTACT_PATHS, "LearnUpon_Portal__c", "Contact")
    before = {row["Id"]: row for name in names for row in stage.org.rows(name) if row["Id"] != contact}
    assert other in before
    result = stage.synced()
    after = {row["Id"]: row for name in names for row in stage.org.rows(name)}
    assert {one: after[one] for one in before} == before
    assert counts(stage.person(contact)) == [1, 0, 0, 0, 0, 1, 0]
    assert result.counts(CONTACT_ROWS)["existing"] == 0
    jobs = stage.emu.salesforce.app.bulk.jobs.by_id.values()  # type: ignore[attr-defined]
    reads = [job for job in jobs if "LearnUpon" in str(job.spec.get("query"))]
    assert [job.processed for job in reads] == [0] * 6
    stage.settled()


@pytest.mark.rule("3.45")
def test_a_key_of_ours_that_we_never_wrote_is_left(stage: Stage) -> None:
    """A row with our portal in front but of no form we write can be neither proved nor asked about: it stays."""
    learner = stage.learner()
    stage.enroll(learner)
    stage.synced()
    member = stage.row(MEMBERSHIP, f"12345:member:{learner}")["Id"]
    for text in ("12345:enrollment:abc", "12345:enrollment:", "12345:path:7", "12345:enrollment:7:8"):
        fields = {"LU_Key__c": text, "LearnUpon_Portal_Membership__c": member, "LUUser__c": learner}
        stage.org.insert(CONTACT_ROWS, fields, record=False)
    before = stage.rows(CONTACT_ROWS)
    result = stage.synced()
    assert (stage.rows(CONTACT_ROWS), result.effects) == (before, [])
    assert result.counts(CONTACT_ROWS)["unconfirmed"] == 4
    assert "4 rows in Salesforce have a key of our portals but of no form we write" in result.warnings
