"""Single records and collections over REST (REST guide, "sObject Rows", "sObject Collections"); no SOQL, no CSV."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from etl.emulator.messages import Request, Response
from etl.emulator.salesforce import values
from etl.emulator.salesforce.dml import Writer
from etl.emulator.salesforce.errors import ApiError, RowError, not_found
from etl.emulator.salesforce.inputs import stored

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.schema import Field
    from etl.emulator.salesforce.table import Row, Table


def body(request: Request) -> Any:
    """The JSON of a request; 400 JSON_PARSER_ERROR when it is none.

    415 when its Content-Type is not JSON's (REST guide, "Status Codes and Error Responses"; XML is not emulated).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"MediaType of '{kind}' is not supported by this resource")
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise ApiError(400, "JSON_PARSER_ERROR", f"Unexpected character or end of input: {error}") from error


def fields_of(request: Request) -> dict[str, Any]:
    """The fields of a record sent as a JSON object."""
    given = body(request)
    if not isinstance(given, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "The Json object is expected")
    return {name: value for name, value in given.items() if name != "attributes"}


def table_named(org: SalesforceOrg, name: str) -> Table:
    """The table of an object in a path; 404 without it."""
    table = org.table(name)
    if table is None:
        raise not_found()
    return table


def handle(org: SalesforceOrg, request: Request, parts: list[str], base: str) -> Response:
    """Answer /sobjects/X, /sobjects/X/{id} and /sobjects/X/{field}/{value}; parts start behind /sobjects."""
    table = table_named(org, parts[0])
    try:
        with org.lock:
            if len(parts) == 1 and request.method == "POST":
                made = Writer(org, "rest").create(table, stored(org, table, fields_of(request)))
                return Response.json({"id": made, "success": True, "errors": []}, 201)
            if len(parts) == 2:
                return _by_id(org, request, table, parts[1], base)
            if len(parts) == 3:
                return _by_key(org, request, table, parts[1:], base)
    except RowError as error:
        return refused(error)
    raise ApiError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not allowed.")


def refused(error: RowError) -> Response:
    """The answer for one refused record."""
    status = 404 if error.code in ("ENTITY_IS_DELETED", "NOT_FOUND") else 400
    made: dict[str, Any] = {"message": error.message, "errorCode": error.code, "fields": error.fields}
    return Response.json([made], status)


def _by_id(org: SalesforceOrg, request: Request, table: Table, record_id: str, base: str) -> Response:
    found = table.id_of(record_id)
    if found in table.bin:
        raise RowError("ENTITY_IS_DELETED", "entity is deleted")
    if found is None:
        raise not_found()
    return _one(org, request, table, found, base)


def _one(org: SalesforceOrg, request: Request, table: Table, record_id: str, base: str) -> Response:
    match request.method:
        case "GET":
            return Response.json(shown(table, table.rows[record_id], request.one("fields"), base))
        case "PATCH":
            Writer(org, "rest").update(table, table.rows[record_id], stored(org, table, fields_of(request)))
            return Response(204)
        case "DELETE":
            writer = Writer(org, "rest")
            writer.check_delete(table, record_id)
            writer.delete(table, record_id)
            return Response(204)
    raise ApiError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not allowed.")


def _by_key(org: SalesforceOrg, request: Request, table: Table, key: list[str], base: str) -> Response:
    field = external_field(table, key[0])
    found = table.find(field.name, values.reader(field)(key[1])) if field.type != "id" else [table.id_of(key[1]) or ""]
    if len(found) > 1:
        return Response.json([f"{base}/sobjects/{table.kind.name}/{one}" for one in found], 300)
    if request.method == "PATCH":
        given = {name: value for name, value in fields_of(request).items() if name.lower() != field.name.lower()}
        record_id, created = upsert(Writer(org, "rest"), table, field, {**given, field.name: key[1]})
        made = {"id": record_id, "success": True, "errors": [], "created": created}
        return Response.json(made, 201 if created else 200)
    if not found:
        raise not_found()
    return _one(org, request, table, found[0], base)


def external_field(table: Table, name: str) -> Field:
    """The external id (or idLookup) field of that name; 404 without it."""
    field = table.kind.field(name)
    if field is None or not (field.external_id or field.id_lookup or field.type == "id"):
        message = f"Provided external ID field does not exist or is not accessible: {name}"
        raise ApiError(404, "NOT_FOUND", message)
    return field


def upsert(writer: Writer, table: Table, field: Field, given: dict[str, Any]) -> tuple[str, bool]:
    """Create or change the record with this external id: its id, and whether it is new."""
    key = given[field.name]
    if field.type == "id":
        rest = stored(writer.org, table, {name: value for name, value in given.items() if name != field.name})
        if not key:
            return writer.create(table, rest), True
        row = live(table, str(key))
        writer.update(table, row, rest)
        return row["Id"], False
    if key is not None and not isinstance(key, str) and field.type == "string":
        given = {**given, field.name: str(key)}
    converted = stored(writer.org, table, given)
    if converted[field.name] is None:
        raise RowError("MISSING_ARGUMENT", f"{field.name} not specified")
    found = table.find(field.name, converted[field.name])
    if len(found) > 1:
        raise RowError("DUPLICATE_EXTERNAL_ID", f"more than one record found for external id field: {found}")
    if not found:
        return writer.create(table, converted), True
    writer.update(table, table.rows[found[0]], converted, field.name)
    return found[0], False


def live(table: Table, record_id: str) -> Row:
    """The live record of an id; RowError says why there is none."""
    found = table.id_of(record_id)
    if found is None:
        raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if found in table.bin:
        raise RowError("ENTITY_IS_DELETED", "entity is deleted")
    return table.rows[found]


def shown(table: Table, row: Row, names: str, base: str) -> dict[str, Any]:
    """A record as JSON with the named fields, or all of them."""
    kind = table.kind
    wanted = [one.strip() for one in names.split(",")] if names else list(kind.fields)
    made: dict[str, Any] = {"attributes": {"type": kind.name, "url": f"{base}/sobjects/{kind.name}/{row['Id']}"}}
    for name in wanted:
        field = kind.field(name)
        if field is None:
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
        made[field.name] = values.to_json(field.type, row.get(field.name))
    return made
