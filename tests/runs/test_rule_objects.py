"""What is written: every field of every object, the keys, and what the org's own declarations change about it."""

from __future__ import annotations

from typing import Any

import pytest
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_PATHS, USER_ROWS, Stage

COUNTS = ("Enrolled", "Not_Started", "In_Progress", "Pending_Review", "Completed", "Passed", "Failed")
COURSE = {
    "Course_Name__c": "Fire Safety",
    "Course_Id__c": 601,
    "Course_Version__c": 3,
    "Percent_Complete__c": 66.67,
    "Score__c": 87.5,
}
PATH = {
    "Path_Name__c": "Onboarding",
    "Number_Of_Courses_On_Path__c": 1,
    "Number_Of_Courses_Completed_On_Path__c": 1,
    "Score__c": 90,
}
DATES = {"Date_Enrolled__c": "2026-01-05T08:00:00.000Z", "Date_Completed__c": "2026-02-06T09:10:11.000Z"}
LAST = "2026-03-01T09:00:00.000Z"


def custom(row: dict[str, Any]) -> dict[str, Any]:
    """Return the custom fields of a record."""
    return {name: value for name, value in row.items() if name.endswith("__c")}


def furnish(stage: Stage) -> dict[str, str]:
    """Give the first portal a Contact (user 51) and a User (user 52), each with a course 601 and a path."""
    people = {"Contact": stage.contact(), "User": stage.user()}
    course = stage.course(id=601, name="Fire Safety", version=3, source_id=600)
    path = stage.path(course, name="Onboarding")
    dates: dict[str, Any] = {"date_enrolled": "2026-01-05T08:00:00Z", "date_completed": "2026-02-06T09:10:11Z"}
    for number, (side, person) in enumerate(people.items(), 51):
        ids: dict[str, Any] = {f"sf_{side.lower()}_id": person}
        stage.learner(id=number, last_sign_in_at="2026-03-01T09:00:00Z", **ids)
        fields: dict[str, Any] = {"status": "passed", **dates}
        stage.enroll(number, course, id=number * 10, percentage=87.5, percentage_complete=66.666, **fields)
        stage.enroll_path(number, path, id=number * 100, percentage=90, **fields)
    return people


@pytest.mark.rule("2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9", "2.15")
def test_every_field_of_every_object(stage: Stage) -> None:
    """Rows hold exactly the fields of the table with LearnUpon's values, under keys of the four forms."""
    people = furnish(stage)
    stage.synced()
    portals = stage.rows("LearnUpon_Portal__c")
    titles = {"12345": stage.academy.title, "67890": stage.partners.title}
    assert {key: (row["Name"], row["Portal_Id__c"]) for key, row in portals.items()} == {
        key: (title, int(key)) for key, title in titles.items()
    }
    assert set(stage.rows(MEMBERSHIP)) == {"12345:member:51", "12345:member:52"}
    totals: dict[str, Any] = {f"LU_Number_{name}__c": int(name in {"Enrolled", "Passed"}) for name in COUNTS}
    totals["LU_Last_Accessed_At__c"] = LAST
    for number, (side, person) in enumerate(people.items(), 51):
        member = stage.row(MEMBERSHIP, f"12345:member:{number}")
        lookups = {"Contact__c": None, "User__c": None, f"{side}__c": person}
        assert custom(member) == {
            "LearnUpon_Portal__c": portals["12345"]["Id"],
            "LU_Key__c": f"12345:member:{number}",
            "Portal_Id__c": 12345,
            "LU_Portal_Membership_ID__c": number,
            "Removed_In_LearnUpon__c": False,
            **lookups,
            **totals,
        }
        assert custom(stage.person(person)) == {"LU_User_ID__c": number, **totals}
        common = {
            "LearnUpon_Portal_Membership__c": member["Id"],
            f"SF{side}__c": person,
            "LUUser__c": number,
            "Status__c": "Passed",
            "Removed_In_LearnUpon__c": False,
            **DATES,
        }
        rows, paths = (CONTACT_ROWS, CONTACT_PATHS) if side == "Contact" else (USER_ROWS, USER_PATHS)
        course, path = f"12345:enrollment:{number}0", f"12345:path:{number}00"
        own: dict[str, Any] = {"LU_Key__c": course, "LUEnrollment__c": number * 10}
        assert custom(stage.row(rows, course)) == common | COURSE | own
        own = {"LU_Key__c": path, "LUEnrollment__c": number * 100}
        assert custom(stage.row(paths, path)) == common | PATH | own
    stage.settled()


@pytest.mark.rule("2.10", "2.9", "2.2")
def test_equal_ids_in_two_portals(stage: Stage) -> None:
    """The same user, enrollment and course ids in two portals are rows of their own that never mix."""
    people = {}
    for portal, status in ((stage.academy, "passed"), (stage.partners, "in_progress")):
        people[portal.portal_id] = stage.contact()
        stage.learner(portal, id=5, sf_contact_id=people[portal.portal_id])
        stage.enroll(5, stage.course(portal, id=6, name=portal.name), portal, id=7, status=status)
    stage.synced()
    rows = stage.rows(CONTACT_ROWS)
    assert {key: (row["Course_Name__c"], row["SFContact__c"]) for key, row in rows.items()} == {
        "12345:enrollment:7": ("academy", people[12345]),
        "67890:enrollment:7": ("partners", people[67890]),
    }
    stage.academy.remove_enrollment(7)
    stage.academy.remove_user(5)
    stage.synced()
    assert stage.row(CONTACT_ROWS, "67890:enrollment:7")["Removed_In_LearnUpon__c"] is False
    assert stage.row(MEMBERSHIP, "67890:member:5")["Removed_In_LearnUpon__c"] is False


@pytest.mark.rule("2.1", "3.50")
def test_a_new_title_renames_the_portal(stage: Stage) -> None:
    """The portal's Name follows the title in the configuration."""
    stage.synced()
    stage.settings["portals"][0]["title"] = "Acme Campus"
    result = stage.synced()
    assert result.sent("LearnUpon_Portal__c") == {"12345": {"LU_Key__c": "12345", "Name": "Acme Campus"}}


@pytest.mark.rule("2.11", "1.1")
def test_rows_there_already_are_taken_over(stage: Stage) -> None:
    """Rows that carry our keys, whoever made them, even between our read and our write, are updated, not doubled."""
    furnish(stage)
    portal = stage.org.insert("LearnUpon_Portal__c", {"Name": "Old", "LU_Key__c": "12345"}, record=False)
    member = {"LearnUpon_Portal__c": portal, "LU_Key__c": "12345:member:51"}
    first = stage.org.insert(MEMBERSHIP, member, record=False)
    late = {"LearnUpon_Portal_Membership__c": first, "LU_Key__c": "12345:enrollment:510", "Status__c": "Odd"}
    made: list[str] = []
    stage.before(r"^PUT .*/batches", lambda: made.append(stage.org.insert(CONTACT_ROWS, late, record=False)))
    result = stage.synced()
    assert stage.row("LearnUpon_Portal__c", "12345")["Id"] == portal
    assert stage.row(MEMBERSHIP, "12345:member:51")["Id"] == first
    assert stage.row(CONTACT_ROWS, "12345:enrollment:510")["Id"] == made[0]
    assert stage.row(CONTACT_ROWS, "12345:enrollment:510")["Status__c"] == "Passed"
    assert result.done(CONTACT_ROWS, "create") == []
    stage.settled()


@pytest.mark.rule("2.14")
@pytest.mark.parametrize("lacking", ["unique", "external_id"])
def test_a_key_that_is_no_key_stops_the_run(stage: Stage, lacking: str) -> None:
    """Without a unique external id rows could be doubled: nothing is written, and it says which."""
    furnish(stage)
    key = stage.org.objects[CONTACT_ROWS].fields["LU_Key__c"]
    setattr(key, lacking, False)
    key.id_lookup = lacking != "external_id"
    result = stage.run()
    assert (result.code, result.effects, result.writing_calls) == (78, [], [])
    assert f"{CONTACT_ROWS}.LU_Key__c" in result.err


@pytest.mark.rule("2.16", "3.25")
def test_what_the_org_declares_is_obeyed(stage: Stage) -> None:
    """A shorter name field cuts there; a picklist takes the status; a wider field takes the longer text."""
    furnish(stage)
    fields = stage.org.objects[CONTACT_ROWS].fields
    fields["Course_Name__c"].length = 6
    fields["Status__c"].type, fields["Status__c"].picklist = "picklist", ("Passed", "Failed")
    stage.org.objects[CONTACT_PATHS].fields["Path_Name__c"].length = 100
    stage.academy.change_path_enrollment(5100, lp_name="p" * 101)
    stage.academy.change_enrollment(510, status="awaiting_appeal")
    result = stage.synced()
    row = stage.row(CONTACT_ROWS, "12345:enrollment:510")
    assert (row["Course_Name__c"], row["Status__c"]) == ("Fire S", "Awaiting Appeal")
    assert len(stage.row(CONTACT_PATHS, "12345:path:5100")["Path_Name__c"]) == 100
    assert f"1 texts are longer than {CONTACT_ROWS}.Course_Name__c holds" in result.warnings
    stage.settled()


@pytest.mark.rule("2.17", "2.16", "2.15")
def test_only_what_cannot_be_held_is_an_error(stage: Stage) -> None:
    """A status that a restricted picklist lacks and a number too big are listed; everything else is written."""
    furnish(stage)
    status = stage.org.objects[CONTACT_ROWS].fields["Status__c"]
    status.type, status.picklist, status.restricted = "picklist", ("Passed", "In Progress"), True
    failed = stage.enroll(51, 601, id=77, status="failed")
    big = stage.enroll(51, 601, id=78, status="passed", percentage=10000)
    just = stage.enroll(51, 601, id=79, status="passed", percentage=9999.99)
    known = stage.enroll(51, 601, id=80, status="in_progress")
    result = stage.run()
    assert result.code == 1
    assert {line["key"] for line in result.table("refused.csv")} == {f"12345:enrollment:{one}" for one in (failed, big)}
    assert set(stage.rows(CONTACT_ROWS)) == {f"12345:enrollment:{one}" for one in (510, just, known)}
    assert (result.counts(CONTACT_ROWS)["rejected"], result.counts(CONTACT_ROWS)["refused"]) == (2, 0)
    stage.academy.change_enrollment(known, status="failed")
    again = stage.run()
    assert (again.code, again.effects != [], again.counts(CONTACT_ROWS)["unconfirmed"]) == (1, True, 1)
    assert stage.row(CONTACT_ROWS, "12345:enrollment:80")["Status__c"] == "In Progress"
    status.picklist = ("Passed", "In Progress", "Failed")
    stage.academy.change_enrollment(big, percentage=100)
    stage.synced()
    assert stage.row(CONTACT_ROWS, "12345:enrollment:80")["Status__c"] == "Failed"
    stage.settled()


@pytest.mark.rule("2.18")
def test_the_run_object_is_optional(stage: Stage) -> None:
    """An org without the run object is synced all the same."""
    furnish(stage)
    del stage.org.objects["LearnUpon_Sync_Run__c"]
    del stage.org.tables["LearnUpon_Sync_Run__c"]
    stage.synced()
    assert len(stage.rows(CONTACT_ROWS)) == 1
    stage.settled()


@pytest.mark.rule("2.19")
def test_a_run_leaves_its_record(stage: Stage) -> None:
    """A run leaves a record with its id, command, times, outcome, exit code and rows."""
    furnish(stage)
    result = stage.synced()
    (record,) = [one for key, one in stage.rows("LearnUpon_Sync_Run__c").items() if key.startswith("run:")]
    assert (record["Run_Id__c"], record["Command__c"]) == (result.report["run_id"], "run")
    assert (record["Exit_Code__c"], record["Rows_Created__c"]) == (0, 8)
    assert record["Started_At__c"] <= record["Finished_At__c"]
