"""What putting a run back takes before the first write: its copy, its rows as they are now, the plan; writes no row."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from etl import undoing
from etl.book import Book
from etl.errors import GuardTripped, LockHeld, UsageFault
from etl.frames import entity_schema
from etl.guards import Allowed
from etl.normalise import Shapes
from etl.park import Park
from etl.plan import EntityPlan, Plan
from etl.report.tables import left_csv
from etl.salesforce.ingest import Recorder
from etl.salesforce.org import Org
from etl.schema import KEY
from etl.stages.account import Record
from etl.stages.job import Job
from etl.stages.judge import guard
from etl.stages.saved import refuse_another_target
from etl.stages.unchanged import read_now
from etl.state import RunDir
from etl.state.copies import Copies
from etl.state.history import is_alive
from etl.state.rundir import PLAN

_log = logging.getLogger(__name__)
_UNTIL = (
    "this lasts until the next run, which writes what LearnUpon says then: mend the cause there (or in the "
    "configuration) first; `learnupon-sync plan` shows what it would do"
)


@dataclass
class Shown:
    """What somebody was shown before anything is put back."""

    plan: str = ""
    """The plan's fingerprint; empty when nobody looked."""
    unasked: bool = False
    """Whether the plan was shown where nobody could be asked, and must not be carried out therefore."""


def opened(job: Job, record: Record, folder: Path, journal: Recorder) -> Copies:
    """Return what the run of this folder kept, for this org and these portals; noted when it wrote nothing.

    Raises LockHeld when the run is still at work, StateFault for a copy that is not whole, WrongTarget or ConfigFault
    for one of another org, namespace or portal.
    """
    if is_alive(folder):
        raise LockHeld(f"run {folder.name} is still at work; nothing was written; undo it once it has ended")
    record.report.undoes = folder.name
    journal.record("undo_begun", undoes=folder.name)
    copies = Copies(folder)
    if copies.facts is None:
        record.note([f"run {folder.name} wrote nothing to Salesforce, so there is nothing to put back"])
    else:
        what = f"the copy of run {folder.name} is one"
        refuse_another_target(job, copies.facts, what, "put them into the configuration again")
    return copies


def planned(job: Job, org: Org, copies: Copies, shapes: Mapping[str, Shapes], folder: RunDir) -> Plan:
    """Return the plan that puts the run back, and list in left.csv what stays as it is."""
    book = Book(folder.folder(PLAN), shapes)
    left = Park(folder.work / "left", undoing.LEFT)
    sources = copies.take(folder.work / "source")
    for source in sources:
        _enter(job, org, source, shapes[source.entity.name], folder.work / "now", book, left)
    folder.write("left.csv", left_csv(left))
    plan = book.close(tuple(source.entity for source in sources), [])
    if plan.changes:
        plan.warnings.append(_UNTIL)
    # a person asked for exactly these rows: the guards are read for the report and stop nothing
    updates = sum(part.counts.update for part in plan.entities.values())
    plan.guards = guard(replace(job, allowed=Allowed(updates=updates)), org, plan, [])
    creates = sum(part.counts.create for part in plan.entities.values())
    _log.info(
        "of run %s: %d changed rows to put back, %d deleted rows to make anew, %d rows in left.csv",
        copies.run_id, updates, creates, left.rows,
    )  # fmt: skip
    return plan


def _enter(job: Job, org: Org, source: EntityPlan, shapes: Shapes, folder: Path, book: Book, left: Park) -> None:
    if not source.changes:
        return
    entity = source.entity
    now = Park(folder / entity.name, entity_schema(entity))
    read_now(org, source, job.portal_ids, now)
    # keys are unique but in the objects of LearnUpon's package
    by = KEY if entity.key == KEY and not org.settings.namespace else "Id"
    undoing.enter(book, source, now, shapes, left, by=by)
    now.clear()


def agree(job: Job, plan: Plan, shown: Shown) -> None:
    """See that what is carried out is what was shown.

    Raises UsageFault for a plan that nobody could be asked about, GuardTripped when the rows are not as in the plan
    that was shown.
    """
    seen = undoing.fingerprint(plan)
    if job.writes:
        if shown.plan and shown.plan != seen:
            raise GuardTripped(
                "rows have changed in Salesforce since the plan was shown; nothing was written; look at the new plan "
                "and decide again: run the same command again"
            )
        return
    shown.plan = seen
    if shown.unasked and plan.changes:
        raise UsageFault(
            f"nothing was written: {plan.changes:,} rows would be put back, and nobody could be asked; to put them "
            "back give --yes, to only look give --dry-run"
        )
