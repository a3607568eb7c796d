"""Requests and answers as the emulators' apps see them; nothing here touches a socket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self


class Headers(Mapping[str, str]):
    """Request headers, looked up without regard to case; of a repeated header the first counts."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Keep the pairs in order."""
        self._values: dict[str, str] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        """Value of a header; KeyError when it was not sent."""
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        """Lower-case names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Number of different headers."""
        return len(self._values)


@dataclass(frozen=True)
class Request:
    """A request as an app sees it: path decoded, body de-chunked and gunzipped."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    raw_target: str

    def one(self, name: str, default: str = "") -> str:
        """First value of a query parameter."""
        return self.query.get(name, [default])[0]


@dataclass
class Response:
    """An answer; `gzipped` may hold the body compressed beforehand."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    gzipped: bytes | None = None

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Self:
        """An answer in JSON, UTF-8, without needless blanks."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, [("Content-Type", "application/json;charset=UTF-8"), *headers])

    @classmethod
    def text(
        cls,
        value: str,
        status: int = 200,
        content_type: str = "text/plain;charset=UTF-8",
        headers: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """An answer in text, UTF-8."""
        return cls(status, value.encode(), [("Content-Type", content_type), *headers])
