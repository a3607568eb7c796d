"""An emulated LearnUpon portal with a plain HTTP client, for the conformance tests; it asserts nothing."""

from __future__ import annotations

from typing import Any, Self

import requests

from etl.emulator.learnupon import LearnUponApp, LearnUponStore
from etl.emulator.server import Server


class Door:
    """One portal on a server of its own; `get` asks with its credentials and without a Content-Type."""

    def __init__(self) -> None:
        """Make the portal; `wall` is the clock of the limits."""
        self.wall = 1_000_000.0
        self.store = LearnUponStore()
        self.portal = self.store.add_portal("academy", 12345, "Acme Academy")
        self.server = Server(LearnUponApp(self.store, wall=lambda: self.wall))
        self.session = requests.Session()

    def __enter__(self) -> Self:
        """Serve."""
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.session.close()
        self.server.stop()

    @property
    def base(self) -> str:
        """Where the portal's API is."""
        return f"{self.server.url}/academy/api/v1"

    def get(self, path: str, **more: Any) -> requests.Response:
        """Ask for a path with its query."""
        auth = (self.portal.username, self.portal.password)
        return self.session.get(f"{self.base}/{path}", auth=more.pop("auth", auth), timeout=10, **more)

    def rows(self, path: str, key: str) -> list[dict[str, Any]]:
        """Rows of every page of a listing, filters sent again on each page."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self.get(f"{path}{'&' if '?' in path else '?'}page={page}")
            answer.raise_for_status()
            found += answer.json()[key]
            if answer.headers["LU-Has-Next-Page"] != "true":
                return found
            page += 1

    def ids(self, path: str, key: str) -> list[int]:
        """Ids of the rows of every page."""
        return [row["id"] for row in self.rows(path, key)]

    def taken(self, count: int, **fields: Any) -> list[int]:
        """Enroll that many learners in one new course; returns the enrollment ids."""
        course = self.portal.add_course()["id"]
        learners = [self.portal.add_user()["id"] for _ in range(count)]
        return [self.portal.add_enrollment(user_id=one, course_id=course, **fields)["id"] for one in learners]


__all__ = ["Door"]
