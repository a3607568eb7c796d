"""Conformance of the emulated Salesforce: sign-in, sessions, versions, limits."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from salesforce_door import OrgDoor

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def door() -> Iterator[OrgDoor]:
    """An org without records; the emulator must not have failed in the end."""
    with OrgDoor() as opened:
        yield opened
        assert opened.server.errors == []


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """A private key."""
    return rsa.generate_private_key(65537, 2048)


def ask(door: OrgDoor, **form: str) -> requests.Response:
    """Ask for a token."""
    return requests.post(f"{door.server.url}/services/oauth2/token", data=form, timeout=10)


def signed(door: OrgDoor, key: rsa.RSAPrivateKey, **claims: Any) -> requests.Response:
    """Ask for a token with a signed assertion, after registering the key's public half."""
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    door.org.sessions.register_jwt(public.decode())
    plain = {
        "iss": door.org.sessions.client_id,
        "sub": "sync@example.com",
        "aud": "https://login.salesforce.com",
        "exp": int(door.now) + 180,
    }
    return ask(door, grant_type=GRANT, assertion=jwt.encode({**plain, **claims}, key, algorithm="RS256"))


def test_client_credentials_in_the_body_or_a_basic_header(door: OrgDoor) -> None:
    """Both forms give a token of the form `{org_id}!...` that works (Help, client credentials flow)."""
    sessions = door.org.sessions
    pair = {"client_id": sessions.client_id, "client_secret": sessions.client_secret}
    first = ask(door, grant_type="client_credentials", **pair).json()
    assert first["access_token"].startswith(f"{door.org.org_id}!")
    assert (first["instance_url"], first["token_type"]) == (door.server.url, "Bearer")
    assert first["id"] == f"{door.server.url}/id/{door.org.org_id}/{door.org.user_id}"
    coded = base64.b64encode(f"{pair['client_id']}:{pair['client_secret']}".encode()).decode()
    second = requests.post(
        f"{door.server.url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {coded}"},
        timeout=10,
    ).json()
    assert second["access_token"] != first["access_token"]
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    assert door.call("GET", "/limits", headers=bearer).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "nobody"}, "invalid_client_id"),
        ({"grant_type": GRANT, "assertion": "no.jwt.this"}, "invalid_grant"),
    ],
)
def test_bad_sign_in_is_400_with_an_error(door: OrgDoor, form: dict[str, str], error: str) -> None:
    """OAuth errors are objects with error and error_description."""
    answer = ask(door, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_wrong_secret_is_invalid_client(door: OrgDoor) -> None:
    """The app is known, its secret is not this one."""
    answer = ask(door, grant_type="client_credentials", client_id=door.org.sessions.client_id, client_secret="wrong")
    assert answer.json()["error"] == "invalid_client"


def test_jwt_bearer_gives_a_token_without_signature(door: OrgDoor, key: rsa.RSAPrivateKey) -> None:
    """RS256, checked against the registered key (Help, JWT bearer flow)."""
    answer = signed(door, key)
    assert answer.status_code == 200
    assert "signature" not in answer.json()


def test_jwt_as_the_sf_command_line_sends_it(door: OrgDoor, key: rsa.RSAPrivateKey) -> None:
    """Audience is the instance with a slash, the expiry in milliseconds (seen from the real client)."""
    answer = signed(door, key, aud=f"{door.server.url}/", exp=int(door.now * 1000) + 180_000)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("claims", "description"),
    [
        ({"aud": "https://example.com"}, "audience is invalid"),
        ({"exp": 1_700_000_000}, "expired authorization code"),
        ({"exp": 1_900_000_000}, "expired authorization code"),
        ({"sub": "stranger@example.com"}, "user hasn't approved this consumer"),
    ],
)
def test_jwt_errors_as_documented(
    door: OrgDoor, key: rsa.RSAPrivateKey, claims: dict[str, Any], description: str
) -> None:
    """invalid_grant with the documented descriptions."""
    answer = signed(door, key, **claims)
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_grant", "error_description": description}


def test_jwt_signed_with_another_key_is_refused(door: OrgDoor, key: rsa.RSAPrivateKey) -> None:
    """The signature is really checked."""
    signed(door, key)
    other = rsa.generate_private_key(65537, 2048)
    claims = {"iss": door.org.sessions.client_id, "sub": "sync@example.com", "exp": int(door.now) + 60}
    answer = ask(door, grant_type=GRANT, assertion=jwt.encode(claims, other, algorithm="RS256"))
    assert answer.json()["error_description"] == "invalid assertion"


def test_userinfo_and_identity_name_org_and_user(door: OrgDoor) -> None:
    """The `sf` command reads preferred_username, organization_id and user_id."""
    info = door.call("GET", "/services/oauth2/userinfo").json()
    assert (info["organization_id"], info["user_id"]) == (door.org.org_id, door.org.user_id)
    identity = door.call("GET", f"/id/{door.org.org_id}/{door.org.user_id}").json()
    assert identity["username"] == info["preferred_username"] == "sync@example.com"
    assert requests.get(info["sub"], timeout=10).status_code == 403


def test_who_is_signed_in_is_403_without_a_session(door: OrgDoor) -> None:
    """Userinfo and identity answer Bad_OAuth_Token to a dead token, not 401 as the resources do."""
    door.org.expire_sessions()
    for path in ("/services/oauth2/userinfo", f"/id/{door.org.org_id}/{door.org.user_id}"):
        answer = door.call("GET", path)
        assert (answer.status_code, answer.text) == (403, "Bad_OAuth_Token")


def test_a_revoked_token_is_dead(door: OrgDoor) -> None:
    """Revoke answers 200 once, then invalid_token."""
    url = f"{door.server.url}/services/oauth2/revoke"
    token = {"token": door.org.access_token}
    assert requests.post(url, data=token, timeout=10).status_code == 200
    assert door.call("GET", "/limits").status_code == 401
    assert requests.post(url, data=token, timeout=10).json()["error"] == "invalid_token"


def test_expired_sessions_answer_401(door: OrgDoor) -> None:
    """INVALID_SESSION_ID in an array (REST guide, status codes); by count or all at once."""
    door.org.session_calls = 2
    assert [door.call("GET", "/limits").status_code for _ in range(3)] == [200, 200, 401]
    door.org.restore_access_token()
    door.org.session_calls = None
    door.org.expire_sessions()
    answer = door.call("GET", "/limits")
    assert answer.json() == [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]


def test_versions_are_listed_without_a_session(door: OrgDoor) -> None:
    """Newest last; 68.0 is Winter '27."""
    listed = requests.get(f"{door.server.url}/services/data", timeout=10).json()
    assert listed[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    assert listed[0]["version"] == "31.0"


@pytest.mark.parametrize(("version", "status"), [("30.0", 410), ("7.0", 410), ("31.0", 200), ("69.0", 404)])
def test_retired_versions_are_gone(door: OrgDoor, version: str, status: int) -> None:
    """7 to 30 answer 410 GONE (REST guide, end-of-life policy)."""
    assert door.call("GET", f"/services/data/v{version}").status_code == status


def test_each_rest_answer_carries_the_usage(door: OrgDoor) -> None:
    """Sforce-Limit-Info counts this call too, on errors as well."""
    door.org.limits["DailyApiRequests"] = {"Max": 100, "Remaining": 90}
    assert door.call("GET", "/limits").headers["Sforce-Limit-Info"] == "api-usage=11/100"
    assert door.call("GET", "/sobjects/Nothing").headers["Sforce-Limit-Info"] == "api-usage=12/100"


def test_no_requests_left_is_403(door: OrgDoor) -> None:
    """REQUEST_LIMIT_EXCEEDED when the day's requests are spent."""
    door.call("POST", "/__knobs", json={"limits": {"DailyApiRequests": 1}})
    assert door.call("GET", "/limits").json()["DailyApiRequests"]["Remaining"] == 0
    answer = door.call("GET", "/limits")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
