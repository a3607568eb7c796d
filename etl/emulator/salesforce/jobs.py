"""What Bulk 2.0 jobs of both kinds share: ids, states over time, listing, retention; no records are touched here."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, ClassVar

from etl.emulator.salesforce import ids, values
from etl.emulator.salesforce.errors import ApiError, not_found

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg

TERMINAL = ("JobComplete", "Failed", "Aborted")
KEPT_SECONDS = 7 * 86_400


class Job:
    """A job; `advance` moves it through UploadComplete and InProgress as the org's clock goes on.

    States: Bulk API 2.0 guide, "Get Information About a Job". Each of the two running states lasts the org's
    `job_seconds`; the work of InProgress is done in step with the time.
    """

    kind: ClassVar[str]

    def __init__(self, org: SalesforceOrg, number: int, spec: dict[str, Any], version: str) -> None:
        """Make a job from its checked specification."""
        self.org = org
        self.id = ids.make("750", number)
        self.spec = spec
        self.version = version
        self.state = "Open"
        self.error = ""
        self.created = self.changed = org.clock()
        self.closed = 0.0
        self.processed = 0
        self.failed_count = 0

    def close(self) -> None:
        """Hand the job over to be run."""
        self.closed = self.org.clock()
        self.move("UploadComplete")

    def move(self, state: str) -> None:
        """Enter a state now."""
        self.state = state
        self.changed = self.org.clock()

    def advance(self) -> None:
        """Do what is due by now."""
        waited = self.org.clock() - self.closed - self.org.job_seconds
        if self.state == "UploadComplete" and waited >= 0:
            self.move("InProgress")
            self.begin()
        if self.state == "InProgress":
            span = self.org.job_seconds
            self.work(1.0 if waited >= span else waited / span)

    def begin(self) -> None:
        """Get ready, once."""
        raise NotImplementedError

    def work(self, share: float) -> None:
        """Do the work up to this share (0 to 1) of it, and finish at 1."""
        raise NotImplementedError

    def abort(self) -> None:
        """Stop; what was committed stays. 400 from a terminal state (the body is assumed)."""
        if self.state in TERMINAL:
            raise bad_state(f"Aborting already {self.state} Job not allowed")
        self.move("Aborted")

    def info(self) -> dict[str, Any]:
        """The job as the create answer gives it; `apiVersion` is a number."""
        spec = self.spec
        made = {
            "id": self.id,
            "operation": spec["operation"],
            "object": spec["object"],
            "createdById": self.org.user_id,
            "createdDate": _stamp(self.created),
            "systemModstamp": _stamp(self.changed),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "lineEnding": spec["lineEnding"],
            "columnDelimiter": spec["columnDelimiter"],
        }
        if spec.get("externalIdFieldName"):
            made["externalIdFieldName"] = spec["externalIdFieldName"]
        return made

    def full(self) -> dict[str, Any]:
        """The job as GET gives it, times in milliseconds."""
        spent = int(max(0.0, self.changed - self.closed) * 1000) if self.closed else 0
        made = {
            **self.info(),
            "jobType": self.kind,
            "retries": 0,
            "totalProcessingTime": spent,
            "numberRecordsProcessed": self.processed,
        }
        if self.error:
            made["errorMessage"] = self.error
        return made

    @property
    def mixed(self) -> int:
        """A number that orders jobs (and seeds shuffles) in no order anybody could rely on."""
        return zlib.crc32(self.id.encode())


class Jobs:
    """All jobs of an org, until seven days after their end."""

    def __init__(self, org: SalesforceOrg) -> None:
        """Start without jobs and let the org finish them when its records are looked at."""
        self.org = org
        self.made = 0
        self.by_id: dict[str, Job] = {}
        org.settle = self.advance
        org.ledger.settle = self.advance
        org.unstick = self.unstick

    def add(self, job: Job) -> Job:
        """Keep a new job."""
        self.by_id[job.id] = job
        return job

    def number(self) -> int:
        """The next running number."""
        self.made += 1
        return self.made

    def get(self, kind: str, job_id: str) -> Job:
        """A job by its id of 15 or 18 characters; 404 without it."""
        job = self.by_id.get(ids.normal(job_id) or "")
        if job is None or job.kind != kind:
            raise not_found()
        return job

    def advance(self) -> None:
        """Bring every job up to the clock and forget the old ones."""
        with self.org.lock:
            now = self.org.clock()
            for job in list(self.by_id.values()):
                if job.state not in (*TERMINAL, "Open"):
                    job.advance()
                elif job.state in TERMINAL and now - job.changed > KEPT_SECONDS:
                    del self.by_id[job.id]

    def delete(self, kind: str, job_id: str) -> None:
        """Forget a job; an Open or running one must be aborted first (an UploadComplete one may go)."""
        job = self.get(kind, job_id)
        if job.state not in (*TERMINAL, "UploadComplete"):
            raise bad_state(f"Cannot delete a job in state {job.state}")
        del self.by_id[job.id]

    def unstick(self) -> None:
        """Let every stuck job go on."""
        for job in self.by_id.values():
            if hasattr(job, "stuck"):
                job.stuck = False

    def page(self, kind: str, locator: str, base: str) -> dict[str, Any]:
        """A page of the list of jobs, in an order that means nothing."""
        jobs = sorted((job for job in self.by_id.values() if job.kind == kind), key=lambda job: job.mixed)
        start = int(locator or "0") if (locator or "0").isdigit() else 0
        end = start + self.org.list_page_rows
        more = f"{base}?queryLocator={end}&jobType={kind}" if end < len(jobs) else None
        return {"done": more is None, "records": [job.full() for job in jobs[start:end]], "nextRecordsUrl": more}


def bad_state(message: str) -> ApiError:
    """400 for a request that the job's state does not allow (documented to exist; the wording is assumed)."""
    return ApiError(400, "INVALIDJOBSTATE", f"InvalidJobState : {message}")


def bad_job(message: str) -> ApiError:
    """400 for a job that cannot be made or closed."""
    return ApiError(400, "INVALIDJOB", message)


def _stamp(seconds: float) -> str:
    return values.moment(seconds)[:-1] + "+0000"
