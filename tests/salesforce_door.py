"""An emulated Salesforce org with a plain HTTP client, for the conformance tests; it asserts nothing."""

from __future__ import annotations

import csv
import io
from typing import Any, Self

import requests

from etl.emulator.ledger import Ledger
from etl.emulator.salesforce import SalesforceApp, SalesforceOrg
from etl.emulator.server import Server

PORTAL = "LearnUpon_Portal__c"
MEMBERSHIP = "LearnUpon_Portal_Membership__c"
ENROLLMENT = "LearnUponContactEnrollment__c"
BASE = "/services/data/v67.0"


class OrgDoor:
    """An org on a server of its own, its clock in the test's hand; `call` asks with the fixed access token."""

    def __init__(self, **org: Any) -> None:
        """Make the org; jobs stay one second in each state by `now`."""
        self.now = 1_800_000_000.0
        self.ledger = Ledger(lambda: self.now)
        self.org = SalesforceOrg(ledger=self.ledger, clock=lambda: self.now, **org)
        self.org.job_seconds = 1.0
        self.server = Server(SalesforceApp(self.org), ledger=self.ledger)
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {self.org.access_token}"

    def __enter__(self) -> Self:
        """Serve."""
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.session.close()
        self.server.stop()

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """Ask for a path of the pinned API version (or any path that begins with /services or /id)."""
        whole = path if path.startswith(("/services", "/id", "/__")) else f"{BASE}{path}"
        return self.session.request(method, self.server.url + whole, timeout=20, **more)

    def query(self, text: str, **more: Any) -> Any:
        """Return the JSON of a query over REST."""
        return self.call("GET", "/query", params={"q": text, **more}).json()

    def column(self, text: str) -> list[Any]:
        """Return the first selected column of a query."""
        name = text.split()[1].rstrip(",")
        return [record[name] for record in self.query(text)["records"]]

    def new_job(self, operation: str, thing: str = ENROLLMENT, **more: Any) -> str:
        """Make an ingest job and return its id; an upsert goes by LU_Key__c."""
        spec = {"object": thing, "operation": operation, **more}
        if operation == "upsert":
            spec.setdefault("externalIdFieldName", "LU_Key__c")
        answer = self.call("POST", "/jobs/ingest", json=spec)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def put(self, job: str, data: str | bytes) -> requests.Response:
        """Upload data to a job."""
        body = data.encode() if isinstance(data, str) else data
        return self.call("PUT", f"/jobs/ingest/{job}/batches", data=body, headers={"Content-Type": "text/csv"})

    def set_state(self, job: str, state: str, kind: str = "ingest") -> requests.Response:
        """Close or abort a job."""
        return self.call("PATCH", f"/jobs/{kind}/{job}", json={"state": state})

    def job(self, job: str, kind: str = "ingest") -> Any:
        """Return a job's JSON."""
        return self.call("GET", f"/jobs/{kind}/{job}").json()

    def ingest(self, operation: str, data: str, thing: str = ENROLLMENT, **more: Any) -> str:
        """Run a job to its end and return its id."""
        job = self.new_job(operation, thing, **more)
        self.put(job, data)
        self.set_state(job, "UploadComplete")
        self.now += 2
        return job

    def result(self, job: str, name: str = "failedResults") -> list[dict[str, str]]:
        """Return the rows of a result file."""
        answer = self.call("GET", f"/jobs/ingest/{job}/{name}")
        answer.raise_for_status()
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline="")))

    def errors(self, job: str) -> list[str]:
        """Return the error codes of the failed rows, sorted."""
        return sorted(row["sf__Error"].split(":")[0] for row in self.result(job))

    def membership(self) -> str:
        """Make portal 1 with member 1 and return the membership's id."""
        portal = self.org.insert(PORTAL, {"Name": "Acme", "LU_Key__c": "1"})
        fields = {"LearnUpon_Portal__c": portal, "LU_Key__c": "1:member:1"}
        return self.org.insert(MEMBERSHIP, fields)
