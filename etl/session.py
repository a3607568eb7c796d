"""One HTTP call, made patiently and bounded in time and size, for both vendors; it knows neither of them.

What it promises: the environment's proxies and netrc are ignored, redirects are never followed, cookies are not kept,
a cut body is noticed, waiting is bounded, and no message ever carries a secret, a query string or much of a body.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from random import Random
from typing import Any

import requests
import tenacity
import urllib3.exceptions
from requests.adapters import BaseAdapter, HTTPAdapter

from etl import __version__, veil
from etl.answers import (
    LEAVING,
    TRANSIENT,
    AnswerLost,
    Calls,
    Gate,
    OversizedAnswer,
    Patience,
    chunks,
    place,
    read_body,
    retry_after_s,
    transient,
)
from etl.clock import Clock
from etl.errors import RetryableAnswer, Unavailable
from etl.veil import excerpt

__all__ = [
    "LEAVING",
    "TRANSIENT",
    "AnswerLost",
    "Calls",
    "Gate",
    "OversizedAnswer",
    "Patience",
    "RetryableAnswer",
    "Transport",
    "call",
    "chunks",
    "excerpt",
    "http_session",
    "over_sockets",
    "place",
    "read_body",
    "retry_after_s",
    "transient",
]
Transport = Callable[[int], BaseAdapter]
"""Gives what carries a session's requests, for so many threads; tests hand in their own."""
_log = logging.getLogger(__name__)

_REFUSED_UNDONE = frozenset({420, 429})
"""Statuses that say the request was turned away before it had an effect."""
_FIRST_WAIT_S = 1.0
_NEVER_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
)


def over_sockets(pool: int) -> BaseAdapter:
    """Return the usual carrier: connections that are kept for `pool` threads, and never a retry of its own."""
    return HTTPAdapter(pool_connections=4, pool_maxsize=max(pool, 1), max_retries=0)


def http_session(*, pool: int, user_agent: str | None = None, transport: Transport = over_sockets) -> requests.Session:
    """Return a session for `pool` threads that trusts nothing of the environment, keeps no cookie and never retries."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update(
        {
            "User-Agent": user_agent or f"learnupon-sync/{__version__}",
            "Accept-Encoding": "gzip, deflate",
            "Accept": "*/*",
            "Connection": "keep-alive",
        }
    )
    adapter = transport(pool)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def call(  # noqa: PLR0913 - every one of them is optional but the first three
    session: requests.Session,
    method: str,
    url: str,
    *,
    clock: Clock,
    random: Random,
    patience: Patience | None = None,
    retry_on: Callable[[requests.Response], bool] = transient,
    repeatable: bool | None = None,
    max_bytes: int | None = None,
    calls: Calls | None = None,
    gate: Gate | None = None,
    accept: Callable[[requests.Response], None] | None = None,
    consume: Callable[[requests.Response], None] | None = None,
    prepared: requests.PreparedRequest | None = None,
    **request: Any,
) -> requests.Response:
    """Send a request until it is answered, and return the answer, whatever its status, its body read.

    Retried with backoff and jitter: answers for which `retry_on` holds, lost connections, timeouts and cut bodies;
    `Retry-After` is honoured. Redirects are returned, not followed. `repeatable` (default: GET and HEAD only) says
    that sending twice does no harm; without it, a request that may have arrived is never sent again. `accept` looks
    at an answer and may raise RetryableAnswer. `consume` reads the body of an answer below 400 itself (by `chunks`).
    Everything else (headers, params, json, data, auth) goes to `requests.Request`; a `data` that can be called is
    called anew for every attempt, since an open file is at its end after the first. `prepared` is sent as it is, in
    place of all that.

    Raises Unavailable when patience ends, AnswerLost when a request that must not be repeated got no clear answer,
    OversizedAnswer when the decoded body exceeds `max_bytes`.
    """
    one = _Call(session, method, url, clock, patience or Patience(), retry_on, max_bytes, calls, gate, consume, request)
    one.repeatable = method.upper() in {"GET", "HEAD"} if repeatable is None else repeatable
    one.accept = accept
    one.prepared = prepared
    return one.run(random)


@dataclass
class _Call:
    """One call and its attempts."""

    session: requests.Session
    method: str
    url: str
    clock: Clock
    patience: Patience
    retry_on: Callable[[requests.Response], bool]
    max_bytes: int | None
    calls: Calls | None
    gate: Gate | None
    consume: Callable[[requests.Response], None] | None
    request: dict[str, Any]
    repeatable: bool = True
    accept: Callable[[requests.Response], None] | None = None
    prepared: requests.PreparedRequest | None = None
    waited: float = 0.0
    began: float = 0.0
    asked: float = 0.0

    def run(self, random: Random) -> requests.Response:
        started = self.clock.monotonic()
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RetryableAnswer),
            wait=lambda state: self._wait(state, random),
            stop=self._enough,
            sleep=self._sleep,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return retrying(self._attempt)
        except RetryableAnswer as last:
            if last.final is not None:
                raise last.final from last
            tries = int(retrying.statistics.get("attempt_number", 1))
            spent = self.clock.monotonic() - started
            raise Unavailable(
                f"{place(self.method, self.url)}: no usable answer after {tries} attempt{'s' * (tries > 1)} "
                f"in {spent:.0f} s: {last}; run again later"
            ) from last

    def _attempt(self) -> requests.Response:
        with self.gate.under_way() if self.gate is not None else nullcontext():
            response = self._exchanged()
        if self.retry_on(response):
            self._refuse(response)
        if self.accept is not None:
            self.accept(response)
        return response

    def _exchanged(self) -> requests.Response:
        if self.gate is not None:
            self.gate.before()
        if self.calls is not None:
            self.calls.add()
        self.began = self.clock.monotonic()
        response = self._send()
        self._read(response)
        return response

    def _send(self) -> requests.Response:
        prepared = self.prepared or self._prepared()
        veil.remember(prepared.headers.get("Authorization"), prepared.body)
        timeout = (self.patience.connect_s, self.patience.read_s)
        try:
            # The adapter itself, since Session.send looks into redirects even when told not to follow them.
            return self.session.get_adapter(prepared.url or "").send(
                prepared, stream=True, timeout=timeout, verify=self.session.verify or True, cert=self.session.cert
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            self._lost(f"no answer ({_reason(error)})", error, arrived=not _never_sent(error))
            raise AssertionError from error  # pragma: no cover - _lost always raises

    def _prepared(self) -> requests.PreparedRequest:
        parts = {name: value() if name == "data" and callable(value) else value for name, value in self.request.items()}
        # Not by Session.prepare_request: half of its time goes into cookies and settings that our sessions lack.
        prepared = requests.PreparedRequest()
        headers = {**self.session.headers, **(parts.pop("headers", None) or {})}
        prepared.prepare(method=self.method.upper(), url=self.url, headers=headers, **parts)
        return prepared

    def _read(self, response: requests.Response) -> None:
        try:
            if self.gate is not None:
                self.gate.after(response)
            if self.consume is not None and response.status_code < 400:
                self.consume(response)
            else:
                read_body(response, clock=self.clock, seconds=self.patience.answer_s, max_bytes=self.max_bytes)
        except RetryableAnswer as error:
            response.close()
            self._lost(f"HTTP {response.status_code}, but {error}", error, arrived=True)
        except BaseException:
            response.close()
            raise

    def _lost(self, what: str, error: Exception, *, arrived: bool) -> None:
        if arrived and not self.repeatable:
            raise AnswerLost(f"{place(self.method, self.url)}: {what}") from error
        raise RetryableAnswer(what) from error

    def _refuse(self, response: requests.Response) -> None:
        what = f"HTTP {response.status_code} {excerpt(response.content)}".rstrip()
        if not self.repeatable and response.status_code not in _REFUSED_UNDONE:
            raise AnswerLost(f"{place(self.method, self.url)}: {what}")
        asked = retry_after_s(response, self.clock)
        if asked is not None:
            self.asked += asked
            if self.asked > self.patience.longest_retry_after_s:
                raise Unavailable(
                    f"{place(self.method, self.url)}: {what}; asked to wait {asked:.0f} s (Retry-After), more than "
                    f"the {self.patience.longest_retry_after_s:.0f} s that a call may wait; run again later"
                )
            if self.gate is not None:
                self.gate.hold(asked)
        raise RetryableAnswer(what, retry_after_s=asked)

    def _wait(self, state: tenacity.RetryCallState, random: Random) -> float:
        error = state.outcome.exception() if state.outcome else None
        own = _FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1) * random.uniform(0.75, 1.25)
        asked = error.retry_after_s if isinstance(error, RetryableAnswer) else None
        self.waited += self.clock.monotonic() - self.began
        if asked is None:
            self.waited += own
            return own
        return max(asked, own)

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        spent = self.waited > self.patience.waiting_s and state.attempt_number > 1
        return state.attempt_number >= self.patience.attempts or spent

    def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def _tell(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.info(
            "%s: %s; attempt %d of %d failed, again in %.1f s",
            place(self.method, self.url),
            error,
            state.attempt_number,
            self.patience.attempts,
            state.upcoming_sleep,
        )


def _never_sent(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", None), _NEVER_SENT)


def _reason(error: requests.RequestException) -> str:
    """Name what went wrong on the wire without the address, which may carry a query."""
    cause: Any = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    inner = cause.args[-1] if isinstance(cause, urllib3.exceptions.ProtocolError) and cause.args else cause
    return type(inner).__name__
