"""Conformance of the emulated Salesforce: SOQL, and queries over REST (SOQL reference, REST guide)."""
# ruff: noqa: S608 - SOQL against the emulator, made of constants

from __future__ import annotations

from collections.abc import Iterator

import pytest
from salesforce_door import ENROLLMENT, OrgDoor

from etl.emulator.salesforce import values


@pytest.fixture
def door() -> Iterator[OrgDoor]:
    """An org with member 1 of portal 1; the emulator must not have failed in the end."""
    with OrgDoor() as opened:
        opened.membership()
        yield opened
        assert opened.server.errors == []


def people(door: OrgDoor, *names: str, **fields: object) -> list[str]:
    """Make a contact for each name and return the ids."""
    return [door.org.insert("Contact", {"LastName": name, **fields}) for name in names]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("LastName = 'anna'", ["Anna"]),
        ("LastName != 'anna'", ["Bert", "O'Neil", "_x%"]),
        ("NOT (Title = 'boss')", ["Bert", "O'Neil", "_x%"]),
        ("Title != 'boss'", ["Bert", "O'Neil", "_x%"]),
        ("Title NOT IN ('boss')", ["Bert", "O'Neil", "_x%"]),
        ("Title = null AND LastName LIKE '_e%'", ["Bert"]),
        ("LastName LIKE 'AN%' OR LastName = 'O\\'Neil'", ["Anna", "O'Neil"]),
        ("LastName LIKE '\\_x\\%'", ["_x%"]),
        ("LastName IN ('ANNA', 'bert') AND (LU_User_ID__c > 1 OR Title != null)", ["Anna", "Bert"]),
        ("LU_User_ID__c >= 2", ["Bert"]),
        ("LU_User_ID__c < 2", ["Anna"]),
        ("LU_User_ID__c != 2", ["Anna", "O'Neil", "_x%"]),
        ("LU_Last_Accessed_At__c > 2026-01-01T00:00:00+02:00", ["Anna"]),
        ("LU_Last_Accessed_At__c = null AND LU_User_ID__c <> 2", ["O'Neil", "_x%"]),
        ("CreatedDate = TODAY AND CreatedDate >= LAST_N_DAYS:2 AND LastName = 'Bert'", ["Bert"]),
        ("IsDeleted = false AND Contact.LastName = 'Bert'", ["Bert"]),
        ("Owner.Username = 'SYNC@example.com' AND LastName < 'b'", ["_x%", "Anna"]),
        (f"Id IN (SELECT SFContact__c FROM {ENROLLMENT})", ["Bert"]),
    ],
)
def test_conditions(door: OrgDoor, where: str, found: list[str]) -> None:
    """Comparisons, logic, null, escapes and literals as the SOQL reference says."""
    people(door, "Anna", Title="Boss", LU_User_ID__c=1, LU_Last_Accessed_At__c="2026-01-01T00:00:00Z")
    (bert,) = people(door, "Bert", LU_User_ID__c=2)
    people(door, "O'Neil", "_x%")
    door.org.insert(ENROLLMENT, {"LU_Key__c": "1", "SFContact__c": bert})
    names = door.column(f"SELECT LastName FROM Contact WHERE {where}")
    assert sorted(names, key=str.lower) == sorted(found, key=str.lower)


def test_a_case_sensitive_field_compares_with_case(door: OrgDoor) -> None:
    """LU_Key__c is declared so; other text is not."""
    for key in ("A", "a"):
        door.org.insert(ENROLLMENT, {"LU_Key__c": key, "Status__c": key})
    assert door.column(f"SELECT LU_Key__c FROM {ENROLLMENT} WHERE LU_Key__c = 'a'") == ["a"]
    assert door.column(f"SELECT LU_Key__c FROM {ENROLLMENT} WHERE LU_Key__c LIKE 'a%'") == ["a"]
    assert sorted(door.column(f"SELECT LU_Key__c FROM {ENROLLMENT} WHERE Status__c = 'a'")) == ["A", "a"]


def test_ids_of_15_and_18_characters_are_the_same(door: OrgDoor) -> None:
    """In = and in IN; what is no id is refused."""
    ids = people(door, *[f"N{number}" for number in range(40)])
    assert door.column(f"SELECT Id FROM Contact WHERE Id = '{ids[30][:15]}'") == [ids[30]]
    listed = ",".join(f"'{one[:15]}'" for one in ids)
    assert sorted(door.column(f"SELECT Id FROM Contact WHERE Id IN ({listed})")) == sorted(ids)
    assert door.query("SELECT Id FROM Contact WHERE Id = 'x'")[0]["errorCode"] == "INVALID_QUERY_FILTER_OPERATOR"


def test_dates_have_a_first_and_a_last(door: OrgDoor) -> None:
    """1700-01-01 to 4000-12-31 are dates of SOQL and of fields, and no others."""
    days = ["1699-12-31", "1700-01-01", "4000-12-31", "4001-01-01"]
    assert [values.parse_date(day) for day in days] == [None, *days[1:3], None]
    asked = [door.query(f"SELECT Id FROM Contact WHERE CreatedDate > {day}T00:00:00Z") for day in days]
    assert ["records" in answer for answer in asked] == [False, True, True, False]


def test_order_limit_offset_and_nulls(door: OrgDoor) -> None:
    """Nulls come first unless asked otherwise; text without regard to case."""
    for name, title in (("A", "b"), ("B", None), ("C", "A")):
        people(door, name, Title=title)
    query = "SELECT LastName FROM Contact ORDER BY Title"
    assert door.column(query) == ["B", "C", "A"]
    assert door.column(f"{query} DESC NULLS LAST") == ["A", "C", "B"]
    assert door.column(f"{query} ASC LIMIT 1 OFFSET 1") == ["C"]


def test_counts_and_groups(door: OrgDoor) -> None:
    """COUNT() has no records, COUNT(field) an AggregateResult by alias or expr0 and skips null."""
    people(door, "A", "B", Title="x", LU_User_ID__c=2)
    people(door, "C")
    assert door.query("SELECT COUNT() FROM Contact") == {"totalSize": 3, "done": True, "records": []}
    (record,) = door.query("SELECT COUNT(Id) CNT, COUNT(Title), MAX(LU_User_ID__c) m FROM Contact")["records"]
    assert record == {"attributes": {"type": "AggregateResult"}, "CNT": 3, "expr0": 2, "m": 2.0}
    groups = door.query("SELECT Title, COUNT(Id) n FROM Contact GROUP BY Title ORDER BY Title")["records"]
    assert [(one["Title"], one["n"]) for one in groups] == [(None, 1), ("x", 2)]


@pytest.mark.parametrize("function", ["COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"])
def test_no_aggregate_function_takes_a_checkbox(door: OrgDoor, function: str) -> None:
    """MALFORMED_QUERY for each of them, also where nothing is found."""
    (error,) = door.query(f"SELECT {function}(IsDeleted) n FROM Contact")
    assert error["errorCode"] == "MALFORMED_QUERY"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id FRM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE A = 1 AND B = 2 OR C = 3", "MALFORMED_QUERY"),
        ("SELECT Id, Id FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Wrong__c FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Wrong__r.Id = null", "INVALID_FIELD"),
        ("SELECT Id FROM Contact ORDER BY Wrong", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE LU_User_ID__c = '5'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD"),
        ("SELECT Id FROM Wrong__c", "INVALID_TYPE"),
        ("SELECT Id FROM ScratchOrgInfo LIMIT 1", "INVALID_TYPE"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_a_bad_query_is_400_with_its_code(door: OrgDoor, query: str, code: str) -> None:
    """An array with one error; the same from a Bulk query's create."""
    answer = door.call("GET", "/query", params={"q": query})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    made = door.call("POST", "/jobs/query", json={"operation": "query", "query": query})
    assert (made.status_code, made.json()[0]["errorCode"]) == (400, code)


def test_rest_pages_follow_next_records_url(door: OrgDoor) -> None:
    """TotalSize is of all pages; parents are nested records with attributes."""
    account = door.org.insert("Account", {"Name": "Acme"})
    people(door, *"ABCDE", AccountId=account)
    door.org.rest_page_rows = 2
    page = door.query("SELECT LastName, Account.Name, Account.Owner.Username FROM Contact")
    parent = page["records"][0]["Account"]
    assert parent["attributes"]["type"] == "Account"
    assert (parent["Name"], parent["Owner"]["Username"]) == ("Acme", "sync@example.com")
    names = [one["LastName"] for one in page["records"]]
    while not page["done"]:
        page = door.call("GET", page["nextRecordsUrl"]).json()
        names += [one["LastName"] for one in page["records"]]
    assert (names, page["totalSize"]) == (list("ABCDE"), 5)


def test_columns_tell_the_sf_command_line_what_there_is(door: OrgDoor) -> None:
    """`columns=true` must answer columnMetadata as an array."""
    answer = door.query("SELECT Id, Account.Name FROM Contact", columns="true")
    assert [one["displayName"] for one in answer["columnMetadata"]] == ["Id", "Account.Name"]
    assert (answer["entityName"], answer["keyPrefix"], answer["idSelected"]) == ("Contact", "003", True)


def test_the_organization_can_be_asked_who_it_is(door: OrgDoor) -> None:
    """Clients check IsSandbox and the id before they write."""
    (org,) = door.query(
        "SELECT Id, Name, IsSandbox, InstanceName, OrganizationType, NamespacePrefix, TrialExpirationDate "
        "FROM Organization"
    )["records"]
    assert (org["Id"], org["IsSandbox"], org["NamespacePrefix"]) == (door.org.org_id, True, None)


def test_entity_definition_lists_the_objects(door: OrgDoor) -> None:
    """SFDMU asks it which objects it may write."""
    query = "SELECT QualifiedApiName FROM EntityDefinition WHERE IsQueryable = true AND IsEverDeletable = false"
    assert {"User", "Organization"} <= set(door.column(query)) < set(door.org.objects)
