"""Queries over REST: records as JSON in pages (REST guide, "Query"); it parses no SOQL itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl.emulator.messages import Request, Response
from etl.emulator.salesforce import soql, values
from etl.emulator.salesforce.errors import ApiError

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.soql import Column, Result
    from etl.emulator.salesforce.table import Row

KEPT_CURSORS = 10


class RestQueries:
    """Queries and their cursors; of open cursors the ten youngest are kept (as for a user of the real API)."""

    def __init__(self, org: SalesforceOrg) -> None:
        """Start without cursors."""
        self._org = org
        self._cursors: dict[str, list[dict[str, Any]]] = {}
        self._made = 0

    def query(self, request: Request, base: str, *, deleted: bool) -> Response:
        """GET query or queryAll with `q`; with `columns=true` what the columns are, as the `sf` command asks."""
        text = request.one("q")
        if not text:
            raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
        with self._org.lock:
            found = soql.run(self._org, text, deleted=deleted)
            if request.one("columns").lower() == "true":
                return Response.json(_columns(self._org, found))
            if found.count is not None:
                return Response.json({"totalSize": found.count, "done": True, "records": []})
            records = [_record(found, row, base) for row in found.rows]
        return self._page(records, 0, "", base, _page_size(request, self._org.rest_page_rows))

    def more(self, request: Request, locator: str, base: str) -> Response:
        """A further page; 400 INVALID_QUERY_LOCATOR for a cursor that is gone."""
        cursor, _, start = locator.rpartition("-")
        records = self._cursors.get(cursor)
        if records is None or not start.isdigit():
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(records, int(start), cursor, base, _page_size(request, self._org.rest_page_rows))

    def _page(self, records: list[dict[str, Any]], start: int, cursor: str, base: str, size: int) -> Response:
        end = start + size
        made: dict[str, Any] = {"totalSize": len(records), "done": end >= len(records)}
        if end < len(records):
            made["nextRecordsUrl"] = f"{base}/query/{cursor or self._keep(records)}-{end}"
        return Response.json({**made, "records": records[start:end]})

    def _keep(self, records: list[dict[str, Any]]) -> str:
        with self._org.lock:
            self._made += 1
            cursor = f"01g5g00000{self._made:05d}AAA"
            self._cursors[cursor] = records
            for old in list(self._cursors)[:-KEPT_CURSORS]:
                del self._cursors[old]
        return cursor


def _page_size(request: Request, largest: int) -> int:
    """Rows a page: at most 2,000, fewer by the header `Sforce-Query-Options: batchSize=200`."""
    option = request.headers.get("sforce-query-options", "").replace(" ", "").lower()
    asked = option.removeprefix("batchsize=")
    return min(largest, max(200, int(asked))) if asked.isdigit() else largest


def _record(found: Result, row: Row, base: str) -> dict[str, Any]:
    if found.aggregate:
        made: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        return made | {one.name: values.to_json(one.type, row.get(one.name)) for one in found.columns}
    made = _start(found.object, row["Id"], base)
    for column in found.columns:
        _place(made, column, row, base)
    return made


def _start(kind: str, record_id: str, base: str) -> dict[str, Any]:
    return {"attributes": {"type": kind, "url": f"{base}/sobjects/{kind}/{record_id}"}}


def _place(made: dict[str, Any], column: Column, row: Row, base: str) -> None:
    """Set a value, below its parents; a parent that is not there is null."""
    path = column.path
    if path is None:
        return
    value = values.to_json(column.type, path.get(row))
    into = made
    for place, (parent, got) in enumerate(zip(path.parents, path.ids(row), strict=True)):
        if got is None:
            into.setdefault(parent.relationship, None)
            return
        below = into.get(parent.relationship)
        if below is None:
            below = into[parent.relationship] = _start(path.kinds[place], got, base)
        into = below
    into[path.field.name if path.parents else column.name] = value


def _columns(org: SalesforceOrg, found: Result) -> dict[str, Any]:
    kind = org.objects[found.object]
    return {
        "columnMetadata": [_column(one) for one in found.columns],
        "entityName": kind.name,
        "groupBy": found.aggregate,
        "idSelected": any(one.name == "Id" for one in found.columns),
        "keyPrefix": kind.prefix,
    }


def _column(column: Column) -> dict[str, Any]:
    field = column.path.field if column.path is not None else None
    shown = {"double": "Double", "boolean": "Boolean", "datetime": "Datetime", "id": "Id", "reference": "Id"}
    return {
        "aggregate": field is None,
        "apexType": shown.get(column.type, "String"),
        "booleanType": column.type == "boolean",
        "columnName": column.name,
        "custom": field is not None and field.custom,
        "displayName": column.name,
        "foreignKeyName": field.relationship or None if field is not None else None,
        "insertable": field is not None and field.createable,
        "joinColumns": [],
        "numberType": column.type in ("double", "int"),
        "textType": column.type in ("string", "email", "picklist"),
        "updatable": field is not None and field.updateable,
    }
