"""The rows of an invented world as plain dataclasses, and how big it is to be; they are made and loaded elsewhere.

`ref` fields name a Salesforce person of the same world; real record ids exist only once the world is loaded.
Timestamps are LearnUpon's text form, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Shape:
    """How big a world is. `learners` and `learners * enrollments_per_learner` are totals over all portals."""

    learners: int = 200
    seed: int = 1
    portals: int = 2
    enrollments_per_learner: int = 10
    paths_per_portal: int | None = None
    courses_per_portal: int | None = None
    now: datetime = NOW


@dataclass(slots=True)
class Person:
    """A Contact or User in Salesforce. `merged_into` names the Contact that a merge left in its place."""

    ref: str
    kind: str
    first_name: str | None
    last_name: str
    email: str
    deleted: bool = False
    active: bool = True
    merged_into: str | None = None


@dataclass(slots=True)
class Learner:
    """A LearnUpon user. `case` says how matching should find it; `long_ids` whether its ids have 18 characters.

    `raw_contact_id` is put as it is in the place of a reference: an id that no record has, or no id at all.
    """

    id: int
    case: str
    first_name: str | None
    last_name: str | None
    email: str
    contact: str | None
    user: str | None
    long_ids: bool
    is_salesforce_contact: int | bool
    created_at: str
    last_sign_in_at: str | None
    raw_contact_id: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Course:
    """A course version; `scored` courses end in passed or failed, others in completed."""

    id: int
    source_id: int
    version: int
    name: str
    published_status_id: str
    date_published: str
    scored: bool
    licensed: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Enrollment:
    """A course enrollment; `fields` overrides what LearnUpon would fill in by itself."""

    id: int
    user_id: int
    course_id: int
    fields: dict[str, Any]


@dataclass(slots=True)
class Path:
    """A learning path over course ids, in order; some of them older versions."""

    id: int
    name: str
    courses: list[int]
    published_status_id: str = "published"


@dataclass(slots=True)
class PathEnrollment:
    """A path enrollment."""

    id: int
    user_id: int
    path_id: int
    fields: dict[str, Any]


@dataclass
class PortalRows:
    """All rows of one portal."""

    name: str
    portal_id: int
    title: str
    learners: list[Learner] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    enrollments: list[Enrollment] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    path_enrollments: list[PathEnrollment] = field(default_factory=list)
