"""What an answer of Salesforce means: its JSON, or the error of the house that stands for its refusal; sends nothing.

Call-level errors are a JSON array `[{"errorCode", "message"}]` (REST guide, status codes and error responses).
"""

from __future__ import annotations

import email.utils
from contextlib import suppress
from datetime import datetime
from typing import Any

import requests

from etl.errors import AccessRefused, QuotaSpent, Unavailable
from etl.session import RetryableAnswer, excerpt, place, transient

_LONGEST_CODE = 60
_DEAD_TOKEN = "Bad_OAuth_Token"  # noqa: S105 - the whole body of a refusal (Salesforce help, "Identity URLs")


class Rejected(Unavailable):
    """Salesforce answered a request with a refusal (400 and up) that no other error of the house stands for."""

    def __init__(self, message: str, *, status: int, code: str, detail: str) -> None:
        """Keep the status, Salesforce's error code and its own words apart from the message."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.detail = detail


class Forbidden(AccessRefused):
    """HTTP 403 for another reason than a spent quota."""


class SessionRefused(Exception):
    """The access token is not (or no longer) taken; `expired` says that a new one may be."""

    def __init__(self, message: str, *, expired: bool) -> None:
        """Keep whether a renewal is worth trying."""
        super().__init__(message)
        self.expired = expired


def where(response: requests.Response) -> str:
    """Return method, host and path of the request an answer belongs to."""
    return place(response.request.method or "?", response.request.url or "?")


def sent_at(response: requests.Response) -> datetime | None:
    """Return when the answer was sent, by the server's clock to the second; None without a readable header Date."""
    with suppress(TypeError, ValueError):
        return email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
    return None


def refusal(response: requests.Response) -> tuple[str, str]:
    """Return error code and words of a refusal; an empty code when the body is not Salesforce's error array."""
    try:
        body = response.json()
    except ValueError:
        return "", excerpt(response.content)
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return "", excerpt(response.content)
    code = first.get("errorCode") or first.get("error") or ""
    words = first.get("message") or first.get("error_description") or ""
    return excerpt(str(code), _LONGEST_CODE), excerpt(str(words), 200)


def is_page(response: requests.Response) -> bool:
    """Say whether the answer is a web page (maintenance, a proxy) where data was asked for."""
    return "html" in response.headers.get("Content-Type", "").lower()


def again(response: requests.Response) -> bool:
    """Say whether an answer is one that another attempt may mend: a transient status, or a page instead of data."""
    return transient(response) or (response.status_code == 200 and is_page(response))


def check(response: requests.Response) -> requests.Response:
    """Return an answer that is a success; raise what its refusal means otherwise.

    Raises SessionRefused (401, or 403 where sign-in is asked about), QuotaSpent (403 REQUEST_LIMIT_EXCEEDED), Forbidden
    (403), Rejected (the rest).
    """
    status = response.status_code
    if 200 <= status < 300:
        if is_page(response):
            raise Unavailable(f"{where(response)}: a web page instead of data ({excerpt(response.content)})")
        return response
    code, words = refusal(response)
    said = f"{where(response)}: HTTP {status} {code} {words}".rstrip()
    if status == 401:
        raise SessionRefused(said, expired=code == "INVALID_SESSION_ID")
    if status == 403 and words == _DEAD_TOKEN:
        raise SessionRefused(said, expired=True)
    if status == 403 and code == "REQUEST_LIMIT_EXCEEDED":
        raise QuotaSpent(f"{said}; the org's API allowance is spent: run again when it is refilled (24 h rolling)")
    if status == 403:
        raise Forbidden(f"{said}; give the integration user the permission set LearnUpon_Sync and API access")
    if 300 <= status < 400:
        raise Unavailable(f"{said}; redirects are not followed: check salesforce.login_url")
    raise Rejected(said, status=status, code=code, detail=words)


def decode(response: requests.Response) -> Any:
    """Return the JSON of an answer; Unavailable when it is none."""
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable(f"{where(response)}: not JSON ({excerpt(response.content)})") from error


def must_be_json(response: requests.Response) -> None:
    """Ask for another attempt when a success is not JSON: a cut body that nobody noticed, or a page."""
    if response.status_code != 200:
        return
    try:
        response.json()
    except ValueError as error:
        raise RetryableAnswer(f"HTTP 200, but not JSON ({excerpt(response.content)})") from error


def text(record: Any, name: str, what: str) -> str:
    """Return a text of a JSON object; Unavailable when it is missing."""
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, str) or not value:
        raise Unavailable(f"{what}: the answer has no `{name}`")
    return value
