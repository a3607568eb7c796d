"""A host on loopback that keeps every request it gets, to see what others are told and what not; it asks nobody."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Listener:
    """A server that answers with `status`; a context manager."""

    def __init__(self) -> None:
        """Bind a free port; answer 200 until `status` says otherwise."""
        self.told: list[tuple[str, str]] = []
        """Path and body of each request, in order."""
        self.heads: list[dict[str, str]] = []
        """Headers of each request."""
        self.status = 200
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                listener.told.append((self.path, body))
                listener.heads.append(dict(self.headers.items()))
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_PATCH = do_HEAD = do_CONNECT = do_POST  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
