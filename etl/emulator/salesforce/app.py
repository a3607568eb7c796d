"""The emulated Salesforce as a server's app: routes, versions, sessions, daily requests, and the back door's knobs."""

from __future__ import annotations

import hashlib
import re
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from etl.emulator.messages import Request, Response
from etl.emulator.salesforce import auth, describe, records, sobject_collections
from etl.emulator.salesforce.bulk_http import Bulk
from etl.emulator.salesforce.errors import ApiError, not_found
from etl.emulator.salesforce.knobs import knobs_of, ticks_of
from etl.emulator.salesforce.rest_query import RestQueries

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg

OLDEST, NEWEST = 31, 68
LONGEST_URI = 16_384
RESOURCES = ("sobjects", "query", "queryAll", "limits", "composite", "jobs", "tooling", "identity")
_VERSIONED = re.compile(r"/services/data/v(\d+)\.(\d)(/.*)?")


class SalesforceApp:
    """Serves one org; give it to a Server. `bulk` holds the jobs."""

    name = "salesforce"

    def __init__(self, org: SalesforceOrg) -> None:
        """Serve this org."""
        self.org = org
        self.bulk = Bulk(org)
        self.queries = RestQueries(org)
        self.ticks = ticks_of(org, self.bulk.jobs)
        self.knobs = knobs_of(org)
        self._described: dict[str, tuple[str, float]] = {}

    def handle(self, request: Request) -> Response:
        """Answer any request; 404 for what is not there. The answer's Date is the org's clock."""
        try:
            self.org.settle()
            answer = _too_long(request) or self._route(request)
        except ApiError as error:
            answer = error.response()
        answer.headers.append(("Date", formatdate(int(self.org.clock()), usegmt=True)))
        return answer

    def state(self, query: dict[str, list[str]]) -> Any:
        """For the back door: the records of `object`, or counts and jobs."""
        if "object" in query:
            deleted = query.get("deleted", ["false"])[0] == "true"
            return self.org.rows(query["object"][0], include_deleted=deleted)
        self.org.settle()
        jobs = [{**job.full(), "query": job.spec.get("query")} for job in self.bulk.jobs.by_id.values()]
        return {"objects": {name: len(table.rows) for name, table in self.org.tables.items()}, "jobs": jobs}

    def _route(self, request: Request) -> Response:
        path = request.path.rstrip("/")
        if path.startswith(("/services/oauth2/", "/id/")):
            return auth.handle(self.org, request)
        if path == "/services/data":
            return Response.json([_version(number) for number in range(OLDEST, NEWEST + 1)])
        found = _VERSIONED.fullmatch(path)
        if found is None:
            raise not_found()
        _check_version(int(found[1]), found[2])
        self.org.sessions.check(request.headers.get("authorization", ""))
        self._count_request()
        answer = self._answer(request, (found[3] or "").strip("/"), f"{found[1]}.{found[2]}")
        answer.headers.append(("Sforce-Limit-Info", self._usage()))
        return answer

    def _answer(self, request: Request, path: str, version: str) -> Response:
        try:
            return self._resource(request, path.split("/") if path else [], version)
        except ApiError as error:
            return error.response()

    def _resource(self, request: Request, parts: list[str], version: str) -> Response:
        base = f"/services/data/v{version}"
        match parts:
            case []:
                links = {name: f"{base}/{name}" for name in RESOURCES}
                return Response.json(links | {"identity": f"{auth.base_url(request)}/id/{self._who()}"})
            case ["limits"]:
                return Response.json(self.org.limits)
            case [("query" | "queryAll"), *rest]:
                return self._query(request, parts[0], rest, base)
            case ["jobs", *rest]:
                return self.bulk.handle(request, rest, version, base)
            case ["composite", "sobjects", *rest]:
                return sobject_collections.handle(self.org, request, rest, base)
            case ["sobjects", *rest]:
                return self._sobjects(request, rest, base)
        raise not_found()

    def _query(self, request: Request, name: str, parts: list[str], base: str) -> Response:
        if len(parts) > 1:
            raise not_found()
        if parts:
            return self.queries.more(request, parts[0], base)
        return self.queries.query(request, base, deleted=name == "queryAll")

    def _sobjects(self, request: Request, parts: list[str], base: str) -> Response:
        if not parts:
            listed = [describe.brief(kind, base) for kind in self.org.objects.values()]
            return Response.json({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})
        kind = records.table_named(self.org, parts[0]).kind
        if len(parts) == 1 and request.method == "GET":
            return Response.json({"objectDescribe": describe.brief(kind, base), "recentItems": []})
        if len(parts) == 2 and parts[1] == "describe" and request.method == "GET":
            return self._describe(request, describe.full(self.org, kind, base))
        return records.handle(self.org, request, parts, base)

    def _describe(self, request: Request, made: dict[str, Any]) -> Response:
        """304 when nothing changed since If-Modified-Since (to the second)."""
        whole = Response.json(made)
        digest = hashlib.sha256(whole.body).hexdigest()
        known, since = self._described.get(made["name"], ("", 0.0))
        if known != digest:
            since = self.org.clock() if known else self.org.clock() - 60
            self._described[made["name"]] = (digest, since)
        headers = [("Last-Modified", formatdate(int(since), usegmt=True))]
        try:
            asked = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
        except (TypeError, ValueError):
            asked = None
        if asked is not None and int(since) <= asked.timestamp():
            return Response(304, headers=headers)
        whole.headers += headers
        return whole

    def _who(self) -> str:
        return f"{self.org.org_id}/{self.org.user_id}"

    def _count_request(self) -> None:
        """Every call counts, polls too; 403 when the day's are spent."""
        with self.org.lock:
            daily = self.org.limits["DailyApiRequests"]
            if daily["Remaining"] <= 0:
                raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            daily["Remaining"] -= 1

    def _usage(self) -> str:
        daily = self.org.limits["DailyApiRequests"]
        return f"api-usage={daily['Max'] - daily['Remaining']}/{daily['Max']}"


def _too_long(request: Request) -> Response | None:
    """414 for an address of more than 16,384 bytes, 431 when the headers make it more (REST guide, "API Limits")."""
    uri = len(request.raw_target)
    if uri > LONGEST_URI:
        return Response.text("URI Too Long", 414)
    headers = sum(len(name) + len(value) + len(": \r\n") for name, value in request.headers.items())
    return Response.text("Request Header Fields Too Large", 431) if uri + headers > LONGEST_URI else None


def _version(number: int) -> dict[str, str]:
    seasons = ("Spring", "Summer", "Winter")
    season = seasons[(number - 31) % 3 - 2]
    year = 14 + (number - 31 + 2) // 3
    return {"label": f"{season} '{year}", "url": f"/services/data/v{number}.0", "version": f"{number}.0"}


def _check_version(number: int, minor: str) -> None:
    """7 to 30 are retired: 410 GONE; what never was is 404 (REST guide, "API End-of-Life Policy")."""
    if 7 <= number < OLDEST:
        raise ApiError(410, "UNSUPPORTED_API_VERSION", f"API version {number}.0 is retired")
    if not OLDEST <= number <= NEWEST or minor != "0":
        raise not_found()
