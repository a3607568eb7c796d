"""Endpoints about who takes what: course and path enrollments, marks by hand; reads only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from etl.emulator.learnupon.answers import Fields, Listing, Query, Refusal, Whole, contains, gone, number
from etl.emulator.learnupon.people import find_users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etl.emulator.learnupon.portal import Portal
    from etl.emulator.learnupon.shelf import Shelf

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
PEOPLE = ("user_id", "email", "username")


def enrollment_search(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """Course enrollments of a learner or of a course; there is no list of all.

    At least one of user_id, email, username, course_id, course_name is needed (API documents, enrollments;
    the 400 without one is assumed). They narrow together. A deleted course is not found, so its surviving
    enrollments show up per learner or by id only (measured). Unknown filters (`status`, `group_id`) are ignored.
    `date_from` and `date_to` are days, both inclusive; which date they look at is not documented.
    """
    _need(query, (*PEOPLE, "course_id", "course_name"))
    rows = _of_people(shelf, "enrollments", query)
    if "course_id" in query:
        rows = _of_courses(shelf, rows, _asked_courses(portal, number(query["course_id"])))
    if "course_name" in query:
        fits = contains(query["course_name"])
        named = {row["id"] for row in portal.courses.values() if fits(row["name"])}
        rows = _of_courses(shelf, rows, named)
    return _found(portal, _in_days(portal, query, rows if rows is not None else []))


def enrollment(portal: Portal, one_id: int) -> Whole:
    """One enrollment by id: an array in the same envelope (PHP SDK's recorded body)."""
    row = portal.enrollments.get(one_id)
    return Whole({"enrollments": [dict(row)]}) if row is not None else gone(portal, "enrollments", one_id)


def modules(portal: Portal, one_id: int) -> Whole:
    """Modules of an enrollment, which follow it all at once here; the key of the list is assumed (API documents)."""
    row = portal.enrollments.get(one_id)
    if row is None:
        return gone(portal, "modules", one_id)
    course: Fields = portal.courses.get(row["course_id"]) or {}
    kept = {key: row[key] for key in ("date_started", "date_completed", "date_lastaccessed", "status")}
    places = range(1, int(course.get("number_of_modules", 1)) + 1)
    return Whole({"modules": [{"id": one_id * 100 + n, "title": f"Module {n}", "sequence": n, **kept} for n in places]})


def path_enrollment_search(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """Path enrollments under the key `enrollments` too; one of user_id, email, username, lp_id, lp_name is needed."""
    _need(query, (*PEOPLE, "lp_id", "lp_name"))
    rows = _of_people(shelf, "path_enrollments", query)
    wanted: set[int] | None = None
    if "lp_id" in query:
        wanted = {number(query["lp_id"])} & set(portal.paths)
    if "lp_name" in query:
        fits = contains(query["lp_name"])
        named = {row["id"] for row in portal.paths.values() if fits(row["name"])}
        wanted = named if wanted is None else wanted & named
    if wanted is not None:
        rows = _of_parents(shelf, "path_enrollments", "lp_id", rows, wanted)
    return _found(portal, rows if rows is not None else [])


def path_enrollment(portal: Portal, one_id: int) -> Whole:
    """One path enrollment by id."""
    row = portal.path_enrollments.get(one_id)
    return Whole({"enrollments": [dict(row)]}) if row is not None else gone(portal, "enrollments", one_id)


def mark_completes(portal: Portal, shelf: Shelf, query: Query) -> Listing:
    """What admins set to finished by hand; `user_id` in the row is who did it, null by API (API documents)."""
    rows = []
    for mark in shelf.rows("markcompletes"):
        taken: Fields = portal.enrollments.get(mark["enrollment_id"]) or {}
        facts = {"id": mark["id"], "enrollment_id": mark["enrollment_id"]}
        facts |= {"user_id": taken.get("user_id"), "course_id": taken.get("course_id")}
        if all(facts[key] == number(query[key]) for key in facts if key in query):
            rows.append(mark)
    return Listing("markcompletes", rows)


def _need(query: Query, known: Iterable[str]) -> None:
    if not any(key in query for key in known):
        raise Refusal(400, f"One of these parameters is required: {', '.join(known)}")


def _of_people(shelf: Shelf, table: str, query: Query) -> list[Fields] | None:
    """Rows of the learners asked for; None when the query names no learner."""
    if not any(key in query for key in PEOPLE):
        return None
    wanted: set[Any] | None = {number(query["user_id"])} if "user_id" in query else None
    if "email" in query or "username" in query:
        named = {row["id"] for row in find_users(shelf, query)}
        wanted = named if wanted is None else wanted & named
    groups = shelf.by(table, "user_id")
    return _merged(shelf, table, [groups.get(one, []) for one in wanted or ()])


def _of_courses(shelf: Shelf, rows: list[Fields] | None, wanted: set[int]) -> list[Fields]:
    return _of_parents(shelf, "enrollments", "course_id", rows, wanted)


def _of_parents(shelf: Shelf, table: str, column: str, rows: list[Fields] | None, wanted: set[int]) -> list[Fields]:
    if rows is not None:
        return [row for row in rows if row[column] in wanted]
    groups = shelf.by(table, column)
    return _merged(shelf, table, [groups.get(one, []) for one in wanted])


def _merged(shelf: Shelf, table: str, groups: list[list[Fields]]) -> list[Fields]:
    """Several groups in the order of listings; one group is in it already."""
    if len(groups) < 2:
        return groups[0] if groups else []
    chosen = {id(row) for group in groups for row in group}
    return [row for row in shelf.rows(table) if id(row) in chosen]


def _asked_courses(portal: Portal, course_id: int) -> set[int]:
    found = {course_id} & set(portal.courses)
    if portal.knobs.source_id_finds_versions:
        found |= {row["id"] for row in portal.courses.values() if row["source_id"] == course_id}
    return found


def _in_days(portal: Portal, query: Query, rows: list[Fields]) -> list[Fields]:
    first, last = query.get("date_from", ""), query.get("date_to", "")
    for day in (first, last):
        if day and not _DAY.fullmatch(day):
            raise Refusal(400, "date_from and date_to are YYYY-MM-DD")
    if not first and not last:
        return rows
    column = portal.knobs.date_filter_field
    return [row for row in rows if first <= (row.get(column) or "")[:10] <= (last or "9999")]


def _found(portal: Portal, rows: list[Fields]) -> Listing:
    if not rows and portal.knobs.empty_search == "404":
        raise Refusal(404, "No enrollments found")
    return Listing("enrollments", rows)
