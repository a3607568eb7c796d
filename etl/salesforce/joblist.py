"""Jobs as the org lists them: state, and this user's own jobs that nobody waits for; it uploads nothing.

Source: Bulk API 2.0 guide, "get all jobs", "upload complete or abort a job". A job carries no mark of its maker but the
user, so a job whose creation was not answered is known by user, object, operation and the moment it appeared.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from etl.errors import Unavailable
from etl.salesforce.answers import decode, sent_at
from etl.salesforce.org import Org, standard_id
from etl.session import Patience
from etl.veil import veiled

_log = logging.getLogger(__name__)

ENDED = frozenset({"JobComplete", "Failed", "Aborted"})
RUNNING = frozenset({"UploadComplete", "InProgress"})
_SLACK = timedelta(seconds=2)
"""Stamps of Salesforce and the header Date have whole seconds."""
_MOST_PAGES = 1000


@dataclass(frozen=True)
class Job:
    """An ingest job as Salesforce tells of it; counts are -1 where the answer has none."""

    id: str
    state: str
    object: str
    operation: str
    created_by: str
    created_at: datetime | None
    processed: int
    failed: int
    error: str

    @classmethod
    def of(cls, answer: Any) -> Job:
        """Read the JSON of a job; Unavailable when it is none."""
        if not isinstance(answer, dict) or not answer.get("id") or not answer.get("state"):
            raise Unavailable("an answer about a job is none; run again later")
        return cls(
            id=str(answer["id"]),
            state=str(answer["state"]),
            object=str(answer.get("object")),
            operation=str(answer.get("operation")),
            created_by=standard_id(str(answer.get("createdById"))),
            created_at=_moment(answer.get("createdDate")),
            processed=_number(answer.get("numberRecordsProcessed")),
            failed=_number(answer.get("numberRecordsFailed")),
            error=veiled(str(answer.get("errorMessage") or ""))[:200],
        )


def _moment(text: Any) -> datetime | None:
    with suppress(TypeError, ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else None
    return None


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def look(org: Org, job: str) -> Job:
    """Return the job's present state; Rejected with status 404 when Salesforce no longer knows it (after 7 days)."""
    return Job.of(org.json("GET", org.path(f"jobs/ingest/{job}")))


def abort(org: Org, job: str, patience: Patience | None = None) -> bool:
    """Abort a job and say whether that was confirmed; an Open job that stays behind never runs."""
    state = {"state": "Aborted"}
    try:
        org.send("PATCH", org.path(f"jobs/ingest/{job}"), json=state, repeatable=True, patience=patience)
    except Unavailable as error:
        _log.warning("job %s could not be aborted: %s", job, error)
        return False
    _log.info("job %s aborted", job)
    return True


def own_jobs(org: Org) -> tuple[list[Job], datetime | None]:
    """Return the signed-in user's ingest jobs, and the server's time when they were listed.

    None at all when Salesforce does not tell who the user is: somebody else's job is never touched.
    """
    user = org.user_id
    if not user:
        return [], None
    jobs: list[Job] = []
    moment: datetime | None = None
    for answer, date in _pages(org):
        moment = date or moment
        jobs.extend(Job.of(record) for record in answer.get("records") or [])
    return [job for job in jobs if job.created_by == user], moment


def _pages(org: Org) -> Iterator[tuple[dict[str, Any], datetime | None]]:
    path: str = org.path("jobs/ingest")
    params: dict[str, str] | None = {"jobType": "V2Ingest"}
    for _ in range(_MOST_PAGES):
        response = org.send("GET", path, params=params)
        answer = decode(response)
        if not isinstance(answer, dict):
            raise Unavailable("the list of jobs is none; run again later")
        yield answer, sent_at(response)
        path, params = str(answer.get("nextRecordsUrl") or ""), None
        if answer.get("done", True) or not path.startswith("/"):
            return


def abort_lost(org: Org, api_object: str, operation: str, ago_s: float, length_s: float) -> int:
    """Abort this user's Open jobs for object and operation made in a span of time; return how many.

    The span began `ago_s` seconds ago and lasted `length_s`: the time in which a creation was asked for and its answer
    was lost. Open jobs never run, so a job that is not found does no harm.
    """
    jobs, now = own_jobs(org)
    if now is None:
        return 0
    since = now - timedelta(seconds=ago_s)
    until = since + timedelta(seconds=length_s)
    lost = [
        job
        for job in jobs
        if job.state == "Open"
        and (job.object, job.operation) == (api_object, operation)
        and job.created_at is not None
        and since - _SLACK <= job.created_at <= until + _SLACK
    ]
    return sum(abort(org, job.id) for job in lost)
