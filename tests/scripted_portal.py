"""A small LearnUpon portal whose rows a test lists and whose answers a test alters; pages hold two rows.

Written from LearnUpon's documentation for tests of the reader alone; the emulator is a different thing altogether.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from http_stage import Asked, Reply, Stage, StillClock, chance

from etl.config import PortalSettings
from etl.learnupon import LearnUpon, PortalRead, read_portal

Json = dict[str, Any]
Alter = Callable[[Reply], Reply]
KEY = "Basic " + base64.b64encode("kéy:pass:word".encode()).decode()
_ONE = re.compile(r"/(users|enrollments|learning_path_enrollments)/(\d+)")


def user(number: int, **fields: Any) -> Json:
    """Return a learner as LearnUpon lists one."""
    row = {
        "id": number,
        "first_name": "Ann",
        "last_name": "Lee",
        "email": f"ann.{number}@example.com",
        "sign_in_count": 3,
        "last_sign_in_at": "2026-05-06T07:08:09Z",
        "sf_user_id": None,
        "sf_contact_id": f"0035g000000000{number}AAA",
        "is_salesforce_contact": 1,
        "CustomData": None,
        "customDataFieldValues": [],
    }
    return row | fields


def course(number: int, **fields: Any) -> Json:
    """Return a course version as LearnUpon lists one."""
    row = {"id": number, "source_id": number, "version": 1, "name": f"Course {number}", "num_enrolled": 0}
    return row | fields


def enrollment(number: int, user_id: int, course_id: int, **fields: Any) -> Json:
    """Return a course enrollment as LearnUpon lists one."""
    row = {
        "id": number,
        "course_id": course_id,
        "course_source_id": course_id,
        "version": 1,
        "user_id": user_id,
        "email": f"ann.{user_id}@example.com",
        "status": "passed",
        "percentage": 85,
        "percentage_complete": 100,
        "date_enrolled": "2026-01-02T03:04:05Z",
        "date_completed": "2026-02-03T04:05:06Z",
        "unenrolled": False,
        "course_name": f"Course {course_id}",
    }
    return row | fields


def path(number: int, courses: Any = (), **fields: Any) -> Json:
    """Return a learning path with its courses."""
    return {"id": number, "name": f"Path {number}", "courses": courses if courses is None else list(courses)} | fields


def path_enrollment(number: int, user_id: int, lp_id: int, **fields: Any) -> Json:
    """Return a path enrollment as LearnUpon lists one."""
    row = {
        "id": number,
        "lp_id": lp_id,
        "lp_name": f"Path {lp_id}",
        "user_id": user_id,
        "status": "in_progress",
        "percentage": None,
        "date_enrolled": "2026-01-02T03:04:05Z",
        "date_completed": None,
        "unenrolled": False,
    }
    return row | fields


class ScriptedPortal:
    """Serves the rows; `alter` changes chosen answers; a context manager."""

    def __init__(self, page_rows: int = 2) -> None:
        """Start without rows."""
        self.page_rows = page_rows
        self.users: list[Json] = []
        self.courses: list[Json] = []
        self.paths: list[Json] = []
        self.enrollments: list[Json] = []
        self.path_enrollments: list[Json] = []
        self.portals: list[Json] = []
        self.headers: dict[str, str] = {}
        self.time = StillClock()
        self._alterations: list[tuple[str, int | None, Alter]] = []
        self._matched: dict[int, int] = {}
        self.stage = Stage(self._answer)
        self.clients: list[LearnUpon] = []

    def alter(self, pattern: str, change: Alter | Reply, *, nth: int | None = None) -> None:
        """Change the answers to `path?query` found by a regular expression: all of them, or the nth."""
        self._alterations.append((pattern, nth, change if callable(change) else lambda _reply: change))

    def crowd(self) -> list[int]:
        """Hold each answer for a moment from now on; return a list that grows with how many were under way then."""
        under_way: list[int] = []
        most: list[int] = []

        def enter(reply: Reply) -> Reply:
            under_way.append(1)
            time.sleep(0.005)
            most.append(len(under_way))
            under_way.pop()
            return reply

        self.alter("", enter)
        return most

    def client(self, **settings: Any) -> LearnUpon:
        """Return a client of this portal on a still clock."""
        given = {
            "name": "academy",
            "portal_id": 12345,
            "title": "Acme Academy",
            "username": "kéy",
            "password": "pass:word",
        }
        portal = PortalSettings(url=f"{self.stage.url}/academy", **(given | settings))  # type: ignore[arg-type]
        client = LearnUpon(portal, clock=self.time.clock, random=chance())
        self.clients.append(client)
        return client

    def read(self, folder: Path, **settings: Any) -> PortalRead:
        """Read the whole portal."""
        return read_portal(self.client(**settings), folder)

    @property
    def asked(self) -> list[str]:
        """Every request as path below the API, with its query in order of the names."""
        return [_target(asked) for asked in self.stage.asked]

    def __enter__(self) -> Self:
        """Start serving."""
        self.stage.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and close the clients."""
        for client in self.clients:
            client.close()
        self.stage.__exit__(kind, error, trace)

    def _answer(self, asked: Asked) -> Reply:
        reply, target = self._true_answer(asked), _target(asked)
        for number, (pattern, nth, change) in enumerate(self._alterations):
            if re.search(pattern, target):
                self._matched[number] = self._matched.get(number, 0) + 1
                if nth in {None, self._matched[number]}:
                    reply = change(reply)
        return reply

    def _true_answer(self, asked: Asked) -> Reply:
        if asked.headers.get("Authorization") != KEY:
            return _json({"message": "unauthorized"}, 401)
        if "Content-Type" in asked.headers:
            return _json({"error": "There was a problem in the JSON you submitted."}, 400)
        resource = asked.path.removeprefix("/academy/api/v1")
        if match := _ONE.fullmatch(resource):
            return self._one(match[1], int(match[2]))
        if resource == "/users/search":
            found = [row for row in self.users if row["email"] == asked.query["email"]]
            return _json({"user": found}) if found else _json({"message": "not found", "response_code": 404}, 404)
        return self._listing(resource, asked.query)

    def _one(self, resource: str, number: int) -> Reply:
        key, rows = {
            "users": ("user", self.users),
            "enrollments": ("enrollments", self.enrollments),
            "learning_path_enrollments": ("enrollments", self.path_enrollments),
        }[resource]
        found = [row for row in rows if row["id"] == number]
        if not found and number % 2:
            return _json({"message": "not found"}, 404)
        return _json({key: found})

    def _listing(self, resource: str, query: dict[str, str]) -> Reply:
        key, rows, filters = {
            "/users": ("user", self.users, ()),
            "/courses": ("courses", self.courses, ()),
            "/learning_paths": ("learning_paths", self.paths, ()),
            "/portals": ("portals", self.portals, ()),
            "/enrollments/search": ("enrollments", self.enrollments, ("course_id", "user_id")),
            "/learning_path_enrollments/search": ("enrollments", self.path_enrollments, ("lp_id", "user_id")),
        }[resource]
        found = [row for row in rows if all(str(row[name]) == query[name] for name in filters if name in query)]
        number = int(query.get("page", "1"))
        start, stop = (number - 1) * self.page_rows, number * self.page_rows
        paging = {
            "LU-Current-Page": str(number),
            "LU-Records-Per-Page": str(self.page_rows),
            "LU-Has-Next-Page": "true" if stop < len(found) else "false",
        }
        reply = _json({key: found[start:stop]})
        reply.headers |= paging | self.headers
        return reply


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})


def _target(asked: Asked) -> str:
    query = "&".join(f"{name}={asked.query[name]}" for name in sorted(asked.query))
    return asked.path.removeprefix("/academy/api/v1") + (f"?{query}" if query else "")


def small_portal(page_rows: int = 2) -> ScriptedPortal:
    """Return a portal of 3 learners, 2 courses, 5 enrollments, 1 path of both courses and 1 path enrollment."""
    portal = ScriptedPortal(page_rows)
    portal.users = [user(number) for number in (1, 2, 3)]
    portal.courses = [course(10), course(20)]
    portal.enrollments = [enrollment(100 + number, 1 + number % 3, 10) for number in range(4)] + [
        enrollment(200, 1, 20)
    ]
    portal.paths = [path(7, [{"id": 10, "source_id": 10}, {"id": 20, "source_id": 20}])]
    portal.path_enrollments = [path_enrollment(300, 1, 7)]
    return portal
