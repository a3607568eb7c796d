"""A loopback HTTP server whose every answer a test writes byte by byte, and a clock that only moves when slept on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import requests

from etl import session
from etl.clock import Clock


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    port: int = 0
    """The client's: one a connection."""


@dataclass
class Reply:
    """An answer to give: `length` overrides Content-Length (None: left out, the connection is closed instead)."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = -1
    drop: bool = False
    """Close the connection without an answer."""
    pieces: Callable[[], None] | None = None
    """Called between single bytes of the body, for bodies that drip."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    stage: Stage

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query, headers, port = dict(parse_qsl(parts.query)), dict(self.headers.items()), self.client_address[1]
        asked = Asked(self.command, parts.path, query, headers, body, port)
        self.stage.asked.append(asked)
        self._give(self.stage.answer(asked))

    def _give(self, reply: Reply) -> None:
        if reply.drop:
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.length is not None:
            self.send_header("Content-Length", str(len(reply.body) if reply.length < 0 else reply.length))
        if reply.length is None or reply.length >= 0:
            self.close_connection = True
        self.end_headers()
        try:
            self._write(reply)
        except OSError:
            self.close_connection = True

    def _write(self, reply: Reply) -> None:
        if reply.pieces is None:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            reply.pieces()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the names http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Stage:
    """Serves `answer` on a free loopback port; a context manager."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        """Prepare to serve; `asked` keeps every request."""
        self.asked: list[Asked] = []
        self.answer = answer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stage": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The address it serves at."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class StillClock:
    """Time that passes only by sleeping; `slept` keeps every sleep. Safe to share between threads."""

    def __init__(self) -> None:
        """Start at second 0, on a Sunday in November."""
        self.seconds = 0.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.seconds += seconds
            self.slept.append(seconds)

    @property
    def clock(self) -> Clock:
        """This time as the product takes it."""
        start = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
        return Clock(lambda: start + timedelta(seconds=self.seconds), lambda: self.seconds, self.sleep)


def chance() -> Random:
    """Return the same chance for every test."""
    return Random(1)  # noqa: S311 - jitter, no secret


class Caller:
    """Calls a stage with a still clock and short patience."""

    def __init__(self, stage: Stage) -> None:
        """Keep the stage and count calls."""
        self.stage = stage
        self.time = StillClock()
        self.calls = session.Calls()
        self.http = session.http_session(pool=2)

    def __call__(self, method: str = "GET", path: str = "/x", **options: Any) -> requests.Response:
        """Make the call."""
        options.setdefault("patience", session.Patience(read_s=5, connect_s=5))
        return session.call(
            self.http,
            method,
            self.stage.url + path,
            clock=self.time.clock,
            random=chance(),
            calls=self.calls,
            **options,
        )


@contextmanager
def serving(*replies: Reply | Callable[[Asked], Reply]) -> Iterator[Caller]:
    """Serve the replies in turn, the last one for ever."""
    left = list(replies)

    def answer(asked: Asked) -> Reply:
        reply = left.pop(0) if len(left) > 1 else left[0]
        return reply(asked) if callable(reply) else reply

    with Stage(answer) as stage:
        caller = Caller(stage)
        yield caller
        caller.http.close()
