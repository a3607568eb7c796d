"""Up to 200 records in one call (REST guide, "sObject Collections"): always 200, with a result for each record.

A call is one transaction: of records with the same id or external id all are refused (SOAP guide, "upsert()").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from etl.emulator.messages import Request, Response
from etl.emulator.salesforce import records
from etl.emulator.salesforce.dml import Writer
from etl.emulator.salesforce.errors import ApiError, RowError
from etl.emulator.salesforce.inputs import key_twice, stored, twice

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.table import Table

MOST = 200
MOST_RUNS = 10
SETUP = ("User", "Profile", "Group")


class _Step(NamedTuple):
    """What to do with one record: its object, the act, and what names the record (empty for a new one)."""

    kind: str
    act: Callable[[Writer], dict[str, Any]]
    key: str = ""
    external: bool = False


def handle(org: SalesforceOrg, request: Request, parts: list[str], base: str) -> Response:
    """Answer /composite/sobjects[/X[/Ext__c]]; parts start behind /composite/sobjects."""
    match request.method, len(parts):
        case "POST", 0:
            return _run(org, request, [_create(org, one) for one in _given(request)])
        case "PATCH", 0:
            return _run(org, request, [_update(org, one) for one in _given(request)])
        case "DELETE", 0:
            ids = [one.strip() for one in request.one("ids").split(",") if one.strip()]
            return _run(org, request, [_delete(org, one) for one in ids])
        case "PATCH", 2:
            table = records.table_named(org, parts[0])
            field = records.external_field(table, parts[1])
            return _run(org, request, [_upsert(org, one, table, field.name) for one in _given(request)])
        case (("GET" | "POST"), 1):
            return _read(org, request, records.table_named(org, parts[0]), base)
    raise ApiError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not allowed.")


def _given(request: Request) -> list[dict[str, Any]]:
    given = records.body(request)
    listed = given.get("records") if isinstance(given, dict) else None
    if not isinstance(listed, list):
        raise ApiError(400, "INVALID_ARGUMENT", "records is missing")
    return listed


def _run(org: SalesforceOrg, request: Request, steps: list[_Step]) -> Response:
    """Do the steps; with allOrNone any failure takes all of them back."""
    kinds = [step.kind for step in steps]
    if len(steps) > MOST:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MOST} records")
    runs = sum(1 for place, kind in enumerate(kinds) if place == 0 or kind != kinds[place - 1])
    if runs > MOST_RUNS:
        raise ApiError(400, "INVALID_OPERATION", f"Cannot have more than {MOST_RUNS} chunks in a single operation")
    together = _all_or_none(request)
    mixed = len({kind in SETUP for kind in kinds}) > 1
    again = twice([step.key for step in steps])
    with org.lock:
        writer = Writer(org, "collections", hold=together)
        results = [_attempt(step, writer, again, mixed=mixed) for step in steps]
        if together and not all(one["success"] for one in results):
            writer.roll_back()
            results = [_rolled_back(one) for one in results]
        writer.commit()
    return Response.json(results)


def _attempt(step: _Step, writer: Writer, again: set[str], *, mixed: bool) -> dict[str, Any]:
    if mixed:
        message = "DML operation on setup object is not permitted with other objects"
        return {"success": False, "errors": [RowError("MIXED_DML_OPERATION", message).as_json()]}
    try:
        if step.key in again:
            raise key_twice(step.key, external=step.external)
        return {**step.act(writer), "success": True, "errors": []}
    except RowError as error:
        return {"success": False, "errors": [error.as_json()]}


def _rolled_back(result: dict[str, Any]) -> dict[str, Any]:
    if not result["success"]:
        return result
    message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
    return {"success": False, "errors": [RowError("ALL_OR_NONE_OPERATION_ROLLED_BACK", message).as_json()]}


def _all_or_none(request: Request) -> bool:
    if request.method == "DELETE":
        return request.one("allOrNone").lower() == "true"
    return bool(records.body(request).get("allOrNone", False))


def _typed(org: SalesforceOrg, record: dict[str, Any]) -> tuple[Table | None, str]:
    name = str(record.get("attributes", {}).get("type", ""))
    table = org.table(name)
    return table, table.kind.name if table is not None else name


def _fields(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "attributes" and name.lower() != "id"}


def _known(table: Table | None, name: str) -> Table:
    if table is None:
        raise RowError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return table


def _whole(table: Table | None, record_id: str) -> str:
    return (table.id_of(record_id) if table is not None else None) or record_id


def _create(org: SalesforceOrg, record: dict[str, Any]) -> _Step:
    table, name = _typed(org, record)

    def step(writer: Writer) -> dict[str, Any]:
        known = _known(table, name)
        return {"id": writer.create(known, stored(org, known, _fields(record)))}

    return _Step(name, step)


def _update(org: SalesforceOrg, record: dict[str, Any]) -> _Step:
    table, name = _typed(org, record)
    given = next((str(value) for key, value in record.items() if key.lower() == "id"), "")

    def step(writer: Writer) -> dict[str, Any]:
        known = _known(table, name)
        if not given:
            raise RowError("MISSING_ARGUMENT", "Id not specified in an update call")
        row = records.live(known, given)
        writer.update(known, row, stored(org, known, _fields(record)))
        return {"id": row["Id"]}

    return _Step(name, step, _whole(table, given))


def _delete(org: SalesforceOrg, record_id: str) -> _Step:
    table = org.table_of(record_id)

    def step(writer: Writer) -> dict[str, Any]:
        if table is None:
            raise RowError("MALFORMED_ID", f"malformed id {record_id}")
        row = records.live(table, record_id)
        writer.check_delete(table, row["Id"])
        writer.delete(table, row["Id"])
        return {"id": row["Id"]}

    return _Step(table.kind.name if table is not None else "", step, _whole(table, record_id))


def _upsert(org: SalesforceOrg, record: dict[str, Any], table: Table, external: str) -> _Step:
    def step(writer: Writer) -> dict[str, Any]:
        _, name = _typed(org, record)
        if name and name != table.kind.name:
            raise RowError("INVALID_TYPE", f"type {name} is not the {table.kind.name} of the address")
        given = {name: value for name, value in record.items() if name != "attributes"}
        if external not in given:
            raise RowError("MISSING_ARGUMENT", f"{external} not specified")
        made, created = records.upsert(writer, table, records.external_field(table, external), given)
        return {"id": made, "created": created}

    key = str(record.get(external) or "").strip()
    by_id = external == "Id"
    return _Step(table.kind.name, step, _whole(table, key) if by_id else str(table.folded(external, key)), not by_id)


def _read(org: SalesforceOrg, request: Request, table: Table, base: str) -> Response:
    """GET (or POST with a body) of several records by id; null for those that are not there."""
    if request.method == "POST":
        asked = records.fields_of(request)
        ids, names = list(asked.get("ids", [])), ",".join(asked.get("fields", []))
    else:
        ids, names = request.one("ids").split(","), request.one("fields")
    with org.lock:
        found = [table.rows.get(table.id_of(one.strip()) or "") for one in ids]
        return Response.json([records.shown(table, row, names, base) if row is not None else None for row in found])
