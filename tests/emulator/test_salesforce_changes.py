"""Conformance of the emulated Salesforce: what moves SystemModstamp, what a query with deleted rows shows, and sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salesforce_door import ENROLLMENT, MEMBERSHIP, PORTAL, OrgDoor

from etl.emulator.salesforce.errors import RowError


@pytest.fixture
def door() -> Iterator[OrgDoor]:
    """An org with portal 1, member 1 and an enrollment of a Contact, made an hour ago."""
    with OrgDoor() as opened:
        member = opened.membership()
        person = opened.org.insert("Contact", {"LU_User_ID__c": 1})
        fields = {"LearnUpon_Portal_Membership__c": member, "SFContact__c": person, "LUEnrollment__c": 5}
        opened.org.insert(ENROLLMENT, {"LU_Key__c": "1:enrollment:1", **fields})
        opened.now += 3600
        yield opened
        assert opened.server.errors == []


def only(door: OrgDoor, name: str) -> dict[str, Any]:
    """Return the only record of an object."""
    (row,) = door.org.rows(name)
    return row


def changed(door: OrgDoor, name: str, *, path: str = "/query") -> list[str]:
    """Return the ids of records changed since the hour ago."""
    query = f"SELECT Id FROM {name} WHERE SystemModstamp >= {door.org.now()[:13]}:00:00Z"  # noqa: S608 - a test
    return [one["Id"] for one in door.call("GET", path, params={"q": query}).json()["records"]]


def test_a_change_moves_the_stamp_and_bulk_filters_by_it(door: OrgDoor) -> None:
    """Object reference, system fields: SystemModstamp is when a user or a process last changed the record."""
    row = only(door, ENROLLMENT)
    since = door.org.now()
    assert row["SystemModstamp"] < since
    door.org.update(ENROLLMENT, row["Id"], {"Status__c": "Passed"})
    assert only(door, ENROLLMENT)["SystemModstamp"] == since
    for moment, rows in ((since, 1), ("2100-01-01T00:00:00Z", 0)):
        query = f"SELECT Id FROM {ENROLLMENT} WHERE SystemModstamp >= {moment}"  # noqa: S608 - a test
        job = door.call("POST", "/jobs/query", json={"operation": "queryAll", "query": query}).json()["id"]
        door.now += 2
        assert door.job(job, "query")["numberRecordsProcessed"] == rows


def test_deleted_records_are_shown_by_queries_that_ask_for_them_until_they_are_purged(door: OrgDoor) -> None:
    """REST guide, QueryAll: records of the recycle bin, by IsDeleted; purged ones are gone (help, recycle bin)."""
    row = only(door, ENROLLMENT)["Id"]
    door.org.delete(ENROLLMENT, row)
    assert (changed(door, ENROLLMENT), changed(door, ENROLLMENT, path="/queryAll")) == ([], [row])
    door.call("POST", "/__tick", json={"name": "purge", "object": ENROLLMENT, "id": row})
    assert changed(door, ENROLLMENT, path="/queryAll") == []
    with pytest.raises(KeyError):
        door.org.purge(ENROLLMENT, row)


def test_a_hard_delete_is_never_seen(door: OrgDoor) -> None:
    """Bulk API 2.0 guide, hardDelete: the record does not go to the recycle bin."""
    door.org.can_hard_delete = True
    row = only(door, ENROLLMENT)["Id"]
    door.ingest("hardDelete", f"Id\n{row}\n")
    assert changed(door, ENROLLMENT, path="/queryAll") == []


def test_a_look_up_is_emptied_without_a_stamp(door: OrgDoor) -> None:
    """Deleting a Contact empties look-ups to it; that their records' stamps move is promised nowhere (assumed: no)."""
    before = only(door, ENROLLMENT)
    door.org.delete("Contact", before["SFContact__c"])
    after = only(door, ENROLLMENT)
    assert (after["SFContact__c"], after["SystemModstamp"]) == (None, before["SystemModstamp"])


def test_a_merge_moves_rows_without_a_stamp(door: OrgDoor) -> None:
    """The loser's rows go to the master (SOAP guide, merge); that their stamps move is promised nowhere."""
    before = only(door, ENROLLMENT)
    master = door.org.insert("Contact", {})
    door.org.merge_contacts(master, before["SFContact__c"])
    after = only(door, ENROLLMENT)
    assert (after["SFContact__c"], after["SystemModstamp"]) == (master, before["SystemModstamp"])
    assert changed(door, "Contact", path="/queryAll") == [master, before["SFContact__c"]]
    door.org.undelete("Contact", before["SFContact__c"])
    assert only(door, ENROLLMENT)["SFContact__c"] == master


def test_details_go_and_come_back_with_their_master_without_a_stamp(door: OrgDoor) -> None:
    """Apex guide, restoring deleted records: details, and look-ups that were not replaced; stamps are assumed."""
    member, row = only(door, MEMBERSHIP), only(door, ENROLLMENT)
    portal = only(door, PORTAL)["Id"]
    door.org.delete(PORTAL, portal)
    assert changed(door, MEMBERSHIP, path="/queryAll") == []
    assert only(door, ENROLLMENT)["LearnUpon_Portal_Membership__c"] is None
    door.org.undelete(PORTAL, portal)
    assert (only(door, MEMBERSHIP), only(door, ENROLLMENT)) == (member, row)


def test_a_look_up_that_was_replaced_stays_replaced(door: OrgDoor) -> None:
    """Apex guide: an undelete restores only look-ups that have not been replaced."""
    row, other = only(door, ENROLLMENT), door.org.insert("Contact", {})
    door.org.delete("Contact", row["SFContact__c"])
    door.org.update(ENROLLMENT, row["Id"], {"SFContact__c": other})
    door.org.undelete("Contact", row["SFContact__c"])
    assert only(door, ENROLLMENT)["SFContact__c"] == other


@pytest.mark.parametrize("stamped", [True, False])
def test_an_undelete_is_a_change(door: OrgDoor, *, stamped: bool) -> None:
    """It moves SystemModstamp, as other changes do (assumed); the other reading can be had."""
    row = only(door, ENROLLMENT)["Id"]
    door.org.delete(ENROLLMENT, row)
    door.now += 3600
    door.org.undelete(ENROLLMENT, row, stamped=stamped)
    assert changed(door, ENROLLMENT) == ([row] if stamped else [])


def test_a_key_that_is_taken_keeps_a_record_in_the_bin(door: OrgDoor) -> None:
    """A unique field stays unique: the undelete is refused."""
    row = only(door, ENROLLMENT)["Id"]
    door.org.delete(ENROLLMENT, row)
    door.org.insert(ENROLLMENT, {"LU_Key__c": "1:enrollment:1"})
    with pytest.raises(RowError):
        door.org.undelete(ENROLLMENT, row)
    assert [one["Id"] for one in door.org.rows(ENROLLMENT)] != [row]


def test_sums_and_counts_of_many_rows_come_in_one(door: OrgDoor) -> None:
    """SOQL guide, aggregate functions: with aliases; null is left out, and of no rows COUNT is 0 and the rest null."""
    second = door.org.insert(ENROLLMENT, {"LUEnrollment__c": 7})
    what = "COUNT(Id) n, MIN(Id) low, MAX(Id) high, SUM(LUEnrollment__c) s0, COUNT(SFContact__c) c0"
    (row,) = door.query(f"SELECT {what} FROM {ENROLLMENT}")["records"]  # noqa: S608 - a test
    first = door.org.find(ENROLLMENT, LUEnrollment__c=5)[0]["Id"]
    assert {name: row[name] for name in ("n", "low", "high", "s0", "c0")} == {
        "n": 2, "low": first, "high": second, "s0": 12.0, "c0": 1,
    }  # fmt: skip
    (none,) = door.query(f"SELECT {what} FROM {ENROLLMENT} WHERE LUEnrollment__c = 1")["records"]  # noqa: S608 - a test
    assert (none["n"], none["low"], none["s0"], none["c0"]) == (0, None, None, 0)
