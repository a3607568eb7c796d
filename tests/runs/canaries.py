"""Canary secrets: a mark of its own at both ends of every secret of a stage, sought in all that runs leave or print.

It decides nothing about a run but this: no byte may hold a mark, in any of its forms. What leaked is told by the name
of its place in `PLACES`, so that nobody needs to see the secret.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from etl.emulator.messages import Request, Response
from etl.emulator.world import Emulators

PLACES = (
    USERNAME := "the username of a portal",
    PASSWORD := "the password of a portal",
    CONSUMER_KEY := "the consumer key",
    CONSUMER_SECRET := "the consumer secret",
    SESSION := "the access token of a sign-in",
    FIXED_TOKEN := "the access token of the configuration",
    REFRESH_TOKEN := "a refresh token in an answer",
    ID_TOKEN := "an id token in an answer",
    COOKIE := "a cookie in an answer",
    CHALLENGE := "a challenge in an answer",
    REDIRECT := "the address that an answer redirects to",
    QUOTED := "a token that an error quotes",
    VARIABLE := "a value of ${NAME}",
    FILE := "a value of ${file:...}",
    SWITCH := "notify.ping_url",
    CHANNEL := "notify.slack_webhook",
    PRIVATE_KEY := "the private key",
    ASSERTION := "a signed assertion",
)
"""Wherever a secret can be."""
STEM = "kanarie7"
"""How every mark begins."""
SECRETS = "secrets"
"""Folder of the stage where tests put files that hold secrets; it is not looked through."""
NOT_LEFT_BY_A_RUN = frozenset({"learnupon-sync.yaml", "steps.txt"})
"""The configuration, which people write, and what the crash harness notes."""
_END = 12
"""Characters of each end of a secret that holds no mark, since a server made it."""
_BEFORE = 60


def mark(place: str) -> str:
    """Return the mark of a place's secrets: letters and digits, so that it stays as it is in an address."""
    return f"{STEM}{PLACES.index(place):02}x"


def secret(place: str, middle: str = "-") -> str:
    """Return a secret for a place."""
    return f"{mark(place)}{middle}{mark(place)}"


def _coded(text: bytes) -> Iterator[bytes]:
    """Give what of a text shows in base64, wherever in another one it begins."""
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + text).rstrip(b"=")
        yield coded[-(-shift * 8 // 6) : len(coded) - 1]


def forms(text: str) -> tuple[bytes, ...]:
    """Return a text in plain, in base64 and in hexadecimal."""
    raw = text.encode()
    return (raw, *_coded(raw), raw.hex().encode(), raw.hex().upper().encode())


_STEMS = forms(STEM)
_PLACE_OF = {form: place for place in PLACES for form in forms(mark(place))}


def places_in(content: bytes) -> set[str]:
    """Return the places whose mark stands in a text."""
    if not any(stem in content for stem in _STEMS):
        return set()
    return {place for form, place in _PLACE_OF.items() if form in content} or {"a secret that was cut"}


class Canaries:
    """The secrets of one stage, and the files of its folder that were looked through already."""

    def __init__(self, folder: Path) -> None:
        """Look below `folder`."""
        self.in_use: set[str] = set()
        """The places whose secret was sent to an emulator or by it."""
        self._folder = folder
        self._ends: dict[bytes, str] = {}
        self._seen: dict[Path, tuple[int, int]] = {}

    def plant(self, emulators: Emulators) -> None:
        """Give both vendors canaries for credentials and tokens, and let every answer of theirs carry more."""
        for portal in emulators.store.portals.values():
            portal.username = secret(USERNAME, f"-key-of-{portal.name}-")
            portal.password = secret(PASSWORD, f"+%s/of={portal.name}&")
        sessions = emulators.org.sessions
        sessions.client_id = secret(CONSUMER_KEY, ".")
        sessions.client_secret = secret(CONSUMER_SECRET, "/+=")
        sessions.clients[sessions.client_id] = sessions.client_secret
        sessions.mark = mark(SESSION)
        sessions.fixed = f"{emulators.org.org_id}!{secret(FIXED_TOKEN, '.')}"
        sessions.restore()
        for server in (emulators.learnupon, emulators.salesforce):
            server.app = Indiscreet(server.app, self)

    def know(self, place: str, text: str) -> None:
        """Look for the ends of a secret that have no mark, too; it is in use."""
        self.in_use.add(place)
        ends = (text[-_END:],) if STEM in text else (text[:_END], text[-_END:])
        self._ends = {**self._ends, **{form: place for end in ends for form in forms(end)}}

    def saw(self, content: bytes) -> None:
        """Note the secrets that somebody was sent."""
        self.in_use |= places_in(content)

    def check(self, told: str = "") -> None:
        """Assert that neither what was told nor any new file holds a canary."""
        self.look("what was told", told.encode("utf-8", "surrogatepass"))
        for path in self._new():
            with suppress(FileNotFoundError):  # of a run that is still at work
                self.look(str(path), path.read_bytes())

    def look(self, where: str, content: bytes) -> None:
        """Assert that a text holds no canary; say which ones it holds."""
        leaked = places_in(content) | {place for end, place in self._ends.items() if end in content}
        if leaked:
            found = (content.find(form) for form in (*_STEMS, *self._ends))
            first = min(place for place in found if place >= 0)
            words = content[max(0, first - _BEFORE) : first]
            raise AssertionError(f"{where} holds {', '.join(sorted(leaked))}, first after {words!r}")

    def _new(self) -> Iterator[Path]:
        for folder, inner, names in os.walk(self._folder):
            inner[:] = [name for name in inner if name != SECRETS]
            for name in names:
                path = Path(folder) / name
                with suppress(FileNotFoundError):
                    if name in NOT_LEFT_BY_A_RUN or not path.is_file():
                        continue
                    stamp = path.stat()
                    if self._seen.get(path) != (stamp.st_mtime_ns, stamp.st_size):
                        self._seen[path] = (stamp.st_mtime_ns, stamp.st_size)
                        yield path


class Indiscreet:
    """An app whose answers carry secrets: a cookie, a challenge, what the request brought, tokens nobody asked for."""

    def __init__(self, app: Any, canaries: Canaries) -> None:
        """Stand before an app of an emulator."""
        self._app = app
        self._canaries = canaries

    def __getattr__(self, name: str) -> Any:
        """Let everything else be the app's."""
        return getattr(self._app, name)

    def handle(self, request: Request) -> Response:
        """Answer as the app does, with more headers and tokens; AssertionError when a cookie comes back."""
        assert "cookie" not in request.headers, "the session kept a cookie"
        response: Response = self._app.handle(request)
        if request.path.endswith("/oauth2/token") and response.status == 200:
            self._signed_in(request, response)
        response.headers += headers(request)
        self._canaries.saw(request.headers.get("authorization", "").encode() + b" " + request.body)
        self._canaries.saw(repr(response.headers).encode() + b" " + response.body)
        return response

    def _signed_in(self, request: Request, response: Response) -> None:
        """Say more than was asked for, and note what the servers made themselves."""
        answer = json.loads(response.body)
        self._canaries.know(SESSION, answer["access_token"])
        for assertion in parse_qs(request.body.decode()).get("assertion", []):
            self._canaries.know(ASSERTION, assertion.rpartition(".")[2])
            self._canaries.in_use.add(PRIVATE_KEY)  # or it would not have been taken
        more = {"refresh_token": f"5Aep861{secret(REFRESH_TOKEN)}", "id_token": secret(ID_TOKEN)}
        response.body, response.gzipped = json.dumps({**answer, **more}).encode(), None


def headers(request: Request) -> list[tuple[str, str]]:
    """Return headers that no careful server would send."""
    return [
        ("Set-Cookie", f"session={secret(COOKIE)}; Path=/"),
        ("WWW-Authenticate", f'Basic realm="{secret(CHALLENGE)}"'),
        ("X-Debug-Authorization", request.headers.get("authorization", "")),
    ]
