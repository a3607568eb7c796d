"""Signing in: which token is asked for, whom it is given to, and what a refusal says."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
import requests
import responses
from salesforce_kit import QuickClock, world
from signing_keys import certificate_of, private_key

from etl.config import SalesforceSettings
from etl.errors import AccessRefused, ConfigFault, Unavailable
from etl.salesforce.auth import audience, instance_of
from etl.salesforce.org import Org

LOGIN = "https://acme.my.salesforce.com"
TOKEN_URL = LOGIN + "/services/oauth2/token"
CANARY = "canary-secret-9d1f"


def settings(**changed: Any) -> SalesforceSettings:
    """Return settings of an org that nobody serves."""
    keys: dict[str, Any] = {
        "login_url": LOGIN, "org_id": "00D5g000004xyzAEAQ", "client_id": "app", "client_secret": CANARY,
        "poll_seconds": 0.05,
    }  # fmt: skip
    return SalesforceSettings(**{**keys, **changed})


def connect(ahead_s: float = 0.0, **changed: Any) -> Org:
    """Connect to whatever `responses` serves."""
    return Org.connect(settings(**changed), clock=QuickClock().clock(ahead_s=ahead_s), random=Random(1))  # noqa: S311


def test_client_credentials_sign_in() -> None:
    """Client credentials get a token, and the first question after it is which org this is."""
    with world() as served:
        org = served.connect()
        assert org.org_id == served.settings().org_id
        assert [one.split("?")[0] for one in served.requests()] == [
            "POST /services/oauth2/token",
            "GET /services/data/v67.0/query",
        ]
        assert org.calls == 2


def test_access_token_is_taken_as_it_is() -> None:
    """With a configured token nothing is asked of the token endpoint."""
    with world() as served:
        token = served.emulators.describe()["salesforce"]["access_token"]
        served.connect(auth="access_token", access_token=token)
        assert not served.requests("oauth2/token")


@responses.activate
def test_jwt_assertion(tmp_path: Path) -> None:
    """The JWT is signed with RS256 for the login server, names app and user, and lasts three minutes."""
    path, public = private_key(tmp_path)
    responses.post(TOKEN_URL, json={"error": "invalid_grant"}, status=400)
    with pytest.raises(AccessRefused):
        connect(auth="jwt", username="sync@example.com", private_key_file=path)
    form = parse_qs(str(responses.calls[0].request.body))
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(form["assertion"][0], public, algorithms=["RS256"], audience="https://login.salesforce.com")
    assert (claims["iss"], claims["sub"]) == ("app", "sync@example.com")
    assert 170 <= claims["exp"] - datetime.now(UTC).timestamp() <= 185


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_audience(login: str, expected: str) -> None:
    """A My Domain address is no audience: the login server is, and a sandbox has its own."""
    assert audience(login) == expected


def test_unusable_private_key(tmp_path: Path) -> None:
    """A key file that holds no key is a fault of the configuration, told without its contents."""
    path = tmp_path / "sync.key"
    path.write_text(CANARY)
    with pytest.raises(ConfigFault, match=r"sync\.key is no unencrypted RSA private key") as caught:
        connect(auth="jwt", username="sync@example.com", private_key_file=path)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.my.salesforce.com", "https://acme.my.salesforce.com/", "https://na139.salesforce.com",
        "https://acme.my.salesforce.mil", "https://acme.lightning.force.com", "https://acme.my.salesforce.com:443",
    ],
)  # fmt: skip
def test_instances_that_get_the_token(url: str) -> None:
    """The login host itself and Salesforce's own domains over https get the token."""
    assert instance_of(url, LOGIN) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com", "https://evilsalesforce.com", "https://acme.my.salesforce.com.example.com",
        "http://acme.my.salesforce.com", "https://acme.my.salesforce.com@evil.example.com", "https://127.0.0.1",
        "https://evil.example.com\\.salesforce.com", "https://evil.example.com#.salesforce.com", "", "https://",
        "https://evil.example.com/x.salesforce.com", "https://na1.salesforce.com:8443", "https://[::1", "ftp://x",
        "https://salesforce.com.", "https://evil.example.com?x=.salesforce.com", "https://ünicode.salesforce.com",
    ],
)  # fmt: skip
def test_instances_that_do_not(url: str) -> None:
    """Any other host, scheme or trick with an address is refused."""
    with pytest.raises(AccessRefused):
        instance_of(url, LOGIN)


def test_loopback_stays_where_it_is() -> None:
    """A login on this machine may name no instance but the server it was made at, whatever this machine is called."""
    assert instance_of("http://localhost:99", "http://127.0.0.1:99") == "http://localhost:99"
    for url in ("https://na1.salesforce.com", "http://127.0.0.1:98", "https://127.0.0.1:99"):
        with pytest.raises(AccessRefused):
            instance_of(url, "http://127.0.0.1:99")


@responses.activate
def test_foreign_instance_gets_no_request() -> None:
    """A token answer that points elsewhere ends with 77, and no request goes there."""
    responses.post(TOKEN_URL, json={"access_token": CANARY, "instance_url": "https://evil.example.com"})
    with pytest.raises(AccessRefused, match=r"evil\.example\.com") as caught:
        connect()
    assert [call.request.url for call in responses.calls] == [TOKEN_URL]
    assert CANARY not in str(caught.value)


@responses.activate
@pytest.mark.parametrize(("ahead_s", "hint"), [(400.0, "ahead of"), (-400.0, "behind"), (5.0, "")])
def test_clock_hint(ahead_s: float, hint: str) -> None:
    """When the grant is refused and the clocks differ, the message says by how much."""
    now = f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT"
    responses.post(TOKEN_URL, json={"error": "invalid_grant"}, status=400, headers={"Date": now})
    with pytest.raises(AccessRefused, match="sign-in refused") as caught:
        connect(ahead_s=ahead_s)
    assert ("clock" in str(caught.value)) == bool(hint)
    assert hint in str(caught.value)


@responses.activate
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "invalid_client", "error_description": "invalid client credentials"}, AccessRefused),
        (400, {"error": "invalid_client", "error_description": f"no {CANARY * 4}"}, AccessRefused),
        (401, "<html>", AccessRefused),
        (404, "", AccessRefused),
        (302, "", AccessRefused),
        (503, "down", Unavailable),
        (200, "<html>maintenance</html>", Unavailable),
        (200, {"instance_url": LOGIN}, Unavailable),
        (200, {"access_token": CANARY}, Unavailable),
        (200, [1], Unavailable),
    ],
)
def test_refused_sign_ins(status: int, body: Any, error: type[Exception]) -> None:
    """Refused credentials are 77, an answer that is no token is 69, and no message holds a secret."""
    text = body if isinstance(body, str) else json.dumps(body)
    responses.post(TOKEN_URL, body=text, status=status)
    with pytest.raises(error) as caught:
        connect()
    assert CANARY not in str(caught.value)
    assert base64.b64encode(CANARY.encode()).decode() not in str(caught.value)


def test_jwt_sign_in(tmp_path: Path) -> None:
    """A JWT that the app's certificate proves gets a token; with the clock an hour behind it does not."""
    path, _ = private_key(tmp_path)
    with world() as served:
        url = served.emulators.salesforce.url + "/__knobs"
        assert requests.post(url, json={"jwt_certificate": certificate_of(path)}, timeout=10).ok
        chosen = served.settings(auth="jwt", username=served.store.rows("User")[0]["Username"], private_key_file=path)
        org = Org.connect(chosen, clock=QuickClock().clock(), random=Random(1))  # noqa: S311 - jitter
        assert org.org_id == chosen.org_id
        with pytest.raises(AccessRefused, match="behind Salesforce's"):
            Org.connect(chosen, clock=QuickClock().clock(ahead_s=-3600), random=Random(1))  # noqa: S311 - jitter
