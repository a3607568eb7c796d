"""A run, told from beginning to end: read both sides, plan, guard, write, read back; the steps live in `etl.stages`.

Two sentences must always be true: running it twice changes nothing the second time; dying anywhere and running again
ends in the same place. Nothing is written before both reads are complete and verified and the guards have passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

from etl import guards, planning
from etl.errors import OK, ROWS_REFUSED
from etl.normalise import Shapes
from etl.salesforce.load import Load
from etl.salesforce.org import Org
from etl.schema import CUSTOM, MEMBERSHIP, Entity
from etl.stages import absent, account, people, quota, restore, saved, scopes, target, tenure
from etl.stages.extract import Portals, outdate
from etl.stages.held import Held, count_held, read_held
from etl.stages.job import Job
from etl.stages.judge import guard, judge
from etl.stages.readback import AT_ONCE, ReadBack
from etl.stages.room import Room
from etl.stages.threads import first_failure, threads
from etl.stages.unchanged import stop_if_changed
from etl.state import RunDir
from etl.state.copies import keep
from etl.state.rundir import PLAN
from etl.state.saved import SavedPlan


def run(job: Job, folder: RunDir, record: account.Record) -> int:
    """Carry out one job and return its exit code: 0 when Salesforce agrees with LearnUpon, 1 when rows were refused.

    Everything learnt on the way goes into `record`, which becomes the report whether or not this returns. Raises a
    SyncError for every stop.
    """
    org = target.connect(job)
    record.follow(org)
    shapes = target.shapes_of(org, job.stop)
    budget = quota.Budget(job, org, record, Room(job, folder))
    budget.begin()
    tenure.begin(job, org, record, folder)
    portals = Portals(job)
    record.follow_portals(portals)
    with threads(2, job.stop) as pool:
        reading = pool.submit(portals.read, folder.work / "learnupon", budget.portal)
        holding = pool.submit(_hold, job, org, folder, budget, shapes)
        both: list[Future[Any]] = [reading, holding]
        first_failure(both)
    reads, held = reading.result(), holding.result()
    record.read(reads)
    budget.people(reads, held.profiles)
    record.held(held)

    open_rows = folder.work / "open"
    inputs, source_guards, missing = judge(job, org, portals, reads, held, shapes, open_rows, record.matched)
    reads.clear()  # what is still needed of them is in the inputs
    plan = planning.build(inputs, folder.folder(PLAN), portals.warnings)
    change = scopes.look(job, org, record)
    plan.guards = guard(job, org, plan, source_guards, changed=change.names)
    record.planned(plan)
    if not job.writes:
        record.note(budget.preview(plan))
        return OK
    account.stop_if_tripped(plan)
    record.note(budget.writes(plan))

    code = _write(job, org, folder, record, shapes)
    record.note(scopes.keep(job, org, change, record))
    record.note(absent.keep(job, org.org_id, missing))
    portals.forget()
    return code


def _hold(
    job: Job,
    org: Org,
    folder: RunDir,
    budget: quota.Budget,
    shapes: dict[str, Shapes],
    entities: Sequence[Entity] = CUSTOM,
) -> Held:
    """Count what Salesforce holds, see that it can be read, and read it."""
    counted = count_held(org, job, entities)
    budget.salesforce({name: counting.rows for name, counting in counted.items()})
    return read_held(org, job, folder.work / "salesforce", shapes, counted, entities)


def totals(job: Job, folder: RunDir, record: account.Record) -> int:
    """Bring the profiles of Contacts and Users in step with the membership rows that Salesforce holds.

    The last step after portals were run apart; LearnUpon is not asked. Returns and raises as `run` does.
    """
    org = target.connect(job)
    record.follow(org)
    shapes = target.shapes_of(org, job.stop)
    budget = quota.Budget(job, org, record, Room(job, folder))
    budget.begin((MEMBERSHIP,))
    tenure.begin(job, org, record, folder)
    held = _hold(job, org, folder, budget, shapes, (MEMBERSHIP,))
    record.held(held)
    members = planning.members_held(held.rows[MEMBERSHIP.name], job.portal_ids)
    profiles = people.with_referred(org, members, held.profiles)
    plan = planning.build_totals(members, profiles, shapes, folder.folder(PLAN))
    plan.guards = guard(job, org, plan, [])
    record.planned(plan)
    if not job.writes:
        record.note(budget.preview(plan))
        return OK
    account.stop_if_tripped(plan)
    record.note(budget.writes(plan))
    return _write(job, org, folder, record, shapes)


def plan_into(job: Job, folder: RunDir, record: account.Record, *, out: Path) -> int:
    """Plan as `run` does, write nothing to Salesforce, and save the plan in the folder `out`, which must be new."""
    code = run(job, folder, record)
    saved.keep(job, record, out)
    return code


def apply(job: Job, folder: RunDir, record: account.Record, *, plan_in: Path, max_age: timedelta) -> int:
    """Apply exactly the plan that was saved in a folder; LearnUpon is not asked. Returns and raises as `run` does.

    Raises GuardTripped for a plan that is older than `max_age`, not as it was saved, applied already, or whose rows
    are no longer as it found them; WrongTarget for one of another org.
    """
    chosen = SavedPlan(plan_in)
    saved.accept(job, chosen, max_age)
    plan = chosen.take(folder.folder(PLAN))
    org = target.connect(job)
    record.follow(org)
    shapes = target.shapes_of(org, job.stop)
    budget = quota.Budget(job, org, record, Room(job, folder))
    budget.begin(())
    tenure.begin(job, org, record, folder)
    change = scopes.look(job, org, record, chosen.facts.scope)
    source_guards = guards.again(chosen.guards, job.settings.guards)
    plan.guards = guard(job, org, plan, source_guards, changed=change.names)
    record.planned(plan)
    account.stop_if_tripped(plan)
    record.note(budget.writes(plan, looked_at=True))
    stop_if_changed(org, plan, shapes, job.portal_ids, folder.work / "now")
    saved.claim(job, folder, chosen)
    code = _write(job, org, folder, record, shapes)
    record.note(scopes.keep(job, org, change, record))
    return code


def undo(job: Job, folder: RunDir, record: account.Record, *, source: Path, shown: restore.Shown) -> int:
    """Put back what the run of the folder `source` changed or deleted, from the copy it kept; see `run` for the rest.

    Only what still is as that run wrote it is put back. Raises StateFault for a copy that is not whole, WrongTarget
    for one of another org, GuardTripped when the plan is not the one that was shown.
    """
    copies = restore.opened(job, record, source, folder.journal)
    if copies.facts is None:
        return OK
    org = target.connect(job)
    record.follow(org)
    shapes = target.shapes_of(org, job.stop)
    budget = quota.Budget(job, org, record, Room(job, folder))
    budget.begin(())
    tenure.begin(job, org, record, folder)
    plan = restore.planned(job, org, copies, shapes, folder)
    record.planned(plan)
    restore.agree(job, plan, shown)
    if not job.writes:
        record.note(budget.preview(plan))
        return OK
    record.note(budget.writes(plan))
    return _write(job, org, folder, record, shapes)


def _write(job: Job, org: Org, folder: RunDir, record: account.Record, shapes: dict[str, Shapes]) -> int:
    """Save the rows as they were, apply the plan, and compare what was written with what is there, as it goes on."""
    outdate(job)
    plan = record.plan
    if plan.changes:
        keep(folder, plan, saved.facts_of(job, record))
    with threads(AT_ONCE, job.stop) as crew:
        again = ReadBack(org, shapes, job.portal_ids, folder.work / "readback", crew)
        load = Load(org, journal=record.fenced(folder.journal), folder=folder.work, watcher=again)
        try:
            load.apply(plan.entities)
        finally:
            record.wrote(load)
        record.read_back(again.found())
    record.stop_if_unknown()
    return ROWS_REFUSED if record.has_refusals else OK
