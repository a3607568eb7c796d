"""The invented world holds every case that a sync must handle, is the same for a seed, and is made quickly."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from etl.emulator.learnupon import LearnUponStore
from etl.emulator.salesforce.org import SalesforceOrg
from etl.emulator.seed import Shape, World, generate, load, night
from etl.emulator.seed.people import CASES

STATUSES = {"not_started", "in_progress", "pending_review", "completed", "passed", "failed"}


def loaded(shape: Shape) -> tuple[World, LearnUponStore, SalesforceOrg]:
    """A world in both emulators, not served."""
    world, store, org = generate(shape), LearnUponStore(), SalesforceOrg()
    load(world, store, org)
    return world, store, org


def snapshot(store: LearnUponStore) -> dict[str, Any]:
    """All rows of all portals as plain values."""
    tables = ("users", "courses", "enrollments", "paths", "path_enrollments")
    return {
        f"{one.name} {table}": {key: dict(row) for key, row in getattr(one, table).items()}
        for one in store.portals.values()
        for table in tables
    }


@pytest.mark.parametrize("learners", [1, 7, 90])
def test_the_same_seed_gives_the_same_world(learners: int) -> None:
    """A failing test can be played again: rows and nights depend on the seed alone; another seed differs."""
    first, second = loaded(Shape(learners, seed=3)), loaded(Shape(learners, seed=3))
    assert snapshot(first[1]) == snapshot(second[1])
    assert night(first[1], first[2], 5) == night(second[1], second[2], 5)
    assert snapshot(first[1]) == snapshot(second[1])
    assert snapshot(loaded(Shape(learners, seed=4))[1]) != snapshot(loaded(Shape(learners, seed=3))[1])


def test_no_learners_means_empty_portals() -> None:
    """Tests build their own rows on empty portals; a night passes over them."""
    _, store, org = loaded(Shape(0))
    assert list(store.portals) == ["academy", "partners"]
    assert not any(snapshot(store).values())
    assert org.rows("Contact") == []
    assert set(night(store, org, 1).values()) == {0}


def test_every_matching_case_occurs() -> None:
    """Every case of matching is there, with ids of 15 and 18 characters and all four forms of the contact flag."""
    world, store, _ = loaded(Shape(120))
    learners = [one for portal in world.portals for one in portal.learners]
    assert {one.case for one in learners} == set(CASES)
    rows = [row for portal in store.portals.values() for row in portal.users.values()]
    assert {repr(row["is_salesforce_contact"]) for row in rows} == {"0", "1", "True", "False"}
    assert {15, 18} <= {len(row["sf_contact_id"]) for row in rows if row["sf_contact_id"]}
    assert {15, 18} <= {len(row["sf_user_id"]) for row in rows if row["sf_user_id"]}
    both = {repr(row["is_salesforce_contact"]) for row in rows if row["sf_contact_id"] and row["sf_user_id"]}
    assert both == {"0", "1", "True", "False"}


def test_salesforce_agrees_with_the_cases() -> None:
    """What a case promises is so in the org: live, merged, deleted or unknown records, one or several addresses."""
    world, store, org = loaded(Shape(120, portals=1))
    people = {row["Id"]: row for name in ("Contact", "User") for row in org.rows(name, include_deleted=True)}
    addresses = Counter(row["Email"].lower() for row in org.rows("Contact"))
    users = Counter(row["Email"].lower() for row in org.rows("User"))
    by_15 = {key[:15]: row for key, row in people.items()}
    for learner in world.portals[0].learners:
        row = store.portals["academy"].users[learner.id]
        contact = by_15.get((row["sf_contact_id"] or "")[:15])
        assert (contact is not None) == (learner.contact is not None)
        if contact is not None:
            gone = learner.case in ("merged", "merged_twice", "deleted")
            assert contact["IsDeleted"] is gone
            assert bool(contact["MasterRecordId"]) is (learner.case in ("merged", "merged_twice"))
        if row["sf_user_id"]:
            assert by_15[row["sf_user_id"][:15]]["IsActive"] is (learner.case != "inactive_user")
        if learner.case.startswith("email"):
            found = (addresses[row["email"].lower()], users[row["email"].lower()])
            assert found == {"email_contact": (1, 0), "email_contacts": (2, 0), "email_user": (0, 1)}.get(
                learner.case, (1, 1)
            )


def test_ids_of_two_portals_collide_and_people_are_shared() -> None:
    """The same numbers mean other things in the second portal, and some people learn in both."""
    world, store, _ = loaded(Shape(90))
    first, second = store.portals.values()
    for table in ("users", "courses", "enrollments", "paths", "path_enrollments"):
        assert set(getattr(first, table)) & set(getattr(second, table)), table
    refs = [{one.contact or one.user for one in portal.learners} - {None} for portal in world.portals]
    assert refs[0] & refs[1]
    assert [portal.name for portal in world.portals] == ["academy", "partners"]


def test_rows_look_real() -> None:
    """All statuses, unenrolled rows of both fates, retakes, scores only where they belong, dates in order."""
    _, store, _ = loaded(Shape(200))
    rows = [row for portal in store.portals.values() for row in portal.enrollments.values()]
    assert {row["status"] for row in rows} == STATUSES
    assert {row["status"] for row in rows if row["unenrolled"]} & {"in_progress", "not_started"}
    assert {row["status"] for row in rows if row["unenrolled"]} & {"passed", "completed"}
    assert max(Counter((row["user_id"], row["course_id"]) for row in rows).values()) > 1
    for row in rows:
        assert (row["percentage"] is not None) == (row["status"] in ("passed", "failed"))
        assert (row["date_completed"] is not None) == (row["status"] in ("completed", "passed", "failed"))
    assert any(row["date_completed"] and row["date_completed"] < row["date_enrolled"] for row in rows)
    scores = [row["percentage"] for row in rows if row["status"] == "passed"]
    assert min(scores) >= 70
    assert scores.count(100) > len(scores) / 20


def test_awkward_texts_and_versions_are_there() -> None:
    """Names that break careless tools, course versions, an orphan, a path on an older version, a licensed course."""
    _, store, _ = loaded(Shape(200))
    portals = list(store.portals.values())
    names = {row["name"] for portal in portals for row in portal.courses.values()}
    assert any(len(name) > 255 for name in names)
    for part in ("\n", '"', ",", "\U0001f525", "<img", "=HYPERLINK"):
        assert any(part in name for name in names), part
    assert "#N/A" in names
    assert any(name != name.strip() for name in names)
    for portal in portals:
        assert max(row["version"] for row in portal.courses.values()) > 1
        assert portal.licensed
        known = set(portal.courses)
        assert any(row["course_id"] not in known for row in portal.enrollments.values())
    archived = {row["id"] for row in portals[0].courses.values() if row["published_status_id"] == "archived"}
    assert any(archived & set(courses) for courses in portals[0].path_courses.values())
    people = {str(row["last_name"]) for portal in portals for row in portal.users.values()}
    assert {"Null", "NA", "O'Shea", "Quill, Jr."} <= people
    assert all(row["email"].split("@")[1] in ("example.com", "example.org") for row in portals[0].users.values())


def test_a_night_changes_what_it_says() -> None:
    """A night of 200 learners has every kind of change; the number of rows moves as the counts say."""
    _, store, org = loaded(Shape(200))
    before = {portal.name: set(portal.enrollments) for portal in store.portals.values()}
    users = {portal.name: set(portal.users) for portal in store.portals.values()}
    org.ledger.clear()
    counts = night(store, org, 1)
    assert all(count for kind, count in counts.items() if kind != "edited_in_salesforce"), counts
    made = sum(len(set(portal.enrollments) - before[portal.name]) for portal in store.portals.values())
    assert made == counts["enrolled"] + counts["learner_new"]
    gone = sum(len(before[portal.name] - set(portal.enrollments)) for portal in store.portals.values())
    assert gone >= counts["enrollment_deleted"] + counts["unenrolled_unfinished"]
    removed = sum(len(users[portal.name] - set(portal.users)) for portal in store.portals.values())
    assert removed == counts["learner_removed"]
    assert org.ledger.entries == []


def test_a_night_may_move_a_contact_to_a_user() -> None:
    """A learner who moves has a live User instead of the Contact afterwards."""
    _, store, org = loaded(Shape(200))
    before = {(one.name, key): row["sf_contact_id"] for one in store.portals.values() for key, row in one.users.items()}
    counts = night(store, org, 1)
    moved = [
        row
        for portal in store.portals.values()
        for key, row in portal.users.items()
        if before.get((portal.name, key)) and not row["sf_contact_id"]
    ]
    assert len(moved) == counts["learner_moved_to_user"] > 0
    assert all(org.get("User", row["sf_user_id"]) is not None for row in moved)


def test_a_person_edits_an_enrollment_in_salesforce() -> None:
    """Where enrollments are in Salesforce, a night edits one by hand, and the ledger does not count it."""
    _, store, org = loaded(Shape(0))
    portal = org.insert("LearnUpon_Portal__c", {"Name": "P", "LU_Key__c": "12345"}, record=False)
    member = {"LearnUpon_Portal__c": portal, "LU_Key__c": "12345:member:1"}
    org.insert("LearnUpon_Portal_Membership__c", member, record=False)
    fields = {"LU_Key__c": "12345:enrollment:1", "Score__c": 80, "Status__c": "Passed"}
    row = org.insert("LearnUponContactEnrollment__c", fields, record=False)
    assert night(store, org, 1)["edited_in_salesforce"] == 1
    edited = org.get("LearnUponContactEnrollment__c", row)
    assert edited is not None
    assert edited["Status__c"] is None
    assert org.ledger.entries == []


def test_a_person_edits_the_same_row_wherever_it_lies() -> None:
    """Orgs that hold the same rows have the same one edited, though they got them in another order."""
    keys = [f"12345:enrollment:{number}" for number in range(9)]
    edited = []
    for order in (keys, keys[::-1]):
        _, store, org = loaded(Shape(0))
        for key in order:
            org.insert("LearnUponContactEnrollment__c", {"LU_Key__c": key, "Status__c": "Passed"}, record=False)
        night(store, org, 1)
        edited += [row["LU_Key__c"] for row in org.rows("LearnUponContactEnrollment__c") if row["Status__c"] is None]
    assert len(edited) == 2
    assert edited[0] == edited[1]


def test_nights_follow_one_another() -> None:
    """A week of nights goes by without a clash of ids, names or addresses."""
    _, store, org = loaded(Shape(60))
    for seed in range(7):
        assert night(store, org, seed)["learner_new"] == 2
    assert store.now.day == 27


def test_a_big_world_is_quick() -> None:
    """100,000 enrollments of 5,000 learners are made and loaded in less than 10 s of processor time."""
    start = time.process_time()
    _, store, _ = loaded(Shape(5000, enrollments_per_learner=20))
    assert time.process_time() - start < 10
    assert sum(len(portal.enrollments) for portal in store.portals.values()) > 99_000
