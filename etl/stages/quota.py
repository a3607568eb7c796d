"""Stops a run before it would spend an allowance of the org: what is left is asked, what is needed is estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping

from etl.errors import QuotaSpent
from etl.plan import Plan
from etl.salesforce.org import Org, limits

READING_CALLS = 100
"""Requests that reading takes at the least: eight queries of four requests, a count of each, nine describes, what is
asked about past deletes and the scope, a few look-ups, with room to spare."""
_CALLS_A_JOB = 20
"""Requests of one ingest job: create, upload, close, polls, three results."""
_BATCH_ROWS = 10_000
"""Rows of one internal batch, of which an org has 15,000 in 24 hours (Salesforce limits page, Bulk API 2.0)."""
_RECORD_KB = 2
"""What one record takes of the data storage, whatever it holds (Salesforce help, data storage)."""

Limits = Mapping[str, Mapping[str, int]]


def check_reading(org: Org) -> Limits:
    """Return the org's allowances; raises QuotaSpent when what is left of the day's requests would not do to read."""
    found = limits(org)
    _must_leave(found, "DailyApiRequests", READING_CALLS, "requests to read Salesforce")
    return found


def check_writing(found: Limits, plan: Plan, bulk_file_mb: int) -> list[str]:
    """Return warnings about the org's storage; raises QuotaSpent when a plan needs more than the org has left today."""
    rows = [sum((part.creates.rows + part.updates.rows, part.deletes.rows)) for part in plan.entities.values()]
    jobs = sum(1 + number // (bulk_file_mb * 2_000) for number in rows if number)
    _must_leave(found, "DailyApiRequests", READING_CALLS + jobs * _CALLS_A_JOB, "requests to write the plan")
    batches = sum(math.ceil(number / _BATCH_ROWS) for number in rows)
    _must_leave(found, "DailyBulkApiBatches", batches, "batches to write the plan")
    return _storage(found, sum(part.counts.create for part in plan.entities.values()))


def _must_leave(found: Limits, name: str, needed: int, what: str) -> None:
    left = found.get(name, {}).get("Remaining")
    if left is not None and left < needed:
        raise QuotaSpent(
            f"{name}: about {needed:,} {what} are needed and {left:,} are left; nothing was written; "
            "run again when the 24 hours have rolled on"
        )


def _storage(found: Limits, creates: int) -> list[str]:
    left = found.get("DataStorageMB", {}).get("Remaining")
    needed = creates * _RECORD_KB // 1024
    if left is None or needed <= left:
        return []
    return [f"the org has {left:,} MB of data storage left and {creates:,} new rows take about {needed:,} MB"]
