"""The HTTP/1.1 side of a server: reading requests, writing answers, cutting them short; it decides no answer."""

from __future__ import annotations

import gzip
import socket
import struct
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from etl.emulator import control
from etl.emulator.messages import Headers, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.emulator.faults import Fault
    from etl.emulator.server import Server

HOST = "127.0.0.1"
GZIP_FROM = 1024
_BODILESS = (204, 304)


class Httpd(ThreadingHTTPServer):
    """The listening socket and its connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        """Bind the address; `owner` answers."""
        self.owner = owner
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for the host's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that `stop` can close it."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Close what clients keep alive."""
        for one in list(self._open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._open.discard(one)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error; nothing else can get here, handlers answer 500."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Httpd

    def _serve(self) -> None:
        owner = self.server.owner
        try:
            request = self._read()
        except ValueError as error:
            self._write(Response.text(f"bad request: {error}", 400), [])
            self.close_connection = True
            return
        answer = control.handle(owner, request)
        if answer is not None:
            self._write(answer, [])
            return
        response, faults = owner.respond(request)
        owner.note(request, response.status if response is not None else 0)
        if response is None:
            self._reset()
        else:
            self._write(response, faults)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - http.server's names

    def _read(self) -> Request:
        path, _, query = self.path.partition("?")
        body = self._read_body()
        if body and self.headers.get("Content-Encoding", "").strip().lower() == "gzip":
            body = _gunzip(body)
        parsed = parse_qs(query, keep_blank_values=True)
        return Request(self.command, unquote(path), parsed, Headers(self.headers.items()), body, self.path)

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._chunks())
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if len(body) != length:
            raise ValueError("the body is shorter than its Content-Length")
        return body

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _write(self, response: Response, faults: list[Fault]) -> None:
        zipped = "gzip" in self.headers.get("Accept-Encoding", "")
        headers, body = framed(response, faults, self.command, self.server.owner.clock(), zipped=zipped)
        if any(fault.close_after_bytes is not None for fault in faults):
            self.close_connection = True
        self._send(response.status, headers, body)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if len(body) < 65_536:
            self.wfile.write(head + body)
        else:
            self.wfile.write(head)
            self.wfile.write(body)

    def _reset(self) -> None:
        """Close so that the client sees 'connection reset', not an end of file."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
        """Stay silent: `calls` is the record."""


def framed(
    response: Response, faults: list[Fault], method: str, now: float, *, zipped: bool
) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of an answer as they leave: dated, compressed where `zipped`, cut where a fault says so."""
    cut = next((fault for fault in faults if fault.close_after_bytes is not None), None)
    body, headers = response.body, list(response.headers)
    if not any(name == "Date" for name, _ in headers):
        headers.insert(0, ("Date", formatdate(now, usegmt=True)))
    if cut is None and zipped and len(body) > GZIP_FROM:
        body = response.gzipped if response.gzipped is not None else gzip.compress(body, 1)
        headers.append(("Content-Encoding", "gzip"))
    if response.status not in _BODILESS and (cut is None or cut.honest_length):
        headers.append(("Content-Length", str(len(body))))
    if cut is not None:
        headers.append(("Connection", "close"))
        body = body[: cut.close_after_bytes]
    return headers, b"" if method == "HEAD" or response.status in _BODILESS else body


def _gunzip(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError) as error:
        raise ValueError("the body is not gzip") from error
