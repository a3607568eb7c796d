"""Whether the scope is that of the last run, and leaving it behind for the next; what a change means is for a guard.

It is kept in the org, so that a fresh pod notices too, and in the state folder, for orgs without the run object; of
two the younger counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etl import scope
from etl.errors import StateFault
from etl.salesforce.org import Org
from etl.salesforce.scopes import read_scopes, write_scopes
from etl.scope import Kept, Parts
from etl.stages.account import Record
from etl.stages.job import Job
from etl.state import scopes as disk


@dataclass(frozen=True)
class Change:
    """A run's scope beside the last one's."""

    now: Mapping[str, Parts] = field(default_factory=dict)
    in_org: Mapping[str, Kept] | None = None
    """None in an org without the run object."""
    on_disk: Mapping[str, Kept] = field(default_factory=dict)
    names: str = ""
    """What changed; empty when nothing did, or when no earlier scope is known."""
    warning: str = ""


def look(job: Job, org: Org, record: Record, planned: Mapping[str, Parts] | None = None) -> Change:
    """Compare the scope of a run (or of the plan it applies) with the last one's, and warn of what changed."""
    change = compare(job, org, planned, run_log=record.may_have_run_log)
    record.note([change.warning] if change.warning else [])
    return change


def compare(job: Job, org: Org, planned: Mapping[str, Parts] | None = None, *, run_log: bool = True) -> Change:
    """Compare a scope with the last one's; `run_log` is False for an org that is known to lack the run object.

    A backfill has a scope of its own, deletes nothing and leaves nothing behind.
    """
    if job.backfill:
        return Change()
    now = scope.of_run(job.settings, job.portal_ids, with_profiles=job.with_profiles) if planned is None else planned
    in_org = read_scopes(org, now) if now and run_log else None
    on_disk = disk.read_scopes(job.settings.state_dir, org.org_id, now)
    changed: dict[str, tuple[Kept, list[str]]] = {}
    for key, parts in now.items():
        known = [one[key] for one in (in_org or {}, on_disk) if key in one]
        if known:
            last = max(known, key=lambda one: one.kept_at)
            names = scope.differences(parts, last)
            if names:
                changed[key] = (last, names)
    what = ", ".join(dict.fromkeys(name for _, found in changed.values() for name in found))
    if not what:
        return Change(now, in_org, on_disk)
    newest = max((last for last, _ in changed.values()), key=lambda one: one.kept_at)
    warning = (
        f"settings that decide which rows are wanted have changed since run {newest.run_id}: {what}; a plan that "
        "deletes rows is stopped until --allow-deletes N says that this is meant"
    )
    return Change(now, in_org, on_disk, what, warning)


def keep(job: Job, org: Org, change: Change, record: Record) -> list[str]:
    """Leave the scope of a run that has written its plan for the next one; return warnings.

    A changed scope is taken as the new one when a person allowed its deletes, or when it deletes nothing and leaves no
    row for a later run: one to ask about, or one that was refused, would else go under settings nobody agreed to.
    """
    counts = [part.counts for part in record.plan.entities.values()]
    waiting = record.has_refusals or any(one.delete or one.unconfirmed for one in counts)
    if change.names and waiting and job.allowed.deletes is None:
        return []
    now = org.server_time() or job.clock.now()
    mine = {key: scope.keep(parts, job.run_id, now) for key, parts in change.now.items()}
    on_disk = _unlike(mine, change.on_disk)
    warnings = []
    if on_disk:
        try:
            disk.write_scopes(job.settings.state_dir, org.org_id, on_disk)
        except StateFault as fault:  # all is written by now, and the org keeps the scope too
            warnings = [f"the scope of this run could not be kept in the state folder: {fault}"]
    in_org = _unlike(mine, change.in_org) if change.in_org is not None else {}
    return warnings + (write_scopes(org, in_org) if in_org else [])


def _unlike(mine: Mapping[str, Kept], kept: Mapping[str, Kept]) -> dict[str, Kept]:
    """Return the scopes that are not kept as they are now."""
    return {key: one for key, one in mine.items() if key not in kept or kept[key].fingerprint != one.fingerprint}
