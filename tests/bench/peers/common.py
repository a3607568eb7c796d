"""What the peers share: where the two systems are, a Salesforce session over plain HTTP, and what each object needs.

The peers are what a competent person writes when there is no product: they check little of what comes, ask nothing by
id, and read nothing back. They import nothing of the product.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

API = "/services/data/v67.0"
LABELS = {
    "not_started": "Not Started", "in_progress": "In Progress", "pending_review": "Pending Review",
    "completed": "Completed", "passed": "Passed", "failed": "Failed",
}  # fmt: skip
FINISHED = ("completed", "passed", "failed")
DONE = ("completed", "passed")
_PARENT = "LearnUpon_Portal_Membership__r.LU_Key__c"
_OF_ENROLLMENTS = ["LUEnrollment__c", "LUUser__c", "Status__c", "Score__c"]
_DATES = ["Date_Enrolled__c", "Date_Completed__c"]
_OF_COURSES = ["Course_Name__c", "Course_Id__c", "Course_Version__c", "Percent_Complete__c"]
_OF_PATHS = ["Path_Name__c", "Number_Of_Courses_On_Path__c", "Number_Of_Courses_Completed_On_Path__c"]
COUNTS = {label: f"LU_Number_{label.replace(' ', '_')}__c" for label in LABELS.values()}
TOTALS = ["LU_Last_Accessed_At__c", "LU_Number_Enrolled__c", *COUNTS.values()]
REMOVED = "Removed_In_LearnUpon__c"


def _columns(person: str, own: list[str]) -> list[str]:
    return ["LU_Key__c", _PARENT, f"SF{person}__c", *_OF_ENROLLMENTS, *own, *_DATES, REMOVED]


MEMBERSHIP = "LearnUpon_Portal_Membership__c"
COLUMNS: Mapping[str, list[str]] = {
    MEMBERSHIP: [
        "LU_Key__c", "LearnUpon_Portal__r.LU_Key__c", "Contact__c", "User__c", "Portal_Id__c",
        "LU_Portal_Membership_ID__c", REMOVED, *TOTALS,
    ],
    "LearnUponEnrollment__c": _columns("User", _OF_COURSES),
    "LearnUponContactEnrollment__c": _columns("Contact", _OF_COURSES),
    "LearnUponLearningPathEnrollment__c": _columns("User", _OF_PATHS),
    "LearnUponLearningPathContactEnrollment__c": _columns("Contact", _OF_PATHS),
    "Contact": ["Id", "LU_User_ID__c", *TOTALS],
    "User": ["Id", "LU_User_ID__c", *TOTALS],
}  # fmt: skip
"""What is read of each object (custom ones with Id in front) and compared, in the order of the writes."""


class Plain(HTTPAdapter):
    """Sends to http what simple-salesforce believes to be https: it hard-codes the scheme."""

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        """Send the request without TLS."""
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **more)


def salesforce(org: Mapping[str, str]) -> Any:
    """Return simple-salesforce's client, signed in with client credentials."""
    url = org["login_url"]
    form = {"grant_type": "client_credentials", "client_id": org["client_id"], "client_secret": org["client_secret"]}
    token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=60).json()["access_token"]
    session = requests.Session()
    session.mount(url.replace("http://", "https://"), Plain())
    return Salesforce(instance_url=url, session_id=token, version="67.0", session=session)


def query(name: str) -> str:
    """Return the SOQL for all our rows of an object."""
    columns = COLUMNS[name]
    if "LU_Key__c" not in columns:
        return f"SELECT {', '.join(columns)} FROM {name} WHERE LU_User_ID__c != null"
    return f"SELECT Id, {', '.join(columns)} FROM {name} WHERE LU_Key__c LIKE '12345:%'"


def world() -> dict[str, Any]:
    """Return where the servers are: the file named on the command line holds what `bench.servers` printed."""
    found: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return found


def tell(changed: Mapping[str, Mapping[str, int]]) -> None:
    """Say what was changed, by object, as one line of JSON."""
    sys.stdout.write(json.dumps(changed) + "\n")
