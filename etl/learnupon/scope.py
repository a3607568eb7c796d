"""A part of a portal read for a backfill: one course, one learner, or both, as strictly as all of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from etl.cores import ALONE, Cores
from etl.errors import SourceUntrusted, UsageFault
from etl.learnupon import pages
from etl.learnupon.client import MISSING, LearnUpon
from etl.learnupon.kept import Kept
from etl.learnupon.reading import PortalRead, Progress, Reading, Told, silent, unheard
from etl.learnupon.workers import Job

_NOT_FOUND = MISSING | {422}
"""A search for a learner without a hit: 404 is attested, one client in the field handles 422 too."""


class UnknownLearner(UsageFault):
    """The portal lists no such learner; another portal may."""


def read_scope(
    client: LearnUpon,
    folder: Path,
    *,
    course: int | None = None,
    learner: str | None = None,
    progress: Progress = silent,
    kept: Kept | None = None,
    told: Told = unheard,
    cores: Cores = ALONE,
) -> PortalRead:
    """Read the learners, courses and enrollments of a scope; paths and their enrollments only without `course`.

    `learner` is LearnUpon's user id or an e-mail address; with it only that learner is read, else all are. With both,
    the learner's enrollments of that course are kept. `kept` goes on from a stopped read of the same scope. An unknown
    learner raises UnknownLearner, everything else (`told` and `cores` too) is as in `read_portal`.
    """
    reading = Reading(client, folder, progress, kept=kept, cores=cores)
    listings: list[tuple[int, Job]] = [(1, reading.courses)]
    if course is None:
        listings.append((1, reading.paths))
    reading.run(listings)
    if learner is not None:
        first: tuple[Job, ...] = ()
        courses: Iterable[int] = ()
        jobs = _of_learner(reading, _find(reading, learner), course)
    else:
        first = (reading.users,)
        courses = reading.enrolled if course is None else (course,)
        jobs = _of_courses(reading, course)
    reading.go_on(jobs, first, told, courses)
    return reading.result()


def _of_courses(reading: Reading, course: int | None) -> list[tuple[int, Job]]:
    if course is None:
        return reading.enrollment_jobs()
    if course not in reading.enrolled:
        reading.warnings.append(
            f"course {course} is not listed in portal {reading.client.name}: only enrollments that outlived it "
            "can be found"
        )
    return [(1, partial(reading.enrollments_by, "course_id", course, 1))]


def _of_learner(reading: Reading, user: int, course: int | None) -> list[tuple[int, Job]]:
    jobs: list[tuple[int, Job]] = [(1, partial(reading.enrollments_by, "user_id", user, 1, course))]
    if course is None:
        jobs.append((1, partial(reading.path_enrollments_by, "user_id", "user_id", user)))
    return jobs


def _find(reading: Reading, learner: str) -> int:
    """Read the one learner meant, check that it is the one asked for, and return the user id."""
    client, wanted = reading.client, learner.strip()
    if wanted.isascii() and wanted.isdigit():
        answer = client.read(pages.USERS, f"users/{int(wanted)}", {}, missing=MISSING)
    else:
        answer = client.read(pages.USERS, "users/search", {"email": wanted}, missing=_NOT_FOUND)
    if answer is None or not answer.batch.num_rows:
        raise UnknownLearner(
            f"portal {client.name} has no such learner; give --learner a user id or e-mail address it lists"
        )
    batch = answer.batch
    for user, email in zip(batch["user_id"].to_pylist(), batch["email"].to_pylist(), strict=True):
        if wanted != str(user) and wanted.casefold() != (email or "").strip().casefold():
            raise SourceUntrusted(f"{answer.where}: row {user} is of another learner: the filter was ignored")
    users = set(batch["user_id"].to_pylist())
    if len(users) > 1:
        raise UsageFault(f"portal {client.name} has {len(users)} learners of that address; give --learner a user id")
    reading.tables["users"].append(batch)
    return int(users.pop())
