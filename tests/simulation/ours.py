"""What is ours in Salesforce, and what the org holds of it in one form; it decides nothing of what should be there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_PATHS, USER_ROWS

from etl.emulator.ledger import Entry
from etl.emulator.salesforce.org import SalesforceOrg

Row = dict[str, Any]
State = dict[str, dict[str, Row]]
PORTAL = "LearnUpon_Portal__c"
FINISHED = ("completed", "passed", "failed")
DONE = ("completed", "passed")
COUNTED = ("not_started", "in_progress", "pending_review", "completed", "passed", "failed")
TOTALS = ("Enrolled", "Not_Started", "In_Progress", "Pending_Review", "Completed", "Passed", "Failed")
TOTAL_FIELDS = tuple(f"LU_Number_{name}__c" for name in TOTALS)
ACCESS, LU_ID, REMOVED, KEY = "LU_Last_Accessed_At__c", "LU_User_ID__c", "Removed_In_LearnUpon__c", "LU_Key__c"
ROWS = {
    "enrollment": {"Contact": CONTACT_ROWS, "User": USER_ROWS},
    "path": {"Contact": CONTACT_PATHS, "User": USER_PATHS},
}
OWN = (PORTAL, MEMBERSHIP, USER_ROWS, CONTACT_ROWS, USER_PATHS, CONTACT_PATHS)
PROFILE = (LU_ID, ACCESS, *TOTAL_FIELDS)
_COMMON = ("Status__c", "Score__c", "Date_Enrolled__c", "Date_Completed__c", "LUEnrollment__c", "LUUser__c", REMOVED)
_ROW_FIELDS = {
    "enrollment": (*_COMMON, MEMBERSHIP, "Course_Name__c", "Course_Id__c", "Course_Version__c", "Percent_Complete__c"),
    "path": (
        *(*_COMMON, MEMBERSHIP, "Path_Name__c"),
        *("Number_Of_Courses_On_Path__c", "Number_Of_Courses_Completed_On_Path__c"),
    ),
}
FIELDS: dict[str, tuple[str, ...]] = {
    PORTAL: ("Name", "Portal_Id__c"),
    MEMBERSHIP: (
        *(PORTAL, "Contact__c", "User__c", "Portal_Id__c", "LU_Portal_Membership_ID__c", REMOVED),
        *(ACCESS, *TOTAL_FIELDS),
    ),
    **{name: (*_ROW_FIELDS[kind], f"SF{side}__c") for kind, sides in ROWS.items() for side, name in sides.items()},
    "Contact": PROFILE,
    "User": PROFILE,
}
"""The fields that are ours, by object."""


def observed(org: SalesforceOrg, undone: Iterable[Entry] = ()) -> State:
    """Return what the org holds of ours, values in one form: own rows by key, people by id; parents by their keys.

    `undone`: deletes and flags that are left out, the newest first.
    """
    org.settle()
    live = {name: list(org.tables[name].rows.values()) for name in FIELDS}
    keys = {row["Id"]: str(row.get(KEY)) for name in OWN for row in live[name]}
    state: State = {}
    for name, rows in live.items():
        by = KEY if name in OWN else "Id"
        found = {str(row.get(by)): _ours(name, row, keys) for row in rows}
        assert len(found) == len(rows), f"{name} has a key twice: {sorted(str(row.get(by)) for row in rows)}"
        state[name] = found
    for entry in undone:
        rows_there = state[entry.object]
        if entry.operation == "delete":
            rows_there.setdefault(str(entry.key), _ours(entry.object, entry.before, keys))
        elif entry.key in rows_there:
            rows_there[entry.key][REMOVED] = bool(entry.before.get(REMOVED))
    return state


def flags(entry: Entry) -> bool:
    """Say whether an effect set the flag of a row that was there."""
    return entry.operation == "update" and bool(entry.after.get(REMOVED)) and not entry.before.get(REMOVED)


def _ours(name: str, row: Row, keys: dict[str, str]) -> Row:
    return {column: _plain(row.get(column), keys) for column in FIELDS[name]}


def _plain(value: Any, keys: dict[str, str]) -> Any:
    """Return a value so that equal ones compare equal: parents as keys, times to the second, numbers as floats."""
    if isinstance(value, str):
        stripped = keys.get(value, value).strip()
        return moment(stripped) if stripped[4:5] == "-" and "T" in stripped else stripped or None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def moment(text: str | None) -> str | None:
    """Return a time to the second."""
    return text[:19] + "Z" if text else None


def unlike(name: str, wanted: dict[str, Row], found: dict[str, Row]) -> list[str]:
    """Return in what an object's rows are not what is wanted, a line each."""
    lines = [f"{name} {key} is missing" for key in wanted.keys() - found.keys()]
    lines += [f"{name} {key} should not be there" for key in found.keys() - wanted.keys()]
    for key in wanted.keys() & found.keys():
        differs = {
            one: (found[key].get(one), value) for one, value in wanted[key].items() if found[key].get(one) != value
        }
        if differs:
            lines.append(f"{name} {key}: is and should be {differs}")
    return sorted(lines)
