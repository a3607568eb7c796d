"""Conformance of the emulated Salesforce: query jobs (Bulk API 2.0 guide)."""
# ruff: noqa: S608 - SOQL against the emulator, made of constants

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from salesforce_door import ENROLLMENT, MEMBERSHIP, OrgDoor


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


def start(door: OrgDoor, query: str, operation: str = "query", **more: str) -> str:
    """Make a query job, let it end, and return its id."""
    answer = door.call("POST", "/jobs/query", json={"operation": operation, "query": query, **more})
    assert answer.json()["state"] == "UploadComplete"
    door.now += 2
    return str(answer.json()["id"])


def pages(door: OrgDoor, job: str, **query: str) -> list[tuple[str, int]]:
    """Return the text and the count of every page."""
    found, locator = [], ""
    while locator != "null":
        asked = {**query, "locator": locator} if locator else query
        answer = door.call("GET", f"/jobs/query/{job}/results", params=asked)
        found.append((answer.content.decode(), int(answer.headers["Sforce-NumberOfRecords"])))
        locator = answer.headers["Sforce-Locator"]
    return found


def test_a_query_job_runs_and_tells_its_count(door: OrgDoor) -> None:
    """UploadComplete at first, then InProgress, JobComplete (guide, query jobs); results not before."""
    people(door, "A", "B")
    job = door.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Contact"}).json()
    assert (job["state"], job["object"]) == ("UploadComplete", "Contact")
    assert door.call("GET", f"/jobs/query/{job['id']}/results").status_code == 400
    door.now += 1
    assert door.job(job["id"], "query")["state"] == "InProgress"
    door.now += 1
    ended = door.job(job["id"], "query")
    assert (ended["state"], ended["jobType"], ended["numberRecordsProcessed"]) == ("JobComplete", "V2Query", 2)


def test_every_page_has_the_header_and_only_null_ends(door: OrgDoor) -> None:
    """Both official clients read the header of each page; the last locator is the text null."""
    people(door, *"ABCDE")
    job = start(door, "SELECT Name FROM Contact")
    found = pages(door, job, maxRecords="2")
    assert [count for _, count in found] == [2, 2, 1]
    assert all(text.startswith('"Name"\n') and text.endswith("\n") for text, _ in found)
    names = [line for text, _ in found for line in text.splitlines()[1:]]
    assert sorted(names) == [f'"{name}"' for name in "ABCDE"]


@pytest.mark.parametrize("asked", [{}, {"maxRecords": "100000"}])
def test_a_page_may_hold_fewer_rows_than_max_records(door: OrgDoor, asked: dict[str, str]) -> None:
    """The service chooses how many rows a page holds, at most maxRecords where that is given."""
    people(door, *"ABC")
    door.org.query_page_rows = 2
    job = start(door, "SELECT Id FROM Contact")
    assert [count for _, count in pages(door, job, **asked)] == [2, 1]
    assert len(door.call("GET", f"/jobs/query/{job}/resultPages", params=asked).json()["resultPages"]) == 2


def test_a_page_can_be_read_again(door: OrgDoor) -> None:
    """A locator is stable while the job lives; a wrong one is 400."""
    people(door, *"ABC")
    job = start(door, "SELECT Id FROM Contact")
    first = door.call("GET", f"/jobs/query/{job}/results", params={"maxRecords": "1"})
    again = {"maxRecords": "1", "locator": first.headers["Sforce-Locator"]}
    one, two = (door.call("GET", f"/jobs/query/{job}/results", params=again).text for _ in range(2))
    assert one == two != first.text
    assert door.call("GET", f"/jobs/query/{job}/results", params={"locator": "?"}).status_code == 400


def test_no_rows_give_the_header_alone(door: OrgDoor) -> None:
    """Zero records, locator null."""
    assert pages(door, start(door, "SELECT Id, Name FROM Contact")) == [('"Id","Name"\n', 0)]


def test_values_are_quoted_and_null_is_empty_text(door: OrgDoor) -> None:
    """Datetimes with .000Z, numbers as doubles (sometimes with exponent), booleans in words, dots for parents."""
    fields = {
        "LU_Key__c": "1:enrollment:1",
        "Course_Name__c": 'a,"b"\r\nc',
        "Date_Enrolled__c": "2026-01-02T03:04:05Z",
        "LUEnrollment__c": 12345678,
        "Score__c": 66.5,
    }
    (member,) = door.org.rows(MEMBERSHIP)
    door.org.insert(ENROLLMENT, {**fields, MEMBERSHIP: member["Id"]})
    columns = (
        "Course_Name__c, Date_Enrolled__c, LUEnrollment__c, Score__c, Status__c, Removed_In_LearnUpon__c, "
        "LearnUpon_Portal_Membership__r.LearnUpon_Portal__r.LU_Key__c, SFContact__r.Name"
    )
    ((text, _),) = pages(door, start(door, f"SELECT {columns} FROM {ENROLLMENT}"))
    header, row = csv.reader(io.StringIO(text, newline=""))
    assert header == columns.split(", ")
    assert row == ['a,"b"\r\nc', "2026-01-02T03:04:05.000Z", "1.2345678E7", "66.5", "", "false", "1", ""]
    assert text.count('"') == 2 * 2 * len(header) + 4


def test_delimiter_and_line_end_of_the_job_are_used(door: OrgDoor) -> None:
    """ColumnDelimiter and lineEnding shape the result."""
    people(door, "A")
    job = start(door, "SELECT Name, Title FROM Contact", columnDelimiter="PIPE", lineEnding="CRLF")
    assert pages(door, job) == [('"Name"|"Title"\r\n"A"|""\r\n', 1)]


def test_query_all_sees_deleted_and_merged_records(door: OrgDoor) -> None:
    """A merged contact is deleted and names its master; its children moved there."""
    master, loser = people(door, "Master", "Loser")
    door.org.insert(ENROLLMENT, {"LU_Key__c": "k", "SFContact__c": loser})
    door.org.merge_contacts(master, loser)
    query = "SELECT Id, MasterRecordId FROM Contact WHERE IsDeleted = true"
    assert pages(door, start(door, query))[0][1] == 0
    ((text, _),) = pages(door, start(door, query, "queryAll"))
    assert text.splitlines()[1] == f'"{loser}","{master}"'
    assert door.column(f"SELECT SFContact__c FROM {ENROLLMENT}") == [master]


def test_results_need_the_version_of_the_create(door: OrgDoor) -> None:
    """409 with another API version."""
    job = start(door, "SELECT Id FROM Contact")
    for part in ("results", "resultPages"):
        assert door.call("GET", f"/services/data/v66.0/jobs/query/{job}/{part}").status_code == 409


def test_result_pages_are_listed_five_at_a_time(door: OrgDoor) -> None:
    """For parallel reading; together they hold all rows once."""
    people(door, *"ABCDEFGHIJK")
    job = start(door, "SELECT Name FROM Contact")
    first = door.call("GET", f"/jobs/query/{job}/resultPages", params={"maxRecords": "2"}).json()
    second = door.call("GET", first["nextRecordsUrl"]).json()
    assert (len(first["resultPages"]), len(second["resultPages"])) == (5, 1)
    assert (first["done"], second["done"], second["nextRecordsUrl"]) == (False, True, None)
    urls = [one["resultUrl"] for page in (first, second) for one in page["resultPages"]]
    names = [line for url in urls for line in door.call("GET", url).text.splitlines()[1:]]
    assert sorted(names) == [f'"{name}"' for name in "ABCDEFGHIJK"]


def test_without_order_by_the_order_means_nothing(door: OrgDoor) -> None:
    """Rows come mixed; with ORDER BY they do not."""
    names = [f"N{number:03d}" for number in range(100)]
    people(door, *names)
    mixed = pages(door, start(door, "SELECT Name FROM Contact"))[0][0].splitlines()[1:]
    ordered = pages(door, start(door, "SELECT Name FROM Contact ORDER BY Name"))[0][0].splitlines()[1:]
    assert ordered == [f'"{name}"' for name in names]
    assert mixed != ordered
    assert sorted(mixed) == ordered


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT() FROM Contact",
        "SELECT COUNT(Id) FROM Contact",
        "SELECT Title FROM Contact GROUP BY Title",
        "SELECT Id FROM Contact LIMIT 5 OFFSET 5",
        "SELECT FIELDS(STANDARD) FROM Contact",
    ],
)
def test_what_bulk_does_not_support_is_refused(door: OrgDoor, query: str) -> None:
    """GROUP BY, OFFSET, aggregates, FIELDS() (guide, query jobs)."""
    assert door.call("POST", "/jobs/query", json={"operation": "query", "query": query}).status_code == 400


def test_query_jobs_can_be_aborted_deleted_and_listed(door: OrgDoor) -> None:
    """The same verbs as for ingest."""
    made = door.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Contact"}).json()
    assert door.set_state(made["id"], "Aborted", "query").json()["state"] == "Aborted"
    (listed,) = door.call("GET", "/jobs/query").json()["records"]
    assert (listed["id"], listed["state"]) == (made["id"], "Aborted")
    assert door.call("GET", "/jobs/ingest").json()["records"] == []
    assert door.call("DELETE", f"/jobs/query/{made['id']}").status_code == 204
    assert door.call("GET", f"/jobs/query/{made['id']}").status_code == 404


def test_a_deleted_record_says_who_deleted_it_and_when(door: OrgDoor) -> None:
    """Its LastModifiedById is who deleted it, its SystemModstamp when; COUNT() sees it by queryAll alone."""
    person = door.org.insert("User", {"Alias": "admin"})
    mine, theirs = (door.org.insert("Contact", {"LastName": name}) for name in ("Mine", "Theirs"))
    door.now += 3600
    door.org.delete("Contact", mine)
    door.org.delete("Contact", theirs, by=person)
    count = "SELECT COUNT() FROM Contact WHERE IsDeleted = true"
    hour = f"{datetime.fromtimestamp(door.now - 60, UTC):%Y-%m-%dT%H:%M:%SZ}"
    later = f"{datetime.fromtimestamp(door.now + 60, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def counted(resource: str, where: str = "") -> int:
        answer = door.call("GET", resource, params={"q": count + where}).json()
        assert (answer["records"], answer["done"]) == ([], True)
        return int(answer["totalSize"])

    assert (counted("/query"), counted("/queryAll")) == (0, 2)
    assert counted("/queryAll", f" AND LastModifiedById = '{door.org.user_id}'") == 1
    assert counted("/queryAll", f" AND LastModifiedById = '{person[:15]}' AND SystemModstamp >= {hour}") == 1
    assert counted("/queryAll", f" AND SystemModstamp >= {later}") == 0


def test_rows_can_be_left_out_in_silence(door: OrgDoor) -> None:
    """By a knob a Bulk query is complete in every word it says, and rows are missing; REST counts all."""
    people(door, *"ABCDE")
    door.org.unseen_rows = {"Contact": 2}
    job = start(door, "SELECT Id FROM Contact")
    ((text, _),) = pages(door, job)
    assert (len(text.split()) - 1, door.job(job, "query")["numberRecordsProcessed"]) == (3, 3)
    assert door.query("SELECT COUNT() FROM Contact")["totalSize"] == 5
