"""Looks at both systems without writing: access, pins, objects, fields, quotas; a finding is a line with a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from etl.config import PortalSettings
from etl.errors import OK, AccessRefused, SchemaMismatch, SyncError, exit_code_of
from etl.learnupon import LearnUpon, check_portal
from etl.salesforce.describe import Problem, check_described, describe, without_email
from etl.salesforce.org import Org, limits
from etl.schema import ENTITIES, RUN, RUN_LOG
from etl.stages.job import Job
from etl.stages.scopes import compare

_QUOTAS = ("DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkApiBatches", "DataStorageMB")
_SCARCE = 0.1
"""Share of an allowance below which it is worth a word."""


@dataclass(frozen=True)
class Finding:
    """One line of the check: `exit_code` is 0 when it is well; a note is well but worth reading."""

    what: str
    said: str
    exit_code: int = OK
    note: bool = False


def inspect(job: Job) -> Iterator[Finding]:
    """Give the findings as they come; one that fails does not stop the others, unless they depend on it."""
    yield Finding("configuration", f"{len(job.portals)} portals, org {job.settings.salesforce.org_id}")
    yield from _salesforce(job)
    for portal in job.portals:
        yield from _portal(job, portal)


def _salesforce(job: Job) -> Iterator[Finding]:
    try:
        org = Org.connect(job.settings.salesforce, clock=job.clock, random=job.random, transport=job.transport)
    except SyncError as error:
        yield _failed("Salesforce sign-in", error)
        return
    kind = "a sandbox" if org.is_sandbox else "a production org"
    yield Finding("Salesforce sign-in", f"signed in; the org is the pinned one ({org.org_id}), {kind}")
    try:
        yield from _guarded("Salesforce objects", lambda: _objects(job, org))
        yield from _guarded("Salesforce quotas", lambda: _quotas(org))
        yield from _guarded("Salesforce run log", lambda: _run_log(org))
        yield from _guarded("settings", lambda: _scope(job, org))
    finally:
        org.close()


def _guarded(what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except SyncError as error:
        yield _failed(what, error)


def _failed(what: str, error: SyncError) -> Finding:
    return Finding(what, str(error), exit_code_of(error))


def _objects(job: Job, org: Org) -> Iterator[Finding]:
    described = describe(org, ENTITIES)
    problems = check_described(described, org.settings.namespace)
    if job.settings.matching.email != "off":
        problems += without_email(described)
    yield from _problems(problems)
    if not problems:
        yield Finding("Salesforce objects", f"{len(ENTITIES)} objects and their fields are there and may be written")


def _problems(problems: list[Problem]) -> Iterator[Finding]:
    for problem in problems:
        where = f"{problem.object}.{problem.field}" if problem.field else problem.object
        code = SchemaMismatch.exit_code if problem.kind == "missing" else AccessRefused.exit_code
        yield Finding(where, f"{problem.what}; {problem.remedy}", code)


def _quotas(org: Org) -> Iterator[Finding]:
    found = limits(org)
    if not found:
        yield Finding(
            "Salesforce quotas",
            "cannot be read; give the user the permission View Setup and Configuration to see them here",
            note=True,
        )
    for name in _QUOTAS:
        if name in found:
            left, most = found[name]["Remaining"], found[name]["Max"]
            yield Finding(name, f"{left:,} of {most:,} left", note=left < _SCARCE * most)


def _run_log(org: Org) -> Iterator[Finding]:
    if org.settings.namespace:
        said = f"runs go without lease and log: with LearnUpon's package there is no {RUN_LOG}"
        yield Finding("Salesforce run log", said, note=True)
        return
    described = describe(org, [RUN])
    if not described.objects:
        yield Finding(
            "Salesforce run log",
            f"the org has no {RUN_LOG}: runs go without lease and log; deploy config/salesforce to have them",
            note=True,
        )
        return
    problems = check_described(described, org.settings.namespace)
    yield from _problems(problems)
    if not problems:
        yield Finding("Salesforce run log", f"{RUN_LOG} is there and may be written")


def _scope(job: Job, org: Org) -> Iterator[Finding]:
    change = compare(job, org)
    if change.warning:
        yield Finding("settings", change.warning, note=True)


def _portal(job: Job, portal: PortalSettings) -> Iterator[Finding]:
    what = f"LearnUpon portal {portal.name}"
    client = LearnUpon(portal, clock=job.clock, random=job.random, transport=job.transport)
    try:
        warnings = check_portal(client)
    except SyncError as error:
        yield _failed(what, error)
        return
    finally:
        client.close()
    yield Finding(what, f"signed in; {_week(client)}")
    for warning in warnings:
        yield Finding(what, warning, note=True)


def _week(client: LearnUpon) -> str:
    left = client.rate.week_left
    return (
        "it does not say what is left of the week's requests" if left is None else f"{left:,} requests left this week"
    )
