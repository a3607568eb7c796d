"""An emulator's server on loopback, playing scripted faults on an app's answers; it knows no vendor."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from etl.emulator.faults import Fault, FaultScript
from etl.emulator.ledger import Ledger
from etl.emulator.messages import Request, Response
from etl.emulator.wire import HOST, Httpd

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["App", "Call", "Request", "Response", "Server"]

KEPT_CALLS = 200_000
_LISTEN_S = 0.01
"""How often a server looks whether it shall stop."""


class App(Protocol):
    """What a server serves. It may also carry `ticks`, `knobs` and `state`: see control."""

    name: str

    def handle(self, request: Request) -> Response:
        """Answer one request; called from many threads at once."""
        ...


@dataclass(frozen=True)
class Call:
    """A request that a server saw; `at` in seconds since 1970; status 0 when the connection was reset."""

    method: str
    target: str
    status: int
    at: float


class Server:
    """One app on a port of 127.0.0.1; start and stop it, or use it as a context manager."""

    def __init__(
        self,
        app: App,
        faults: FaultScript | None = None,
        ledger: Ledger | None = None,
        port: int = 0,
        host: str = HOST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Bind the port (0 = any free one); nothing is answered before `start`. ValueError for another host.

        `clock` gives seconds since 1970; `sleep` may be replaced by what passes a fault's delay in another time.
        """
        if host != HOST:
            raise ValueError(f"an emulator serves {HOST} only, not {host}")
        self.app: App = app
        self.faults: FaultScript = faults if faults is not None else FaultScript()
        self.ledger: Ledger = ledger if ledger is not None else Ledger()
        self.clock = clock
        self.sleep: Callable[[float], object] = time.sleep
        self.requests = 0
        self.calls: list[Call] = []
        self.errors: list[BaseException] = []
        self.ticks: dict[str, Callable[..., Any]] = dict(getattr(app, "ticks", {}))
        self.knobs: dict[str, Callable[[Any], object]] = dict(getattr(app, "knobs", {}))
        self._lock = threading.Lock()
        self._httpd = Httpd((HOST, port), self)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._httpd.server_address[1])

    @property
    def url(self) -> str:
        """Base URL without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> Self:
        """Serve in a thread of its own; returns at once, ready."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._httpd.serve_forever, args=(_LISTEN_S,), daemon=True)
            self._thread.start()
        return self

    def pause(self) -> None:
        """Close every connection and answer none until the next `start`; the port stays bound."""
        if self._thread is not None:
            self._httpd.shutdown()
            self._thread.join()
            self._thread = None
        self._httpd.drop_connections()

    def stop(self) -> None:
        """Stop, close every connection and free the port; may be called twice."""
        self.pause()
        self._httpd.server_close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def reset_calls(self) -> None:
        """Forget the calls seen so far."""
        with self._lock:
            self.calls = []
            self.requests = 0

    def note(self, request: Request, status: int) -> None:
        """Count a call; of very many only the newer half is kept."""
        with self._lock:
            self.requests += 1
            self.calls.append(Call(request.method, request.raw_target, status, self.clock()))
            if len(self.calls) > KEPT_CALLS:
                self.calls = self.calls[KEPT_CALLS // 2 :]

    def respond(self, request: Request) -> tuple[Response | None, list[Fault]]:
        """The answer with its faults still to be played on the wire; None = reset the connection."""
        faults = self.faults.take(request.method, request.raw_target)
        for fault in faults:
            request = self._prepare(fault, request)
        answer = next((fault for fault in faults if fault.when == "before" and fault.answers), None)
        if answer is not None:
            return _own_answer(answer), [answer]
        response: Response | None = self._ask(request)
        for fault in faults:
            if fault.when == "after" and fault.answers:
                return _own_answer(fault), [fault]
            response = _altered(response, fault) if response is not None else None
        return response, faults

    def _prepare(self, fault: Fault, request: Request) -> Request:
        if fault.delay_s:
            self.sleep(fault.delay_s)
        if fault.hook is not None:
            fault.hook(request)
        if fault.tick is not None:
            self.ticks[fault.tick](**fault.tick_args)
        if fault.truncate_request is not None:
            return replace(request, body=request.body[: fault.truncate_request])
        return request

    def _ask(self, request: Request) -> Response:
        try:
            return self.app.handle(request)
        except Exception as error:  # noqa: BLE001 - kept for the tests, which assert that there was none
            self.errors.append(error)
            return Response.json([{"errorCode": "UNKNOWN_EXCEPTION", "message": f"emulator: {error!r}"}], 500)


def _own_answer(fault: Fault) -> Response | None:
    """The answer a fault brings along; an error without a body has none."""
    if fault.reset:
        return None
    body = fault.body.encode() if isinstance(fault.body, str) else fault.body or b""
    kind = "text/html" if body.lstrip()[:1] == b"<" else "application/json;charset=UTF-8"
    return _set_headers(Response(fault.status or 200, body, [("Content-Type", kind)]), fault)


def _altered(response: Response, fault: Fault) -> Response | None:
    """The real answer as a `mid` fault (or one without an answer of its own) leaves it."""
    if fault.reset:
        return None
    body = response.body
    if fault.body is not None:
        body = fault.body.encode() if isinstance(fault.body, str) else fault.body
    if fault.replace is not None:
        body = body.replace(fault.replace[0].encode(), fault.replace[1].encode())
    kept = response.gzipped if body is response.body else None
    return _set_headers(Response(fault.status or response.status, body, list(response.headers), kept), fault)


def _set_headers(response: Response, fault: Fault) -> Response:
    gone = {name.lower() for name in [*fault.headers, *fault.drop_headers]}
    kept = [(name, value) for name, value in response.headers if name.lower() not in gone]
    response.headers = [*kept, *fault.headers.items()]
    return response
