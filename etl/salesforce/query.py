"""Queries: small ones by REST, large ones by a Bulk 2.0 query job; every row promised must have come.

Source: Bulk API 2.0 guide, query jobs; REST guide, query. Rows are checked page by page against
`Sforce-NumberOfRecords` and in the end against the job's `numberRecordsProcessed`; only the locator `null` ends a job.
Whether those are all the rows there are is for `etl.salesforce.counting` to see.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote_plus

import pyarrow as pa
import requests

from etl.errors import SchemaMismatch, Unavailable
from etl.salesforce import soql
from etl.salesforce.answers import Rejected, text
from etl.salesforce.org import Org
from etl.salesforce.typed import Column, Malformed, from_csv, from_records
from etl.session import Patience
from etl.veil import veiled

_log = logging.getLogger(__name__)

PAGE_ROWS = 100_000
"""Rows asked for a page of Bulk results: some 15 to 60 MB, held in memory one at a time."""
MOST_POLLS = 195
"""Looks while a job is waited for. With those that come before (one at an adopted job, five while a job is being
closed) no job is looked at more than 200 times."""
_LONGEST_WAIT_S = 30.0
_GROWTH = 1.5
_TOO_SLOW = frozenset({"QUERY_TIMEOUT", "OPERATION_TOO_LARGE", "REQUEST_RUNNING_TOO_LONG"})
"""What REST says of a count over more rows than it will look through in the time it gives a request."""
_WRONG_NAMES = ("INVALID_FIELD", "INVALID_TYPE", "No such column", "is not supported")
REST_VALUES = 300
REST_QUESTIONS = 10
BULK_VALUES = 4_000
COUNTING = Patience(attempts=2, read_s=130.0)
"""REST gives a query 120 seconds before it says QUERY_TIMEOUT (Salesforce limits page, SOQL)."""
_Read = TypeVar("_Read")


class QueryBroken(Unavailable):
    """A query job failed, or its results were gone: a new job may do better."""


def from_start(read: Callable[[], _Read]) -> _Read:
    """Return what `read` reads; when its query job broke, what it reads the second time. Then QueryBroken is raised."""
    try:
        return read()
    except QueryBroken as error:
        _log.warning("%s; the query is made once more from the start", error)
    return read()


def schedule(poll_seconds: float, timeout_s: float) -> Iterator[float]:
    """Give the waits between looks at a job, in seconds: from `poll_seconds` on, growing, at most `MOST_POLLS` in all.

    The longest wait is 30 s, or what lets so many looks last as long as `timeout_s`.
    """
    longest = max(_LONGEST_WAIT_S, timeout_s / (MOST_POLLS * 0.75))
    wait = poll_seconds
    for _ in range(MOST_POLLS):
        yield wait
        wait = max(wait, min(wait * _GROWTH, longest))


def waits(org: Org) -> Iterator[float]:
    """Give the waits of this org's settings (see `schedule`)."""
    return schedule(org.settings.poll_seconds, org.settings.job_timeout_minutes * 60)


def bulk_rows(
    org: Org, query: str, columns: Sequence[Column], *, deleted_too: bool = False, page_rows: int = PAGE_ROWS
) -> Iterator[pa.Table]:
    """Run a Bulk query and give its rows page by page, `page_rows` at most in each.

    When the iterator is exhausted, all rows came; otherwise it raises Unavailable, and what was given before must not
    be used; QueryBroken when it is worth to begin anew (`from_start`). SchemaMismatch when an object or field of the
    query is missing.
    """
    job = _create(org, query, "queryAll" if deleted_too else "query")
    _log.info("query job %s created", job)
    promised = _await(org, job)
    locator, seen, rows = "", {""}, 0
    while locator != "null":
        params = {"maxRecords": str(page_rows)} | ({"locator": locator} if locator else {})
        table, locator = _page(org, job, params, columns)
        if locator in seen:
            raise Unavailable(f"query job {job}: the locator of the next page came twice")
        seen.add(locator)
        rows += table.num_rows
        yield table
    if rows != promised:
        raise Unavailable(f"query job {job}: {rows} rows came of the {promised} it found; run again later")
    _log.info("query job %s: %d rows", job, rows)


def _create(org: Org, query: str, operation: str) -> str:
    job = {"operation": operation, "query": query, "contentType": "CSV", "lineEnding": "LF"}
    try:
        # repeatable: a query job whose answer was lost reads what nobody fetches, and goes away by itself
        answer = org.json("POST", org.path("jobs/query"), json=job, repeatable=True)
    except Rejected as error:
        raise _named(error) from error
    return text(answer, "id", "the new query job")


def _named(error: Rejected) -> Exception:
    """Return SchemaMismatch for a query that names what the org does not have, else the refusal itself."""
    if any(word in f"{error.code} {error.detail}" for word in _WRONG_NAMES):
        return SchemaMismatch(f"{error}; `learnupon-sync check` lists what the org lacks")
    return error


def _await(org: Org, job: str) -> int:
    deadline = org.clock.monotonic() + org.settings.job_timeout_minutes * 60
    state = "?"
    for wait in waits(org):
        org.clock.sleep(min(wait, max(deadline - org.clock.monotonic(), 0)))
        answer = org.json("GET", org.path(f"jobs/query/{job}"))
        state = str(answer.get("state"))
        if state == "JobComplete":
            return _count(answer.get("numberRecordsProcessed"), f"query job {job}: numberRecordsProcessed")
        if state in {"Failed", "Aborted"}:
            said = veiled(str(answer.get("errorMessage") or ""))
            if any(word in said for word in _WRONG_NAMES):
                raise SchemaMismatch(
                    f"query job {job} failed: {said[:200]}; `learnupon-sync check` says what is lacking"
                )
            what = f"query job {job} ended {state} {said[:200]}".rstrip() + "; run again later"
            raise QueryBroken(what) if state == "Failed" else Unavailable(what)
        if org.clock.monotonic() >= deadline:
            break
    raise Unavailable(f"query job {job} is still {state} after the time allowed; run again later")


def _count(value: Any, what: str) -> int:
    try:
        count = int(value)
    except (TypeError, ValueError):
        count = -1
    if count < 0:
        raise Unavailable(f"{what} is missing or no number")
    return count


def _page(org: Org, job: str, params: dict[str, str], columns: Sequence[Column]) -> tuple[pa.Table, str]:
    """Fetch one page and the locator of the next; a page that is not whole is fetched once more, and then refused."""
    fault, gone = "", False
    for _ in range(2):
        try:
            response = org.send(
                "GET", org.path(f"jobs/query/{job}/results"), params=params, headers={"Accept": "text/csv"}
            )
            return _whole_page(response, job, columns)
        except (Malformed, Rejected) as error:
            fault, gone = str(error), isinstance(error, Rejected) and error.status == 404
            _log.warning("query job %s: a page was not whole: %s", job, fault)
    what = f"query job {job}: {fault}, twice; run again later"
    raise QueryBroken(what) if gone else Unavailable(what)


def _whole_page(response: requests.Response, job: str, columns: Sequence[Column]) -> tuple[pa.Table, str]:
    promised = _count(response.headers.get("Sforce-NumberOfRecords"), f"query job {job}: Sforce-NumberOfRecords")
    table = from_csv(response.content, columns)
    if table.num_rows != promised:
        raise Malformed(f"a page of {promised} rows came with {table.num_rows}")
    locator = response.headers.get("Sforce-Locator", "").strip()
    if not locator:
        raise Unavailable(f"query job {job}: an answer without Sforce-Locator; run again later")
    return table, locator


def rest_rows(org: Org, query: str, columns: Sequence[Column], *, deleted_too: bool = False) -> pa.Table:
    """Run a small query by REST and return all its rows."""
    try:
        answer = org.sf.query(query, include_deleted=deleted_too)
        records = list(answer["records"])
        while not answer["done"]:
            answer = org.sf.query_more(answer["nextRecordsUrl"], identifier_is_url=True, include_deleted=deleted_too)
            records.extend(answer["records"])
        total = int(answer["totalSize"])
        table = from_records(records, columns)
    except Rejected as error:
        raise _named(error) from error
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"a query was answered in another form than documented ({type(error).__name__})") from error
    if table.num_rows != total:
        raise Unavailable(f"a query found {total} rows and {table.num_rows} came; run again later")
    return table


def count_rows(org: Org, source: str, where: str, *, deleted_too: bool = False) -> int:
    """Return how many rows of an object (API name) there are by Salesforce's own count.

    By REST; where that takes longer than a request may, or does not answer, by a Bulk query whose rows nobody fetches.
    """
    query = soql.count(source, where)
    if len(quote_plus(query)) <= soql.LONGEST_IN_URL:
        path = org.path("queryAll" if deleted_too else "query")
        try:
            answer = org.json("GET", path, params={"q": query}, patience=COUNTING)
        except Unavailable as error:
            if isinstance(error, Rejected) and error.code not in _TOO_SLOW:
                raise _named(error) from error
            _log.warning("%s could not be counted by REST, so a query job counts it: %s", source, error)
        else:
            total = answer.get("totalSize") if isinstance(answer, dict) else None
            return _count(total, f"the number of rows of {source}")
    return _await(org, _create(org, soql.select(["Id"], source, where), "queryAll" if deleted_too else "query"))


def rows_of(
    org: Org, source: str, columns: Sequence[Column], field: str, values: Sequence[str], *, deleted_too: bool = False
) -> Iterator[pa.Table]:
    """Give the rows whose `field` (API name) is one of the values: by REST when they are few, else by Bulk."""
    headers = [column.header for column in columns]
    frame = soql.select(headers, source, soql.is_in(field, []))
    room = soql.LONGEST_IN_URL - len(frame)
    portions = list(soql.portions(values, count=REST_VALUES, room=room, in_url=True))
    if len(portions) <= REST_QUESTIONS:
        for portion in portions:
            query = soql.select(headers, source, soql.is_in(field, portion))
            yield rest_rows(org, query, columns, deleted_too=deleted_too)
        return
    for portion in soql.portions(values, count=BULK_VALUES, room=soql.LONGEST - len(frame), in_url=False):
        query = soql.select(headers, source, soql.is_in(field, portion))
        yield from bulk_rows(org, query, columns, deleted_too=deleted_too)
