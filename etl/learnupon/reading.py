"""A portal read whole, or one scope of it: listings in parallel, rows parked on disk, complete and checked or refused.

There is no list of all enrollments (LearnUpon API documentation): they are searched by course and by path. A read
that ends without an error has seen every page of every listing it names.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl import frames
from etl.cores import ALONE, Cores
from etl.errors import SourceUntrusted
from etl.learnupon import pages
from etl.learnupon.client import LearnUpon
from etl.learnupon.kept import Kept
from etl.learnupon.listing import PAGE_ROWS, Page, walk
from etl.learnupon.workers import Job, run_all
from etl.park import Park

_log = logging.getLogger("etl.learnupon")
_COURSES = {"include_all_versions": "true", "include_licensed_courses": "true"}
"""Flags are sent as the text `true`: LearnUpon is picky about booleans (seen in the field)."""
_PATHS = {"include_courses": "true"}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PortalRead:
    """What was read of a portal; frames and parks have the columns of `etl.frames`.

    Learners, courses and paths come once each; enrollments are parked as listed, so an id can come twice.
    """

    name: str
    portal_id: int
    title: str
    users: pd.DataFrame
    courses: pd.DataFrame
    paths: pd.DataFrame
    path_courses: pd.DataFrame
    enrollments: Park
    path_enrollments: Park
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listed:
    """What a portal's first listings tell of those still to be read, before they are."""

    courses: tuple[int, ...]
    """The rows of each course whose enrollments are listed, by LearnUpon's counts, which are stale."""
    paths: int = 0
    """Paths whose enrollments are listed."""
    learner: int = 0
    """Listings of one learner."""
    users: bool = True
    """Whether all learners are listed too."""
    kept: int = 0
    """Listings of these that need not be read, since a stopped read of the same scope has kept them."""

    @property
    def rows(self) -> int:
        """Return the course enrollments by the same counts."""
        return sum(self.courses)


Told = Callable[[Listed], None]
"""Is told what is still to be read of a portal, and raises when that must not begin."""


def silent(_done: int, _expected: int) -> None:
    """Tell nobody of the progress."""


def unheard(_listed: Listed) -> None:
    """Let every read begin."""


class Reading:
    """One read in progress: the tables as they fill, and the tally of pages."""

    def __init__(
        self,
        client: LearnUpon,
        folder: Path,
        progress: Progress = silent,
        *,
        kept: Kept | None = None,
        cores: Cores = ALONE,
    ) -> None:
        """Park in `folder`; `progress` is told pages read and pages expected, in the calling thread.

        `kept` holds listings that a stopped read of the same scope had ended; they are not asked for again. `cores`
        may decode pages.
        """
        self.client = client
        self._kept = kept
        self._cores = cores
        self.enrollments = Park(folder / "enrollments", frames.ENROLLMENTS, number=frames.by_id)
        self.path_enrollments = Park(folder / "path_enrollments", frames.PATH_ENROLLMENTS, number=frames.by_id)
        self.tables: dict[str, list[pa.Table | pa.RecordBatch]] = {
            "users": [],
            "courses": [],
            "paths": [],
            "path_courses": [],
        }
        self.enrolled: dict[int, int] = {}
        self.warnings: list[str] = []
        self._progress = progress
        self._lock = threading.Lock()
        self._done = self._expected = 0

    def run(self, jobs: list[tuple[int, Job]], *, first: tuple[Job, ...] = ()) -> None:
        """Do jobs, `first` and then those of the most expected pages; raises the first failure."""
        pages = sum(expected for expected, _ in jobs) + len(first)
        self._expected += pages
        self._cores.expect(pages)
        ordered = [*first, *(job for _, job in sorted(jobs, key=lambda pair: -pair[0]))]
        client = self.client
        # While a worker decodes a page for one thread and a second waits for it, others have their requests under way.
        threads = client.settings.concurrency + 2 * self._cores.planned
        run_all(ordered, threads=threads, stop=client.rate.stop, clock=client.clock, tick=self._tick)

    def _tick(self) -> None:
        self._progress(self._done, max(self._done, self._expected))

    def pages(self, sheet: pages.Sheet[Any], path: str, params: Mapping[str, str], expected: int = 1) -> Any:
        """Walk a listing and keep the tally; gives its pages."""
        count = 0
        for page in walk(self.client, sheet, path, params, self._cores):
            count += 1
            with self._lock:
                self._done += 1
                self._expected += count > expected
            yield page
        with self._lock:
            self._expected -= max(0, expected - count)

    def users(self) -> None:
        """Read all learners."""
        for page in self.pages(pages.USERS, "users", {}):
            self.tables["users"].append(page.batch)

    def courses(self) -> None:
        """Read all courses, every version, licensed ones too."""
        for page in self.pages(pages.COURSES, "courses", _COURSES):
            self.tables["courses"].append(page.batch)
            for row, course in zip(page.rows, page.batch.column(0).to_pylist(), strict=True):
                self.enrolled[course] = row.num_enrolled if isinstance(row.num_enrolled, int) else 0

    def paths(self) -> None:
        """Read all learning paths and the courses on them."""
        for page in self.pages(pages.PATHS, "learning_paths", _PATHS):
            self.tables["paths"].append(page.batch)
            self.tables["path_courses"].append(pages.path_courses(page.rows, page.where))

    def enrollments_by(self, field: str, asked: int, expected: int, keep: int | None = None) -> None:
        """Park the enrollments of one course or learner; `keep` lets only those of one course through."""
        found = self.pages(pages.ENROLLMENTS, "enrollments/search", {field: str(asked)}, expected)
        for batch in self._listing(f"{field}-{asked}", frames.ENROLLMENTS, self._of(found, field, field, asked)):
            self.enrollments.append(batch if keep is None else batch.filter(pc.equal(batch["course_id"], keep)))

    def path_enrollments_by(self, parameter: str, field: str, asked: int) -> None:
        """Park the path enrollments of one path or learner."""
        found = self.pages(pages.PATH_ENROLLMENTS, "learning_path_enrollments/search", {parameter: str(asked)})
        rows = self._of(found, parameter, field, asked)
        for batch in self._listing(f"path-{parameter}-{asked}", frames.PATH_ENROLLMENTS, rows):
            self.path_enrollments.append(batch)

    def _of(self, found: Iterable[Page[Any]], parameter: str, field: str, asked: int) -> Iterator[pa.RecordBatch]:
        """Give the rows of pages that were checked to be of what was asked for."""
        for page in found:
            self._check_filter(page, parameter, field, asked)
            yield page.batch

    def _listing(self, name: str, schema: pa.Schema, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return rows if self._kept is None else self._kept.listing(name, schema, rows)

    def _check_filter(self, page: Page[Any], parameter: str, field: str, asked: int) -> None:
        """Refuse rows of anything else: LearnUpon ignores a filter it does not know and answers 200 (seen)."""
        column = page.batch[field]
        if not len(column) or pc.all(pc.equal(column, asked)).as_py():
            return
        foreign = page.batch.filter(pc.not_equal(column, asked))
        if field == "course_id" and self._versions(foreign, asked):
            return
        raise SourceUntrusted(
            f"{page.where}: {foreign.num_rows} of {page.batch.num_rows} rows are not of {parameter} {asked} "
            f"(row {foreign.column(0)[0]} is of {foreign[field][0]}): the filter was ignored"
        )

    def _versions(self, foreign: pa.RecordBatch, asked: int) -> bool:
        # Whether the search by a source course lists its later versions too is undocumented: those alone may come.
        known = self._table("courses", frames.COURSES)
        own = known.filter(pc.equal(known["course_source_id"], asked))["course_id"]
        of_source = pc.all(pc.fill_null(pc.equal(foreign["course_source_id"], asked), False)).as_py()
        return bool(of_source) and bool(pc.all(pc.is_in(foreign["course_id"], own.combine_chunks())).as_py())

    def _table(self, name: str, schema: pa.Schema) -> pa.Table:
        parts = [part if isinstance(part, pa.Table) else pa.Table.from_batches([part]) for part in self.tables[name]]
        return pa.concat_tables([schema.empty_table(), *parts])

    def frame(self, name: str, schema: pa.Schema, by: list[str]) -> pd.DataFrame:
        """Return a table as a frame, each id once: the one read last, since it is the newer."""
        frame = frames.to_pandas(self._table(name, schema))
        once = frame.drop_duplicates(by, keep="last", ignore_index=True)
        if len(once) < len(frame) and name != "path_courses":
            self.warnings.append(f"{len(frame) - len(once)} of {len(frame)} {name} were listed more than once")
        return once

    def result(self) -> PortalRead:
        """Return what was read."""
        portal = self.client.settings
        users = self.frame("users", frames.USERS, ["user_id"])
        courses = self.frame("courses", frames.COURSES, ["course_id"])
        paths = self.frame("paths", frames.PATHS, ["path_id"])
        on_paths = _with_sources(self.frame("path_courses", frames.PATH_COURSES, ["path_id", "course_id"]), courses)
        _log.info(
            "portal %s: %d learners, %d courses, %d enrollments, %d paths, %d path enrollments in %d pages",
            portal.name,
            len(users),
            len(courses),
            self.enrollments.rows,
            len(paths),
            self.path_enrollments.rows,
            self._done,
        )
        tables = (users, courses, paths, on_paths, self.enrollments, self.path_enrollments)
        return PortalRead(portal.name, portal.portal_id, portal.title, *tables, tuple(self.warnings))

    def ids(self, name: str) -> list[int]:
        """Return the ids of the courses or paths read, each once, in the order they came."""
        return list(dict.fromkeys(number for part in self.tables[name] for number in part.column(0).to_pylist()))

    def go_on(
        self, jobs: list[tuple[int, Job]], first: tuple[Job, ...], told: Told, courses: Sequence[int] = ()
    ) -> None:
        """Tell what is still to be read, by course those of `courses` (none: of one learner), and then read it."""
        rows = tuple(self.enrolled.get(course, 0) for course in courses)
        others, kept = len(jobs) - len(rows), self._kept.ready if self._kept else 0
        paths, learner = (others, 0) if first else (0, others)
        told(Listed(rows, paths, learner, users=bool(first), kept=kept))
        self.client.rate.expect(max(0, len(jobs) - kept) + len(first))
        self.run(jobs, first=first)

    def enrollment_jobs(self) -> list[tuple[int, Job]]:
        """Return one job for each course and path; the stale `num_enrolled` only decides which is first."""
        jobs: list[tuple[int, Job]] = [
            (1, partial(self.path_enrollments_by, "lp_id", "path_id", path)) for path in self.ids("paths")
        ]
        for course in self.ids("courses"):
            expected = max(1, -(-self.enrolled.get(course, 0) // PAGE_ROWS))
            jobs.append((expected, partial(self.enrollments_by, "course_id", course, expected)))
        return jobs


def _with_sources(on_paths: pd.DataFrame, courses: pd.DataFrame) -> pd.DataFrame:
    # What a path says of its courses is undocumented and may be no more than an id; the courses' listing has the rest.
    listed = courses.set_index("course_id")["course_source_id"]
    sources = on_paths["course_source_id"].fillna(on_paths["course_id"].map(listed)).astype("Int64")
    return on_paths.assign(course_source_id=sources)


def read_portal(
    client: LearnUpon, folder: Path, *, progress: Progress = silent, told: Told = unheard, cores: Cores = ALONE
) -> PortalRead:
    """Read everything of a portal: learners, courses, paths and both kinds of enrollments; `cores` may decode pages.

    `told` is called, in the calling thread, once the courses and paths are listed and before anything large is read.
    Raises SourceUntrusted, Unavailable, AccessRefused or QuotaSpent; then nothing of it may be used.
    """
    reading = Reading(client, folder, progress, cores=cores)
    reading.run([(1, reading.courses), (1, reading.paths)])
    # Learners first: their one listing is the longest that cannot be read side by side.
    reading.go_on(reading.enrollment_jobs(), (reading.users,), told, reading.ids("courses"))
    return reading.result()
