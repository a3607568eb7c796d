"""Jobs that earlier runs left behind: aborted, waited for, or noted, before anything new is read or written.

A job that is still running would change Salesforce under the comparison; one that was never closed never runs. The
next comparison is made against what Salesforce holds then, so a job's results need not be read again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from etl.errors import OutcomeUnknown
from etl.salesforce.answers import Rejected
from etl.salesforce.ingest import wait_for
from etl.salesforce.joblist import RUNNING, Job, abort, abort_lost, look, own_jobs
from etl.salesforce.lease import Lease
from etl.salesforce.org import Org
from etl.schema import CUSTOM, PROFILES

_log = logging.getLogger(__name__)

_CLOCKS_DIFFER_S = 60.0
_WHOLE_SECONDS = timedelta(seconds=2)
"""Stamps of Salesforce have whole seconds."""


class Journal(Protocol):
    """The journal of an earlier run."""

    def record(self, event: str, **facts: Any) -> None:
        """Append an event."""

    def events(self) -> list[dict[str, Any]]:
        """Return the events so far."""

    def unfinished_jobs(self) -> list[str]:
        """Return the ids of jobs that have no end recorded."""


def adopt(org: Org, journals: Iterable[Journal], lease: Lease | None = None) -> list[str]:
    """Bring the unfinished jobs of earlier runs to an end, and return a line for each, fit for the report.

    Open jobs are aborted, running ones waited for: first those of the journals, then those that Salesforce itself
    lists for this user on our objects, since a pod's journal dies with the pod. Raises OutcomeUnknown when a job does
    not end in time.
    """
    lines = [line for journal in journals for line in _adopt(org, journal)]
    return lines + list(_listed(org, lease))


def _listed(org: Org, lease: Lease | None) -> Iterator[str]:
    """End what Salesforce lists; one request when there is nothing to end."""
    jobs, now = own_jobs(org)
    ours = [job for job in jobs if _is_ours(org, job)]
    opened = [job for job in ours if job.state == "Open"]
    if opened:
        bound = _nobodys_until(org, lease, now)
        for job in opened:
            if job.created_at is not None and job.created_at < bound:
                yield f"job {job.id}, in no journal here: {_end_of(org, job.id)}"
    for job in ours:
        # those of a run for other portals are waited for as well: nothing tells them from a dead run's
        if job.state in RUNNING:
            yield f"job {job.id}, in no journal here: {_end_of(org, job.id)}"


def _is_ours(org: Org, job: Job) -> bool:
    """Say whether a job of this user is one that the product makes."""
    if job.object in {org.name(entity.name) for entity in CUSTOM}:
        return job.operation in {"insert", "update", "upsert", "delete"}
    return job.operation == "update" and job.object in {entity.name for entity in PROFILES}


def _nobodys_until(org: Org, lease: Lease | None, now: datetime | None) -> datetime:
    """Return the moment before which no Open job can belong to a run that is still at work.

    With the lease held, only runs for other portals can be at work, and they have leases too: what is older than the
    oldest of those was left behind. Without a lease a job is nobody's once it is older than a run waits for a job.
    """
    if now is None:
        return datetime.min.replace(tzinfo=UTC)
    if lease is None or not lease.ids:
        return now - timedelta(minutes=org.settings.job_timeout_minutes)
    others = lease.others_since()
    return now + timedelta(days=1) if others is None else others - _WHOLE_SECONDS


def _adopt(org: Org, journal: Journal) -> Iterator[str]:
    for job in journal.unfinished_jobs():
        try:
            state = _end_of(org, job)
        except Rejected as error:
            if error.status != 404:
                raise
            state = "no longer known to Salesforce"
        journal.record("job_adopted", job=job, state=state)
        _log.info("job %s of an earlier run: %s", job, state)
        yield f"job {job} of an earlier run: {state}"
    lost = _lost_creation(journal.events())
    if lost:
        seconds = (org.clock.now() - lost["at"]).total_seconds()
        # the journal's stamp is this machine's time, and a minute is what clocks may differ by
        name, operation = org.name(str(lost["object"])), str(lost["operation"])
        count = abort_lost(org, name, operation, seconds + _CLOCKS_DIFFER_S, 2 * _CLOCKS_DIFFER_S)
        journal.record("job_lost", object=lost["object"], operation=lost["operation"], aborted=count)
        if count:
            yield f"{count} jobs that an earlier run had begun to create: aborted"


def _end_of(org: Org, job: str) -> str:
    seen = look(org, job)
    if seen.state == "Open":
        return "aborted, nothing was written" if abort(org, job) else "left Open, it never runs"
    if seen.state in RUNNING:
        seen = wait_for(org, job, lambda why: OutcomeUnknown(f"job {job} of an earlier run: {why}; run again later"))
    return f"{seen.state}, {max(seen.processed, 0)} rows processed, {max(seen.failed, 0)} failed"


def _lost_creation(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the creation that a run was about to ask for when it died, if that is how the journal ends."""
    last = next((event for event in reversed(events) if str(event.get("event", "")).startswith("job_")), None)
    if last is None or last.get("event") != "job_creating":
        return None
    try:
        found = {name: str(last[name]) for name in ("object", "operation")}
        return {**found, "at": datetime.fromisoformat(last["at"]).astimezone(UTC)}
    except (KeyError, TypeError, ValueError):
        return None  # no journal of this version: Salesforce's own list of jobs is looked at as well
