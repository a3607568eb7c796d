"""Endpoints about what is taught: courses, learning paths, portals; reads only."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from etl.emulator.learnupon import rows as build
from etl.emulator.learnupon.answers import Fields, Listing, Query, Refusal, Whole, contains, flag, number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etl.emulator.learnupon.portal import Portal
    from etl.emulator.learnupon.shelf import Shelf
    from etl.emulator.learnupon.store import LearnUponStore

DRAFT, ARCHIVED = "draft", "archived"


def courses(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """Courses: published current versions unless flags widen it (API documents, courses).

    Old and archived versions need `include_all_versions`, drafts `include_draft`, licensed ones
    `include_licensed_courses`. `name` is a pattern, `course_id` an id; both narrow what the flags allow
    (assumed). Other filters are ignored (measured for `id` and `reference_code`).
    """
    rows: Iterable[Fields] = shelf.rows("courses")
    current = _current_versions(shelf)
    if not flag(query, "include_draft"):
        rows = [row for row in rows if row["published_status_id"] != DRAFT]
    if not flag(query, "include_all_versions"):
        rows = [row for row in rows if row["published_status_id"] == DRAFT or row["id"] in current]
    if not flag(query, "include_licensed_courses"):
        rows = [row for row in rows if row["id"] not in portal.licensed]
    return Listing("courses", _narrow(rows, query, "course_id"))


def learning_paths(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """Published learning paths, drafts with `include_draft`; archived ones cannot be listed.

    `include_courses` adds `courses`; the shape of its elements is not documented: here an object with the
    course's id, name, version and source id, and its place.
    """
    shown = {"published", "under_revision"} | ({DRAFT} if flag(query, "include_draft") else set())
    rows = _narrow([row for row in shelf.rows("paths") if row["published_status_id"] in shown], query, "id")
    if not flag(query, "include_courses"):
        return Listing("learning_paths", rows)
    return Listing("learning_paths", rows, lambda row: dict(row) | {"courses": _courses_of(portal, row["id"])})


def portals(store: LearnUponStore, portal: Portal, query: Query) -> Listing:
    """This portal and those below it (PHP SDK's recorded body; that a portal lists itself is assumed)."""
    below = [store.portals[name] for name in portal.sub_portals if name in store.portals]
    listed = {"all": [portal, *below], "own": [portal], "others": below, "none": []}[portal.knobs.portals_listed]
    fits = contains(query.get("title", ""))
    stamp = "2019-03-04T09:00:00Z"
    shown = [one for one in listed if fits(one.title)]
    rows = [build.portal(one.portal_id, one.title, one.subdomain, len(one.users), stamp) for one in shown]
    return Listing("portals", rows)


def generate_keys(store: LearnUponStore, portal: Portal, portal_id: int) -> Whole:
    """New credentials by a GET, as documented: the old pair stops working at once. Never to be crawled."""
    below = [store.portals[name] for name in portal.sub_portals if name in store.portals]
    for one in (portal, *below):
        if one.portal_id == portal_id:
            one.username, one.password = secrets.token_hex(17), secrets.token_hex(6)
            return Whole({"portal": {"id": portal_id, "username": one.username, "password": one.password}})
    raise Refusal(404, f"No record found for id {portal_id}")


def _narrow(rows: Iterable[Fields], query: Query, id_filter: str) -> list[Fields]:
    if id_filter in query:
        wanted = number(query[id_filter])
        rows = [row for row in rows if row["id"] == wanted]
    if "name" in query:
        fits = contains(query["name"])
        rows = [row for row in rows if fits(row["name"])]
    return list(rows)


def _current_versions(shelf: Shelf) -> set[int]:
    """Of every source, the highest version that is published or under revision."""
    newest: dict[int, Fields] = {}
    for row in shelf.rows("courses"):
        if row["published_status_id"] in (DRAFT, ARCHIVED):
            continue
        known = newest.get(row["source_id"])
        if known is None or known["version"] < row["version"]:
            newest[row["source_id"]] = row
    return {row["id"] for row in newest.values()}


def _courses_of(portal: Portal, path_id: int) -> list[Fields]:
    key = portal.knobs.path_course_key
    found = []
    for place, course_id in enumerate(portal.path_courses.get(path_id, ()), start=1):
        course = portal.courses.get(course_id)
        if course is not None:
            kept = {name: course[name] for name in ("name", "version", "source_id")}
            found.append({key: course_id, **kept, "sequence": place})
    return found
