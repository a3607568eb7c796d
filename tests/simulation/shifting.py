"""A portal with one long listing that changes while it is read, served from rows that were written beforehand.

It answers what a read of a portal asks, and questions by id, truthfully at each moment; nothing else of LearnUpon.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

PAGE_ROWS = 500
COURSE, USERS, FIRST = 77, 1000, 5_000_001
KINDS = ("deleted", "inserted", "reordered", "all of it")
_FINISHED_SHARE = 3
_BUILD = HTTPAdapter().build_response


def row(number: int) -> dict[str, Any]:
    """Return an enrollment; every third is finished, none is unenrolled."""
    done = number % _FINISHED_SHARE == 0
    return {
        "id": number,
        "user_id": 1 + number % USERS,
        "course_id": COURSE,
        "course_source_id": COURSE,
        "version": 1,
        "course_name": "Ladders",
        "status": "completed" if done else "in_progress",
        "percentage": None,
        "percentage_complete": 100 if done else 40,
        "date_enrolled": "2026-01-05T08:00:00Z",
        "date_completed": "2026-02-05T08:00:00Z" if done else None,
        "unenrolled": False,
        "updated_at": "2026-02-05T08:00:00Z",
    }


def written(number: int) -> bytes:
    """Return an enrollment as it goes out."""
    return json.dumps(row(number), separators=(",", ":")).encode()


class Written(dict[int, bytes]):
    """Rows as they go out, each written once."""

    def __missing__(self, number: int) -> bytes:
        """Write a row."""
        self[number] = made = written(number)
        return made


@dataclass
class Shifting:
    """The portal: `changes` of a `kind` fall between the pages of one walk, where the dice let them."""

    rows: int
    kind: str
    changes: int
    seed: int
    texts: Written
    listed: set[int] = field(default_factory=set)
    """Ids that came on a page of the listing."""
    asked: int = 0

    def __post_init__(self) -> None:
        """Lay out the rows as they are before the walk, and when they will change."""
        self.dice = Random(f"{self.seed} {self.kind} {self.changes} {self.rows}")
        first = range(FIRST, FIRST + self.rows)
        self.order = list(reversed(first)) if self.kind == "inserted" else list(first)
        self.alive = set(first)
        self._next = FIRST + self.rows
        pages = -(-self.rows // PAGE_ROWS)
        self._due: dict[int, int] = defaultdict(int)
        for _ in range(self.changes):
            self._due[self.dice.randint(2, pages)] += 1

    def transport(self, _: int) -> BaseAdapter:
        """Return what carries a session's requests to this portal."""
        return _Carrier(self)

    def answer(self, url: str) -> tuple[int, bytes, bool]:
        """Return status, body and whether there is a next page."""
        parts = urlsplit(url)
        resource = parts.path.partition("/api/v1/")[2]
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if resource == "enrollments/search":
            return self._page(int(query.get("page", "1")))
        if resource.startswith("enrollments/"):
            self.asked += 1
            number = int(resource.rpartition("/")[2])
            gone = number not in self.alive
            return (404, b'{"message":"no record"}', False) if gone else (200, _listed([self.texts[number]]), False)
        return 200, json.dumps(_FIXED[resource]).encode(), False

    def _page(self, page: int) -> tuple[int, bytes, bool]:
        for _ in range(self._due.pop(page, 0)):
            self._change()
        start = (page - 1) * PAGE_ROWS
        shown = self.order[start : start + PAGE_ROWS]
        self.listed.update(shown)
        return 200, _listed([self.texts[number] for number in shown]), start + PAGE_ROWS < len(self.order)

    def _change(self) -> None:
        kind = self.dice.choice(KINDS[:3]) if self.kind == "all of it" else self.kind
        if kind == "inserted":
            self.order.insert(0, self._next)
            self.alive.add(self._next)
            self._next += 1
            return
        place = self.dice.randrange(len(self.order))
        number = self.order.pop(place)
        if kind == "deleted":
            self.alive.discard(number)
        else:
            self.order.append(number)  # touched: by `updated_at` it comes last now


def _listed(rows: list[bytes]) -> bytes:
    return b'{"enrollments":[' + b",".join(rows) + b"]}"


_FIXED: dict[str, Any] = {
    "portals": {"portals": [{"id": 1, "subdomain": "drift"}]},
    "courses": {"courses": [{"id": COURSE, "source_id": COURSE, "name": "Ladders", "num_enrolled": 0}]},
    "learning_paths": {"learning_paths": []},
    "users": {
        "user": [
            {"id": number, "email": f"learner{number}@example.com", "sf_contact_id": f"003{number:012d}"}
            for number in range(1, USERS + 1)
        ]
    },
}


class _Carrier(BaseAdapter):
    def __init__(self, portal: Shifting) -> None:
        super().__init__()
        self._portal = portal

    def send(  # type: ignore[override] # the program gives more by keyword, which means nothing here
        self, request: requests.PreparedRequest, **_: Any
    ) -> requests.Response:
        """Answer one request."""
        status, body, more = self._portal.answer(request.url or "")
        headers = {"Content-Type": "application/json", "LU-Has-Next-Page": str(more).lower()}
        raw = urllib3.HTTPResponse(
            io.BytesIO(body), headers=headers, status=status, preload_content=False, decode_content=False
        )
        return _BUILD(request, raw)

    def close(self) -> None:
        """There is nothing to close."""
