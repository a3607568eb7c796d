"""What LearnUpon lists, as columns: arrow schemas and the bound of an id; it computes nothing and needs no pandas.

Missing values are null; times are UTC to the second.
"""

from __future__ import annotations

import pyarrow as pa

MAX_ID = (1 << 48) - 1
"""Largest LearnUpon id that fits a code of `etl.keys` (281 trillion; ids seen so far have 8 to 11 digits)."""
SECONDS_UTC = pa.timestamp("s", tz="UTC")

USERS = pa.schema(
    {
        "user_id": pa.int64(),
        "email": pa.string(),
        "first_name": pa.string(),
        "last_name": pa.string(),
        "sf_contact_id": pa.string(),
        "sf_user_id": pa.string(),
        "is_salesforce_contact": pa.bool_(),
        "last_sign_in_at": SECONDS_UTC,
    }
)
"""A learner as `GET /users` lists it."""
COURSES = pa.schema({"course_id": pa.int64(), "course_source_id": pa.int64(), "course_name": pa.string()})
"""A course version as `GET /courses` lists it."""
ENROLLMENTS = pa.schema(
    {
        "id": pa.int64(),
        "user_id": pa.int64(),
        "course_id": pa.int64(),
        "course_source_id": pa.int64(),
        "version": pa.int64(),
        "name": pa.string(),
        "status": pa.string(),
        "percentage": pa.float64(),
        "percentage_complete": pa.float64(),
        "date_enrolled": SECONDS_UTC,
        "date_completed": SECONDS_UTC,
        "unenrolled": pa.bool_(),
        "updated_at": SECONDS_UTC,
    }
)
"""A course enrollment; `name` is the course's. `unenrolled` and `status` are never null, `updated_at` often is."""
PATHS = pa.schema({"path_id": pa.int64(), "name": pa.string()})
"""A learning path."""
PATH_COURSES = pa.schema({"path_id": pa.int64(), "course_id": pa.int64(), "course_source_id": pa.int64()})
"""A course on a path; the source id may be null."""
PATH_ENROLLMENTS = pa.schema(
    {
        "id": pa.int64(),
        "user_id": pa.int64(),
        "path_id": pa.int64(),
        "name": pa.string(),
        "status": pa.string(),
        "percentage": pa.float64(),
        "date_enrolled": SECONDS_UTC,
        "date_completed": SECONDS_UTC,
        "unenrolled": pa.bool_(),
        "updated_at": SECONDS_UTC,
    }
)
"""A path enrollment; `name` is the path's."""
