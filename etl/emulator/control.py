"""The emulators' back door over HTTP, for emulators in processes of their own; it decides nothing itself.

Not authenticated (loopback only), not counted as calls and never hit by faults. An app may carry
`ticks` (name -> callable), `knobs` (name -> setter) and `state(query)`; a server's own `ticks` and `knobs`
can be extended after it was made.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from etl.emulator.faults import Fault
from etl.emulator.messages import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.messages import Request
    from etl.emulator.server import Server

PREFIX = "/__"


def handle(server: Server, request: Request) -> Response | None:
    """Answer a request for the back door, or None when it is an ordinary one."""
    if not request.path.startswith(PREFIX):
        return None
    try:
        value = _dispatch(server, request)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return Response.json({"error": f"{type(error).__name__}: {error}"}, 400)
    if value is _UNKNOWN:
        return Response.json({"error": f"no {request.method} {request.path} here"}, 404)
    return Response.json(value)


_UNKNOWN = object()


def _dispatch(server: Server, request: Request) -> Any:
    reader = _READERS.get((request.method, request.path))
    if reader is not None:
        return reader(server, request)
    if request.method in ("POST", "DELETE") and request.path in ("/__faults", "/__knobs", "/__tick"):
        return _change(server, request)
    return _UNKNOWN


def _state(server: Server, request: Request) -> Any:
    state = getattr(server.app, "state", None)
    return state(request.query) if state is not None else {}


_READERS: dict[tuple[str, str], Callable[[Server, Request], Any]] = {
    ("GET", "/__ledger"): lambda server, request: [
        entry.as_json() for entry in server.ledger.since(int(request.one("since", "0")))
    ],
    ("DELETE", "/__ledger"): lambda server, _: server.ledger.clear(),
    ("GET", "/__state"): _state,
    ("GET", "/__calls"): lambda server, _: [asdict(call) for call in list(server.calls)],
    ("DELETE", "/__calls"): lambda server, _: server.reset_calls(),
    ("GET", "/__errors"): lambda server, _: [repr(error) for error in server.errors],
}


def _change(server: Server, request: Request) -> Any:
    if request.method == "DELETE":
        return server.faults.clear() if request.path == "/__faults" else _UNKNOWN
    value = json.loads(request.body or b"{}")
    if request.path == "/__faults":
        listed = value if isinstance(value, list) else [value]
        return [server.faults.add(fault) for fault in [Fault.from_json(one) for one in listed]]
    if request.path == "/__knobs":
        return _turn(server, value)
    name = value.pop("name")
    if name not in server.ticks:
        raise ValueError(f"no tick {name!r}; known: {', '.join(sorted(server.ticks))}")
    return server.ticks[name](**value)


def _turn(server: Server, values: dict[str, Any]) -> list[str]:
    unknown = sorted(set(values) - set(server.knobs))
    if unknown:
        raise ValueError(f"no knob {', '.join(unknown)}; known: {', '.join(sorted(server.knobs))}")
    for name, value in values.items():
        server.knobs[name](value)
    return sorted(values)
