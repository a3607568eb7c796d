"""Whether a saved plan may be applied here and now, and what it takes to save one; it asks no vendor."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from etl import scope
from etl.errors import ConfigFault, GuardTripped, WrongTarget
from etl.stages.account import Record
from etl.stages.job import Job
from etl.state import RunDir
from etl.state.saved import CLAIMED, SavedPlan, save
from etl.state.sealed import Facts

_log = logging.getLogger(__name__)
_CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clocks of two machines may be apart before the age of a plan means nothing."""
_ORG_ID = 15
"""Characters that tell orgs apart; the last three of 18 follow from them."""


def keep(job: Job, record: Record, out: Path) -> None:
    """Save a plan in a folder of its own; raises UsageFault when something is there."""
    place = save(out, record.plan, facts_of(job, record))
    _log.info("the plan is saved in %s; it holds personal data", place)


def facts_of(job: Job, record: Record) -> Facts:
    """Return where the plan of this run comes from."""
    return Facts(
        run_id=job.run_id,
        created_at=record.report.started_at or job.clock.now(),
        org_id=record.report.org_id,
        namespace=job.settings.salesforce.namespace,
        portals=tuple((portal.name, portal.portal_id) for portal in job.portals),
        with_profiles=job.with_profiles,
        scope=scope.of_run(job.settings, job.portal_ids, with_profiles=job.with_profiles),
    )


def accept(job: Job, saved: SavedPlan, max_age: timedelta) -> None:
    """Raise what speaks against applying a plan before anything is asked: another target, its age, an earlier apply."""
    _refuse_another_target(job, saved)
    _refuse_age(job, saved, max_age)
    saved.refuse_applied(job.settings.state_dir)


def _refuse_another_target(job: Job, saved: SavedPlan) -> None:
    refuse_another_target(job, saved.facts, f"{saved.folder} is a plan", "make a new plan")
    facts = saved.facts
    if facts.with_profiles and len(facts.portals) != len(job.settings.portals):
        raise _other_portals(facts, f"{saved.folder} is a plan", "make a new plan")


def refuse_another_target(job: Job, facts: Facts, what: str, remedy: str) -> None:
    """Raise WrongTarget or ConfigFault when what was planned elsewhere is not for this org, objects and portals."""
    settings = job.settings
    if facts.org_id[:_ORG_ID] != settings.salesforce.org_id[:_ORG_ID]:
        raise WrongTarget(
            f"{what} of org {facts.org_id}, and the configuration's is {settings.salesforce.org_id}; "
            "nothing was written"
        )
    if facts.namespace != settings.salesforce.namespace:
        raise WrongTarget(
            f"{what} with salesforce.namespace {facts.namespace!r}, and the configuration has "
            f"{settings.salesforce.namespace!r}: these are other objects; nothing was written"
        )
    if not {portal_id for _, portal_id in facts.portals} <= {portal.portal_id for portal in settings.portals}:
        raise _other_portals(facts, what, remedy)


def _other_portals(facts: Facts, what: str, remedy: str) -> ConfigFault:
    names = ", ".join(f"{name} ({portal_id})" for name, portal_id in facts.portals)
    return ConfigFault(
        f"{what} of the portals {names}, and the configuration has other ones; nothing was written; {remedy}"
    )


def _refuse_age(job: Job, saved: SavedPlan, max_age: timedelta) -> None:
    age = job.clock.now() - saved.facts.created_at
    if age < -_CLOCKS_DIFFER:
        raise GuardTripped(
            f"{saved.folder} was made {_words(-age)} from now by this machine's clock, so its age is not known; "
            "nothing was written; set the clock, or make a new plan"
        )
    if age > max_age:
        raise GuardTripped(
            f"{saved.folder} is {_words(age)} old, more than --max-age {_words(max_age)}; nothing was written; "
            "make a new plan"
        )


def _words(span: timedelta) -> str:
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds if not hours else 0, "s"))
    return " ".join(f"{number:,} {unit}" for number, unit in parts if number) or "0 s"


def claim(job: Job, folder: RunDir, saved: SavedPlan) -> None:
    """Mark a plan as applied, in its folder and in the history, before its first write.

    A run that is killed from here on has used the plan up: applying it twice could write what nobody looked at.
    """
    saved.claim(job.run_id, job.clock.now())
    folder.journal.record(CLAIMED, plan=saved.sha256, planned_by=saved.facts.run_id)
    _log.info("applying the plan of run %s", saved.facts.run_id)
