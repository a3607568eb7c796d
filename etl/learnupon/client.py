"""One portal's API: asks one question at a time and hands back rows only when the answer is what was asked for.

Sources: LearnUpon API documentation (base URL, Basic authentication, JSON), and the field: a GET with a Content-Type
was answered 400, errors come with 200 too, refusals carry `message` or `error`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import requests

from etl.answers import TRANSIENT
from etl.clock import Clock
from etl.config import PortalSettings
from etl.cores import ALONE, Cores
from etl.errors import AccessRefused, SourceUntrusted
from etl.learnupon.pages import Row, Sheet, as_buffer, from_buffer
from etl.learnupon.rate import Rate
from etl.session import Calls, OversizedAnswer, Patience, Transport, call, http_session, over_sockets
from etl.veil import excerpt

_MAX_BYTES = 64 << 20
"""A page of 500 rows is below 1 MB; this is where a swollen answer is refused."""
_PATIENCE = Patience(answer_s=120.0)
_RETRIED = TRANSIENT | {408, 425}
NEVER: frozenset[int] = frozenset()
MISSING = frozenset({404})
"""How a look-up by id says that there is no such row."""
_SHOWN = frozenset({"course_id", "lp_id", "user_id", "page"})
"""Parameters whose values may stand in messages; an e-mail address may not."""


@dataclass(frozen=True)
class Answer:
    """One answer as columns, its headers, and its rows where more is read of them than columns."""

    batch: pa.RecordBatch
    rows: list[Any]
    headers: Mapping[str, str]
    where: str
    """The request, in words for messages."""


class LearnUpon:
    """A portal, its credentials and its allowance; safe to use from the portal's threads."""

    def __init__(
        self,
        portal: PortalSettings,
        *,
        clock: Clock,
        random: Random,
        transport: Transport = over_sockets,
        patience: Patience | None = None,
    ) -> None:
        """Prepare to ask `portal`; nothing is sent yet."""
        self.settings = portal
        self.clock = clock
        self.rate = Rate(portal.name, portal.requests_per_minute, portal.concurrency, clock)
        self._random = random
        self._patience = patience or _PATIENCE
        self._http = http_session(pool=portal.concurrency, transport=transport)
        self._calls = Calls()
        key = f"{portal.username.get_secret_value()}:{portal.password.get_secret_value()}"
        # On purpose without Content-Type: with one, a GET without a body was answered 400.
        self._headers = {
            "Accept": "application/json",
            "Authorization": "Basic " + base64.b64encode(key.encode()).decode("ascii"),
        }

    @property
    def name(self) -> str:
        """The portal's name in the configuration."""
        return self.settings.name

    @property
    def calls(self) -> int:
        """All requests sent so far, repeats included."""
        return self._calls.sent

    def close(self) -> None:
        """Let go of the connections; threads that are still waiting end."""
        self.rate.stop.set()
        self._http.close()

    def read(
        self,
        sheet: Sheet[Row],
        path: str,
        params: Mapping[str, str],
        *,
        missing: frozenset[int] = NEVER,
        cores: Cores = ALONE,
    ) -> Answer | None:
        """Return the rows of `GET {url}/api/v1/{path}`, or None for a status in `missing`; `cores` may decode them.

        Raises AccessRefused (401, 403), SourceUntrusted (anything but the list of this sheet), Unavailable (no usable
        answer after retries) and QuotaSpent.
        """
        where = self._where(path, params)
        found: list[tuple[pa.RecordBatch, list[Any]]] = []

        def accept(response: requests.Response) -> None:
            if response.status_code == 200:
                _refuse_other_content(response, where)
                found.append(_decoded(sheet, response.content, where, cores))

        response = self._send(path, params, where, accept)
        if response.status_code == 200:
            return Answer(*found[-1], response.headers, where)
        if response.status_code in missing:
            _refuse_other_content(response, where)
            return None
        raise self._refusal(response, where)

    def _send(self, path: str, params: Mapping[str, str], where: str, accept: Any) -> requests.Response:
        try:
            return call(
                self._http,
                "GET",
                f"{self.settings.url}/api/v1/{path}",
                clock=self.clock,
                random=self._random,
                patience=self._patience,
                retry_on=_transient,
                max_bytes=_MAX_BYTES,
                calls=self._calls,
                gate=self.rate,
                accept=accept,
                params=params,
                headers=self._headers,
            )
        except OversizedAnswer as error:
            raise SourceUntrusted(f"{where}: {error}, which no page is; nothing may be concluded from it") from error

    def _where(self, path: str, params: Mapping[str, str]) -> str:
        told = [f"{key} {value}" if key in _SHOWN else key for key, value in params.items() if value != "true"]
        return f"portal {self.name}: GET /{path}" + (f" ({', '.join(told)})" if told else "")

    def _refusal(self, response: requests.Response, where: str) -> AccessRefused | SourceUntrusted:
        status = response.status_code
        if status in {401, 403}:
            return AccessRefused(
                f"{where}: HTTP {status}, the key pair was refused; check username and password of portal {self.name} "
                "(LearnUpon: Settings, Integrations, API Keys; a newly generated pair ends the old one at once)"
            )
        if 300 <= status < 400:
            host = _host(response.headers.get("Location", ""))
            target = f" to {excerpt(host)}" if host else ""
            return SourceUntrusted(
                f"{where}: HTTP {status}, a redirect{target}, is not followed with the key pair; "
                f"check url of portal {self.name}"
            )
        # Below 400 the body may be rows, and those hold names and addresses.
        told = f" {excerpt(response.content)}" if status >= 400 and response.content else ""
        return SourceUntrusted(f"{where}: HTTP {status}{told}; nothing may be concluded from this portal")


def _decoded(sheet: Sheet[Row], body: bytes, where: str, cores: Cores) -> tuple[pa.RecordBatch, list[Row]]:
    if sheet.rows_kept:
        rows = sheet.decode(body, where)
        return sheet.batch(rows, where), rows
    return from_buffer(sheet, cores.call(as_buffer, sheet, body, where)), []


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _transient(response: requests.Response) -> bool:
    return response.status_code in _RETRIED or response.status_code >= 500


def _refuse_other_content(response: requests.Response, where: str) -> None:
    """Refuse what says to be, or plainly is, a page for people: it comes from before the API."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if (
        kind in {"text/html", "application/xhtml+xml", "application/xml", "text/xml"}
        or response.content[:64].lstrip()[:1] == b"<"
    ):
        raise SourceUntrusted(
            f"{where}: HTTP {response.status_code} with {excerpt(kind) or 'no content type'} instead of JSON: "
            f"{excerpt(response.content.lstrip())}"
        )
