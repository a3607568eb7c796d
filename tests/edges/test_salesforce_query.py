"""Bulk and REST queries: every promised row has come, or nothing is concluded."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from salesforce_kit import World, world

from etl.emulator.faults import Fault
from etl.errors import AccessRefused, QuotaSpent, SchemaMismatch, SyncError, Unavailable
from etl.salesforce.org import Org
from etl.salesforce.query import MOST_POLLS, bulk_rows, rest_rows, waits
from etl.salesforce.typed import Column

COLUMNS = [Column("Id", "Id", pa.string()), Column("Email", "Email", pa.string())]
QUERY = "SELECT Id, Email FROM Contact"
RESULTS = "GET .*jobs/query/.*/results"
JOB = "GET .*jobs/query/[^/]*$"
PEOPLE = 25


def read(org: Org) -> list[str]:
    """Read all Contacts by a Bulk query, seven a page, and return their ids."""
    return [one for table in bulk_rows(org, QUERY, COLUMNS, page_rows=7) for one in table["Id"].to_pylist()]


def refused(served: World, error: type[SyncError] = Unavailable, **fault: Any) -> str:
    """Read 25 Contacts with this fault in the way, and return what the error says."""
    served.people(PEOPLE)
    org = served.connect()
    served.faults.add(Fault(**fault))
    with pytest.raises(error) as caught:
        read(org)
    return str(caught.value)


def test_all_pages() -> None:
    """Pages are read one after another until the locator is the text null, and every row comes once."""
    with world() as served:
        people = served.people(PEOPLE)
        found = read(served.connect())
        assert sorted(found) == sorted(people)
        assert len(served.requests("/results?")) == 4


def test_no_rows() -> None:
    """A query that finds nothing ends without rows and without an error."""
    with world() as served:
        assert read(served.connect()) == []


def test_no_order_by() -> None:
    """No query asks for an order, since that switches Salesforce's chunking off."""
    with world() as served:
        read(served.connect())
        assert not served.requests("ORDER")


def test_first_wait_is_the_configured_one() -> None:
    """The first wait is poll_seconds, later ones grow, and there are never more than 200."""
    with world() as served:
        org = served.connect(poll_seconds=5, job_timeout_minutes=120)
        planned = list(waits(org))
        assert planned[0] == 5
        assert planned == sorted(planned)
        assert len(planned) == MOST_POLLS
        assert sum(planned) >= 7200
        slow = list(waits(served.connect(poll_seconds=300)))
        assert set(slow) == {300.0}


def test_stuck_query() -> None:
    """A query job that does not end in time is 69, asked about at most 200 times."""
    with world() as served:
        org = served.connect(job_timeout_minutes=1)
        served.faults.add(Fault(JOB, times=None, when="mid", replace=("JobComplete", "InProgress")))
        with pytest.raises(Unavailable, match=r"still \w+ after the time allowed; run again later"):
            read(org)
        assert len(served.requests("GET /services/data/v67.0/jobs/query/")) <= MOST_POLLS
        assert 60 <= sum(served.time.slept) < 120


@pytest.mark.parametrize("header", [{}, {"Sforce-Locator": ""}, {"Sforce-Locator": "   "}])
def test_no_locator(header: dict[str, str]) -> None:
    """A page without a locator is not the last one: only the text null is."""
    with world() as served:
        said = refused(
            served, match=RESULTS, nth=2, when="mid", headers=header, drop_headers=[] if header else ["Sforce-Locator"]
        )
        assert "without Sforce-Locator" in said


@pytest.mark.parametrize("times", [1, None])
def test_repeated_locator(times: int | None) -> None:
    """A locator that comes twice would go round for ever: refused at its first return."""
    with world() as served:
        served.people(PEOPLE)
        org = served.connect()
        served.faults.add(Fault(RESULTS, times=times, nth=1, when="mid", headers={"Sforce-Locator": "AAA"}))
        served.faults.add(Fault("locator=AAA", times=times, when="mid", headers={"Sforce-Locator": "AAA"}))
        with pytest.raises(Unavailable):
            read(org)
        assert len(served.requests("/results?")) <= 3


def test_locators_that_go_round() -> None:
    """A locator of a page that was read before is refused at its return, however good the pages are."""
    with world() as served:
        served.people(PEOPLE)
        org = served.connect()

        def turn_back(request: Any) -> None:
            back = {"Sforce-Locator": request.query["locator"][0]}
            served.faults.add(Fault(RESULTS, times=9, when="mid", headers=back))

        served.faults.add(Fault(RESULTS, nth=2, hook=turn_back))
        with pytest.raises(Unavailable, match="came twice"):
            read(org)
        assert len(served.requests("/results?")) <= 3


def test_results_without_charset() -> None:
    """Rows are read as UTF-8 when the answer names no charset, and not as HTTP's old default."""
    columns = [Column("name", "LastName", pa.string())]
    with world() as served:
        served.store.insert("Contact", {"LastName": "Zoë 学"})
        served.faults.add(Fault(RESULTS, when="mid", headers={"Content-Type": "text/csv"}))
        (table,) = bulk_rows(served.connect(), "SELECT LastName FROM Contact", columns)
        assert table["name"].to_pylist() == ["Zoë 学"]


def test_page_cut_at_a_row() -> None:
    """A page that ends early at a row's edge is fetched once more; cut again, it is 69 and nothing is concluded."""
    with world() as served:
        people = served.people(PEOPLE)
        org = served.connect()
        cut: dict[str, Any] = {"when": "mid", "close_after_bytes": 100, "honest_length": False}
        served.faults.add(Fault(RESULTS, nth=2, **cut))
        assert sorted(read(org)) == sorted(people)
        served.faults.add(Fault(RESULTS, nth=2, times=2, **cut))
        with pytest.raises(Unavailable, match="twice"):
            read(org)


def test_page_cut_on_the_wire() -> None:
    """A page shorter than its Content-Length is fetched again like any lost answer."""
    with world() as served:
        people = served.people(PEOPLE)
        served.faults.add(Fault(RESULTS, nth=2, when="mid", close_after_bytes=90))
        assert sorted(read(served.connect())) == sorted(people)


@pytest.mark.parametrize("count", ["6", "", "-1", "many"])
def test_page_count(count: str) -> None:
    """Rows that do not fit Sforce-NumberOfRecords, or a count that is none, are refused."""
    with world() as served:
        refused(served, match=RESULTS, times=None, when="mid", headers={"Sforce-NumberOfRecords": count})


def test_page_lost_between() -> None:
    """When the pages together hold fewer rows than the job found, that is 69: a row missing looks like one deleted."""
    with world() as served:
        said = refused(served, match=RESULTS, nth=3, when="mid", headers={"Sforce-Locator": "null"})
        assert "21 rows came of the 25" in said


def test_gone_locator() -> None:
    """A locator that is not found is asked for once more, then 69."""
    with world() as served:
        refused(served, match="locator=", times=None, status=404, body='[{"errorCode":"NOT_FOUND","message":"x"}]')
        assert len(served.requests("locator=")) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"match": JOB, "when": "mid", "replace": ("JobComplete", "Failed")}, Unavailable),
        ({"match": JOB, "when": "mid", "replace": ("JobComplete", "Aborted")}, Unavailable),
        ({"match": JOB, "when": "mid", "replace": ("numberRecordsProcessed", "x")}, Unavailable),
        ({"match": "POST .*jobs/query", "status": 200, "body": "{}"}, Unavailable),
        ({"match": "POST .*jobs/query", "status": 400,
          "body": '[{"errorCode":"MALFORMED_QUERY","message":"unexpected token"}]'}, Unavailable),
        ({"match": "POST .*jobs/query", "status": 400,
          "body": '[{"errorCode":"INVALIDJOB","message":"sObject type X is not supported"}]'}, SchemaMismatch),
        ({"match": RESULTS, "status": 403,
          "body": '[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"x"}]'}, QuotaSpent),
        ({"match": RESULTS, "status": 403, "body": '[{"errorCode":"FORBIDDEN","message":"x"}]'}, AccessRefused),
        ({"match": RESULTS, "status": 503, "times": None}, Unavailable),
        ({"match": RESULTS, "status": 200, "times": None, "body": "<html>maintenance</html>",
          "headers": {"Content-Type": "text/html"}}, Unavailable),
    ],
)  # fmt: skip
def test_other_ends(fault: dict[str, Any], error: type[SyncError]) -> None:
    """Each way a query job can fail has its error; missing names are 78."""
    with world() as served:
        refused(served, error, **({"times": None} | fault))


def test_unknown_field() -> None:
    """A field that the org does not have ends a query with 78, by Bulk and by REST."""
    columns = [Column("x", "Nothing__c", pa.string())]
    with world() as served:
        org = served.connect()
        with pytest.raises(SchemaMismatch):
            list(bulk_rows(org, "SELECT Nothing__c FROM Contact", columns))
        with pytest.raises(SchemaMismatch):
            rest_rows(org, "SELECT Nothing__c FROM Contact", columns)


def test_session_expires_between_pages() -> None:
    """A session that expires while pages are read is renewed, and no row is lost."""
    with world() as served:
        people = served.people(PEOPLE)
        org = served.connect()
        served.faults.add(Fault(RESULTS, nth=3, hook=lambda _: served.store.expire_sessions()))
        assert sorted(read(org)) == sorted(people)


def test_results_come_compressed() -> None:
    """Results are asked for compressed."""
    with world() as served:
        served.people(PEOPLE)
        seen: list[str] = []
        served.faults.add(Fault(RESULTS, hook=lambda request: seen.append(request.headers.get("Accept-Encoding", ""))))
        read(served.connect())
        assert "gzip" in seen[0]


def test_rest_pages() -> None:
    """A REST query of several pages gives all of its rows; fewer than its total is 69."""
    with world() as served:
        people = served.people(PEOPLE)
        served.store.rest_page_rows = 10
        org = served.connect()
        assert sorted(rest_rows(org, QUERY, COLUMNS)["Id"].to_pylist()) == sorted(people)
        served.faults.add(Fault("GET .*/query", nth=2, when="mid", replace=('"done":false', '"done":true')))
        served.faults.add(Fault("GET .*/query", nth=2, when="mid", replace=('"done": false', '"done": true')))
        with pytest.raises(Unavailable, match="25 rows and 20 came"):
            rest_rows(org, QUERY, COLUMNS)
