"""simple-salesforce, a client this project did not write, works against the emulated Salesforce with its own bulk2."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from etl.emulator.salesforce import SalesforceApp, SalesforceOrg
from etl.emulator.server import Server

ENROLLMENT = "LearnUponContactEnrollment__c"


class Plain(HTTPAdapter):
    """Sends to http what the client believes to be https: it hard-codes the scheme."""

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        """Send the request without TLS."""
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **more)


@pytest.fixture
def org() -> SalesforceOrg:
    """An org without records."""
    return SalesforceOrg()


@pytest.fixture
def client(org: SalesforceOrg) -> Iterator[Any]:
    """A client signed in with the fixed token; the emulator must not have failed in the end."""
    with Server(SalesforceApp(org), ledger=org.ledger) as server, requests.Session() as session:
        session.mount(f"https://127.0.0.1:{server.port}", Plain())
        yield Salesforce(instance_url=server.url, session_id=org.access_token, version="67.0", session=session)
        assert server.errors == []


def test_bulk2_upserts_and_tells_the_failing_row(client: Any, org: SalesforceOrg) -> None:
    """Its own job loop, its own CSV, its own reading of results."""
    rows = [{"LU_Key__c": f"1:enrollment:{n}", "Score__c": str(n)} for n in range(3)]
    rows.append({"LU_Key__c": "1:enrollment:9", "Score__c": "none"})
    bulk = getattr(client.bulk2, ENROLLMENT)
    (summary,) = bulk.upsert(records=rows, external_id_field="LU_Key__c", wait=0.1)
    assert (summary["numberRecordsProcessed"], summary["numberRecordsFailed"]) == (4, 1)
    (failed,) = csv.DictReader(io.StringIO(bulk.get_failed_records(summary["job_id"])))
    assert failed["sf__Error"].startswith("INVALID_TYPE_ON_FIELD_IN_RECORD:")
    good = list(csv.DictReader(io.StringIO(bulk.get_successful_records(summary["job_id"]))))
    assert {row["sf__Id"] for row in good} == {row["Id"] for row in org.rows(ENROLLMENT)}
    assert bulk.get_unprocessed_records(summary["job_id"]).splitlines()[1:] == []


def test_bulk2_queries_page_by_page(client: Any, org: SalesforceOrg) -> None:
    """Each page has its header; together all rows once."""
    for number in range(7):
        org.insert(ENROLLMENT, {"LU_Key__c": str(number)})
    query = f"SELECT LU_Key__c FROM {ENROLLMENT}"  # noqa: S608 - a constant
    pages = list(getattr(client.bulk2, ENROLLMENT).query(query, max_records=3, wait=0.1))
    assert len(pages) == 3
    keys = [row["LU_Key__c"] for page in pages for row in csv.DictReader(io.StringIO(page))]
    assert sorted(keys) == [str(number) for number in range(7)]


def test_bulk2_deletes_by_id(client: Any, org: SalesforceOrg) -> None:
    """The column Id alone."""
    rows = [{"Id": org.insert("Contact", {})} for _ in range(2)]
    (summary,) = client.bulk2.Contact.delete(records=rows, wait=0.1)
    assert (summary["numberRecordsProcessed"], org.rows("Contact")) == (2, [])


def test_rest_helpers_are_understood(client: Any, org: SalesforceOrg) -> None:
    """query_all over pages, limits, describe, single records, errors, api usage."""
    org.rest_page_rows = 2
    made = [client.Contact.create({"LastName": f"N{number}"})["id"] for number in range(5)]
    found = client.query_all("SELECT Id FROM Contact")
    assert sorted(row["Id"] for row in found["records"]) == sorted(made)
    assert client.limits()["DailyApiRequests"]["Max"] == 1_000_000
    assert client.Contact.describe()["name"] == "Contact"
    assert client.Contact.get(made[0])["LastName"] == "N0"
    assert client.api_usage["api-usage"].total == 1_000_000
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        client.query("SELECT Wrong FROM Contact")
