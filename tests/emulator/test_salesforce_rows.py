"""Conformance of the emulated Salesforce: what becomes of each row and each cell of an upload."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from salesforce_door import ENROLLMENT, MEMBERSHIP, PORTAL, OrgDoor

from etl.emulator.salesforce import Refusal


@pytest.fixture
def door() -> Iterator[OrgDoor]:
    """An org with portal 1, member 1 and enrollment 1; the emulator must not have failed in the end."""
    with OrgDoor() as opened:
        opened.membership()
        opened.org.insert(ENROLLMENT, {"LU_Key__c": "1:enrollment:1", "Status__c": "Old", "Score__c": 50})
        opened.ledger.clear()
        yield opened
        assert opened.server.errors == []


def one(door: OrgDoor, key: str = "1:enrollment:1") -> dict[str, object]:
    """Return the enrollment with that key."""
    (row,) = door.org.find(ENROLLMENT, LU_Key__c=key)
    return row


def failure(door: OrgDoor, operation: str, data: str, thing: str = ENROLLMENT, **more: str) -> str:
    """Run a job and return its errorMessage, or its only row's error."""
    job = door.ingest(operation, data, thing, **more)
    ended = door.job(job)
    if ended["state"] == "Failed":
        assert ended["numberRecordsProcessed"] == 0
        return str(ended["errorMessage"])
    (row,) = door.result(job)
    return row["sf__Error"]


def test_an_empty_cell_is_ignored_and_na_clears(door: OrgDoor) -> None:
    """Empty leaves the field alone on an update, #N/A sets null (guide, field values)."""
    door.ingest("upsert", "LU_Key__c,Status__c,Score__c\n1:enrollment:1,,#N/A\n")
    assert (one(door)["Status__c"], one(door)["Score__c"]) == ("Old", None)
    (entry,) = door.ledger.entries
    assert (entry.operation, entry.before["Score__c"], entry.after["Score__c"]) == ("update", 50, None)


def test_an_update_that_changes_nothing_is_an_effect(door: OrgDoor) -> None:
    """Salesforce moves SystemModstamp even then."""
    before = one(door)["SystemModstamp"]
    door.ingest("upsert", "LU_Key__c,Status__c\n1:enrollment:1,Old\n")
    assert len(door.ledger.entries) == 1
    assert one(door)["SystemModstamp"] != before


@pytest.mark.parametrize(
    ("delimiter", "sign"),
    [("COMMA", ","), ("TAB", "\t"), ("PIPE", "|"), ("SEMICOLON", ";"), ("CARET", "^"), ("BACKQUOTE", "`")],
)
def test_every_delimiter(door: OrgDoor, delimiter: str, sign: str) -> None:
    """ColumnDelimiter has six values; a quoted value may hold it."""
    data = f'LU_Key__c{sign}Course_Name__c\n1:enrollment:2{sign}"a{sign}""b"""\n'
    door.ingest("upsert", data, columnDelimiter=delimiter)
    assert one(door, "1:enrollment:2")["Course_Name__c"] == f'a{sign}"b"'


def test_quoted_line_ends_emoji_and_no_last_newline(door: OrgDoor) -> None:
    """Quoted values keep their line ends, any of them; the last row needs none (SFDMU sends it so)."""
    door.ingest("upsert", 'LU_Key__c,Course_Name__c\n"1:enrollment:2","a\r\nb\nc\rd 😀 Å"')
    assert one(door, "1:enrollment:2")["Course_Name__c"] == "a\r\nb\nc\rd 😀 Å"


def test_outer_blanks_are_trimmed(door: OrgDoor) -> None:
    """Text loses its outer blanks in Salesforce."""
    door.ingest("upsert", 'LU_Key__c,Course_Name__c\n1:enrollment:2,"  x  y "\n')
    assert one(door, "1:enrollment:2")["Course_Name__c"] == "x  y"


def test_line_endings_must_match_the_job(door: OrgDoor) -> None:
    """LF is the default; the wrong one fails the whole job, the right one works."""
    data = "LU_Key__c,Status__c\r\n1:enrollment:2,Passed\r\n"
    assert "LineEnding is invalid" in failure(door, "upsert", data)
    assert "LineEnding is invalid" in failure(door, "upsert", data.replace("\r", ""), lineEnding="CRLF")
    door.ingest("upsert", data, lineEnding="CRLF")
    assert one(door, "1:enrollment:2")["Status__c"] == "Passed"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("LU_Key__c,Website\nk,x\n", "InvalidBatch : Field name not found : Website"),
        ("LU_Key__c,Nothing__r.LU_Key__c\nk,x\n", "InvalidBatch : Field name not found : Nothing__r.LU_Key__c"),
        ("LU_Key__c,SFContact__r.Title\nk,x\n", "InvalidBatch : Field name not found : SFContact__r.Title"),
        ("Status__c\nx\n", "InvalidBatch : Field name not found : LU_Key__c"),
        ("LU_Key__c,Status__c\nk\n", "InvalidBatch : Failed to parse CSV"),
        ('LU_Key__c,Status__c\nk,"x\n', "InvalidBatch : Failed to parse CSV"),
        ("", "InvalidBatch : Unable to find object header"),
    ],
)
def test_a_bad_file_fails_the_whole_job(door: OrgDoor, data: str, message: str) -> None:
    """State Failed, nothing processed (guide, valid CSV; the first message is from a real org)."""
    assert failure(door, "upsert", data).startswith(message)
    assert door.ledger.entries == []


def test_a_blank_beside_a_quote_fails_the_row_alone(door: OrgDoor) -> None:
    """The guide: "a space before or after a double quote generates an error for the row"."""
    job = door.ingest("upsert", 'LU_Key__c,Status__c\n1:enrollment:2, "x"\n1:enrollment:3,"y"\n')
    assert (door.job(job)["numberRecordsProcessed"], len(door.result(job))) == (2, 1)


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("Course_Name__c", "x" * 256, "STRING_TOO_LONG"),
        ("Score__c", "abc", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Score__c", "nan", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Score__c", "10000", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("Date_Enrolled__c", "2026-01-02", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Date_Enrolled__c", "2026-13-02T00:00:00Z", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Date_Enrolled__c", "1699-12-31T23:59:59Z", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Date_Enrolled__c", "1700-01-01T00:30:00+01:00", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Date_Enrolled__c", "4000-12-31T00:00:01Z", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Removed_In_LearnUpon__c", "yes", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("SFContact__c", "nobody", "MALFORMED_ID"),
        ("SFContact__c", "0035g0000009999", "INVALID_CROSS_REFERENCE_KEY"),
        ("SFContact__c", "0055g0000000001", "FIELD_INTEGRITY_EXCEPTION"),
        ("LearnUpon_Portal_Membership__r.LU_Key__c", "1:member:9", "INVALID_FIELD"),
        ("CreatedDate", "2026-01-02T00:00:00Z", "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
def test_a_bad_cell_fails_its_row_with_the_documented_code(door: OrgDoor, column: str, cell: str, code: str) -> None:
    """The row is refused, the next one applied; so it is for moments before 1700 or after 4000."""
    job = door.ingest("upsert", f"LU_Key__c,{column}\n1:enrollment:2,{cell}\n1:enrollment:3,\n")
    assert door.errors(job) == [code]
    assert [entry.key for entry in door.ledger.entries] == ["1:enrollment:3"]


@pytest.mark.parametrize(
    ("column", "cell", "stored"),
    [
        ("Score__c", "1.5e1", 15),
        ("Score__c", "66.666", 66.67),
        ("LUEnrollment__c", "123456789012345678", 123456789012345678),
        ("Removed_In_LearnUpon__c", "1", True),
        ("Removed_In_LearnUpon__c", "TRUE", True),
        ("Date_Enrolled__c", "2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"),
        ("Date_Enrolled__c", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.000Z"),
        ("Date_Enrolled__c", "1700-01-01T00:00:00Z", "1700-01-01T00:00:00.000Z"),
        ("Date_Enrolled__c", "4000-12-31T00:00:00Z", "4000-12-31T00:00:00.000Z"),
        ("status__C", "x", "x"),
    ],
)
def test_cells_are_read_by_the_type_of_the_field(door: OrgDoor, column: str, cell: str, stored: object) -> None:
    """Exponents, offsets, 1 and 0 for booleans; header names in any case."""
    door.ingest("upsert", f"LU_Key__c,{column}\n1:enrollment:2,{cell}\n")
    row = {name.lower(): value for name, value in one(door, "1:enrollment:2").items()}
    assert row[column.lower()] == stored


def test_the_same_key_twice_in_a_chunk_fails_both(door: OrgDoor) -> None:
    """Duplicate external ids within 200 rows fail; in different chunks the later one updates."""
    job = door.ingest("upsert", "LU_Key__c,Status__c\nk,a\nk,b\nK,c\n")
    assert door.errors(job) == ["DUPLICATE_VALUE", "DUPLICATE_VALUE"]
    assert one(door, "K")["Status__c"] == "c"
    filler = "".join(f"f{n},x\n" for n in range(200))
    job = door.ingest("upsert", f"LU_Key__c,Status__c\nq,a\n{filler}q,b\n")
    assert (door.errors(job), one(door, "q")["Status__c"]) == ([], "b")


def test_parents_by_external_id_and_by_id(door: OrgDoor) -> None:
    """`Rel__r.Ext__c` for custom, `Rel.Ext` for standard relationships, ids of 15 or 18."""
    contact = door.org.insert("Contact", {})
    data = "LU_Key__c,LearnUpon_Portal_Membership__r.LU_Key__c,SFContact__c,Owner.Username\n"
    door.ingest("upsert", f"{data}1:enrollment:2,1:member:1,{contact[:15]},sync@example.com\n")
    row = one(door, "1:enrollment:2")
    (member,) = door.org.rows(MEMBERSHIP)
    assert (row["SFContact__c"], row["LearnUpon_Portal_Membership__c"]) == (contact, member["Id"])
    assert row["OwnerId"] == door.org.user_id


def test_an_empty_id_column_does_no_harm_to_an_upsert(door: OrgDoor) -> None:
    """Jsforce adds one."""
    job = door.ingest("upsert", "Id,LU_Key__c\n,1:enrollment:2\n")
    assert [row["sf__Created"] for row in door.result(job, "successfulResults")] == ["true"]


def test_a_record_without_its_required_parent_is_refused(door: OrgDoor) -> None:
    """Master-detail is required on create."""
    assert failure(door, "upsert", "LU_Key__c\n1:member:2\n", MEMBERSHIP).startswith(
        "REQUIRED_FIELD_MISSING:Required fields are missing: [LearnUpon_Portal__c]:LearnUpon_Portal__c --"
    )


def test_insert_of_a_taken_unique_key_is_a_duplicate(door: OrgDoor) -> None:
    """DUPLICATE_VALUE names the other record."""
    error = failure(door, "insert", "LU_Key__c\n1:enrollment:1\n")
    assert error.startswith("DUPLICATE_VALUE:duplicate value found: LU_Key__c")


def test_upsert_by_a_key_that_is_not_unique(door: OrgDoor) -> None:
    """Two records with one external id: refused, neither touched."""
    for _ in range(2):
        door.org.insert("Contact", {"LU_User_ID__c": 7}, record=False)
    data = "LU_User_ID__c,LastName\n7,Other\n"
    error = failure(door, "upsert", data, "Contact", externalIdFieldName="LU_User_ID__c")
    assert error.startswith("DUPLICATE_EXTERNAL_ID:more than one record found for external id field")
    assert door.ledger.entries == []


def test_updates_and_deletes_by_id_say_what_is_wrong(door: OrgDoor) -> None:
    """Deleted, unknown, malformed, missing, twice."""
    kept, gone = door.org.insert("Contact", {}), door.org.insert("Contact", {})
    door.org.delete("Contact", gone)
    rows = f"{gone},x\n0035g0000009999,x\nnobody,x\n,x\n{kept},x\n"
    job = door.ingest("update", f"Id,Title\n{rows}", "Contact")
    wrong = ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID", "MISSING_ARGUMENT"]
    assert door.errors(job) == wrong
    job = door.ingest("update", f"Id,Title\n{kept},a\n{kept[:15]},b\n", "Contact")
    assert door.errors(job) == ["DUPLICATE_VALUE", "DUPLICATE_VALUE"]
    job = door.ingest("delete", f"Id\n{gone}\n{kept}\n", "Contact")
    assert door.errors(job) == ["ENTITY_IS_DELETED"]


def test_delete_takes_the_id_column_and_no_other(door: OrgDoor) -> None:
    """Another column fails the job."""
    assert failure(door, "delete", "Id,LU_Key__c\nx,y\n").startswith("InvalidBatch")


def test_a_deleted_master_takes_its_details_along(door: OrgDoor) -> None:
    """The cascade is in the ledger; look-ups to the details are emptied."""
    (member,) = door.org.rows(MEMBERSHIP)
    row_id = str(one(door)["Id"])
    door.org.update(ENROLLMENT, row_id, {"LearnUpon_Portal_Membership__c": member["Id"]})
    door.ledger.clear()
    (portal,) = door.org.rows(PORTAL)
    door.ingest("delete", f"Id\n{portal['Id']}\n", PORTAL)
    assert door.org.rows(MEMBERSHIP) == []
    assert one(door)["LearnUpon_Portal_Membership__c"] is None
    seen = [(entry.source, entry.operation, entry.object) for entry in door.ledger.entries]
    assert seen == [
        ("cascade", "update", ENROLLMENT),
        ("cascade", "delete", MEMBERSHIP),
        ("bulk", "delete", PORTAL),
    ]


def test_users_are_never_deleted(door: OrgDoor) -> None:
    """Only IsActive can be switched off."""
    user = door.org.insert("User", {})
    assert failure(door, "delete", f"Id\n{user}\n", "User").startswith("INSUFFICIENT_ACCESS_OR_READONLY")
    door.ingest("update", f"Id,IsActive,LU_Number_Enrolled__c\n{user},false,3\n", "User")
    row = door.org.get("User", user)
    assert row is not None
    assert (row["IsActive"], row["LU_Number_Enrolled__c"]) == (False, 3)


def test_hard_delete_leaves_nothing_in_the_bin(door: OrgDoor) -> None:
    """With the permission only."""
    door.org.can_hard_delete = True
    contact = door.org.insert("Contact", {})
    door.ingest("hardDelete", f"Id\n{contact}\n", "Contact")
    assert door.org.rows("Contact", include_deleted=True) == []


def test_refusals_clear_after_their_times(door: OrgDoor) -> None:
    """UNABLE_TO_LOCK_ROW for the first try of a row, others pass."""
    door.org.refuse = [Refusal(ENROLLMENT, {"LU_Key__c": "1:enrollment:2"}, "UNABLE_TO_LOCK_ROW", times=1)]
    data = "LU_Key__c\n1:enrollment:2\n1:enrollment:3\n"
    job = door.ingest("upsert", data)
    (row,) = door.result(job)
    assert row["sf__Error"] == "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"
    assert door.errors(door.ingest("upsert", data)) == []


def test_fields_closed_by_security_are_refused_by_row(door: OrgDoor) -> None:
    """INVALID_FIELD_FOR_INSERT_UPDATE, and describe says so."""
    door.call("POST", "/__knobs", json={"read_only_fields": [f"{ENROLLMENT}.Status__c"]})
    error = failure(door, "upsert", "LU_Key__c,Status__c\n1:enrollment:1,New\n")
    assert error.startswith("INVALID_FIELD_FOR_INSERT_UPDATE")
    fields = door.call("GET", f"/sobjects/{ENROLLMENT}/describe").json()["fields"]
    (status,) = [field for field in fields if field["name"] == "Status__c"]
    assert (status["updateable"], status["createable"]) == (False, False)


def test_a_restricted_picklist_refuses_other_values(door: OrgDoor) -> None:
    """A test may declare the status as a picklist."""
    status = door.org.objects[ENROLLMENT].fields["Status__c"]
    status.type, status.picklist, status.restricted = "picklist", ("Passed", "Failed"), True
    error = failure(door, "upsert", "LU_Key__c,Status__c\n1:enrollment:1,Odd\n")
    assert error.startswith("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    door.ingest("upsert", "LU_Key__c,Status__c\n1:enrollment:1,passed\n")
    assert one(door)["Status__c"] == "Passed"
