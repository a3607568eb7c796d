"""The OAuth conversation: token, userinfo, identity, revoke (Help, "OAuth Authorization Flows"); no records."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from etl.emulator.messages import Request, Response
from etl.emulator.salesforce.errors import ApiError, not_found

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
FARTHEST_EXPIRY = 600.0


class _OAuthError(Exception):
    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error

    def response(self) -> Response:
        return Response.json({"error": self.error, "error_description": str(self)}, 400)


def base_url(request: Request) -> str:
    """The address the client used, as `instance_url`."""
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def handle(org: SalesforceOrg, request: Request) -> Response:
    """Answer a request below /services/oauth2/ or /id/."""
    try:
        match request.method, request.path.removesuffix("/"):
            case "POST", "/services/oauth2/token":
                return _token(org, request)
            case (("GET" | "POST"), "/services/oauth2/userinfo"):
                return _without_session(org, request) or Response.json(_userinfo(org, request))
            case (("GET" | "POST"), "/services/oauth2/revoke"):
                return _revoke(org, request)
            case "GET", path if path.startswith("/id/"):
                return _identity(org, request)
    except _OAuthError as error:
        return error.response()
    raise not_found()


def _form(request: Request) -> dict[str, str]:
    """Parameters of the body (form, or JSON as some clients send) and of the query."""
    if "json" in request.headers.get("content-type", ""):
        try:
            value = json.loads(request.body)
        except ValueError as error:
            raise _OAuthError("invalid_request", "the body is not JSON") from error
        return {name: str(one) for name, one in value.items()}
    pairs = {**request.query, **parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)}
    return {name: found[0] for name, found in pairs.items()}


def _token(org: SalesforceOrg, request: Request) -> Response:
    form = _form(request)
    grant = form.get("grant_type", "")
    if grant == "client_credentials":
        _check_client(org, request, form)
    elif grant == JWT_BEARER:
        _check_assertion(org, base_url(request), form.get("assertion", ""))
    else:
        raise _OAuthError("unsupported_grant_type", "grant type not supported")
    issued: dict[str, Any] = {
        "access_token": org.sessions.open(),
        "scope": "api id",
        "instance_url": base_url(request),
        "id": f"{base_url(request)}/id/{org.org_id}/{org.user_id}",
        "token_type": "Bearer",
    }
    if grant == "client_credentials":
        issued |= {"signature": "ZW11bGF0ZWQgc2lnbmF0dXJl", "issued_at": str(int(org.clock() * 1000))}
    return Response.json(issued, headers=[("Cache-Control", "no-store")])


def _check_client(org: SalesforceOrg, request: Request, form: dict[str, str]) -> None:
    """Client id and secret, by Basic header or in the body."""
    client, secret = form.get("client_id", ""), form.get("client_secret", "")
    kind, _, coded = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _OAuthError("invalid_client", "invalid client credentials") from error
    if client not in org.sessions.clients:
        raise _OAuthError("invalid_client_id", "client identifier invalid")
    if org.sessions.clients[client] != secret:
        raise _OAuthError("invalid_client", "invalid client credentials")


def _check_assertion(org: SalesforceOrg, own_url: str, assertion: str) -> None:
    """RS256 by the registered certificate; audience, user and expiry as documented.

    The `sf` command line gives `exp` in milliseconds, so that is taken too; an expiry more than ten minutes
    ahead is refused (the documented wish is three, the slack is assumed).
    """
    try:
        client = str(jwt.decode(assertion, options={"verify_signature": False}).get("iss", ""))
        if client not in org.sessions.clients:
            raise _OAuthError("invalid_client_id", "client identifier invalid")
        key = _public_key(org.sessions.certificates.get(client, ""))
        options: Any = {"verify_exp": False, "verify_aud": False}
        claims = jwt.decode(assertion, key, algorithms=["RS256"], options=options)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise _OAuthError("invalid_grant", "invalid assertion") from error
    if str(claims.get("aud", "")).rstrip("/") not in (*AUDIENCES, own_url):
        raise _OAuthError("invalid_grant", "audience is invalid")
    expiry = claims.get("exp")
    expiry = float(expiry) if isinstance(expiry, int | float) else 0.0
    expiry = expiry / 1000 if expiry > 1e11 else expiry
    if not org.clock() <= expiry <= org.clock() + FARTHEST_EXPIRY:
        raise _OAuthError("invalid_grant", "expired authorization code")
    if str(claims.get("sub", "")).lower() not in org.sessions.approved:
        raise _OAuthError("invalid_grant", "user hasn't approved this consumer")


def _public_key(pem: str) -> Any:
    data = pem.encode()
    if b"BEGIN CERTIFICATE" in data:
        return load_pem_x509_certificate(data).public_key()
    return load_pem_public_key(data)


def _revoke(org: SalesforceOrg, request: Request) -> Response:
    if not org.sessions.close(_form(request).get("token", "")):
        raise _OAuthError("invalid_token", "invalid token")
    return Response(200)


def _user(org: SalesforceOrg) -> dict[str, Any]:
    return org.tables["User"].rows[org.user_id]


def _urls(request: Request, version: str = "{version}") -> dict[str, str]:
    rest = f"{base_url(request)}/services/data/v{version}/"
    return {"rest": rest, "sobjects": f"{rest}sobjects/", "query": f"{rest}query/", "custom_domain": base_url(request)}


def _userinfo(org: SalesforceOrg, request: Request) -> dict[str, Any]:
    user = _user(org)
    return {
        "sub": f"{base_url(request)}/id/{org.org_id}/{org.user_id}",
        "user_id": org.user_id,
        "organization_id": org.org_id,
        "preferred_username": user["Username"],
        "nickname": user["Alias"],
        "name": user["Name"],
        "email": user["Email"],
        "email_verified": True,
        "given_name": user.get("FirstName"),
        "family_name": user["LastName"],
        "active": user["IsActive"],
        "user_type": "STANDARD",
        "urls": _urls(request),
    }


def _without_session(org: SalesforceOrg, request: Request) -> Response | None:
    """403 "Bad_OAuth_Token" without a live session, for identity and userinfo alike (Help, "Identity URLs")."""
    try:
        org.sessions.check(request.headers.get("authorization", ""))
    except ApiError:
        return Response.text("Bad_OAuth_Token", 403)
    return None


def _identity(org: SalesforceOrg, request: Request) -> Response:
    """The identity URL (Help, "Identity URLs"): 404 for others' ids."""
    refused = _without_session(org, request)
    if refused is not None:
        return refused
    wanted = request.path.split("/")[2:4]
    own = [org.org_id[:15], org.user_id[:15]]
    if [one[:15] for one in wanted] != own:
        return Response.text("Missing_OAuth_Token" if len(wanted) < 2 else "Bad_Id", 404)
    user = _user(org)
    return Response.json(
        {
            "id": f"{base_url(request)}/id/{org.org_id}/{org.user_id}",
            "asserted_user": True,
            "user_id": org.user_id,
            "organization_id": org.org_id,
            "username": user["Username"],
            "display_name": user["Name"],
            "email": user["Email"],
            "active": user["IsActive"],
            "user_type": "STANDARD",
            "urls": _urls(request),
        }
    )
