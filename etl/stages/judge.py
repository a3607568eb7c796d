"""From two reads to the plan's inputs: missing learners asked about, all matched, missing rows asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd

from etl import frames, guards, situation
from etl.config import GuardSettings
from etl.cores import available
from etl.guards import Reading
from etl.learnupon import PortalRead
from etl.normalise import Shapes
from etl.plan import Plan
from etl.salesforce.org import Org
from etl.schema import MEMBERSHIP
from etl.settle import settle
from etl.situation import Inputs, Row, Scope
from etl.stages import absent
from etl.stages.extract import Kind, Portals, coded_courses, listed_paths
from etl.stages.held import Held
from etl.stages.job import Backfill, Job
from etl.stages.past import deleted
from etl.stages.people import Matched, known_by_rows, match_learners, with_members, without_strangers

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
) -> tuple[Inputs, list[Reading], Mapping[Kind, pd.Series]]:
    """Return the plan's inputs, settled in `folder`, what the guards on the source read, and what is missing.

    `told` hears of all learners as they were matched, with their names, which nothing after that needs.

    Rows missing from a listing are asked about by id, at most `guards.max_confirmations` of them; live ones join the
    reads. When the source has shrunk too much nobody is asked: the run stops anyway, or only shows its plan. Last come
    the rows (codes, by kind) that the listings lack.
    """
    questions = _Questions(job, org, portals, reads, held)
    members = pd.Series(dtype="int64")
    if not job.backfill:
        learners = situation.learners_of([read.users for read in reads])
        members = situation.member_questions(learners, held.rows[MEMBERSHIP.name], job.portal_ids)
        del learners
        questions.ask({"member": members})
    whole = _inputs(job, reads, held, shapes, _match(job, org, reads, held, told), questions.gone)
    inputs = _settle(whole, folder)
    if job.backfill:
        _clear(whole)
        return inputs, [], {}
    asked: dict[Kind, pd.Series] = {row: situation.row_questions(inputs, row) for row in _ROWS}
    listed = _rows(whole)
    questions.ask(asked)
    if _rows(whole) != listed:  # rows that LearnUpon has after all count in totals and on paths
        _clear(inputs)
        inputs = _settle(whole, folder)
    _clear(whole)
    return replace(inputs, gone=questions.gone), [questions.shrink, questions.wanted], questions.missing


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
        profiles = without_strangers(org, people, rows, matched.learners)
        named = known_by_rows(org, profiles, rows, matched.learners)
        matched = replace(matched, profiles=profiles, named=named)
    return matched


def _settle(whole: Inputs, folder: Path) -> Inputs:
    # two partitions at a time where there are two cores: more would cost more memory
    return settle(whole, folder, at_once=min(2, available()))


def _clear(inputs: Inputs) -> None:
    """Remove the enrollments of both sides from the disk: what was left to decide lies elsewhere."""
    for row in _ROWS:
        for park in (*inputs.listings[row], *(inputs.held[entity.name] for entity in situation.SIDES[row])):
            park.clear()


def _rows(inputs: Inputs) -> int:
    return sum(park.rows for row in _ROWS for park in inputs.listings[row])


class _Questions:
    """The rows that the listings of one run lack, and the questions by id that it asks about them."""

    def __init__(self, job: Job, org: Org, portals: Portals, reads: list[PortalRead], held: Held) -> None:
        self._job = job
        self._known = absent.known(job, org.org_id)
        self._portals = portals
        self._reads = reads
        self._held = held
        self._limits = job.settings.guards
        self._left = self._limits.max_confirmations
        self._lost: dict[str, tuple[int, int]] = {}
        self.missing: dict[Kind, pd.Series] = {}
        self.gone: dict[str, frozenset[int]] = {}

    @property
    def shrink(self) -> Reading:
        """Return the guard on what the listings lack and did not lack before."""
        return guards.source_shrink(self._lost, self._limits)

    @property
    def wanted(self) -> Reading:
        """Return what would have been asked against the limit; it never stops a run, the rest waits for another."""
        wanted = sum(len(codes) for codes in self.missing.values())
        return Reading("max_confirmations", wanted, self._limits.max_confirmations, tripped=False)

    def ask(self, missing: Mapping[Kind, pd.Series]) -> None:
        """Ask about rows that the listings lack (codes), unless the source has shrunk too much.

        LearnUpon's package cannot flag a learner who is gone, so the same ones are missing every night: they may take
        half of the questions, and the other half is left for rows.
        """
        self.missing |= missing
        self._lost |= self._new(missing)
        if self.shrink.tripped:
            return
        halved = bool(self._job.settings.salesforce.namespace) and "member" in missing
        for kind, codes in draw(missing, -(-self._left // 2) if halved else self._left, self._job.random).items():
            self._left -= len(codes)
            self.gone[kind] = self._portals.ask(kind, codes, self._reads) if len(codes) else frozenset()

    def _new(self, missing: Mapping[Kind, pd.Series]) -> dict[str, tuple[int, int]]:
        """Measure what is missing without what was missing when the last run ended well."""
        new = {str(kind): codes[~codes.isin(self._known[kind])] for kind, codes in missing.items()}
        names = [portal.name for portal in self._job.portals]
        return situation.missing_rows(new, self._held.rows, self._job.portal_ids, names)


def draw(missing: Mapping[Kind, pd.Series], room: int, random: Random) -> dict[Kind, pd.Series]:
    """Return which rows (codes, by kind) to ask about: all, or `room` of them in a row that begins anywhere.

    Some stay missing although they are there, and are asked about every night: were it always the first ones, the
    others would wait for ever.
    """
    total = sum(len(codes) for codes in missing.values())
    if total <= room:
        return dict(missing)
    asked = np.zeros(total, dtype=bool)
    asked[(random.randrange(total) + np.arange(room)) % total] = True
    chosen: dict[Kind, pd.Series] = {}
    start = 0
    for kind, codes in missing.items():
        chosen[kind] = codes[asked[start : start + len(codes)]]
        start += len(codes)
    return chosen


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
        listed_paths=listed_paths(reads),
        held=held.rows,
        profiles=matched.profiles,
        shapes=shapes,
        rules=job.settings.rules,
        gone=gone,
        named=matched.named,
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
