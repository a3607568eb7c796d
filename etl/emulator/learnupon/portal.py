"""One LearnUpon portal: its rows by id and what an admin or learner may do to them; it answers no requests."""

from __future__ import annotations

import itertools
import re
import threading
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl.emulator.learnupon import rows
from etl.emulator.learnupon.tables import Row, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from etl.emulator.learnupon.knobs import Knobs

FIRST_IDS = {
    "users": 1_000_001,
    "courses": 200_001,
    "enrollments": 5_000_001,
    "paths": 30_001,
    "path_enrollments": 700_001,
    "groups": 40_001,
    "markcompletes": 900_001,
}
_NAMES = re.compile(r"[a-z0-9-]{1,40}")


def stamp(moment: datetime) -> str:
    """A timestamp as LearnUpon writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Portal:
    """A portal with its own key pair and its own ids; the same numbers mean other things in another portal.

    `users`, `courses`, `enrollments`, `paths`, `path_enrollments` map id to the full row. Rows and tables may be
    changed directly or by the methods; either way the next page shows it. `path_courses` holds the course ids of a
    path in order, `licensed` the ids of courses licensed from another portal, `sub_portals` the names of portals below.
    """

    def __init__(
        self,
        name: str,
        portal_id: int,
        title: str,
        *,
        knobs: Knobs,
        clock: Callable[[], datetime],
        subdomain: str = "",
        username: str = "",
        password: str = "",
    ) -> None:
        """Make an empty portal; `clock` gives the moment that new rows carry. ValueError for an unfit name."""
        if not _NAMES.fullmatch(name):
            raise ValueError(f"a portal's name is a-z, 0-9 and -, not {name!r}")
        self.name, self.portal_id, self.title = name, portal_id, title
        self.subdomain = subdomain or name
        self.username = username or f"{name}-key-{portal_id}"
        self.password = password or f"secret-of-{name}"
        self.knobs, self.clock = knobs, clock
        self.requests_per_minute: int | None = None
        self.requests_per_week: int | None = None
        self.custom_fields: list[dict[str, Any]] = []
        self.path_courses: dict[int, list[int]] = {}
        self.licensed: set[int] = set()
        self.sub_portals: list[str] = []
        self.memberships: set[tuple[int, int]] = set()
        self.version = 0
        self._versions = itertools.count(1)
        self.lock = threading.RLock()
        self.users, self.courses, self.enrollments = Table(self), Table(self), Table(self)
        self.paths, self.path_enrollments = Table(self), Table(self)
        self.groups, self.markcompletes = Table(self), Table(self)
        self._next = dict(FIRST_IDS)
        self._by_user: tuple[int, dict[str, dict[int, list[int]]]] = (-1, {})

    def touch(self) -> None:
        """Say that something changed: cached pages are built anew. Rows and tables do it by themselves."""
        self.version = next(self._versions)  # atomic, never the same twice, whichever thread comes last

    def now(self) -> str:
        """The portal's present moment as a timestamp."""
        return stamp(self.clock())

    def add_user(self, **fields: Any) -> Row:
        """Add a learner; keys that are not given get defaults. Returns the row."""
        return self._add("users", rows.user(self._take_id("users", fields), self.now()) | fields)

    def add_course(self, *, licensed: bool = False, **fields: Any) -> Row:
        """Add a course version; a later version gives `source_id` of the first and its own id."""
        row = rows.course(self._take_id("courses", fields), self.now()) | fields
        if licensed:
            self.licensed.add(row["id"])
        return self._add("courses", row)

    def add_enrollment(self, *, user_id: int, course_id: int, **fields: Any) -> Row:
        """Enroll a learner in a course version; dates follow the status. KeyError for an unknown learner or course."""
        learner, course = self.users[user_id], self.courses[course_id]
        new_id = self._take_id("enrollments", fields)
        row = self._add("enrollments", rows.enrollment(new_id, learner, course, fields, self.now()))
        self._count(learner, row, 1)
        return row

    def add_path(self, *, courses: Iterable[int], **fields: Any) -> Row:
        """Add a learning path over these course ids, in this order."""
        row = rows.path(self._take_id("paths", fields), self.now()) | fields
        self.path_courses[row["id"]] = list(courses)
        return self._add("paths", row)

    def add_path_enrollment(self, *, user_id: int, path_id: int, **fields: Any) -> Row:
        """Enroll a learner in a path (not in its courses). KeyError for an unknown learner or path."""
        learner, path = self.users[user_id], self.paths[path_id]
        new_id = self._take_id("path_enrollments", fields)
        return self._add("path_enrollments", rows.path_enrollment(new_id, learner, path, fields, self.now()))

    def add_group(self, *, title: str, user_ids: Iterable[int] = (), **fields: Any) -> Row:
        """Add a group with these members."""
        row = self._add("groups", rows.group(self._take_id("groups", fields), title, self.now()) | fields)
        self.memberships.update((row["id"], user_id) for user_id in user_ids)
        return row

    def mark_complete(self, enrollment_id: int, status: str = "completed", percentage: int | None = None) -> Row:
        """Set an enrollment to a finished status by hand, as admins do: exact hour, no progress.

        A score belongs to passed and failed only (markcompletes, as measured); ValueError otherwise.
        """
        if (percentage is None) != (status == "completed") or status not in rows.FINISHED:
            raise ValueError("completed takes no percentage; passed and failed need one")
        hour = self.now()[:13] + ":00:00Z"
        values: dict[str, Any] = {"status": status, "percentage": percentage, "percentage_complete": None}
        self.change_enrollment(enrollment_id, date_started=hour, date_completed=hour, **values)
        mark: dict[str, Any] = {"id": self._take_id("markcompletes", {}), "percentage": percentage}
        mark |= {"user_id": None, "notes": None, "status": status, "action_source_type": "API"}
        mark |= {"created_at": self.now(), "date_completed": hour}
        return self._add("markcompletes", mark | {"enrollment_id": enrollment_id})

    def change_enrollment(self, enrollment_id: int, **fields: Any) -> Row:
        """Change an enrollment as LearnUpon would: `updated_at` moves along."""
        row = self.enrollments[enrollment_id]
        learner = self.users.get(row["user_id"])
        if learner is not None:
            self._count(learner, row, -1)
        row.update({"updated_at": self.now()} | fields)
        if learner is not None:
            self._count(learner, row, 1)
        return row

    def change_path_enrollment(self, enrollment_id: int, **fields: Any) -> Row:
        """Change a path enrollment."""
        row = self.path_enrollments[enrollment_id]
        row.update(fields)
        return row

    def change_user(self, user_id: int, **fields: Any) -> Row:
        """Change a learner; names and e-mail change on all of the learner's enrollments too."""
        row = self.users[user_id]
        row.update({"updated_at": self.now()} | fields)
        copied = {key: fields[key] for key in ("first_name", "last_name", "email", "username") if key in fields}
        if copied:
            for table in ("enrollments", "path_enrollments"):
                for one in self.of_user(table, user_id):
                    getattr(self, table)[one].update(copied)
        return row

    def rename_course(self, course_id: int, name: str) -> None:
        """Rename a course version, on its enrollments too."""
        self.courses[course_id]["name"] = name
        for row in list(self.enrollments.values()):
            if row["course_id"] == course_id:
                row["course_name"] = name

    def unenroll(self, enrollment_id: int) -> bool:
        """Take a learner off a course: a finished row stays with `unenrolled`, an unfinished one goes away.

        Vendor's help, "quick guide to data sync"; the flag on finished rows as measured. Two knobs change it.
        Returns whether the row is still there.
        """
        row = self.enrollments[enrollment_id]
        finished = row["status"] in rows.FINISHED
        if self.knobs.list_finished_unenrolled if finished else self.knobs.list_unfinished_unenrolled:
            self.change_enrollment(enrollment_id, unenrolled=True)
            return True
        self.remove_enrollment(enrollment_id)
        return False

    def remove_enrollment(self, enrollment_id: int) -> None:
        """Erase an enrollment for good, finished or not: no tombstone."""
        row = self.enrollments.pop(enrollment_id)
        if row["user_id"] in self.users:
            self._count(self.users[row["user_id"]], row, -1)

    def remove_path_enrollment(self, enrollment_id: int) -> None:
        """Erase a path enrollment; LearnUpon keeps no record of an unassigned path."""
        self.path_enrollments.pop(enrollment_id)

    def remove_user(self, user_id: int) -> None:
        """Delete a learner: the whole training history goes too (vendor's help on deleting accounts)."""
        with self.lock:
            for table in ("enrollments", "path_enrollments"):
                for one in self.of_user(table, user_id):
                    getattr(self, table).pop(one, None)
            self.memberships = {pair for pair in self.memberships if pair[1] != user_id}
            self.users.pop(user_id)

    def remove_course(self, course_id: int) -> None:
        """Delete a course version; its finished enrollments survive as orphans (measured), the others go."""
        with self.lock:
            self.courses.pop(course_id)
            for row in list(self.enrollments.values()):
                if row["course_id"] == course_id and row["status"] not in rows.FINISHED:
                    self.remove_enrollment(row["id"])
            for courses in self.path_courses.values():
                courses[:] = [one for one in courses if one != course_id]

    def remove_path(self, path_id: int) -> None:
        """Delete a path with its enrollments."""
        with self.lock:
            self.paths.pop(path_id)
            self.path_courses.pop(path_id, None)
            for row in list(self.path_enrollments.values()):
                if row["lp_id"] == path_id:
                    self.path_enrollments.pop(row["id"])

    def recount(self, course_id: int) -> None:
        """Bring a course's counters up to date: LearnUpon does so now and then, leaving unenrolled rows out."""
        states = [
            row["status"]
            for row in list(self.enrollments.values())
            if row["course_id"] == course_id and not row["unenrolled"]
        ]
        counters = {f"num_{status}": states.count(status) for status in rows.STATUSES}
        self.courses[course_id].update(counters | {"num_enrolled": len(states)})

    def of_user(self, table: str, user_id: int) -> list[int]:
        """Ids of a learner's rows in `enrollments` or `path_enrollments`; the index is built when needed."""
        version, index = self._by_user
        if version != self.version:
            index = {}
        if table not in index:
            grouped: dict[int, list[int]] = defaultdict(list)
            for row in list(getattr(self, table).values()):
                grouped[row["user_id"]].append(row["id"])
            index[table] = grouped
        self._by_user = (self.version, index)
        return list(index[table].get(user_id, ()))

    def _take_id(self, table: str, fields: dict[str, Any]) -> int:
        with self.lock:
            new_id: int = fields.get("id") or self._next[table]
            if new_id in getattr(self, table):
                raise ValueError(f"{table} has an id {new_id} already")
            self._next[table] = max(self._next[table], new_id + 1)
        return new_id

    def _add(self, table: str, values: dict[str, Any]) -> Row:
        row = Row(self, values)
        with self.lock:
            getattr(self, table)[row["id"]] = row
        return row

    def _count(self, learner: Row, row: Row, step: int) -> None:
        """Keep the learner's two counters: all rows, and those in progress, completed or passed (API documents)."""
        dict.__setitem__(learner, "number_of_enrollments", learner["number_of_enrollments"] + step)
        if row["status"] in ("in_progress", "completed", "passed"):
            accessed = learner["number_of_enrollments_accessed"] + step
            dict.__setitem__(learner, "number_of_enrollments_accessed", accessed)
        self.touch()
