"""From two reads to the plan's inputs: missing learners asked about, all matched, missing rows asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from etl import frames, guards, situation
from etl.config import GuardSettings
from etl.guards import Reading
from etl.learnupon import PortalRead
from etl.normalise import Shapes
from etl.plan import Plan
from etl.salesforce.org import Org
from etl.schema import MEMBERSHIP
from etl.settle import settle
from etl.situation import Inputs, Row, Scope
from etl.stages.extract import Kind, Portals, coded_courses
from etl.stages.held import Held
from etl.stages.job import Backfill, Job
from etl.stages.past import deleted
from etl.stages.people import Matched, match_learners, with_members, without_strangers

_ROWS: tuple[Row, Row] = ("enrollment", "path")
_OF_LEARNERS = ["learner", "side", "person_id", "reason", "last_sign_in_at"]


def judge(
    job: Job,
    org: Org,
    portals: Portals,
    reads: list[PortalRead],
    held: Held,
    shapes: Mapping[str, Shapes],
    folder: Path,
    told: Callable[[pd.DataFrame], None],
) -> tuple[Inputs, list[Reading]]:
    """Return the plan's inputs, settled in `folder`, and what the guards on the source read.

    `told` hears of all learners as they were matched, with their names, which nothing after that needs.

    Rows missing from a listing are asked about by id, at most `guards.max_confirmations` of them; live ones join the
    reads. When the source has shrunk too much nobody is asked: the run stops anyway, or only shows its plan.
    """
    questions = _Questions(job, portals, reads)
    names = [portal.name for portal in job.portals]
    members, lost = pd.Series(dtype="int64"), {}
    if not job.backfill:
        learners = situation.learners_of([read.users for read in reads])
        members = situation.member_questions(learners, held.rows[MEMBERSHIP.name], job.portal_ids)
        del learners
        lost = situation.missing_rows({"member": members}, held.rows, job.portal_ids, names)
        if not guards.source_shrink(lost, job.settings.guards).tripped:
            questions.ask("member", members)
    whole = _inputs(job, reads, held, shapes, _match(job, org, reads, held, told), questions.gone)
    if job.backfill:
        return _settled(whole, folder), []
    inputs = settle(whole, folder)
    asked = {row: situation.row_questions(inputs, row) for row in _ROWS}
    lost |= situation.missing_rows({row: asked[row] for row in _ROWS}, held.rows, job.portal_ids, names)
    shrink = guards.source_shrink(lost, job.settings.guards)
    if not shrink.tripped:
        listed = _rows(whole)
        for row in _ROWS:
            questions.ask(row, asked[row])
        if _rows(whole) != listed:  # rows that LearnUpon has after all count in totals and on paths
            _clear(inputs)
            inputs = settle(whole, folder)
    _clear(whole)
    return replace(inputs, gone=questions.gone), [shrink, questions.reading(members, asked)]


def _match(job: Job, org: Org, reads: list[PortalRead], held: Held, told: Callable[[pd.DataFrame], None]) -> Matched:
    """Match all learners; what LearnUpon says of them is let go, since memory grows with their number."""
    learners = situation.learners_of([read.users for read in reads])
    for place, read in enumerate(reads):
        reads[place] = replace(read, users=frames.empty(frames.USERS))
    matched = match_learners(org, learners, held.profiles, job.settings.matching)
    told(matched.learners)
    matched = replace(matched, learners=matched.learners[_OF_LEARNERS])
    if job.with_profiles and not job.backfill:
        columns = ["Contact__c", "User__c", "LU_Portal_Membership_ID__c"]
        rows = frames.to_pandas(held.rows[MEMBERSHIP.name].read(columns))
        people = with_members(org, rows, matched.profiles)
        matched = replace(matched, profiles=without_strangers(org, people, rows, matched.learners))
    return matched


def _settled(whole: Inputs, folder: Path) -> Inputs:
    inputs = settle(whole, folder)
    _clear(whole)
    return inputs


def _clear(inputs: Inputs) -> None:
    """Remove the enrollments of both sides from the disk: what was left to decide lies elsewhere."""
    for row in _ROWS:
        for park in (*inputs.listings[row], *(inputs.held[entity.name] for entity in situation.SIDES[row])):
            park.clear()


def _rows(inputs: Inputs) -> int:
    return sum(park.rows for row in _ROWS for park in inputs.listings[row])


class _Questions:
    """The questions by id of one run, and how many it may still ask."""

    def __init__(self, job: Job, portals: Portals, reads: list[PortalRead]) -> None:
        self._portals = portals
        self._reads = reads
        self._limit = job.settings.guards.max_confirmations
        self._asked = 0
        self.gone: dict[str, frozenset[int]] = {}

    def ask(self, kind: Kind, codes: pd.Series) -> None:
        within = codes.iloc[: self._limit - self._asked]
        self._asked += len(within)
        self.gone[kind] = self._portals.ask(kind, within, self._reads) if len(within) else frozenset()

    def reading(self, members: pd.Series, asked: Mapping[Row, pd.Series]) -> Reading:
        """Return what would have been asked against the limit; it never stops a run, the rest waits for another."""
        wanted = len(members) + sum(len(codes) for codes in asked.values())
        return Reading("max_confirmations", wanted, self._limit, tripped=False)


def _inputs(
    job: Job,
    reads: list[PortalRead],
    held: Held,
    shapes: Mapping[str, Shapes],
    matched: Matched,
    gone: Mapping[str, frozenset[int]],
) -> Inputs:
    return Inputs(
        portals={portal.portal_id: portal.title for portal in job.portals},
        learners=matched.learners,
        listings={
            "enrollment": [read.enrollments for read in reads],
            "path": [read.path_enrollments for read in reads],
        },
        path_courses=coded_courses(reads),
        held=held.rows,
        profiles=matched.profiles,
        shapes=shapes,
        rules=job.settings.rules,
        gone=gone,
        with_profiles=job.with_profiles,
        scope=scope_of(job.backfill) if job.backfill else None,
    )


def scope_of(backfill: Backfill) -> Scope:
    """Return the scope of a backfill as the planning sees it: days are UTC and inclusive."""
    first, last = backfill.enrolled_from, backfill.enrolled_to
    dated = first is not None or last is not None
    return Scope(
        enrolled_from=pd.Timestamp(first, tz="UTC") if first else None,
        enrolled_before=pd.Timestamp(last, tz="UTC") + pd.Timedelta(days=1) if last else None,
        whole=backfill.course is None,
        by_rows=dated or backfill.course is not None,
    )


def guard(job: Job, org: Org, plan: Plan, source: list[Reading], *, changed: str = "") -> list[Reading]:
    """Return all guards as they read this plan; `changed` names what is not as it was of the scope.

    Of a plan that deletes, Salesforce is asked what this user deleted in the last seven days.
    """
    limits: GuardSettings = job.settings.guards
    past = deleted(job, org) if any(load.deletes for load in plan.loads.values()) else {}
    return [
        *guards.writes(plan.loads, limits, job.allowed),
        *guards.over_time(plan.loads, past, limits, job.allowed),
        *guards.scope_changed(plan.loads, changed, job.allowed),
        *source,
    ]
