"""The HTTP face of Bulk 2.0: /jobs/ingest and /jobs/query (Bulk API 2.0 guide); the jobs do the work."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from etl.emulator.messages import Request, Response
from etl.emulator.salesforce import soql
from etl.emulator.salesforce.bulk_query import QueryJob
from etl.emulator.salesforce.csvrows import DELIMITERS, LINE_ENDS
from etl.emulator.salesforce.errors import ApiError, not_found
from etl.emulator.salesforce.ingest import IngestJob
from etl.emulator.salesforce.jobs import Jobs, bad_job
from etl.emulator.salesforce.records import body

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg

OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
RESULTS = ("successfulresults", "failedresults", "unprocessedrecords")
LARGEST_UPLOAD = 112_500_000
LARGEST_MULTIPART = 100_000
_CSV = ("Content-Type", "text/csv; charset=UTF-8")


class Bulk:
    """Routes requests to jobs; made once for an org."""

    def __init__(self, org: SalesforceOrg) -> None:
        """Start without jobs."""
        self.org = org
        self.jobs = Jobs(org)

    def handle(self, request: Request, parts: list[str], version: str, base: str) -> Response:
        """Answer /jobs/...; parts start behind /jobs."""
        kind = {"ingest": "V2Ingest", "query": "V2Query"}.get(parts[0] if parts else "")
        if kind is None:
            raise not_found()
        with self.org.lock:
            if len(parts) == 1:
                return self._all(request, kind, version, base)
            if len(parts) == 2:
                return self._one(request, kind, parts[1])
            if kind == "V2Ingest":
                return self._ingest_part(request, parts)
            return self._query_part(request, parts, version, base)

    def _all(self, request: Request, kind: str, version: str, base: str) -> Response:
        if request.method == "GET":
            wanted = request.one("jobType") or kind
            name = "query" if kind == "V2Query" else "ingest"
            return Response.json(self.jobs.page(wanted, request.one("queryLocator"), f"{base}/jobs/{name}"))
        if request.method != "POST":
            raise _not_allowed(request)
        if kind == "V2Query":
            return self._new_query(_object(body(request)), version)
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            return self._multipart(request, version)
        job = self._new_ingest(_object(body(request)), version)
        return Response.json(job.info())

    def _new_ingest(self, given: dict[str, Any], version: str) -> IngestJob:
        spec = _common(given)
        table = self.org.table(str(given.get("object", "")))
        if table is None:
            raise ApiError(400, "INVALIDENTITY", f"InvalidEntity : Entity '{given.get('object')}' is not supported")
        operation = given.get("operation")
        if operation not in OPERATIONS:
            raise ApiError(400, "INVALIDOPERATION", f"InvalidOperation : Unsupported operation: {operation}")
        if operation == "hardDelete" and not self.org.can_hard_delete:
            raise ApiError(400, "FEATURENOTENABLED", "FeatureNotEnabled : hardDelete is not enabled for this user")
        external = given.get("externalIdFieldName")
        if operation == "upsert":
            field = table.kind.field(str(external or ""))
            if field is None or not (field.external_id or field.id_lookup or field.type == "id"):
                raise bad_job(
                    f"InvalidJob : Field name provided, {external} does not match an External ID, Salesforce Id, or "
                    f"indexed field for {table.kind.name}"
                )
            spec["externalIdFieldName"] = external
        spec |= {"object": table.kind.name, "operation": operation}
        job = IngestJob(self.org, self.jobs.number(), spec, version)
        self.jobs.add(job)
        return job

    def _new_query(self, given: dict[str, Any], version: str) -> Response:
        if given.get("operation") not in ("query", "queryAll"):
            message = f"InvalidOperation : Unsupported operation: {given.get('operation')}"
            raise ApiError(400, "INVALIDOPERATION", message)
        text = str(given.get("query", ""))
        spec = {**_common(given), "operation": given["operation"], "query": text}
        spec["object"] = soql.check(self.org, text)
        limit = self.org.limits["DailyBulkV2QueryJobs"]
        if limit["Remaining"] <= 0:
            raise ApiError(400, "EXCEEDEDQUOTA", "ExceededQuota : DailyBulkV2QueryJobs Limit exceeded.")
        limit["Remaining"] -= 1
        job = QueryJob(self.org, self.jobs.number(), spec, version)
        self.jobs.add(job)
        return Response.json(job.info())

    def _multipart(self, request: Request, version: str) -> Response:
        """Create, upload and close in one (guide, "Upload Data with a Multipart Request")."""
        parts = _form_parts(request)
        if "job" not in parts or "content" not in parts:
            raise ApiError(400, "CLIENTINPUTERROR", "ClientInputError : parts 'job' and 'content' are needed")
        if len(parts["content"].decode("utf-8", "replace")) > LARGEST_MULTIPART:
            message = f"ClientInputError : a multipart CSV holds at most {LARGEST_MULTIPART} characters"
            raise ApiError(400, "CLIENTINPUTERROR", message)
        try:
            given = json.loads(parts["job"])
        except ValueError as error:
            raise ApiError(400, "JSON_PARSER_ERROR", f"part 'job': {error}") from error
        job = self._new_ingest(_object(given), version)
        job.upload(parts["content"])
        job.finish_upload()
        return Response.json(job.info())

    def _one(self, request: Request, kind: str, job_id: str) -> Response:
        job = self.jobs.get(kind, job_id)
        match request.method:
            case "GET":
                return Response.json(job.full())
            case "DELETE":
                self.jobs.delete(kind, job_id)
                return Response(204)
            case "PATCH":
                wanted = _object(body(request)).get("state")
                if wanted == "Aborted":
                    job.abort()
                elif wanted == "UploadComplete" and isinstance(job, IngestJob):
                    job.finish_upload()
                else:
                    raise bad_job(f"InvalidJob : state cannot be set to {wanted}")
                return Response.json(job.info())
        raise _not_allowed(request)

    def _ingest_part(self, request: Request, parts: list[str]) -> Response:
        job = self.jobs.get("V2Ingest", parts[1])
        if not isinstance(job, IngestJob) or len(parts) != 3:
            raise not_found()
        name = parts[2].lower()
        if name == "batches" and request.method == "PUT":
            return _upload(job, request)
        if name not in RESULTS:
            raise not_found()
        if request.method != "GET":
            raise _not_allowed(request)
        return Response(200, job.result(name).encode(), [_CSV])

    def _query_part(self, request: Request, parts: list[str], version: str, base: str) -> Response:
        job = self.jobs.get("V2Query", parts[1])
        if not isinstance(job, QueryJob) or len(parts) != 3 or parts[2] not in ("results", "resultPages"):
            raise not_found()
        if request.method != "GET":
            raise _not_allowed(request)
        if version != job.version:
            message = f"The job was made with version {job.version}, its results were asked for with {version}"
            raise ApiError(409, "API_VERSION_MISMATCH", message)
        if parts[2] == "resultPages":
            return _pages(job, request, base)
        text, count, locator = job.page(request.one("locator"), request.one("maxRecords"))
        headers = [_CSV, ("Sforce-NumberOfRecords", str(count)), ("Sforce-Locator", locator)]
        return Response(200, text.encode(), headers)


def _pages(job: QueryJob, request: Request, base: str) -> Response:
    """Addresses of pages for parallel reading; the guide spells the link both ways, this is its example's."""
    here, after = job.pages(request.one("locator"), request.one("maxRecords"))
    root = f"{base}/jobs/query/{job.id}"
    size = f"&maxRecords={request.one('maxRecords')}" if request.one("maxRecords") else ""
    more = f"{root}/resultPages?locator={after}{size}" if after != "null" else None
    pages = [{"resultUrl": f"{root}/results?locator={one}{size}"} for one in here]
    return Response.json({"resultPages": pages, "nextRecordsUrl": more, "done": more is None})


def _upload(job: IngestJob, request: Request) -> Response:
    """PUT of the data: 201 without a body; 150 MB after base64 is the limit, so 112.5 MB before it."""
    if not request.headers.get("content-type", "").lower().startswith("text/csv"):
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be text/csv")
    if len(request.body) > LARGEST_UPLOAD:
        raise ApiError(400, "CLIENTINPUTERROR", "ClientInputError : the upload is larger than 150 MB after encoding")
    job.upload(request.body)
    return Response(201)


def _common(given: dict[str, Any]) -> dict[str, Any]:
    """What both kinds of job may name, with the documented defaults."""
    ending, delimiter = given.get("lineEnding") or "LF", given.get("columnDelimiter") or "COMMA"
    kind = given.get("contentType") or "CSV"
    for name, value, known in (
        ("lineEnding", ending, LINE_ENDS),
        ("columnDelimiter", delimiter, DELIMITERS),
        ("contentType", kind, ("CSV",)),
    ):
        if value not in known:
            raise bad_job(f"InvalidJob : {name} {value} is not one of {', '.join(known)}")
    return {"lineEnding": ending, "columnDelimiter": delimiter}


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "The Json object is expected")
    return given


def _form_parts(request: Request) -> dict[str, bytes]:
    """The parts of a multipart body by name."""
    found = re.search(r'boundary="?([^";]+)"?', request.headers.get("content-type", ""))
    if found is None:
        raise ApiError(400, "CLIENTINPUTERROR", "ClientInputError : the boundary is missing")
    made: dict[str, bytes] = {}
    for piece in (b"\r\n" + request.body).split(b"\r\n--" + found[1].encode())[1:]:
        head, _, content = piece.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        if name is not None:
            made[name[1].decode()] = content
    return made


def _not_allowed(request: Request) -> ApiError:
    return ApiError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not allowed.")
