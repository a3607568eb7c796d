"""Conformance of the emulated Salesforce: describe, single records, collections, the namespace variant."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from salesforce_door import ENROLLMENT, MEMBERSHIP, PORTAL, OrgDoor

FACTS = {
    *("type", "length", "nillable", "updateable", "externalId", "unique", "idLookup", "restrictedPicklist"),
    *("picklistValues", "relationshipName", "referenceTo", "calculated", "precision", "scale"),
}


@pytest.fixture
def door() -> Iterator[OrgDoor]:
    """An org without records; the emulator must not have failed in the end."""
    with OrgDoor() as opened:
        yield opened
        assert opened.server.errors == []


def described(door: OrgDoor, thing: str) -> dict[str, dict[str, object]]:
    """Return the fields of an object by name."""
    fields = door.call("GET", f"/sobjects/{thing}/describe").json()["fields"]
    return {field["name"]: field for field in fields}


def test_describe_tells_types_lengths_and_keys(door: OrgDoor) -> None:
    """Every attribute that clients rely on (REST guide, sObject Describe)."""
    fields = described(door, ENROLLMENT)
    assert set(fields["Status__c"]) >= FACTS
    key, score = fields["LU_Key__c"], fields["Score__c"]
    assert (key["type"], key["length"]) == ("string", 80)
    assert all(key[name] for name in ("externalId", "unique", "caseSensitive", "idLookup"))
    assert (score["type"], score["precision"], score["scale"]) == ("double", 6, 2)
    assert (fields["Date_Enrolled__c"]["type"], fields["Removed_In_LearnUpon__c"]["nillable"]) == ("datetime", False)
    assert (fields["SFContact__c"]["relationshipName"], fields["SFContact__c"]["referenceTo"]) == (
        "SFContact__r",
        ["Contact"],
    )
    assert (fields["Name"]["autoNumber"], fields["Name"]["createable"]) == (True, False)


def test_master_detail_is_fixed_after_the_create(door: OrgDoor) -> None:
    """Not reparentable by default, deleted with its master."""
    parent = described(door, MEMBERSHIP)["LearnUpon_Portal__c"]
    assert (parent["nillable"], parent["createable"], parent["updateable"]) == (False, True, False)
    assert parent["cascadeDelete"] is True
    assert described(door, "Contact")["LU_User_ID__c"]["unique"] is False


def test_describe_is_304_until_the_schema_changes(door: OrgDoor) -> None:
    """If-Modified-Since; a removed field counts as a change."""
    path = f"/sobjects/{ENROLLMENT}/describe"
    since = {"If-Modified-Since": door.call("GET", path).headers["Last-Modified"]}
    answer = door.call("GET", path, headers=since)
    assert (answer.status_code, answer.content) == (304, b"")
    door.now += 5
    door.call("POST", "/__knobs", json={"missing_fields": [f"{ENROLLMENT}.Score__c"]})
    assert door.call("GET", path, headers=since).status_code == 200
    assert "Score__c" not in described(door, ENROLLMENT)


def test_the_global_describe_lists_every_object(door: OrgDoor) -> None:
    """Users are not deletable, contacts are."""
    listed = {one["name"]: one for one in door.call("GET", "/sobjects").json()["sobjects"]}
    assert (listed["User"]["deletable"], listed["Contact"]["deletable"]) == (False, True)
    assert listed[PORTAL]["keyPrefix"] == "a00"
    assert "LearnUpon_Sync_Run__c" in listed
    assert door.call("GET", "/sobjects/Wrong__c/describe").status_code == 404


def test_the_package_variant_has_prefixes_and_none_of_our_columns() -> None:
    """With namespace LearnUponP custom names are prefixed, added columns and the run object absent."""
    with OrgDoor(namespace="LearnUponP") as door:
        listed = {one["name"] for one in door.call("GET", "/sobjects").json()["sobjects"]}
        assert "LearnUponP__LearnUpon_Portal__c" in listed
        assert not any("Sync_Run" in name for name in listed)
        fields = described(door, "LearnUponP__LearnUponEnrollment__c")
        assert "LearnUponP__Course_Name__c" in fields
        assert not [name for name in fields if "LU_Key" in name or "Removed" in name or "Course_Id" in name]
        relation = fields["LearnUponP__LearnUpon_Portal_Membership__c"]["relationshipName"]
        assert relation == "LearnUponP__LearnUpon_Portal_Membership__r"
        assert "LearnUponP__LU_User_ID__c" in described(door, "User")
        member = described(door, "LearnUponP__LearnUpon_Portal_Membership__c")
        assert not [name for name in member if "LU_Number" in name]


def test_one_record_is_made_read_changed_and_deleted(door: OrgDoor) -> None:
    """201, 200, 204, 204; afterwards ENTITY_IS_DELETED with 404."""
    made = door.call("POST", "/sobjects/Contact", json={"LastName": "A", "LU_User_ID__c": 5})
    assert (made.status_code, made.json()["success"]) == (201, True)
    path = f"/sobjects/Contact/{made.json()['id'][:15]}"
    read = door.call("GET", path, params={"fields": "Name,LU_User_ID__c"}).json()
    assert (read["Name"], read["LU_User_ID__c"], read["attributes"]["type"]) == ("A", 5.0, "Contact")
    assert door.call("PATCH", path, json={"LU_User_ID__c": None}).status_code == 204
    assert door.call("GET", path).json()["LU_User_ID__c"] is None
    assert door.call("DELETE", path).status_code == 204
    gone = door.call("GET", path)
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
    assert [entry.operation for entry in door.ledger.entries] == ["create", "update", "delete"]


def test_one_record_by_external_id(door: OrgDoor) -> None:
    """PATCH makes (201) or changes (200) it; several matches are 300 with their addresses."""
    path = f"/sobjects/{PORTAL}/LU_Key__c/7"
    made = door.call("PATCH", path, json={"Name": "A"})
    assert (made.status_code, made.json()["created"]) == (201, True)
    assert door.call("PATCH", path, json={"Name": "B"}).status_code == 200
    assert door.call("GET", path).json()["Name"] == "B"
    assert door.call("GET", f"/sobjects/{PORTAL}/LU_Key__c/8").status_code == 404
    assert door.call("GET", f"/sobjects/{PORTAL}/Portal_Id__c/8").status_code == 404
    twice = [door.org.insert("Contact", {"LU_User_ID__c": 7}) for _ in range(2)]
    answer = door.call("PATCH", "/sobjects/Contact/LU_User_ID__c/7", json={"Title": "x"})
    assert (answer.status_code, len(answer.json())) == (300, len(twice))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "x", "Wrong": 1}, "INVALID_FIELD"),
        ({"LastName": "x" * 81}, "STRING_TOO_LONG"),
        ({"LastName": 5}, "JSON_PARSER_ERROR"),
        ({"LastName": "x", "Email": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ({"LastName": "x", "LU_User_ID__c": 10**18}, "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_a_bad_record_is_400_with_its_code(door: OrgDoor, fields: dict[str, object], code: str) -> None:
    """The same rules as in Bulk."""
    answer = door.call("POST", "/sobjects/Contact", json=fields)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert door.ledger.entries == []


def test_a_field_that_cannot_be_updated_is_refused_though_unchanged(door: OrgDoor) -> None:
    """INVALID_FIELD_FOR_INSERT_UPDATE goes by the field's rights, not by its value."""
    member = door.membership()
    same = {"LearnUpon_Portal__c": door.org.rows(PORTAL)[0]["Id"]}
    answer = door.call("PATCH", f"/sobjects/{MEMBERSHIP}/{member}", json=same)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    data = "Id,LU_Key__c,LearnUpon_Portal__c\n{},1:member:1,{}\n"
    full = data.format(member, same["LearnUpon_Portal__c"])
    assert door.errors(door.ingest("update", full, MEMBERSHIP)) == ["INVALID_FIELD_FOR_INSERT_UPDATE"]
    assert door.errors(door.ingest("update", data.format(member, ""), MEMBERSHIP)) == []


def test_the_key_of_an_upsert_and_the_same_master_are_no_updates(door: OrgDoor) -> None:
    """A detail is upserted again with key and master, another master or a closed field is refused."""
    door.membership()
    path, same = f"/sobjects/{MEMBERSHIP}/LU_Key__c/1:member:1", {"LearnUpon_Portal__c": door.org.rows(PORTAL)[0]["Id"]}
    door.org.read_only_fields = {f"{MEMBERSHIP}.LU_Key__c", f"{MEMBERSHIP}.LU_Portal_Membership_ID__c"}
    assert door.call("PATCH", path, json=same).status_code == 200
    other = {"LearnUpon_Portal__c": door.org.insert(PORTAL, {"Name": "B"})}
    closed = {"LU_Portal_Membership_ID__c": None}
    for fields in (other, closed):
        assert door.call("PATCH", path, json=fields).json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/sobjects/Contact", "/composite/sobjects", "/jobs/ingest", "/jobs/query"])
def test_json_needs_its_content_type(door: OrgDoor, path: str, kind: str | None) -> None:
    """415 UNSUPPORTED_MEDIA_TYPE for JSON sent as something else, or as nothing."""
    headers = {} if kind is None else {"Content-Type": kind}
    answer = door.call("POST", path, data=b'{"LastName": "A"}', headers=headers)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    right = {"Content-Type": "application/json; charset=UTF-8"}
    assert door.call("POST", path, data=b'{"LastName": "A"}', headers=right).status_code != 415


def test_addresses_and_headers_have_an_end(door: OrgDoor) -> None:
    """414 when the URI alone is over 16,384 bytes, 431 when the URI with its headers is."""
    room = 16_384 - len("/services/data/v67.0/limits?x=")
    asked = [(room + 1, ""), (room, ""), (15_000, ""), (1_000, "y" * 15_500), (1_000, "")]
    answers = [door.call("GET", f"/limits?x={'x' * size}", headers={"X-More": more}) for size, more in asked]
    assert [answer.status_code for answer in answers] == [414, 431, 200, 431, 200]


def test_collections_answer_200_with_a_result_for_each(door: OrgDoor) -> None:
    """Create, change, upsert and delete; a parent may be named by its external id."""
    kind = {"attributes": {"type": PORTAL}}
    records = [{**kind, "Name": "A", "LU_Key__c": "1"}, {**kind, "LU_Key__c": "2"}]
    good, bad = door.call("POST", "/composite/sobjects", json={"records": records}).json()
    assert (good["success"], bad["errors"][0]["statusCode"]) == (True, "REQUIRED_FIELD_MISSING")
    member = {"LU_Key__c": "1:member:1", "LearnUpon_Portal__r": {"LU_Key__c": "1"}}
    records = [{"attributes": {"type": MEMBERSHIP}, **member}]
    path = f"/composite/sobjects/{MEMBERSHIP}/LU_Key__c"
    assert door.call("PATCH", path, json={"records": records}).json()[0]["created"] is True
    assert door.org.rows(MEMBERSHIP)[0]["LearnUpon_Portal__c"] == good["id"]
    change = {"records": [{**kind, "id": good["id"], "Name": "B"}]}
    assert door.call("PATCH", "/composite/sobjects", json=change).json()[0]["success"] is True
    ids = {"ids": f"{good['id']},a00zz0000000000"}
    done = door.call("DELETE", "/composite/sobjects", params=ids).json()
    assert [one["success"] for one in done] == [True, False]
    assert door.org.rows(MEMBERSHIP) == []


def test_a_record_named_twice_in_a_collection_is_refused_both_times(door: OrgDoor) -> None:
    """DUPLICATE_VALUE for the same id, in 15 or 18 characters, or external id within a call; the rest is written."""
    ids = [door.org.insert("Contact", {"LastName": name}) for name in "AB"]
    kind = {"attributes": {"type": "Contact"}}
    given = [{**kind, "id": one, "LastName": "C"} for one in (ids[0], ids[1], ids[0][:15])]
    answer = door.call("PATCH", "/composite/sobjects", json={"records": given}).json()
    assert [one["success"] for one in answer] == [False, True, False]
    assert {error["statusCode"] for one in answer for error in one["errors"]} == {"DUPLICATE_VALUE"}
    assert door.column("SELECT LastName FROM Contact ORDER BY LastName") == ["A", "C"]
    path = f"/composite/sobjects/{PORTAL}/LU_Key__c"
    keyed = [{"LU_Key__c": key, "Name": "P"} for key in ("1", "1", "2")]
    answer = door.call("PATCH", path, json={"records": keyed}).json()
    assert [one["success"] for one in answer] == [False, False, True]
    assert door.column(f"SELECT LU_Key__c FROM {PORTAL}") == ["2"]  # noqa: S608 - a constant
    new = [{**kind, "LastName": "D"}] * 2
    answer = door.call("POST", "/composite/sobjects", json={"records": new}).json()
    assert [one["success"] for one in answer] == [True, True]


def test_all_or_none_takes_everything_back(door: OrgDoor) -> None:
    """One failure undoes the others, cascades too, and the ledger is silent."""
    door.membership()
    (portal,) = door.org.rows(PORTAL)
    door.ledger.clear()
    kind = {"attributes": {"type": PORTAL}}
    body = {"allOrNone": True, "records": [{**kind, "Name": "A", "LU_Key__c": "9"}, {**kind}]}
    first, _ = door.call("POST", "/composite/sobjects", json=body).json()
    assert first["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    ids = {"ids": f"{portal['Id']},a00zz0000000000", "allOrNone": "true"}
    door.call("DELETE", "/composite/sobjects", params=ids)
    assert (len(door.org.rows(PORTAL)), len(door.org.rows(MEMBERSHIP)), door.ledger.entries) == (1, 1, [])
    assert door.org.find(PORTAL, LU_Key__c="9") == []


def test_collections_have_limits(door: OrgDoor) -> None:
    """200 records; users not mixed with others."""
    records = [{"attributes": {"type": "Contact"}, "LastName": "x"}] * 201
    assert door.call("POST", "/composite/sobjects", json={"records": records}).status_code == 400
    user = {"id": door.org.user_id, "attributes": {"type": "User"}, "Title": "x"}
    mixed = [user, {"attributes": {"type": "Contact"}, "id": "0035g0000000001", "LastName": "x"}]
    results = door.call("PATCH", "/composite/sobjects", json={"records": mixed}).json()
    assert {one["errors"][0]["statusCode"] for one in results} == {"MIXED_DML_OPERATION"}


def test_a_deleted_record_frees_its_key_and_can_come_back(door: OrgDoor) -> None:
    """Soft delete, recycle bin, undelete."""
    first = door.org.insert(PORTAL, {"Name": "A", "LU_Key__c": "1"})
    door.org.delete(PORTAL, first)
    second = door.org.insert(PORTAL, {"Name": "B", "LU_Key__c": "1"})
    door.org.delete(PORTAL, second)
    door.call("POST", "/__tick", json={"name": "undelete", "object": PORTAL, "id": first})
    assert [row["Id"] for row in door.org.rows(PORTAL)] == [first]
    assert [row["Id"] for row in door.org.rows(PORTAL, include_deleted=True)] == [first, second]


def test_ids_are_bytes_that_nobody_should_read(door: OrgDoor) -> None:
    """Locators are opaque; this only holds that they are no bare numbers."""
    for _ in range(3):
        door.org.insert("Contact", {})
    made = door.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Contact"}).json()
    door.now += 2
    answer = door.call("GET", f"/jobs/query/{made['id']}/results", params={"maxRecords": "1"})
    locator = answer.headers["Sforce-Locator"]
    assert not locator.isdigit()
    assert base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4))
