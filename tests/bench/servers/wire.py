"""A small HTTP/1.1 server: one thread a connection, bodies sent as they are; what is answered is its users' business.

It keeps a list of calls (method, target, status, bytes) as the emulators do, under `/__calls`, and waits before each
answer when told so (`POST /__latency {"ms": 50}`).
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

_MORE = getattr(socket, "MSG_MORE", 0)
_REASONS = {200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
_BUFFER = 4 << 20


@dataclass
class Request:
    """One request, read to its end."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the target, the first of each name."""
        return {name: found[0] for name, found in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body or b"null")


@dataclass
class Answer:
    """An answer; `pieces` in place of a body are sent as they come, in chunks."""

    body: bytes | bytearray = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterable[Any] | None = None


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """Return a value as JSON."""
    return Answer(json.dumps(value, separators=(",", ":")).encode(), status, headers)


class Server:
    """Listens on loopback and hands every request to `handle`; `handle` may raise LookupError for a 404."""

    def __init__(self, handle: Callable[[Request], Answer], kind: str) -> None:
        """Listen on a free port; `kind` is the Content-Type of answers without one."""
        self._handle = handle
        self._kind = kind
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.latency_s = 0.0
        self.calls: list[dict[str, Any]] = []

    def serve(self) -> None:
        """Serve for ever."""
        sys.setswitchinterval(0.0005)
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb", buffering=1 << 16) as reader:
            try:
                while (request := _read(reader, connection)) is not None:
                    self._answer(connection, request)
            except (ConnectionError, TimeoutError):
                return

    def _answer(self, connection: socket.socket, request: Request) -> None:
        if request.target.startswith("/__"):
            _send(connection, self._control(request), self._kind)
            return
        try:
            answer = self._handle(request)
        except LookupError as error:
            answer = as_json([{"errorCode": "NOT_FOUND", "message": str(error)}], 404)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is to see it and stop
            answer = as_json([{"errorCode": "BENCH", "message": f"{type(error).__name__}: {error}"[:500]}], 400)
        if self.latency_s:
            time.sleep(self.latency_s)
        sent = _send(connection, answer, self._kind)
        call = {"method": request.method, "target": request.target, "status": answer.status}
        self.calls.append(call | {"out": sent, "in": len(request.body)})

    def _control(self, request: Request) -> Answer:
        if request.path == "/__calls" and request.method == "DELETE":
            self.calls = []
        elif request.path == "/__latency":
            self.latency_s = request.json["ms"] / 1000
        elif request.path == "/__calls":
            return as_json(self.calls)
        else:
            return self._handle(request)
        return as_json({})


def _read(reader: Any, connection: socket.socket) -> Request | None:
    first = reader.readline(65_536)
    if not first.strip():
        return None
    method, target, _ = first.decode("latin-1").split(" ", 2)
    headers = {}
    while (line := reader.readline(65_536)) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if "100-continue" in headers.get("expect", ""):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "") == "chunked":
        return Request(method, target, headers, b"".join(_chunks(reader)))
    return Request(method, target, headers, reader.read(int(headers.get("content-length", 0))))


def _chunks(reader: Any) -> Iterable[bytes]:
    while size := int(reader.readline().partition(b";")[0], 16):
        yield reader.read(size)
        reader.readline()
    reader.readline()


def _send(connection: socket.socket, answer: Answer, kind: str) -> int:
    """Send an answer and return the bytes of its body."""
    headers = {"Content-Type": kind, "Date": formatdate(usegmt=True)} | answer.headers
    whole = answer.pieces is None
    headers |= {"Content-Length": str(len(answer.body))} if whole else {"Transfer-Encoding": "chunked"}
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Status')}"]
    head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode("latin-1")
    if answer.pieces is None:
        connection.sendall(head, _MORE if answer.body else 0)
        connection.sendall(answer.body)
        return len(answer.body)
    connection.sendall(head, _MORE)
    sent = 0
    for piece in answer.pieces:
        size = len(piece)
        if size:
            connection.sendall(b"%x\r\n" % size, _MORE)
            connection.sendall(piece, _MORE)
            connection.sendall(b"\r\n", _MORE)
            sent += size
    connection.sendall(b"0\r\n\r\n")
    return sent
