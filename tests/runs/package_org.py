"""An org with LearnUpon's installed package, read from outside: rows by the key they stand for; it runs nothing."""

from __future__ import annotations

from typing import Any

from runs.stage import MEMBERSHIP, Row, Stage

SPACE = "LearnUponP"
PORTAL = "LearnUpon_Portal__c"
OURS = frozenset({"LU_Key__c", "Removed_In_LearnUpon__c", "Course_Id__c", "Course_Version__c", "Percent_Complete__c"})
"""Columns of design section 2 that the package lacks altogether."""
_NAMES = ("Enrolled", "Not_Started", "In_Progress", "Pending_Review", "Completed", "Passed", "Failed")
COUNTS = tuple(f"LU_Number_{name}__c" for name in _NAMES)
TOTALS = frozenset({*COUNTS, "LU_Last_Accessed_At__c"})
"""What the package holds of a person and not of a membership."""


def api(name: str) -> str:
    """Return the API name of a local name."""
    return f"{SPACE}__{name}" if name.endswith(("__c", "__r")) else name


def local(row: Row) -> Row:
    """Return a record with local field names."""
    return {name.removeprefix(f"{SPACE}__"): value for name, value in row.items()}


def records(stage: Stage, name: str) -> list[Row]:
    """Return the live records of an object under local names."""
    return [local(row) for row in stage.org.rows(api(name))]


def portals(stage: Stage) -> dict[str, Row]:
    """Return the portals by portal id; AssertionError when one is there twice."""
    return _once((str(row["Portal_Id__c"]), row) for row in records(stage, PORTAL))


def members(stage: Stage) -> dict[str, Row]:
    """Return the memberships by the key they would have; AssertionError when one is there twice."""
    owners = {row["Id"]: key for key, row in portals(stage).items()}
    found = []
    for row in records(stage, MEMBERSHIP):
        portal = owners[row["LearnUpon_Portal__c"]]
        assert portal == str(row["Portal_Id__c"])
        found.append((f"{portal}:member:{row['LU_Portal_Membership_ID__c']}", row))
    return _once(found)


def enrollments(stage: Stage, name: str) -> dict[str, Row]:
    """Return course or path rows by the key they would have; AssertionError when one is there twice."""
    kind = "path" if "Path" in name else "enrollment"
    owners = {row["Id"]: key.split(":")[0] for key, row in members(stage).items()}
    return _once(
        (f"{owners[row['LearnUpon_Portal_Membership__c']]}:{kind}:{row['LUEnrollment__c']}", row)
        for row in records(stage, name)
    )


def _once(pairs: Any) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for key, row in pairs:
        assert key not in found, f"{key} is there twice"
        found[key] = row
    return found


def person(stage: Stage, record_id: str) -> Row:
    """Return a Contact or User under local names."""
    return local(stage.person(record_id))


def counts(row: Row) -> list[Any]:
    """Return the seven counts of a profile."""
    return [row[name] for name in COUNTS]


def headers(uploads: list[tuple[str, list[dict[str, str]]]]) -> set[tuple[str, str]]:
    """Return object and column (local names) of all that was uploaded."""
    return {
        (name.removeprefix(f"{SPACE}__"), column.removeprefix(f"{SPACE}__"))
        for name, lines in uploads
        for line in lines[:1]
        for column in line
    }
