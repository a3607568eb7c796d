"""What Salesforce holds: rows of the configured portals only, profiles, and people by id and e-mail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from salesforce_kit import START, first_load, park, world

from etl import frames
from etl.emulator.faults import Fault
from etl.errors import Unavailable
from etl.salesforce.people import find_by_email, find_people
from etl.salesforce.snapshot import read_existing, read_keys
from etl.schema import CONTACT, CONTACT_ENROLLMENT, ENTITIES, MEMBERSHIP, PORTAL, USER


def test_existing_rows(tmp_path: Path) -> None:
    """Rows come with all compared columns and their types; a parent is read as its key."""
    with world() as served:
        org = served.connect()
        people = first_load(served, org, tmp_path, rows=3)
        held = park(tmp_path, CONTACT_ENROLLMENT)
        assert read_existing(org, CONTACT_ENROLLMENT, [1], held) == 3
        rows = sorted(held.read().to_pylist(), key=lambda row: row["LU_Key__c"])
        assert held.read().schema == frames.entity_schema(CONTACT_ENROLLMENT)
        assert rows[2] | {"Id": ""} == {
            "Id": "", "LU_Key__c": "1:enrollment:2", "LearnUpon_Portal_Membership__c": "1:member:2",
            "SFContact__c": people[2], "LUEnrollment__c": 2, "LUUser__c": 2, "Course_Name__c": "First aid",
            "Course_Id__c": None, "Course_Version__c": None, "Status__c": "Passed", "Score__c": 87.5,
            "Percent_Complete__c": None, "Date_Enrolled__c": START, "Date_Completed__c": None,
            "Removed_In_LearnUpon__c": False,
        }  # fmt: skip


def test_only_our_portals(tmp_path: Path) -> None:
    """Rows of other portals, rows without a key and portals whose id begins alike are never read."""
    with world() as served:
        org = served.connect()
        for key in ("1", "12", "2", None):
            portal = served.store.insert(PORTAL.name, {"Name": str(key), "LU_Key__c": key})
            for user in (1, 12):
                whole = f"{key}:member:{user}" if key else None
                served.store.insert(MEMBERSHIP.name, {"LearnUpon_Portal__c": portal, "LU_Key__c": whole})
        for ours, expected in (([1], 1), ([1, 12], 2), ([3], 0)):
            assert read_existing(org, PORTAL, ours, park(tmp_path, PORTAL)) == expected
            assert read_existing(org, MEMBERSHIP, ours, park(tmp_path, MEMBERSHIP)) == expected * 2


def test_one_query_an_object(tmp_path: Path) -> None:
    """An object is read by one Bulk query, whichever portals there are."""
    with world() as served:
        org = served.connect()
        read_existing(org, MEMBERSHIP, [1, 2, 3], park(tmp_path, MEMBERSHIP))
        assert len(served.requests("POST /services/data/v67.0/jobs/query")) == 1


def test_narrower_question(tmp_path: Path) -> None:
    """A further condition narrows what is read."""
    with world() as served:
        org = served.connect()
        first_load(served, org, tmp_path, rows=3)
        held = park(tmp_path, CONTACT_ENROLLMENT)
        assert read_existing(org, CONTACT_ENROLLMENT, [1], held, where="LUEnrollment__c = 2") == 1


@pytest.mark.parametrize("entity", ENTITIES[:6], ids=lambda entity: entity.name)
def test_every_object_can_be_asked_for(entity: object, tmp_path: Path) -> None:
    """The query of every object names fields that the org has."""
    known = next(one for one in ENTITIES if one is entity)
    with world() as served:
        assert read_existing(served.connect(), known, [1], park(tmp_path, known)) == 0


def test_profiles(tmp_path: Path) -> None:
    """Profiles are those people who carry a LearnUpon id, and nobody else."""
    with world() as served:
        first, _ = served.people(2)
        served.store.update("Contact", first, {"LU_User_ID__c": 7, "LU_Number_Enrolled__c": 3})
        org = served.connect()
        found = park(tmp_path, CONTACT)
        assert read_existing(org, CONTACT, [1], found) == 1
        (row,) = found.read().to_pylist()
        assert (row["Id"], row["LU_User_ID__c"], row["LU_Number_Enrolled__c"]) == (first, 7, 3)
        assert read_existing(org, USER, [1], park(tmp_path, USER)) == 0


@pytest.mark.parametrize("count", [3, 3100])
def test_read_keys(tmp_path: Path, count: int) -> None:
    """Rows are found by key or by record id, few by REST and many by Bulk; keys of nobody find nothing."""
    with world() as served:
        org = served.connect()
        first_load(served, org, tmp_path, rows=3)
        keys = [f"1:enrollment:{n}" for n in range(count)]
        held = park(tmp_path, CONTACT_ENROLLMENT)
        assert read_keys(org, CONTACT_ENROLLMENT, keys, held) == 3
        again = park(tmp_path, CONTACT_ENROLLMENT)
        assert read_keys(org, CONTACT_ENROLLMENT, held.read()["Id"].to_pylist(), again, by="Id") == 3
        assert read_keys(org, CONTACT_ENROLLMENT, [], park(tmp_path, CONTACT_ENROLLMENT)) == 0


def test_people_by_id() -> None:
    """People are found by either form of their id; merged and deleted ones are seen as such."""
    with world() as served:
        kept, merged, deleted, master = served.people(4)
        served.store.delete("Contact", deleted)
        served.store.merge_contacts(master, merged)
        found = find_people(served.connect(), "Contact", [kept[:15], merged, deleted, "0035g0000ZZZZZZ"])
        rows = {row["Id"]: row for row in found.to_dict("records")}
        assert set(rows) == {kept, merged, deleted}
        assert (rows[kept]["IsDeleted"], rows[merged]["IsDeleted"], rows[deleted]["IsDeleted"]) == (False, True, True)
        assert rows[merged]["MasterRecordId"] == master
        assert found["MasterRecordId"].notna().sum() == 1
        assert {"LU_User_ID__c", "LU_Number_Failed__c"} <= set(found.columns)


def test_users_by_id() -> None:
    """Users are found too; they are never deleted or merged."""
    with world() as served:
        org = served.connect()
        found = find_people(org, "User", [org.user_id, "0035g000000abcd"])
        assert found["Id"].tolist() == [org.user_id]
        assert found["IsDeleted"].tolist() == [False]
        assert found["MasterRecordId"].isna().all()


def test_what_is_no_id_is_not_asked_for() -> None:
    """Malformed ids and ids of other objects are not sent: one of them would spoil the whole question."""
    with world() as served:
        org = served.connect()
        before = org.calls
        assert find_people(org, "Contact", ["", "x", "' OR Id != '", "0015g000000abcd"]).empty
        assert org.calls == before


@pytest.mark.parametrize("count", [301, 3001])
def test_many_people(count: int) -> None:
    """Up to about 3,000 ids are asked for by REST, 300 a call; more by Bulk, deleted ones included."""
    with world() as served:
        people = served.people(count)
        served.store.delete("Contact", people[5])
        org = served.connect()
        found = find_people(org, "Contact", people)
        assert sorted(found["Id"]) == sorted(people)
        assert int(found["IsDeleted"].sum()) == 1
        assert bool(served.requests("queryAll")) == (count < 3000)
        polls = [one for one in served.requests("GET ") if re.search(r"/jobs/query/\w+$", one)]
        assert org.calls - len(polls) <= 11  # how often a job is looked at is the clock's business


def test_people_by_email() -> None:
    """People are found by e-mail whatever its case, deleted ones are not, and a quote in an address is harmless."""
    with world() as served:
        first, second, gone = served.people(3)
        served.store.update("Contact", second, {"Email": "O'Brien@example.com"})
        served.store.delete("Contact", gone)
        wanted = ["LEARNER.0@example.com", "o'brien@example.com", "learner.2@example.com", "", "nobody@example.com"]
        found = find_by_email(served.connect(), "Contact", wanted)
        assert sorted(found["Id"]) == sorted([first, second])
        assert find_by_email(served.connect(), "User", ["nobody@example.com"]).empty


def test_incomplete_people() -> None:
    """An answer with fewer people than it says it has is 69: a person missing looks like one deleted."""
    with world() as served:
        people = served.people(3)
        org = served.connect()
        served.faults.add(Fault("queryAll", when="mid", replace=('"totalSize":3', '"totalSize":4')))
        served.faults.add(Fault("queryAll", when="mid", replace=('"totalSize": 3', '"totalSize": 4')))
        with pytest.raises(Unavailable, match="found 4 rows and 3 came"):
            find_people(org, "Contact", people)
