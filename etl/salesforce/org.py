"""One signed-in org: every request to Salesforce passes through here, is counted, and renews a refused token once.

It knows addresses, tokens and names, and nothing of jobs or records. simple-salesforce carries describe, limits and
small queries; its requests go the same way as all others, since it has neither timeouts nor retries of its own.
"""

from __future__ import annotations

import logging
import re
import threading
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import requests
from simple_salesforce.api import Salesforce

from etl.clock import Clock
from etl.config import SalesforceSettings
from etl.errors import AccessRefused, Unavailable, WrongTarget
from etl.ids import to_18
from etl.salesforce.answers import Forbidden, SessionRefused, again, check, decode, must_be_json, sent_at
from etl.salesforce.auth import Token, sign_in
from etl.session import Calls, Patience, Transport, call, http_session, over_sockets

_log = logging.getLogger(__name__)
_POOL = 8
"""Connections kept: as many objects are described at once."""
_LARGEST_ANSWER = 512 * 1024 * 1024
"""Decoded bytes; a page of query results asked for by `maxRecords` is a tenth of it."""
_CUSTOM = re.compile(r"\w+__[cr]")
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
"""Of the header Sforce-Limit-Info (REST guide): requests of the last 24 hours, and how many the org may make."""


@lru_cache(maxsize=256)
def standard_id(text_id: str) -> str:
    """Return one record id in its 18-character form, or an empty text when it is none; few differ within a run."""
    found = to_18(pd.Series([text_id], dtype="string"))[0]
    return "" if pd.isna(found) else str(found)


class Org:
    """A Salesforce org whose identity was seen to be the pinned one; safe to share between threads."""

    def __init__(
        self, settings: SalesforceSettings, *, clock: Clock, random: Random, transport: Transport = over_sockets
    ) -> None:
        """Send nothing yet; use `connect`."""
        self.settings = settings
        self.clock = clock
        self.random = random
        self.org_id = ""
        """18 characters."""
        self.is_sandbox = False
        self._http = http_session(pool=_POOL, transport=transport)
        self._counted = Calls()
        self._token = Token("", settings.login_url)
        self._lock = threading.Lock()
        self._user_id = ""
        self._sf: Any = None
        self._dated: tuple[datetime, float] | None = None
        self._left: tuple[int, int] | None = None

    @classmethod
    def connect(
        cls, settings: SalesforceSettings, *, clock: Clock, random: Random, transport: Transport = over_sockets
    ) -> Org:
        """Sign in and see that the org is the pinned one, before anything else is asked of it.

        Raises AccessRefused for refused credentials, WrongTarget for another org, Unavailable for no usable answer.
        """
        org = cls(settings, clock=clock, random=random, transport=transport)
        try:
            org._renew(org._token)
            org._identify()
        except BaseException:
            org.close()
            raise
        return org

    @property
    def calls(self) -> int:
        """All requests sent so far, sign-in and repeats included."""
        return self._counted.sent

    @property
    def sf(self) -> Any:
        """simple-salesforce's client, for describe, limits and small queries."""
        return self._sf

    @property
    def user_id(self) -> str:
        """The signed-in user's record id (18 characters), asked for once; empty when Salesforce does not tell."""
        if not self._user_id:
            answer = {} if self._token.user_id else self.json("GET", "/services/oauth2/userinfo")
            self._user_id = standard_id(self._token.user_id or str(answer.get("user_id") or ""))
        return self._user_id

    def server_time(self) -> datetime | None:
        """Return the time by Salesforce's own clock: the newest answer's Date, and what has passed since.

        None when no answer had one. This machine's wall clock plays no part in it.
        """
        if self._dated is None:
            return None
        moment, then = self._dated
        return moment + timedelta(seconds=self.clock.monotonic() - then)

    @property
    def requests_left(self) -> int | None:
        """Return what is left of the day's requests: as the newest answer said, less those sent since.

        None when no answer has told.
        """
        if self._left is None:
            return None
        left, then = self._left
        return max(0, left - (self.calls - then))

    def _note(self, response: requests.Response) -> None:
        """Learn from an answer what time it is there, and what is left of the day's requests."""
        moment = sent_at(response)
        if moment is not None:
            self._dated = (moment, self.clock.monotonic())
        usage = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if usage:
            self._left = (int(usage[2]) - int(usage[1]), self.calls)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def name(self, local: str) -> str:
        """Return the API name of a local name or a dotted path: custom names get the namespace in front."""
        prefix = self.settings.namespace
        if not prefix:
            return local
        return ".".join(f"{prefix}__{part}" if _CUSTOM.fullmatch(part) else part for part in local.split("."))

    def path(self, tail: str) -> str:
        """Return the path of a REST resource in the pinned API version."""
        return f"/services/data/v{self.settings.api_version}/{tail}"

    def json(self, method: str, path: str, **request: Any) -> Any:
        """Send a request (see `send`) and return the JSON of its answer."""
        if request.get("repeatable", method == "GET"):
            request["accept"] = must_be_json
        return decode(self.send(method, path, **request))

    def send(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool | None = None,
        patience: Patience | None = None,
        headers: dict[str, str] | None = None,
        **request: Any,
    ) -> requests.Response:
        """Send a request to `path` of the instance and return its answer, which is a success.

        `request` goes to `etl.session.call` (params, json, data, consume, accept, ...). Raises Unavailable, QuotaSpent,
        AccessRefused, Rejected, and AnswerLost for a request that must not be repeated and got no clear answer.
        """
        renewed = False
        while True:
            token = self._token
            response = call(
                self._http, method, token.instance_url + path, clock=self.clock, random=self.random, patience=patience,
                retry_on=again, repeatable=repeatable, max_bytes=_LARGEST_ANSWER, calls=self._counted,
                headers={**(headers or {}), "Authorization": f"Bearer {token.secret}"}, **request,
            )  # fmt: skip
            self._note(response)
            try:
                return check(response)
            except SessionRefused as error:
                if renewed or not error.expired or self.settings.auth == "access_token":
                    raise AccessRefused(f"{error}; the access token was refused: check salesforce.auth") from error
            self._renew(token)
            renewed = True

    def _renew(self, refused: Token) -> None:
        with self._lock:
            if self._token is not refused:
                return  # another thread was faster
            if refused.secret:
                _log.info("the session has expired: signing in again")
            self._token = sign_in(self.settings, self._post, self.clock)
            self._sf = Salesforce(
                instance_url=self._token.instance_url,
                session_id="not-used",  # the carrier puts the token in, so that it is always the newest
                version=self.settings.api_version,
                session=_Carrier(self),
                parse_float=str,  # a number stays as it was written
            )

    def _post(self, url: str, form: dict[str, str]) -> requests.Response:
        return call(
            self._http, "POST", url, clock=self.clock, random=self.random, retry_on=again, repeatable=True,
            max_bytes=1 << 20, calls=self._counted, data=form, headers={"Accept": "application/json"},
        )  # fmt: skip

    def _identify(self) -> None:
        answer = self.json("GET", self.path("query"), params={"q": "SELECT Id, IsSandbox FROM Organization"})
        records = answer.get("records") if isinstance(answer, dict) else None
        if not isinstance(records, list) or len(records) != 1 or not isinstance(records[0], dict):
            raise Unavailable("Salesforce did not say which org it is; run again later")
        found, pinned = standard_id(str(records[0].get("Id"))), standard_id(self.settings.org_id)
        if not found or found != pinned:
            raise WrongTarget(
                f"the org that answered is {found or 'unreadable'}, not the pinned {pinned}: "
                "check salesforce.login_url, the credentials, and salesforce.org_id"
            )
        self.org_id = found
        self.is_sandbox = records[0].get("IsSandbox") is True


class _Carrier(requests.Session):
    """The session simple-salesforce is given: it hands every request to the org, which knows token and patience."""

    def __init__(self, org: Org) -> None:
        super().__init__()
        self.trust_env = False
        self._org = org

    def request(  # type: ignore[override] # simple-salesforce passes these and no more
        self, method: str, url: str, headers: dict[str, str] | None = None, **request: Any
    ) -> requests.Response:
        """Send to the org's instance, whatever scheme simple-salesforce has put in front (it knows https only)."""
        parts = urlsplit(url)
        if parts.netloc != self._org.sf.sf_instance:
            raise Unavailable("Salesforce pointed to another host for the rest of an answer; nothing was sent there")
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        own = {name: value for name, value in (headers or {}).items() if name.lower() != "authorization"}
        accept = must_be_json if method == "GET" else None
        return self._org.send(method, path, headers=own, accept=accept, **request)


def limits(org: Org) -> dict[str, dict[str, int]]:
    """Return the org's allowances, `{name: {"Max", "Remaining"}}`; empty when the user may not see them.

    Source: REST guide, limits; it needs the permission View Setup and Configuration.
    """
    try:
        answer = org.sf.limits()
    except Forbidden:
        return {}
    return {
        name: {"Max": int(value["Max"]), "Remaining": int(value["Remaining"])}
        for name, value in answer.items()
        if isinstance(value, dict) and {"Max", "Remaining"} <= value.keys()
    }


__all__ = ["Org", "limits", "standard_id"]
