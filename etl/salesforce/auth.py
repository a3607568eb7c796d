"""Signing in: an access token for the configured way, and which host may be given it; it reads no records.

Ways: OAuth 2.0 client credentials, OAuth 2.0 JWT bearer, or a token from the configuration (Salesforce help, "OAuth
authorization flows"). Token answers carry no expiry, so a token is renewed when it is refused, not before.
"""

from __future__ import annotations

import email.utils
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import jwt
import requests

from etl.clock import Clock
from etl.config import SalesforceSettings
from etl.errors import AccessRefused, ConfigFault, Unavailable
from etl.salesforce.answers import decode, refusal, text, where

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT_LIFE = timedelta(minutes=3)
_CLOCK_SLACK_S = 30
_FAMILY = (
    "salesforce.com",
    "force.com",
    "salesforce.mil",
    "force.mil",
    "cloudforce.com",
    "sfcrmproducts.cn",
)
"""Domains of Salesforce's own instances (Salesforce help, "allow the required domains")."""

Post = Callable[[str, dict[str, str]], requests.Response]


@dataclass(frozen=True)
class Token:
    """An access token, the instance that takes it, and the user it stands for where the answer says so."""

    secret: str = field(repr=False)
    instance_url: str
    user_id: str = ""


def sign_in(settings: SalesforceSettings, post: Post, clock: Clock) -> Token:
    """Return a fresh token; `post(url, form)` sends the one request it takes.

    Raises AccessRefused when the credentials or the instance are refused, ConfigFault when the private key cannot be
    used, Unavailable when the answer is no token.
    """
    if settings.auth == "access_token":
        return Token(_secret(settings.access_token), settings.login_url)
    response = post(settings.login_url + TOKEN_PATH, _form(settings, clock))
    if response.status_code != 200:
        raise _refused(response, clock)
    answer = decode(response)
    instance = instance_of(text(answer, "instance_url", where(response)), settings.login_url)
    identity = answer.get("id")
    user = re.fullmatch(r"https?://[^/]+/id/\w{15,18}/(\w{15,18})", identity) if isinstance(identity, str) else None
    return Token(text(answer, "access_token", where(response)), instance, user.group(1) if user else "")


def _secret(value: object) -> str:
    reveal = getattr(value, "get_secret_value", None)
    return str(reveal()) if reveal else ""


def _form(settings: SalesforceSettings, clock: Clock) -> dict[str, str]:
    if settings.auth == "jwt":
        return {"grant_type": _JWT_GRANT, "assertion": _assertion(settings, clock)}
    return {
        "grant_type": "client_credentials",
        "client_id": _secret(settings.client_id),
        "client_secret": _secret(settings.client_secret),
    }


def _assertion(settings: SalesforceSettings, clock: Clock) -> str:
    path = settings.private_key_file
    if path is None:
        raise ConfigFault("salesforce.private_key_file is missing: the JWT bearer flow signs with it")
    claims = {
        "iss": _secret(settings.client_id),
        "sub": settings.username,
        "aud": audience(settings.login_url),
        "exp": int((clock.now() + _JWT_LIFE).timestamp()),
    }
    try:
        return jwt.encode(claims, path.read_bytes(), algorithm="RS256")
    except OSError as error:
        raise ConfigFault(f"salesforce.private_key_file: cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, jwt.PyJWTError):
        # the library's own words may quote the key
        raise ConfigFault(f"salesforce.private_key_file: {path} is no unencrypted RSA private key in PEM") from None


def audience(login_url: str) -> str:
    """Return the `aud` of the assertion: the login server, whichever My Domain is asked (help, JWT bearer flow)."""
    host = (urlsplit(login_url).hostname or "").lower()
    if host.endswith(".sandbox.my.salesforce.com"):
        return "https://test.salesforce.com"
    return "https://login.salesforce.com" if host.endswith(".my.salesforce.com") else login_url


def is_loopback(host: str) -> bool:
    """Say whether a host name is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def instance_of(url: str, login_url: str) -> str:
    """Return the instance of a token answer without a slash at the end; AccessRefused when it may not get the token.

    Taken: the host of `login_url`, and hosts of Salesforce's own domains over https; with a `login_url` on this
    machine nothing but the very same port of it.
    """
    login = urlsplit(login_url)
    home = (login.hostname or "").lower()
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port, parts = "", None, login
    plain = re.fullmatch(r"[a-z0-9.:-]+", host) and not (parts.username or parts.password or parts.query)
    if plain and parts.path in {"", "/"} and not parts.fragment and "\\" not in url:
        if is_loopback(home):
            if is_loopback(host) and port == login.port and parts.scheme == login.scheme:
                return f"{parts.scheme}://{parts.netloc}"
        elif parts.scheme == "https" and (
            (host == home and port == login.port) or (port in {None, 443} and _family(host))
        ):
            return f"https://{parts.netloc}"
    raise AccessRefused(
        f"the token answer of {home} names an instance that is neither {home} nor a host of Salesforce: "
        f"{host[:80] or 'unreadable'}; nothing was sent there"
    )


def _family(host: str) -> bool:
    return any(host.endswith("." + domain) for domain in _FAMILY)


def _refused(response: requests.Response, clock: Clock) -> Exception:
    code, words = refusal(response)
    said = f"sign-in refused: {where(response)}: HTTP {response.status_code}"
    if response.status_code >= 500:
        return Unavailable(f"{said}; run again later")
    if 300 <= response.status_code < 400:
        return AccessRefused(f"{said}: a redirect, which is not followed; check salesforce.login_url")
    hint = _clock_hint(response, clock) if code == "invalid_grant" else ""
    # only a word of the OAuth table is repeated as it came: a description may echo what was sent
    reason = f"{code} ({words})" if re.fullmatch(r"[a-z_]{1,40}", code) and _tame(words) else "without a known reason"
    return AccessRefused(f"{said} {reason}{hint}; check salesforce.auth and the app's settings in the org")


def _tame(words: str) -> bool:
    return len(words) <= 120 and not re.search(r"\S{40,}", words)


def _clock_hint(response: requests.Response, clock: Clock) -> str:
    """Say how far this machine's clock is from the server's, when that may be why an assertion is refused (D37)."""
    try:
        server = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
        seconds = (clock.now() - server).total_seconds()
    except (ValueError, TypeError):
        return ""
    if abs(seconds) <= _CLOCK_SLACK_S:
        return ""
    side = "ahead of" if seconds > 0 else "behind"
    return f"; this machine's clock is {abs(seconds):.0f} s {side} Salesforce's: set it right"
