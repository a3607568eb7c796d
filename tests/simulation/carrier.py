"""Requests carried to the emulators' own apps in this process, through their own faults; it opens no socket.

What a socket would do to an answer is done to it here: resets, cut bodies, delays, and a time-out of a client whose
request still arrives.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from simulation.clockwork import Clockwork, Endless

from etl.emulator.faults import Fault
from etl.emulator.messages import Headers, Request, Response
from etl.emulator.server import Server
from etl.emulator.wire import framed
from etl.emulator.world import Emulators

_BUILD = HTTPAdapter().build_response
MOST_CALLS = 20_000
"""Requests that no run of a small world needs."""


class Dead(SystemExit):
    """The process is dead: nothing of it may go on; threads end by it silently."""


class _GaveUp(Exception):
    """A client waits no longer; its request arrives `left_s` seconds later."""

    def __init__(self, left_s: float) -> None:
        super().__init__()
        self.left_s = left_s


@dataclass
class Kill:
    """The death of the process at its n-th request, before or after the request's effect."""

    nth: int
    after: bool = False


class Wire:
    """What lies between one program and its vendors; `transport` is what `main` is handed."""

    def __init__(self, emu: Emulators, clockwork: Clockwork) -> None:
        """Lay the wire; delays of the emulators' faults pass in simulated time from now on."""
        self.clockwork = clockwork
        self._servers = {server.port: server for server in (emu.learnupon, emu.salesforce)}
        self._late: list[tuple[float, Server, Request]] = []
        self._own = threading.local()
        self._lock = threading.Lock()
        self.sent = 0
        self.kill: Kill | None = None
        self.dead = False
        self.on_death: Callable[[], object] = lambda: None
        for server in self._servers.values():
            server.sleep = self._delay

    def begin(self, kill: Kill | None = None) -> None:
        """Be ready for a new process."""
        self.sent, self.kill, self.dead = 0, kill, False

    def transport(self, _: int) -> BaseAdapter:
        """Return what carries a session's requests."""
        return _Carrier(self)

    def _delay(self, seconds: float) -> None:
        """Pass the delay of an answer, or as much of it as the client waits for."""
        timeout_s: float = getattr(self._own, "timeout_s", float("inf"))
        self.clockwork.sleep(min(seconds, timeout_s))
        if seconds > timeout_s:
            raise _GaveUp(seconds - timeout_s)

    def leaves(self) -> int:
        """Count a request that leaves the process, which may die instead."""
        with self._lock:
            if self.dead:
                raise Dead
            self.sent += 1
            number = self.sent
        if number > MOST_CALLS:
            raise Endless(f"more than {MOST_CALLS} requests in one run")
        if self.kill is not None and not self.kill.after and number >= self.kill.nth:
            self._die()
        return number

    def arrived(self, number: int) -> None:
        """Note that a request had its effect; the process may die before it hears of it."""
        if self.dead or (self.kill is not None and number >= self.kill.nth):
            self._die()

    def carry(self, prepared: requests.PreparedRequest, timeout_s: float) -> requests.Response:
        """Bring one request to its server, and the answer back."""
        number = self.leaves()
        server = self._servers[urlsplit(prepared.url or "").port or 0]
        self._arrive()
        response, faults = self._asked(server, request_of(prepared), timeout_s)
        self.arrived(number)
        if response is None:
            lost = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer"))
            raise requests.ConnectionError(lost, request=prepared)
        return _answer(prepared, response, faults, server.clock())

    def _die(self) -> None:
        with self._lock:
            first, self.dead = not self.dead, True
        if first:
            self.on_death()
        raise Dead

    def _asked(self, server: Server, request: Request, timeout_s: float) -> tuple[Response | None, list[Fault]]:
        self._own.timeout_s = timeout_s
        try:
            response, faults = server.respond(request)
        except _GaveUp as silence:
            with self._lock:
                self._late.append((self.clockwork.monotonic() + silence.left_s, server, request))
            server.note(request, 0)
            raise requests.ReadTimeout("Read timed out.") from None
        server.note(request, response.status if response is not None else 0)
        return response, faults

    def _arrive(self) -> None:
        """Let requests whose clients gave up waiting have their effect, once their time has come."""
        with self._lock:
            now = self.clockwork.monotonic()
            due = [one for one in self._late if one[0] <= now]
            self._late = [one for one in self._late if one[0] > now]
        self._deliver(due)

    def _deliver(self, due: list[tuple[float, Server, Request]]) -> None:
        self._own.timeout_s = float("inf")
        for _, server, request in due:
            server.respond(request)

    def settle(self) -> int:
        """Let everything that is under way arrive, and return how many requests that were."""
        with self._lock:
            due, self._late = self._late, []
        self._deliver(due)
        return len(due)


class _Carrier(BaseAdapter):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def send(  # type: ignore[override] # the program gives more by keyword, which means nothing here
        self, request: requests.PreparedRequest, *, timeout: Any = None, **_: Any
    ) -> requests.Response:
        """Carry one request."""
        return self._wire.carry(request, timeout[1] if timeout else 60.0)

    def close(self) -> None:
        """There is nothing to close."""


def request_of(prepared: requests.PreparedRequest) -> Request:
    """Return a request as a server's app sees it; compression is not asked for, since it would only cost time."""
    body: Any = prepared.body or b""
    if hasattr(body, "read"):
        body = body.read()
    data = body.encode() if isinstance(body, str) else bytes(body)
    parts = urlsplit(prepared.url or "")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": parts.netloc, **prepared.headers}
    headers = Headers((name, str(value)) for name, value in sent.items() if name != "Accept-Encoding")
    query = parse_qs(parts.query, keep_blank_values=True)
    return Request(prepared.method or "GET", unquote(parts.path), query, headers, data, target)


def _answer(
    prepared: requests.PreparedRequest, response: Response, faults: list[Fault], now: float
) -> requests.Response:
    headers, body = framed(response, faults, prepared.method or "GET", now, zipped=False)
    raw = urllib3.HTTPResponse(
        body=io.BytesIO(body), headers=urllib3.HTTPHeaderDict(headers), status=response.status, version=11,
        preload_content=False, decode_content=False, request_method=prepared.method, enforce_content_length=True,
    )  # fmt: skip
    return _BUILD(prepared, raw)
