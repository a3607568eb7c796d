"""Words and bounds of an HTTP answer: how long to wait, what can go wrong, how its body is read; it sends nothing."""

from __future__ import annotations

import email.utils
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from etl.clock import Clock
from etl.errors import RetryableAnswer

TRANSIENT = frozenset({420, 429, 500, 502, 503, 504})
"""Statuses that another attempt may mend."""
_CHUNK = 1 << 17
"""Bytes read at a time: to allocate twice as much anew for each piece costs more than the call it spares (measured)."""


@dataclass(frozen=True)
class Patience:
    """How long a call may take: attempts, and seconds of everything else."""

    attempts: int = 5
    waiting_s: float = 30.0
    """Failed attempts and the waits between them together, those that `Retry-After` asked for left out.

    A second attempt is always made, so that one silence does not end a run.
    """
    connect_s: float = 10.0
    read_s: float = 60.0
    """Longest silence while an answer is awaited or read."""
    answer_s: float = 600.0
    """Longest time for one whole answer, however steadily it drips."""
    longest_retry_after_s: float = 900.0
    """All waits that `Retry-After` asked for together; more is refused."""


LEAVING = Patience(attempts=1, waiting_s=0.0, connect_s=2.0, read_s=4.0, answer_s=4.0)
"""For a last word to a server before the program ends: whoever was told to stop has half a minute in all."""


class AnswerLost(Exception):
    """A request that must not be repeated was sent, and what became of it is unknown: look before acting."""


class Calls:
    """Counts the requests really sent, repeats included; safe to share between threads."""

    def __init__(self) -> None:
        """Start at none."""
        self.sent = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        """Count one request."""
        with self._lock:
            self.sent += 1


class Gate(Protocol):
    """What a vendor's rate limit may hook into: every attempt passes it on the way out and on the way back."""

    def under_way(self) -> AbstractContextManager[object]:
        """Return what is held while a request is under way: from before it is sent until its answer is read."""

    def before(self) -> None:
        """Return when a request may be sent now."""

    def after(self, response: requests.Response) -> None:
        """Learn from an answer's headers."""

    def hold(self, seconds: float) -> None:
        """Let nobody pass for so long, since the other side asked for it."""


def place(method: str, url: str) -> str:
    """Return `METHOD host/path`, without query, user or port: fit for messages."""
    parts = urlsplit(url)
    return f"{method.upper()} {parts.hostname or '?'}{parts.path}"


def retry_after_s(response: requests.Response, clock: Clock) -> float | None:
    """Return the seconds that `Retry-After` asks for (a number or an HTTP date), or None without a readable one.

    A date is held against the answer's own Date: this machine's clock may be wrong.
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        return None
    now = clock.now()
    with suppress(TypeError, ValueError):
        sent = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
        now = sent if sent.tzinfo else now
    return max(0.0, (when - now).total_seconds())


def transient(response: requests.Response) -> bool:
    """Say whether the status is one that another attempt may mend."""
    return response.status_code in TRANSIENT


class OversizedAnswer(Exception):
    """The decoded body is larger than the caller allows."""


def chunks(
    response: requests.Response, *, clock: Clock, seconds: float, max_bytes: int | None = None
) -> Iterator[bytes]:
    """Give the decoded body piece by piece; a cut one raises RetryableAnswer, a too large one OversizedAnswer.

    `seconds` bounds the whole reading, so that a body that drips for ever is given up.
    """
    deadline, size = clock.monotonic() + seconds, 0
    coded = "Content-Encoding" in response.headers  # asked to decode what is not coded, urllib3 copies it twice
    try:
        while piece := response.raw.read1(_CHUNK, decode_content=coded):
            size += len(piece)
            if max_bytes is not None and size > max_bytes:
                raise OversizedAnswer(f"the answer is larger than {max_bytes} bytes")
            yield piece
            if clock.monotonic() > deadline:
                raise RetryableAnswer(f"the answer was not complete after {seconds:g} s")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise RetryableAnswer(f"the answer was cut after {size} bytes ({type(error).__name__})") from error
    response._content_consumed = True  # type: ignore[attr-defined] # noqa: SLF001 - else close() drops the connection
    response.raw.release_conn()


def read_body(response: requests.Response, *, clock: Clock, seconds: float, max_bytes: int | None = None) -> None:
    """Read the whole body into `response.content`, with the bounds of `chunks`."""
    body = b"".join(chunks(response, clock=clock, seconds=seconds, max_bytes=max_bytes))
    response._content = body  # noqa: SLF001 - what requests does itself; it has no public door for it
