"""The rows LearnUpon sends, as types: which keys are read of each and under which key a list of them comes; no logic.

Sources: LearnUpon API documentation and anonymised real bodies (see the project's facts on the API): the list of users
is `user`, both kinds of enrollments are `enrollments`. Keys not named here are skipped while decoding.
"""

from __future__ import annotations

from msgspec import Struct

Number = int | float | str | None
"""A number as it may come: ids were seen as integers, versions also as text."""
Text = str | None
Flag = bool | int | str | None
"""A flag as it may come: `is_salesforce_contact` is documented boolean and seen as 0 and 1."""


class UserRow(Struct, gc=False):
    """A learner of `GET /users`."""

    id: Number = None
    email: Text = None
    first_name: Text = None
    last_name: Text = None
    sf_contact_id: Text = None
    sf_user_id: Text = None
    is_salesforce_contact: Flag = None
    last_sign_in_at: Text = None


class CourseRow(Struct, gc=False):
    """A course version of `GET /courses`; `num_enrolled` is known to be stale and only helps to schedule."""

    id: Number = None
    source_id: Number = None
    name: Text = None
    num_enrolled: Number = None


class PathCourse(Struct):
    """A course on a path as an object; its shape is undocumented, so the two likely spellings of each id are read."""

    id: Number = None
    course_id: Number = None
    source_id: Number = None
    course_source_id: Number = None


class PathRow(Struct):
    """A learning path of `GET /learning_paths?include_courses=true`; `courses` holds ids or objects (assumed)."""

    id: Number = None
    name: Text = None
    courses: list[PathCourse | int | float | str] | None = None


class EnrollmentRow(Struct, gc=False):
    """A course enrollment."""

    id: Number = None
    user_id: Number = None
    course_id: Number = None
    course_source_id: Number = None
    version: Number = None
    course_name: Text = None
    status: Text = None
    percentage: Number = None
    percentage_complete: Number = None
    date_enrolled: Text = None
    date_completed: Text = None
    unenrolled: Flag = None
    updated_at: Text = None


class PathEnrollmentRow(Struct, gc=False):
    """A path enrollment."""

    id: Number = None
    user_id: Number = None
    lp_id: Number = None
    lp_name: Text = None
    status: Text = None
    percentage: Number = None
    date_enrolled: Text = None
    date_completed: Text = None
    unenrolled: Flag = None
    updated_at: Text = None


class PortalRow(Struct):
    """A portal of `GET /portals`."""

    id: Number = None
    subdomain: Text = None
