"""LearnUpon's API v1 over HTTP: whose portal, who asks, within which limits, and which endpoint; content is elsewhere.

Read side only: other methods get 405. All portals share one server: portal ``name`` lives at ``/name/api/v1``.
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import TYPE_CHECKING, Any

from etl.emulator.learnupon import catalog, people, training
from etl.emulator.learnupon.answers import Answer, Listing, Query, Refusal, Whole, number
from etl.emulator.learnupon.limits import Allowance, Grant
from etl.emulator.learnupon.shelf import Page, Shelf, cut, encode
from etl.emulator.learnupon.ticks import ticks_of
from etl.emulator.messages import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.learnupon.portal import Portal
    from etl.emulator.learnupon.store import LearnUponStore
    from etl.emulator.messages import Request

CACHED = ("users", "enrollments/search", "learning_path_enrollments/search")  # made of watched rows alone
JSON = ("Content-Type", "application/json; charset=utf-8")
BAD_JSON = "There was a problem in the JSON you submitted."
NO_PAGE = "<html><body>The page you were looking for doesn't exist.</body></html>"
UNAUTHORIZED = "HTTP Basic: Access denied."


class LearnUponApp:
    """The app a server serves: answers for every portal of a store. `wall` gives seconds since 1970, for limits."""

    name = "learnupon"

    def __init__(self, store: LearnUponStore, wall: Callable[[], float] = time.time) -> None:
        """Serve this store; portals may be added later."""
        self.store = store
        self._wall = wall
        self._shelves: dict[str, Shelf] = {}
        self._allowances: dict[str, Allowance] = {}
        self.knobs: dict[str, Callable[[Any], object]] = {name: self._turner(name) for name in store.knobs.names()}
        self.ticks = ticks_of(store)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        name, _, rest = request.path.lstrip("/").partition("/")
        portal = self.store.portals.get(name)
        if portal is None or not f"{rest}/".startswith("api/v1/"):
            return Response.text(NO_PAGE, 404, "text/html")
        try:
            self._admit(portal, request)
        except Refusal as refusal:
            return _refused(refusal, [("WWW-Authenticate", 'Basic realm="API"')] if refusal.status == 401 else [])
        grant = self._grant(portal)
        if grant.refused_by is not None:
            return self._too_many(grant)
        return self._answer(portal, request, rest[len("api/v1/") :].strip("/"), grant)

    def state(self, query: dict[str, list[str]]) -> Any:
        """Row counts of every portal; with `portal` and `object` (e.g. users) the rows themselves."""
        if "portal" in query and "object" in query:
            return list(getattr(self.store.portals[query["portal"][0]], query["object"][0]).values())
        tables = ("users", "courses", "enrollments", "paths", "path_enrollments")
        return {one.name: {table: len(getattr(one, table)) for table in tables} for one in self.store.portals.values()}

    def _turner(self, name: str) -> Callable[[Any], object]:
        return lambda value: self.store.knobs.turn(name, value)

    def _admit(self, portal: Portal, request: Request) -> None:
        """Refuse a JSON content type on a GET (measured: 400), then wrong credentials (401), then other methods."""
        reading = request.method in ("GET", "HEAD")
        sent = request.headers.get("Content-Type", "")
        if reading and portal.knobs.refuse_content_type and "json" in sent.lower() and not request.body:
            raise Refusal(400, BAD_JSON, key="error")
        if _credentials(request.headers.get("Authorization", "")) != (portal.username, portal.password):
            raise Refusal(401, UNAUTHORIZED)
        if not reading:
            raise Refusal(405, f"{request.method} is not served: this emulator is the read side")

    def _grant(self, portal: Portal) -> Grant:
        allowance = self._allowances.get(portal.name)
        if allowance is None:
            allowance = self._allowances.setdefault(portal.name, Allowance(self._wall))
        knobs = portal.knobs
        per_minute = portal.requests_per_minute if portal.requests_per_minute is not None else knobs.requests_per_minute
        per_week = portal.requests_per_week if portal.requests_per_week is not None else knobs.requests_per_week
        return allowance.take(per_minute, per_week, knobs.minute_seconds)

    def _too_many(self, grant: Grant) -> Response:
        """429 with the documented text; the weekly text is assumed alike. Retry-After is not documented: a knob."""
        knobs = self.store.knobs
        refusal = Refusal(429, f"Number of requests has exceeded the 1 {grant.refused_by} limit")
        headers = self._limit_headers(grant, 429)
        if knobs.retry_after is not None:
            headers.append(("Retry-After", str(grant.wait_s if knobs.retry_after == "auto" else knobs.retry_after)))
        return _refused(refusal, headers)

    def _limit_headers(self, grant: Grant, status: int) -> list[tuple[str, str]]:
        shown = self.store.knobs.rate_headers
        if shown == "never" or (shown == "2xx" and status >= 300):
            return []
        return [
            ("X-LU-Rate-Limit-Remaining-Minute", str(grant.minute_left)),
            ("X-LU-Rate-Limit-Remaining-Week", str(grant.week_left)),
        ]

    def _answer(self, portal: Portal, request: Request, resource: str, grant: Grant) -> Response:
        shelf = self._shelves.get(portal.name)
        if shelf is None or shelf.portal is not portal:
            shelf = self._shelves[portal.name] = Shelf(portal)
        query = {key: values[-1] for key, values in request.query.items()}
        try:
            if resource in CACHED:
                page = shelf.page(request.raw_target, lambda: self._page(portal, shelf, resource, query))
            else:
                page = self._page(portal, shelf, resource, query)
        except Refusal as refusal:
            return _refused(refusal, self._limit_headers(grant, refusal.status))
        gzipped = page.compressed() if "gzip" in request.headers.get("Accept-Encoding", "") else None
        return Response(200, page.body, [JSON, *page.headers, *self._limit_headers(grant, 200)], gzipped)

    def _page(self, portal: Portal, shelf: Shelf, resource: str, query: Query) -> Page:
        answer = self._dispatch(portal, shelf, resource, query)
        if isinstance(answer, Whole):
            return Page(encode(answer.body), [])
        size = portal.knobs.page_size
        if portal.knobs.honour_per_page and number(query.get("per_page", "")) > 0:
            size = number(query["per_page"])
        page = max(1, number(query.get("page", "1")))
        if page > 1 and (page - 1) * size >= len(answer.rows) and portal.knobs.past_end == "404":
            raise Refusal(404, f"There is no page {page}")
        return cut(portal, answer, page, size)

    def _dispatch(self, portal: Portal, shelf: Shelf, resource: str, query: Query) -> Answer:
        """The endpoint of a path. Some answers are odd on purpose: they were found so on real portals."""
        head, *tail = resource.split("/")
        if len(tail) == 1 and tail[0].isdecimal():
            return self._by_id(portal, head, int(tail[0]), query)
        if head == "portals" and len(tail) == 2 and tail[1] == "generate_keys":
            return catalog.generate_keys(self.store, portal, number(tail[0]))
        if head == "enrollments" and len(tail) == 2 and tail[1] == "modules":
            return training.modules(portal, number(tail[0]))
        routes: dict[str, Callable[[], Answer]] = {
            "users": lambda: people.users(portal, shelf, query),
            "users/search": lambda: people.user_search(portal, shelf, query),
            "users/customuserdata": lambda: people.custom_user_data(portal),
            "users/instructor_users": lambda: people.instructors(portal, shelf, query),
            "courses": lambda: catalog.courses(portal, shelf, query),
            "learning_paths": lambda: catalog.learning_paths(portal, shelf, query),
            "enrollments/search": lambda: training.enrollment_search(portal, shelf, query),
            "learning_path_enrollments/search": lambda: training.path_enrollment_search(portal, shelf, query),
            "portals": lambda: catalog.portals(self.store, portal, query),
            "groups": lambda: people.groups(shelf, portal, query),
            "group_memberships": lambda: people.group_memberships(portal, shelf, query),
            "group_invites": lambda: Listing("group_invite", []),
            "markcompletes": lambda: training.mark_completes(portal, shelf, query),
        }
        if resource in ("enrollments", "learning_path_enrollments"):
            raise Refusal(401, UNAUTHORIZED)  # with good credentials too: attested for the first, assumed for the other
        if resource not in routes:
            raise Refusal(404, f"No route matches GET /api/v1/{resource}")
        return routes[resource]()

    def _by_id(self, portal: Portal, head: str, one_id: int, query: Query) -> Answer:
        if head == "users":
            return people.user(portal, query, one_id)
        if head == "enrollments":
            return training.enrollment(portal, one_id)
        if head == "learning_path_enrollments":
            return training.path_enrollment(portal, one_id)
        raise Refusal(404, f"No route matches GET /api/v1/{head}/{one_id}")  # courses/{id} too: measured


def _credentials(header: str) -> tuple[str, str] | None:
    """Name and password of a Basic header; None when it is not one."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def _refused(refusal: Refusal, headers: list[tuple[str, str]]) -> Response:
    return Response(refusal.status, encode(refusal.body), [JSON, *headers])
