"""What Salesforce holds, field by field and ids aside, and what must hold of its jobs; it runs nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from runs.result import RUN_LOG
from runs.stage import CONTACT_PATHS, CONTACT_ROWS, MEMBERSHIP, USER_PATHS, USER_ROWS, Stage

OWN = ("LearnUpon_Portal__c", MEMBERSHIP, USER_ROWS, CONTACT_ROWS, USER_PATHS, CONTACT_PATHS)
_STAMPS = {"Id", "CreatedDate", "LastModifiedDate", "SystemModstamp", "CreatedById", "LastModifiedById", "OwnerId"}


def held(stage: Stage) -> dict[str, dict[str, dict[str, Any]]]:
    """Return every record: our own by key, their parents by key too; Contacts and Users by id."""
    rows = {name: stage.rows(name) for name in (*OWN, "Contact", "User")}
    keys = {row["Id"]: key for name in OWN for key, row in rows[name].items()}
    found = {}
    for name, records in rows.items():
        aside = _STAMPS if name in {"LearnUpon_Portal__c", "Contact", "User"} else {*_STAMPS, "Name"}  # auto-numbered
        found[name] = {
            key: {field: keys.get(value, value) for field, value in row.items() if field not in aside}
            for key, row in records.items()
        }
    return found


def ingest_jobs(stage: Stage) -> list[Any]:
    """Return the org's ingest jobs, oldest first."""
    app: Any = stage.emu.salesforce.app
    return [job for job in app.bulk.jobs.by_id.values() if job.kind == "V2Ingest"]


def at_rest(stage: Stage) -> None:
    """See that no job is open or under way, and that no record was created or deleted twice."""
    stage.ledger.settle()
    states = Counter(job.state for job in ingest_jobs(stage))
    assert set(states) <= {"JobComplete", "Failed", "Aborted"}, states
    once = Counter(
        (entry.object, entry.operation, entry.key)
        for entry in stage.ledger.entries
        if entry.key and entry.operation in {"create", "delete"} and entry.object != RUN_LOG
    )
    assert not [effect for effect, times in once.items() if times > 1]
