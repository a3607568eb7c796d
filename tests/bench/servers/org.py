"""A Salesforce org of any size: sign-in, describe, queries, Bulk 2.0 jobs, a few records at once; see `store` for rows.

`POST /__reset` puts it back to what it held at the start.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pyarrow as pa
from bench.servers import soql
from bench.servers.aggregates import Totals
from bench.servers.fields import described
from bench.servers.holdings import OUR_USER, holdings
from bench.servers.jobs import Jobs
from bench.servers.shape import Shape
from bench.servers.store import Store
from bench.servers.wire import Answer, Request, as_json
from bench.servers.writing import write

ORG_ID = "00D5g00000BENCHEA5"
TOKEN = ORG_ID + "!BENCH.ACCESS.TOKEN"
CLIENT_ID, CLIENT_SECRET = "bench-consumer-key", "bench-consumer-secret"
_REST_ROWS = 2_000
_LIMITS = {
    "DailyApiRequests": 1_000_000, "DailyBulkApiBatches": 15_000, "DailyBulkV2QueryJobs": 10_000,
    "DailyBulkV2QueryFileStorageMB": 976_562, "DataStorageMB": 1_000_000, "FileStorageMB": 10_240,
}  # fmt: skip


class Org:
    """What the org answers."""

    def __init__(self, shape: Shape, *, first_load: bool = False) -> None:
        """Hold yesterday's rows, or before a first load none."""
        self._stores = {name: Store(name, base) for name, base in holdings(shape, first_load=first_load).items()}
        self._jobs = Jobs(self._stores, _now)
        self._totals = Totals()
        self._requests = 0
        self._rest: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.RLock()
        self.url = ""
        """Where it is reached."""

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path == "/__reset":
            with self._lock:
                self._jobs.clear()
                for store in self._stores.values():
                    store.reset()
            return as_json({})
        if request.path == "/services/oauth2/token":
            return self._token(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return as_json([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], 401)
        if request.path == "/services/oauth2/userinfo":
            return as_json({"user_id": OUR_USER, "organization_id": ORG_ID})
        parts = request.path.partition("/services/data/v")[2].strip("/").split("/")[1:]
        with self._lock:
            answer = self._resource(request, parts)
            self._requests += 1
        answer.headers["Sforce-Limit-Info"] = f"api-usage={self._requests}/{_LIMITS['DailyApiRequests']}"
        return answer

    def _token(self, request: Request) -> Answer:
        form = {name: found[0] for name, found in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "password" and (form.get("client_id"), form.get("client_secret")) != (
            CLIENT_ID,
            CLIENT_SECRET,
        ):
            return as_json({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        identity = f"{self.url}/id/{ORG_ID}/{OUR_USER}"
        return as_json({"access_token": TOKEN, "instance_url": self.url, "id": identity, "token_type": "Bearer"})

    def _resource(self, request: Request, parts: list[str]) -> Answer:
        kind, rest = parts[0], parts[1:]
        if kind in {"query", "queryAll"}:
            return self._query(request, rest, deleted_too=kind == "queryAll")
        if kind == "limits":
            return as_json({name: {"Max": most, "Remaining": most} for name, most in _LIMITS.items()})
        if kind == "sobjects" and rest[1:] == ["describe"]:
            return as_json(described(rest[0]))
        if kind == "composite":
            return self._collection(request, rest[1:])
        if kind == "jobs" and rest[0] == "query":
            return self._query_job(request, rest[1:])
        if kind == "jobs":
            return self._ingest_job(request, rest[1:])
        raise LookupError(f"no resource {request.path}")

    def _query(self, request: Request, rest: list[str], *, deleted_too: bool) -> Answer:
        if rest and rest[0] in self._rest:
            name, at = rest[0].split("-")
            return as_json(self._batch(name, at, self._rest.pop(rest[0])))
        text = request.query["q"]
        if " FROM Organization" in text:
            record = {"attributes": {"type": "Organization"}, "Id": ORG_ID, "IsSandbox": True}
            return as_json({"totalSize": 1, "done": True, "records": [record]})
        query = soql.parse(text)
        if query.source not in self._stores:
            raise ValueError(f"INVALID_TYPE: sObject type '{query.source}' is not supported")
        if query.aggregates:
            row = self._totals.row(self._stores[query.source], query)
            record = {"attributes": {"type": "AggregateResult"}, **row}
            return as_json({"totalSize": 1, "done": True, "records": [record]})
        found = self._stores[query.source].find(query, deleted_too=deleted_too)
        if query.counts:
            return as_json({"totalSize": len(found), "done": True, "records": []})
        records = _records(self._stores[query.source], found.table())[: query.limit]
        name = f"01g{len(self._rest):012d}AAA"
        self._rest |= {f"{name}-{start}": records for start in range(_REST_ROWS, len(records), _REST_ROWS)}
        return as_json(self._batch(name, "0", records))

    def _batch(self, name: str, at: str, records: list[dict[str, Any]]) -> dict[str, Any]:
        start, stop = int(at), int(at) + _REST_ROWS
        more = {"nextRecordsUrl": f"/services/data/v67.0/query/{name}-{stop}"} if stop < len(records) else {}
        return {"totalSize": len(records), "done": not more, "records": records[start:stop], **more}

    def _query_job(self, request: Request, rest: list[str]) -> Answer:
        if request.method == "POST":
            return as_json(self._jobs.query(request.json).shown)
        if rest[1:] == ["results"]:
            query = request.query
            return self._jobs.results(rest[0], int(query.get("maxRecords", 250_000)), query.get("locator", ""))
        return as_json(self._jobs.named(rest[0]).shown)

    def _ingest_job(self, request: Request, rest: list[str]) -> Answer:
        if request.method == "POST":
            return as_json(self._jobs.ingest(request.json).shown)
        if request.method == "PUT":
            self._jobs.upload(rest[0], request.body)
            return Answer(b"", 201)
        if request.method == "PATCH":
            return as_json(self._jobs.turn(rest[0], request.json["state"]).shown)
        if request.method == "DELETE":
            return Answer(b"", 204)
        if not rest:
            return as_json({"done": True, "records": self._jobs.listed()})
        return self._jobs.outcome(rest[0], rest[1]) if rest[1:] else as_json(self._jobs.named(rest[0]).shown)

    def _collection(self, request: Request, rest: list[str]) -> Answer:
        """Write a few records (sObject Collections)."""
        if request.method == "DELETE":
            ids = request.query["ids"].split(",")
            name = next(one for one, store in self._stores.items() if store.by_id(pa.array(ids[:1]))[0] >= 0)
            return as_json(self._few(name, "delete", [{"Id": one} for one in ids]))
        records = request.json["records"]
        name = rest[0] if rest else records[0]["attributes"]["type"]
        rows = [
            {"Id" if key == "id" else key: value for key, value in row.items() if key != "attributes"}
            for row in records
        ]
        operation = {"POST": "insert", "PATCH": "upsert" if rest else "update"}[request.method]
        return as_json(self._few(name, operation, rows))

    def _few(self, name: str, operation: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        store = self._stores[name]
        if operation == "insert" and self._taken(store, rows):
            return [_refused("DUPLICATE_VALUE", "duplicate value found: LU_Key__c") for _ in rows]
        names = list(dict.fromkeys(key for row in rows for key in row))
        sent = pa.table({key: pa.array([_cell(row, key) for row in rows], pa.string()) for key in names})
        done = write(self._stores, name, operation, sent, "LU_Key__c", _now())
        return [
            _refused(done.errors[at].partition(":")[0], "refused")
            if at in done.errors
            else {"id": one, "success": True, "errors": [], "created": bool(done.created[at])}
            for at, one in enumerate(done.ids.to_pylist())
        ]

    def _taken(self, store: Store, rows: list[dict[str, Any]]) -> bool:
        keys = pa.array([row["LU_Key__c"] for row in rows if row.get("LU_Key__c")], pa.string())
        return bool(len(keys)) and bool(store.alive(store.codes(keys)).any())


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _refused(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}


def _cell(row: dict[str, Any], key: str) -> str:
    value = row.get(key, "")
    return "#N/A" if value is None else str(value)


def _records(store: Store, rows: pa.Table) -> list[dict[str, Any]]:
    """Return rows as JSON records of REST: numbers with a point, times with +0000, parents as objects."""
    records: list[dict[str, Any]] = [{"attributes": {"type": store.name}} for _ in range(rows.num_rows)]
    for name in rows.column_names:
        parent, _, last = name.rpartition(".")
        kind = store.fields[name].type if name in store.fields else "string"
        for record, value in zip(records, rows[name].to_pylist(), strict=True):
            if parent:
                record[parent] = None if value is None else {last: value}
            else:
                record[name] = _json_value(kind, value)
    return records


def _json_value(kind: str, value: str | None) -> Any:
    if value is None:
        return None
    if kind == "double":
        return float(value)
    if kind == "boolean":
        return value == "true"
    return value.replace("Z", "+0000") if kind == "datetime" else value
