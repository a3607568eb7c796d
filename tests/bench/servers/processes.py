"""What the two processes of the servers do; it only begins them."""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection

from bench.servers.org import Org
from bench.servers.portal import Portal
from bench.servers.shape import Shape
from bench.servers.wire import Server


def portal(shape: Shape, latency_s: float, _: bool, told: Connection) -> None:  # noqa: FBT001 - a process's target
    """Serve a portal and say where."""
    _serve(Server(Portal(shape).handle, "application/json; charset=utf-8"), latency_s, told)


def org(shape: Shape, latency_s: float, first_load: bool, told: Connection) -> None:  # noqa: FBT001 - the same
    """Serve an org and say where."""
    held = Org(shape, first_load=first_load)
    server = Server(held.handle, "application/json;charset=UTF-8")
    held.url = server.url
    _serve(server, latency_s, told)


def _serve(server: Server, latency_s: float, told: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server.latency_s = latency_s
    told.send(server.url)
    server.serve()
