"""The org: pinned, its session renewed, its refusals told apart, every request counted."""

from __future__ import annotations

import logging
from random import Random
from typing import Any

import pytest
import responses
from pydantic import SecretStr
from salesforce_kit import QuickClock, world

from etl.config import SalesforceSettings
from etl.emulator.faults import Fault
from etl.errors import AccessRefused, QuotaSpent, SyncError, Unavailable, WrongTarget
from etl.salesforce.answers import Forbidden, Rejected
from etl.salesforce.org import Org, limits
from etl.session import AnswerLost

LOGIN = "https://acme.my.salesforce.com"
DATA = LOGIN + "/services/data/v67.0/"
ORG_ID = "00D5g000004xyzAEAQ"


def forged(**org: Any) -> Org:
    """Connect to an org made of forged answers."""
    records = [{"Id": ORG_ID, "IsSandbox": False}]
    responses.post(LOGIN + "/services/oauth2/token", json={"access_token": "t0k3n", "instance_url": LOGIN})
    responses.get(DATA + "query", json={"records": records, **org})
    secrets: dict[str, Any] = {"client_id": SecretStr("app"), "client_secret": SecretStr("s")}
    settings = SalesforceSettings(login_url=LOGIN, org_id=ORG_ID, poll_seconds=0.05, **secrets)
    return Org.connect(settings, clock=QuickClock().clock(), random=Random(1))  # noqa: S311 - jitter


@pytest.mark.parametrize("cut", [15, 18])
def test_pinned_org(cut: int) -> None:
    """The pin may have 15 or 18 characters."""
    with world() as served:
        pin = served.settings().org_id
        assert served.connect(org_id=pin[:cut]).org_id == pin


def test_another_org_is_refused_at_once() -> None:
    """An org that is not the pinned one ends with 78, and nothing but its identity was asked."""
    with world() as served:
        with pytest.raises(WrongTarget, match="not the pinned") as caught:
            served.connect(org_id="00D5g000004xyzAEAQ")
        assert caught.value.exit_code == 78
        assert [one.split("?")[0] for one in served.requests()] == [
            "POST /services/oauth2/token",
            "GET /services/data/v67.0/query",
        ]


@responses.activate
@pytest.mark.parametrize("records", [[], [{"Id": None}], None, [1], [{"Id": ORG_ID}, {"Id": ORG_ID}], "x"])
def test_org_without_identity(records: Any) -> None:
    """An answer that names no org, or several, is never taken for the pinned one."""
    with pytest.raises((Unavailable, WrongTarget)):
        forged(records=records)


def test_expired_session_is_renewed() -> None:
    """A session that expires on the way is renewed once for the refused call, and the call is answered."""
    with world() as served:
        org = served.connect()
        served.store.expire_sessions()
        assert limits(org)["DailyApiRequests"]["Max"] > 0
        assert len(served.requests("oauth2/token")) == 2
        assert org.calls == len(served.requests())


def test_refused_twice_in_a_row() -> None:
    """When the new session is refused too, that is 77: the call is not tried for ever."""
    body = '[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]'
    with world() as served:
        org = served.connect()
        served.faults.add(Fault("GET .*limits", times=9, status=401, body=body))
        with pytest.raises(AccessRefused, match="INVALID_SESSION_ID"):
            limits(org)
        assert len(served.requests("limits")) == 2


def test_configured_token_cannot_be_renewed() -> None:
    """A configured access token that has expired is 77 at once."""
    with world() as served:
        token = served.emulators.describe()["salesforce"]["access_token"]
        org = served.connect(auth="access_token", access_token=token)
        served.store.expire_sessions()
        with pytest.raises(AccessRefused) as caught:
            limits(org)
        assert token not in str(caught.value)
        assert not served.requests("oauth2/token")


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (403, '[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]', QuotaSpent, 75),
        (403, '[{"errorCode":"API_DISABLED_FOR_ORG","message":"no"}]', Forbidden, 77),
        (403, "<html>", Forbidden, 77),
        (401, '[{"errorCode":"INVALID_AUTH_HEADER","message":"no"}]', AccessRefused, 77),
        (400, '[{"errorCode":"MALFORMED_ID","message":"no"}]', Rejected, 69),
        (302, "", Unavailable, 69),
        (410, '[{"errorCode":"UNSUPPORTED_API_VERSION","message":"gone"}]', Rejected, 69),
    ],
)
def test_refusals(status: int, body: str, error: type[SyncError], code: int) -> None:
    """Each refusal becomes the error of its exit code, asked once and not again."""
    with world() as served:
        org = served.connect()
        served.faults.add(Fault("userinfo", times=None, status=status, body=body))
        with pytest.raises(error) as caught:
            org.json("GET", "/services/oauth2/userinfo")
        assert caught.value.exit_code == code
        assert len(served.requests("userinfo")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "body": "down"},
        {"status": 200, "body": "<html>maintenance</html>", "headers": {"Content-Type": "text/html"}},
        {"status": 200, "body": '{"a":', "headers": {"Content-Type": "application/json"}},
        {"reset": True},
        {"status": 420, "body": "busy"},
    ],
)
def test_maintenance(fault: dict[str, Any]) -> None:
    """Pages, transient statuses, broken JSON and lost connections are tried again, and 69 when they stay."""
    with world() as served:
        org = served.connect()
        served.faults.add(Fault("userinfo", times=2, **fault))
        assert org.json("GET", "/services/oauth2/userinfo")["user_id"]
        served.faults.add(Fault("userinfo", times=None, **fault))
        with pytest.raises(Unavailable, match="5 attempts"):
            org.json("GET", "/services/oauth2/userinfo")


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}, {"when": "after", "reset": True}])
def test_what_must_not_be_repeated(fault: dict[str, Any]) -> None:
    """A request that may have worked is not sent again: the caller is told that its answer was lost."""
    with world() as served:
        org = served.connect()
        served.faults.add(Fault("POST .*jobs/ingest", **fault))
        job = {"object": "Contact", "operation": "update"}
        with pytest.raises(AnswerLost):
            org.json("POST", org.path("jobs/ingest"), json=job, repeatable=False)
        assert len(served.requests("jobs/ingest")) == 1


@responses.activate
def test_rest_of_an_answer_elsewhere() -> None:
    """When the rest of an answer is said to be on another host, the token does not go there."""
    org = forged()
    page = {"records": [], "done": False, "totalSize": 0, "nextRecordsUrl": "@evil.example.com/x"}
    responses.get(DATA + "query/", json=page)
    with pytest.raises(Unavailable, match="another host"):
        org.sf.query_more(org.sf.query("SELECT Id FROM User")["nextRecordsUrl"], identifier_is_url=True)
    assert not any("evil" in str(call.request.url).split("/")[2] for call in responses.calls)


def test_limits_without_the_right() -> None:
    """A user who may not see the limits gets none, which is no error."""
    with world() as served:
        org = served.connect()
        served.faults.add(Fault("limits", status=403, body='[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]'))
        assert limits(org) == {}


def test_user() -> None:
    """The signed-in user is known from the token's answer, else asked for, and only once."""
    with world() as served:
        token = served.emulators.describe()["salesforce"]["access_token"]
        org = served.connect(auth="access_token", access_token=token)
        assert org.user_id == served.connect().user_id
        assert org.user_id.startswith("005")
        assert len(served.requests("userinfo")) == 1


def test_expired_session_is_renewed_to_learn_the_user() -> None:
    """Who is signed in is told by 403 that the session has expired: it is renewed once; refused again, it is 77."""
    with world() as served:
        served.faults.add(Fault("oauth2/token", when="mid", times=None, replace=('"id":', '"other":')))
        org = served.connect()
        served.store.expire_sessions()
        assert org.user_id.startswith("005")
        assert (len(served.requests("userinfo")), len(served.requests("oauth2/token"))) == (2, 2)
        org = served.connect()
        served.faults.add(Fault("userinfo", times=9, status=403, body="Bad_OAuth_Token"))
        with pytest.raises(AccessRefused, match="Bad_OAuth_Token"):
            _ = org.user_id
        assert len(served.requests("userinfo")) == 4


def test_names() -> None:
    """A namespace goes in front of every custom part of a name, and of nothing else."""
    with world(namespace="LearnUponP") as served:
        plain, spaced = served.connect(), served.connect(namespace="LearnUponP")
        assert plain.name("LU_Key__c") == "LU_Key__c"
        assert (
            spaced.name("LearnUpon_Portal__r.Portal_Id__c")
            == "LearnUponP__LearnUpon_Portal__r.LearnUponP__Portal_Id__c"
        )
        assert (spaced.name("Contact"), spaced.name("Id")) == ("Contact", "Id")


def test_no_token_in_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that the client logs holds a token or a secret."""
    caplog.set_level(logging.DEBUG, logger="etl")
    with world() as served:
        org = served.connect()
        expired = org._token.secret
        served.store.expire_sessions()
        served.faults.add(Fault("limits", times=1, status=503))
        limits(org)
        assert org._token.secret != expired
        secrets = {expired, org._token.secret, served.emulators.describe()["salesforce"]["client_secret"]}
    assert "signing in again" in caplog.text
    assert all(secrets)
    assert [secret for secret in secrets if secret in caplog.text] == []
