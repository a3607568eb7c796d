"""Canary secrets: one mark in every credential of the stage and in what its servers say, looked for after each run.

The mark stands at the front of every secret, so that the beginning of one that was cut counts too. It decides nothing
about a run but this: no byte that the program leaves or prints may hold the mark, in any of its forms.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.emulator.messages import Request, Response
from etl.emulator.world import Emulators

MARK = "kanarie7"
COOKIE = f"{MARK}-session-cookie"
CHALLENGE = f"{MARK}-challenge"
SECRETS = "secrets"
"""Folder of the stage where tests put files that hold secrets; it is not looked through."""
NOT_LEFT_BY_A_RUN = frozenset({"learnupon-sync.yaml", "steps.txt"})
"""The configuration, which people write, and what the crash harness notes."""


def _coded(mark: bytes) -> Iterator[bytes]:
    """Give what of a mark shows in base64, wherever in the text it begins."""
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + mark).rstrip(b"=")
        yield coded[-(-shift * 8 // 6) : len(coded) - 1]


NEEDLES = (MARK.encode(), *_coded(MARK.encode()), MARK.encode().hex().encode(), MARK.encode().hex().upper().encode())
"""The mark in plain (and percent-encoded, since it holds nothing to encode), in base64 and in hexadecimal."""


def found(content: bytes) -> str:
    """Return the surroundings of the first canary of a text, empty without one."""
    for needle in NEEDLES:
        place = content.find(needle)
        if place >= 0:
            return repr(content[max(0, place - 60) : place + 60])
    return ""


def plant(emulators: Emulators) -> None:
    """Give both vendors canaries for credentials and tokens, and let every answer of theirs carry more."""
    for portal in emulators.store.portals.values():
        portal.username = f"{MARK}-key-of-{portal.name}"
        portal.password = f"{MARK}+%s/of={portal.name}&"
    sessions = emulators.org.sessions
    sessions.client_id = f"{MARK}.consumer.key"
    sessions.client_secret = f"{MARK}/consumer+secret="
    sessions.clients[sessions.client_id] = sessions.client_secret
    sessions.mark = MARK
    sessions.fixed = f"{emulators.org.org_id}!{MARK}.fixed.token"
    sessions.restore()
    for server in (emulators.learnupon, emulators.salesforce):
        server.app = Indiscreet(server.app)


class Indiscreet:
    """An app whose answers carry secrets in their headers: a cookie, a challenge, and what the request brought."""

    def __init__(self, app: Any) -> None:
        """Stand before an app of an emulator."""
        self._app = app

    def __getattr__(self, name: str) -> Any:
        """Let everything else be the app's."""
        return getattr(self._app, name)

    def handle(self, request: Request) -> Response:
        """Answer as the app does, with more headers; AssertionError when a cookie comes back."""
        assert "cookie" not in request.headers, "the session kept a cookie"
        response: Response = self._app.handle(request)
        response.headers += headers(request)
        return response


def headers(request: Request) -> list[tuple[str, str]]:
    """Return headers that no careful server would send."""
    return [
        ("Set-Cookie", f"session={COOKIE}; Path=/"),
        ("WWW-Authenticate", f'Basic realm="{CHALLENGE}"'),
        ("X-Debug-Authorization", request.headers.get("authorization", "")),
    ]


class Scan:
    """The files of a stage that were looked through already, so that each is read once."""

    def __init__(self, folder: Path) -> None:
        """Look below `folder`."""
        self._folder = folder
        self._seen: dict[Path, tuple[int, int]] = {}

    def check(self, told: str) -> None:
        """Assert that neither what was told nor any new file holds a canary."""
        assert not found(told.encode("utf-8", "surrogatepass")), found(told.encode("utf-8", "surrogatepass"))
        for path in self._new():
            assert not found(path.read_bytes()), (path, found(path.read_bytes()))

    def _new(self) -> Iterator[Path]:
        for folder, inner, names in os.walk(self._folder):
            inner[:] = [name for name in inner if name != SECRETS]
            for name in names:
                path = Path(folder) / name
                if name in NOT_LEFT_BY_A_RUN or not path.is_file():
                    continue
                stamp = path.stat()
                if self._seen.get(path) != (stamp.st_mtime_ns, stamp.st_size):
                    self._seen[path] = (stamp.st_mtime_ns, stamp.st_size)
                    yield path
