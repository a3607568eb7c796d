"""A LearnUpon portal of any size from prebuilt pages: listings, look-ups by id, headers as LearnUpon sends them.

Rows have 702 bytes and 26 keys, one of them nested. Sources of keys and headers: the project's facts on the API. The
day is turned by `POST /__day {"day": "today"}`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from bench.servers.digits import Ints
from bench.servers.lines import Gap, Grid
from bench.servers.shape import (
    COURSE_0,
    ENROLLMENT_0,
    LEARNER_0,
    PAGE,
    PATH_0,
    PATH_ENROLLMENT_0,
    PATHS,
    PORTAL_ID,
    Periodic,
    Shape,
)
from bench.servers.traits import GONE, STATUSES, Traits
from bench.servers.wire import Answer, Request, as_json

ROW_BYTES = 702
USERNAME, PASSWORD = "bench-key", "bench-secret"
COURSE_NAME = "Course {:05d} - Intro to compliance"
PATH_NAME = "Path {:03d} - From beginner to expert"
SIGNED_IN = 1_000
"""Learners after which the time of the last sign-in repeats."""


def signed_in(learners: Ints) -> list[str]:
    """Return when learners were last signed in."""
    return [f"2026-10-{1 + u % 28:02d}T{u % 24:02d}:{u % 60:02d}:00Z" for u in (learners % SIGNED_IN).tolist()]


_COURSE_FRONT = (
    '{"id":', (10, "i", ENROLLMENT_0), ',"course_id":', (7, "c", COURSE_0), ',"course_source_id":', (7, "c", COURSE_0),
    ',"course_name":"Course ', (5, "c", 0), ' - Intro to compliance","user_id":', (8, "u", LEARNER_0),
    ',"email":"u', (8, "u", LEARNER_0), '@example.com",',
)  # fmt: skip
_PATH_FRONT = (
    '{"id":', (10, "i", PATH_ENROLLMENT_0), ',"lp_id":', (3, "p", PATH_0), ',"lp_name":"Path ', (3, "p", 0),
    ' - From beginner to expert","user_id":', (8, "u", LEARNER_0), ',"email":"u', (8, "u", LEARNER_0),
    '@example.com",',
)  # fmt: skip
Listing = Callable[[int, dict[str, str]], tuple[bytes | bytearray, bool]]
Front = tuple[str | tuple[int, str, int], ...]


def _fronted(front: Front) -> tuple[str, list[Gap]]:
    """Return the beginning of every row, zeros where numbers go, and those gaps."""
    text, gaps = "", []
    for piece in front:
        if isinstance(piece, str):
            text += piece
        else:
            gaps.append(Gap(len(text), *piece))
            text += "0" * piece[0]
    return text, gaps


def _row(front: str, rest: dict[str, Any]) -> bytes:
    """Return a row of ROW_BYTES with a comma after it; a note in the nested object fills it up."""
    text = front + json.dumps(rest, separators=(",", ":"))[1:]
    note = "." * (ROW_BYTES - len(text))
    return text.replace('"note":""', f'"note":"{note}"').encode() + b","


def _common(traits: Traits, place: int, day: str) -> dict[str, Any]:
    """Return what both kinds of enrollments have; texts of variable width, so it comes after the gaps."""
    ended = traits.ended(place, day)
    return {
        "first_name": f"Anna{place % 977}",
        "last_name": f"Ex-{place % 4999}",
        "status": STATUSES[traits.status(day)[place]],
        "percentage": traits.score(place, day),
        "percentage_complete": traits.percent[place],
        "date_enrolled": traits.enrolled[place],
        "date_started": traits.started[place],
        "date_completed": ended,
        "from_catalog": place % 3 == 0,
        "due_date": traits.enrolled[place - 1] if place % 10 < 3 else None,
        "cert_expires_at": None,
        "certificate_name": None,
        "unenrolled": day == "today" and bool(traits.change[place] == GONE),
        "was_recertified": place % 20 == 0,
        "from_store": False,
        "is_overdue": False,
        "group_id": None,
        "updated_at": ended or traits.enrolled[place],
        "custom_data": {"region": ("EMEA", "APAC", "AMER")[place % 3], "center": f"CC-{place % 3000:04d}", "note": ""},
    }


def _enrollment_rows(shape: Shape, day: str) -> Grid:
    front, gaps = _fronted(_COURSE_FRONT)
    found, places = shape.traits, shape.listed(day).rests.tolist()
    return Grid([_row(front, {"version": found.version[at], **_common(found, at, day)}) for at in places], gaps)


def _path_rows(shape: Shape, day: str) -> Grid:
    front, gaps = _fronted(_PATH_FRONT)
    found, places = shape.path_traits, shape.paths_listed(day).rests.tolist()
    return Grid([_row(front, _common(found, at, day)) for at in places], gaps)


def _user_rows() -> Grid:
    """Return learners: every tenth is a User; what differs between the two has the same width."""
    rows = []
    for place, last in enumerate(signed_in(np.arange(SIGNED_IN))):
        mine, other, kind = (
            ("sf_user_id", "sf_contact_id", "005") if place % 10 == 0 else ("sf_contact_id", "sf_user_id", "003")
        )
        pieces: Front = (
            '{"id":', (8, "u", LEARNER_0), ',"email":"u', (8, "u", LEARNER_0),
            f'@example.com","{other}":null,"{mine}":"{kind}5g', (10, "u", 0), 'AAA",',
        )  # fmt: skip
        front, gaps = _fronted(pieces)
        rest = {
            "first_name": f"Anna{place % 977}", "last_name": f"Ex-{place % 4999}",
            "is_salesforce_contact": int(kind == "003"), "last_sign_in_at": last, "sign_in_count": place,
            "number_of_enrollments": 20, "number_of_enrollments_accessed": 12, "created_at": "2024-01-01T00:00:00Z",
            "account_expires": None, "locale": "en", "enabled": True, "user_type": "learner", "can_enroll": True,
            "can_mark_complete": False, "customDataFieldValues": [], "CustomData": {"Region": "EMEA", "note": ""},
        }  # fmt: skip
        rows.append(_row(front, rest))
    return Grid(rows, gaps)


class Portal:
    """What the portal answers; it holds the pages' patterns of both days and no rows."""

    def __init__(self, shape: Shape) -> None:
        """Build the patterns."""
        self._shape = shape
        self._days = {day: (_enrollment_rows(shape, day), _path_rows(shape, day)) for day in ("yesterday", "today")}
        self._users = _user_rows()
        self.key = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        self.day = "yesterday"

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path == "/__day":
            self.day = request.json["day"]
            return as_json({"day": self.day})
        if request.headers.get("authorization") != self.key:
            return as_json({"message": "Unauthorized"}, 401)
        kind, _, number = request.path.partition("/api/v1/")[2].partition("/")
        if number.isdigit():
            return self._one(kind, int(number))
        query = request.query
        page = int(query.get("page", "1"))
        listings: dict[str, Listing] = {
            "portals": self._portals, "users": self._learners, "courses": self._courses,
            "learning_paths": self._paths, "enrollments": self._enrollments,
            "learning_path_enrollments": self._path_enrollments,
        }  # fmt: skip
        body, more = listings[kind](page, query)
        return Answer(body, headers=_headers(page, more=more))

    def _one(self, kind: str, number: int) -> Answer:
        """Answer a question by id: an empty list for what is not there."""
        shape = self._shape
        if kind == "users":
            u = number - LEARNER_0
            found = _list("user", self._fill_users(np.array([u]))) if 0 <= u < shape.learners else bytearray()
        elif kind == "enrollments":
            found = self._search(shape.listed(self.day), number - ENROLLMENT_0, self._fill_enrollments)
        else:
            found = self._search(shape.paths_listed(self.day), number - PATH_ENROLLMENT_0, self._fill_paths)
        return Answer(found) if found else as_json({"message": "Not found", "response_code": 404}, 404)

    def _search(self, listed: Periodic, number: int, fill: Any) -> bytearray:
        there = bool(listed.has(np.array([number]))[0])
        place = listed.below(number)
        return _list("enrollments", fill(place, place + 1)) if there else bytearray()

    def _portals(self, _: int, __: dict[str, str]) -> tuple[bytes, bool]:
        return json.dumps({"portals": [{"id": PORTAL_ID, "title": "Bench", "subdomain": "bench"}]}).encode(), False

    def _learners(self, page: int, _: dict[str, str]) -> tuple[bytearray, bool]:
        last = min(page * PAGE, self._shape.learners)
        return _list("user", self._fill_users(np.arange((page - 1) * PAGE, last))), last < self._shape.learners

    def _fill_users(self, learners: Ints) -> bytearray:
        return self._users.fill(learners % SIGNED_IN, {"u": learners})

    def _courses(self, page: int, _: dict[str, str]) -> tuple[bytes, bool]:
        shape = self._shape
        last = min(page * PAGE, shape.courses)
        rows = [
            {
                "id": COURSE_0 + c, "name": COURSE_NAME.format(c), "version": 1, "source_id": COURSE_0 + c,
                "reference_code": f"REF-{c:05d}", "num_enrolled": int(shape.bounds[c + 1] - shape.bounds[c]),
                "published_status_id": "published", "created_at": "2024-01-01T00:00:00Z", "keywords": None,
            }
            for c in range((page - 1) * PAGE, last)
        ]  # fmt: skip
        return json.dumps({"courses": rows}, separators=(",", ":")).encode(), last < shape.courses

    def _paths(self, _: int, __: dict[str, str]) -> tuple[bytes, bool]:
        rows = [
            {
                "id": PATH_0 + path, "name": PATH_NAME.format(path), "published_status_id": "published",
                "courses": [
                    {"id": COURSE_0 + c, "name": COURSE_NAME.format(c), "source_id": COURSE_0 + c, "sequence": at}
                    for at, c in enumerate(self._shape.courses_on(path))
                ],
            }
            for path in range(PATHS)
        ]  # fmt: skip
        return json.dumps({"learning_paths": rows}, separators=(",", ":")).encode(), False

    def _enrollments(self, page: int, query: dict[str, str]) -> tuple[bytearray, bool]:
        course, shape = int(query["course_id"]) - COURSE_0, self._shape
        listed = shape.listed(self.day)
        first = listed.below(int(shape.bounds[course]))
        last = len(listed) if course == shape.courses - 1 else listed.below(int(shape.bounds[course + 1]))
        start, stop = first + (page - 1) * PAGE, min(first + page * PAGE, last)
        return _list("enrollments", self._fill_enrollments(start, stop, course)), stop < last

    def _fill_enrollments(self, start: int, stop: int, course: int = -1) -> bytearray:
        shape, listed = self._shape, self._shape.listed(self.day)
        numbers = listed.numbers(start, stop)
        of = shape.course(numbers) if course < 0 else course
        filled = {"i": numbers, "u": shape.learner(numbers), "c": of}
        return self._days[self.day][0].fill(listed.lines(start, stop), filled)

    def _path_enrollments(self, page: int, query: dict[str, str]) -> tuple[bytearray, bool]:
        path, listed = int(query["lp_id"]) - PATH_0, self._shape.paths_listed(self.day)
        first, last = (listed.below(int(bound)) for bound in self._shape.path_bounds[path : path + 2])
        start, stop = first + (page - 1) * PAGE, min(first + page * PAGE, last)
        return _list("enrollments", self._fill_paths(start, stop)), stop < last

    def _fill_paths(self, start: int, stop: int) -> bytearray:
        shape, listed = self._shape, self._shape.paths_listed(self.day)
        numbers = listed.numbers(start, stop)
        filled = {"i": numbers, "u": shape.learner(numbers), "p": shape.path(numbers)}
        return self._days[self.day][1].fill(listed.lines(start, stop), filled)


def _list(key: str, rows: bytearray) -> bytearray:
    """Return rows, each with its comma, as the one list of an answer."""
    if rows:
        del rows[-1]
    return bytearray(b'{"%s":[' % key.encode()) + rows + b"]}"


def _headers(page: int, *, more: bool) -> dict[str, str]:
    return {
        "LU-Current-Page": str(page),
        "LU-Records-Per-Page": str(PAGE),
        "LU-Has-Next-Page": "true" if more else "false",
        "X-LU-Rate-Limit-Remaining-Minute": "599000",
        "X-LU-Rate-Limit-Remaining-Week": "90000000",
    }
