"""One ingest job from its creation to its end: create, upload once, close, wait; every unclear answer is looked into.

Source: Bulk API 2.0 guide, ingest jobs. Each step is in the journal before it is taken. A file is uploaded exactly
once to a job (a second upload spoils it), and a request that may have worked is never repeated blindly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from etl.errors import AccessRefused, OutcomeUnknown, QuotaSpent, StateFault, SyncError, Unavailable
from etl.salesforce.answers import Rejected, text
from etl.salesforce.csvtext import Part
from etl.salesforce.joblist import ENDED, Job, abort, abort_lost, look
from etl.salesforce.org import Org
from etl.salesforce.query import waits
from etl.session import LEAVING, AnswerLost, Patience

_log = logging.getLogger(__name__)

_TRIES = 3
_CLOSES = 5
_UPLOAD = Patience(read_s=600.0)
"""Salesforce answers an upload only when it has stored the whole file."""
_BLIND_LOOKS = 3


class Recorder(Protocol):
    """The journal: an event is on the disk when `record` returns."""

    def record(self, event: str, **facts: Any) -> None:
        """Append an event."""


@dataclass(frozen=True)
class Upload:
    """What one job does: the file, the object (local name), the operation, and how its rows are told apart."""

    object: str
    operation: str
    part: Part
    key: str = "Id"
    """Column (API name) that tells rows apart; of an upsert the external id."""
    named: Callable[[pa.Array], pa.Array] = lambda keys: keys
    """Turns what that column holds into what the report calls the rows."""


class Ingest:
    """Runs jobs one after another."""

    def __init__(self, org: Org, journal: Recorder) -> None:
        """Send nothing yet."""
        self.org = org
        self.journal = journal
        self.jobs: list[str] = []
        """Ids of all jobs made, in order."""
        self.closing = False
        """Whether the present job may have begun to write."""

    def run(self, upload: Upload) -> Job:
        """Run one job and return it ended, whatever its end; OutcomeUnknown when its end is not seen in time."""
        self.closing, made = False, len(self.jobs)
        try:
            for _ in range(_TRIES):
                job = self._create(upload)
                if job and self._upload(job, upload):
                    self._close(job, upload)
                    return self._await(job, upload)
        except StateFault:
            if not self.closing and len(self.jobs) > made:  # the journal may know nothing of it
                with suppress(SyncError):
                    abort(self.org, self.jobs[-1])
            raise
        raise Unavailable(
            f"{upload.operation} of {upload.object}: {_TRIES} jobs could not be filled; its {upload.part.rows} rows "
            "were not written, run again later"
        )

    def _create(self, upload: Upload) -> str:
        """Return the id of a new job, or nothing when the answer was lost (the lost job is then aborted)."""
        facts = {"object": upload.object, "operation": upload.operation, "rows": upload.part.rows}
        self.journal.record("job_creating", **facts, sha256=upload.part.sha256, bytes=upload.part.size)
        api_object = self.org.name(upload.object)
        job = {"object": api_object, "operation": upload.operation, "contentType": "CSV", "lineEnding": "LF"}
        if upload.operation == "upsert":
            job["externalIdFieldName"] = upload.key
        started = self.org.clock.monotonic()
        try:
            answer = self.org.json("POST", self.org.path("jobs/ingest"), json=job, repeatable=False)
        except AnswerLost as error:
            spent = self.org.clock.monotonic() - started
            found = abort_lost(self.org, api_object, upload.operation, spent, spent)
            _log.warning("creating a job: %s; %d lost jobs found and aborted", error, found)
            return ""
        name = text(answer, "id", "the new job")
        self.jobs.append(name)
        self.journal.record("job_created", job=name, **facts, sha256=upload.part.sha256)
        return name

    def _upload(self, job: str, upload: Upload) -> bool:
        """Upload the file; False when it is unclear whether it arrived (the job is then aborted)."""
        self.journal.record("job_uploading", job=job)
        try:
            with ExitStack() as files:
                self.org.send(
                    "PUT", self.org.path(f"jobs/ingest/{job}/batches"), repeatable=False, patience=_UPLOAD,
                    data=lambda: files.enter_context(upload.part.path.open("rb")),
                    headers={"Content-Type": "text/csv; charset=UTF-8"},
                )  # fmt: skip
        except AnswerLost as error:
            _log.warning("job %s: the upload was not answered (%s); the job is aborted and made anew", job, error)
            self._abort(job)
            return False
        except BaseException:
            self._abort(job, LEAVING)
            raise
        return True

    def _abort(self, job: str, patience: Patience | None = None) -> None:
        if abort(self.org, job, patience):
            self.journal.record("job_aborted", job=job)

    def _close(self, job: str, upload: Upload) -> None:
        """Say that the upload is complete; after an unclear answer the job's state decides whether to say it again."""
        path = self.org.path(f"jobs/ingest/{job}")
        for _ in range(_CLOSES):
            self.journal.record("job_closing", job=job)
            self.closing = True
            try:
                self.org.send("PATCH", path, json={"state": "UploadComplete"}, repeatable=False)
            except (AnswerLost, Rejected) as error:
                _log.warning("job %s: closing it: %s; looking at its state", job, error)
                if self._look(job, upload).state != "Open":
                    return
                self.closing = False  # seen Open: not one row was written
                if isinstance(error, Rejected):
                    self._abort(job)
                    raise
                self.org.clock.sleep(self.org.settings.poll_seconds)
            else:
                return
        self._abort(job)
        raise Unavailable(f"job {job} could not be closed; its {upload.part.rows} rows were not written")

    def _look(self, job: str, upload: Upload) -> Job:
        try:
            return look(self.org, job)
        except (Unavailable, AccessRefused, QuotaSpent) as error:
            raise self._unknown(job, upload, str(error)) from error

    def _unknown(self, job: str, upload: Upload, why: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"job {job} ({upload.operation} of {upload.part.rows} rows of {upload.object}): {why}; nothing is sent "
            "again, the next run looks at the job first"
        )

    def _await(self, job: str, upload: Upload) -> Job:
        self.journal.record("job_closed", job=job)
        ended = wait_for(self.org, job, lambda why: self._unknown(job, upload, why))
        self.journal.record("job_settled", job=job, state=ended.state, processed=ended.processed, failed=ended.failed)
        _log.info("job %s: %s, %d rows processed, %d failed", job, ended.state, ended.processed, ended.failed)
        return ended


class _Unknown(Protocol):
    def __call__(self, why: str) -> OutcomeUnknown: ...


def wait_for(org: Org, job: str, unknown: _Unknown) -> Job:
    """Look at a job until it has ended; raise `unknown(why)` at `job_timeout_minutes`, or when it cannot be seen."""
    deadline = org.clock.monotonic() + org.settings.job_timeout_minutes * 60
    blind, state = 0, "not seen"
    for wait in waits(org):
        org.clock.sleep(min(wait, max(deadline - org.clock.monotonic(), 0)))
        try:
            seen = look(org, job)
            if seen.state in ENDED:
                return seen
            blind, state = 0, seen.state
        except (Unavailable, AccessRefused, QuotaSpent) as error:
            blind += 1
            # a short maintenance is waited out: the job goes on without us
            if blind >= _BLIND_LOOKS or isinstance(error, (AccessRefused, QuotaSpent, Rejected)):
                raise unknown(str(error)) from error
        if org.clock.monotonic() >= deadline:
            break
    raise unknown(f"still {state} after {org.settings.job_timeout_minutes:g} minutes")
