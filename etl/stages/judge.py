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
from etl.guards import Reading
from etl.learnupon import PortalRead
from etl.normalise import Shapes
from etl.plan import Plan
from etl.salesforce.org import Org
from etl.schema import MEMBERSHIP
from etl.settle import settle
from etl.situation import Inputs, Row, Scope
from etl.stages.extract import Kind, Portals, coded_courses, listed_paths
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
    reads, and what they prove is no shrinkage. Where no answer could bring a listing back below the guard on that,
    nobody is asked: the run stops anyway, or only shows its plan.
    """
    questions = _Questions(job, portals, reads, held)
    members = pd.Series(dtype="int64")
    if not job.backfill:
        learners = situation.learners_of([read.users for read in reads])
        members = situation.member_questions(learners, held.rows[MEMBERSHIP.name], job.portal_ids)
        del learners
        questions.ask({"member": members})
    whole = _inputs(job, reads, held, shapes, _match(job, org, reads, held, told), questions.gone)
    if job.backfill:
        return _settled(whole, folder), []
    inputs = settle(whole, folder)
    asked: dict[Kind, pd.Series] = {row: situation.row_questions(inputs, row) for row in _ROWS}
    listed = _rows(whole)
    questions.ask(asked)
    if _rows(whole) != listed:  # rows that LearnUpon has after all count in totals and on paths
        _clear(inputs)
        inputs = settle(whole, folder)
    _clear(whole)
    return replace(inputs, gone=questions.gone), [questions.shrink, questions.reading(members, asked)]


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
    """The questions by id of one run: which of them it asks, and what the listings lack all the same."""

    def __init__(self, job: Job, portals: Portals, reads: list[PortalRead], held: Held) -> None:
        self._job = job
        self._portals = portals
        self._reads = reads
        self._held = held
        self._limits = job.settings.guards
        self._left = self._limits.max_confirmations
        self._is_package = bool(job.settings.salesforce.namespace)
        self._lost: dict[str, tuple[int, int]] = {}
        self.gone: dict[str, frozenset[int]] = {}

    @property
    def shrink(self) -> Reading:
        """Return the guard on what the listings lack, as far as questions have not explained it."""
        return guards.source_shrink(self._lost, self._limits)

    def ask(self, missing: Mapping[Kind, pd.Series]) -> None:
        """Ask about rows that the listings lack (codes), unless they are too many for any answer to explain them.

        LearnUpon's package cannot flag a learner who is gone, so the same ones are missing every night: they may take
        half of the questions, and the other half is left for rows.
        """
        room = -(-self._left // 2) if self._is_package and "member" in missing else self._left
        lost = self._measured(missing)
        if not self.shrink.tripped and not guards.beyond_answers(lost, self._limits, room):
            chosen = draw(missing, room, self._job.random)
            for kind, codes in chosen.items():
                self._left -= len(codes)
                self.gone[kind] = self._portals.ask(kind, codes, self._reads) if len(codes) else frozenset()
            lost = self._measured({kind: self._unexplained(kind, missing[kind], chosen[kind]) for kind in missing})
        self._lost |= lost

    def _measured(self, missing: Mapping[Kind, pd.Series]) -> dict[str, tuple[int, int]]:
        names = [portal.name for portal in self._job.portals]
        by_kind = {str(kind): codes for kind, codes in missing.items()}
        return situation.missing_rows(by_kind, self._held.rows, self._job.portal_ids, names)

    def _unexplained(self, kind: Kind, missing: pd.Series, asked: pd.Series) -> pd.Series:
        """Return the rows that may be a loss: not asked about, or gone and so to be deleted or flagged.

        Where there is no flag, what is gone stays as it is and is missing for ever: it is no news tomorrow.
        """
        known = asked if self._is_package else asked[~asked.isin(self.gone[kind])]
        return missing[~missing.isin(known)]

    def reading(self, members: pd.Series, asked: Mapping[Kind, pd.Series]) -> Reading:
        """Return what would have been asked against the limit; it never stops a run, the rest waits for another."""
        wanted = len(members) + sum(len(codes) for codes in asked.values())
        return Reading("max_confirmations", wanted, self._limits.max_confirmations, tripped=False)


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
