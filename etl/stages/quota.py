"""Stops a run before it would spend an allowance: what is left is asked of both sides, what is needed is predicted.

The disk is an allowance too (`etl.stages.room`), and is told of the same counts at the same moments.

The prediction is `etl.budget`'s. It is made before the reads, when all is read but nobody has been looked for, and
before the writes; what the report shows as expected is the newest of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence

import pandas as pd

from etl import budget
from etl.budget import Calls, Sent, Tariff, sure
from etl.errors import QuotaSpent
from etl.learnupon import LearnUpon, Listed, PortalRead
from etl.learnupon.rate import WEEK_FLOOR
from etl.plan import EntityPlan, Plan
from etl.salesforce.org import Org, limits
from etl.schema import CUSTOM, ENTITIES, PROFILES, Entity
from etl.stages.account import Record
from etl.stages.job import Job
from etl.stages.room import Room

_log = logging.getLogger(__name__)

_RECORD_KB = 2
"""What one record takes of the data storage, whatever it holds (Salesforce help, data storage)."""
_READ_BYTES = 400
"""Bytes of a row in the results of a query: measured (at most 356 of the demo's)."""
_LEASE = Calls(6, 12)
"""Describe the run object, take the lease, begin the log, look for jobs left behind; and taking over a dead run's."""
_COUNTING_S = 0.2
"""Seconds between two looks whether the run was stopped while a portal waits for the counts."""
_ROLLED_ON = "run again when the 24 hours have rolled on"


class Budget:
    """What one run is expected to take of both sides' allowances, and whether they have it."""

    def __init__(self, job: Job, org: Org, record: Record, room: Room) -> None:
        """Ask the org for its allowances; `room` is told of the same counts."""
        self._room = room
        self._job, self._org, self._record = job, org, record
        self._limits: Mapping[str, Mapping[str, int]] = limits(org)
        salesforce = job.settings.salesforce
        self._tariff = Tariff(
            poll_seconds=salesforce.poll_seconds,
            timeout_s=salesforce.job_timeout_minutes * 60,
            file_bytes=salesforce.bulk_file_mb * 1_000_000,
            package=bool(salesforce.namespace),
        )
        self._held: Mapping[str, int] = {}
        self._counted = threading.Event()
        self._told: dict[str, tuple[int, Listed]] = {}
        self._lock = threading.Lock()

    def begin(self, entities: Sequence[Entity] = CUSTOM) -> None:
        """Raise QuotaSpent when what is left of the day would not do even if Salesforce held no row of ours."""
        read = (*entities, *PROFILES)
        counts = sure(len(read)) + (_LEASE if self._job.writes else Calls())
        self._spare(counts + self._reading(dict.fromkeys((entity.name for entity in read), 0)), "to read Salesforce")

    def salesforce(self, held: Mapping[str, int]) -> None:
        """Take note of how many rows Salesforce holds, by object; raises QuotaSpent when they cannot all be read."""
        self._held = held
        self._room.salesforce(held)
        self._spare(self._reading(held), "to read Salesforce")
        queries = sum(1 for _ in held)
        self._must_leave("DailyBulkV2QueryJobs", queries, "query jobs to read Salesforce")
        megabytes = sum(held.values()) * _READ_BYTES // 1_000_000
        self._must_leave("DailyBulkV2QueryFileStorageMB", megabytes, "megabytes of results to read Salesforce")
        self._counted.set()

    def portal(self, client: LearnUpon, listed: Listed) -> None:
        """Take note of what a portal has still to be asked; raises QuotaSpent when its week would not last.

        Waits until Salesforce's rows are counted, since what may be asked of a portal depends on them.
        """
        while not self._job.clock.wait(self._counted, _COUNTING_S):
            self._job.clock.monotonic()  # raises once the run is stopped
        self._room.portal(client.name, listed)
        held, most_questions = self._rows_by_kind(), self._job.settings.guards.max_confirmations
        with self._lock:
            self._told[client.name] = (client.calls, listed)
            parts = budget.shares([one for _, one in self._told.values()])
            needed = {
                name: budget.portal(one, held, share=share, questions=0 if self._job.backfill else most_questions)
                for (name, (_, one)), share in zip(self._told.items(), parts, strict=True)
            }
            asked = sum(calls for calls, _ in self._told.values())
            self._record.expect("learnupon", asked + budget.total(needed.values()).expected)
        self._spare_the_week(client, needed[client.name])

    def _spare_the_week(self, client: LearnUpon, needed: Calls) -> None:
        left = client.rate.week_left
        _log.info("portal %s: about %d calls to read it, %s left this week", client.name, needed.expected, left)
        if left is not None and left < needed.most + WEEK_FLOOR:
            raise QuotaSpent(
                f"portal {client.name}: about {needed.expected:,} more calls are needed to read it, up to "
                f"{needed.most:,} with questions about missing rows, and {left:,} are left of this week's allowance "
                f"({WEEK_FLOOR} are kept); nothing was written; run again later, when the week has rolled on"
            )

    def people(self, reads: Sequence[PortalRead], profiles: Mapping[str, pd.DataFrame]) -> None:
        """Raise QuotaSpent when the people whom the learners name could not all be looked up in Salesforce."""
        contacts, users = (
            len(_unknown([read.users[column] for read in reads], profiles[side]["Id"]))
            for column, side in (("sf_contact_id", "Contact"), ("sf_user_id", "User"))
        )
        emails = 0
        if self._job.settings.matching.email == "unique":
            emails = sum(int((read.users[["sf_contact_id", "sf_user_id"]].isna().all(axis=1)).sum()) for read in reads)
        self._spare(budget.people(self._tariff, contacts, users, emails) + self._settling, "to look for people")

    def preview(self, plan: Plan) -> list[str]:
        """Take note of what writing a plan would take; return a warning when the org does not have it today."""
        needed = self._writing(plan)
        self._record.report.calls_to_write = needed.expected if plan.changes else 0
        left = self._org.requests_left
        if left is None or left >= needed.most:
            return []
        warning = (
            f"writing this plan takes about {needed.expected:,} requests to Salesforce, up to {needed.most:,}, and "
            f"{left:,} are left today"
        )
        return [warning]

    def writes(self, plan: Plan, *, looked_at: bool = False) -> list[str]:
        """Return warnings about the org's storage; raises QuotaSpent when a plan needs more than the org has left.

        `looked_at` says that the plan's rows are read again before they are written.
        """
        sent = _sent(plan)
        needed = self._writing(plan)
        if looked_at:
            needed += budget.total(self._tariff.looked_at(one, one.written + one.deletes) for one in sent)
        self._spare(needed, "to write the plan")
        batches = budget.batches(sent, self._tariff)
        self._must_leave("DailyBulkApiBatches", batches, "batches to write the plan")
        self._room.writes(sent)
        return self._storage(sum(part.counts.create for part in plan.entities.values()))

    def _reading(self, held: Mapping[str, int]) -> Calls:
        """Return what is still to come of a run that writes nothing, its rows counted."""
        tables = budget.total(self._tariff.table(rows) for rows in held.values())
        return tables + budget.people(self._tariff, 0, 0) + self._settling

    @property
    def _settling(self) -> Calls:
        """Return what follows the people: the last scope, and what was deleted in the last days, asked in any case."""
        return Calls(1, 6) + self._ending

    @property
    def _ending(self) -> Calls:
        """Return what a run leaves in Salesforce in the end: scope, log, lease."""
        return Calls(2, 4) if self._job.writes else Calls()

    def _writing(self, plan: Plan) -> Calls:
        sent, portals = _sent(plan), len(self._job.portals)
        written = budget.total(self._tariff.write(one, portals) for one in sent) + self._tariff.parents(sent)
        polled = sum(one.written + one.deletes for one in sent) / budget.INGEST_ROWS_S
        return written + (budget.beats(polled) + self._ending if self._job.writes else Calls())

    def _rows_by_kind(self) -> dict[str, int]:
        """Return the rows held of what a portal lists in full; a backfill's scope tells nothing of its rows."""
        scope = self._job.backfill
        if scope is not None and scope.learner is not None:
            return {}
        kinds = ("member",) if scope is not None and scope.course is not None else ("member", "enrollment", "path")
        found = dict.fromkeys(kinds, 0)
        for entity in ENTITIES:
            if entity.row in found:
                found[entity.row] += self._held.get(entity.name, 0)
        return found

    def _spare(self, needed: Calls, what: str) -> None:
        """Expect so many requests more in all, and raise QuotaSpent unless that many are left."""
        self._record.expect("salesforce", self._org.calls + needed.expected)
        left = self._org.requests_left
        _log.info("about %d requests %s, %s left today", needed.expected, what, left)
        if left is not None and left < needed.most:
            raise QuotaSpent(
                f"DailyApiRequests: about {needed.expected:,} requests {what} are expected, up to {needed.most:,} "
                f"where jobs take long, and {left:,} are left; nothing was written; {_ROLLED_ON}"
            )

    def _must_leave(self, name: str, needed: int, what: str) -> None:
        left = self._limits.get(name, {}).get("Remaining")
        if left is not None and left < needed:
            raise QuotaSpent(
                f"{name}: about {needed:,} {what} are needed and {left:,} are left; nothing was written; {_ROLLED_ON}"
            )

    def _storage(self, creates: int) -> list[str]:
        left = self._limits.get("DataStorageMB", {}).get("Remaining")
        needed = creates * _RECORD_KB // 1024
        if left is None or needed <= left:
            return []
        return [f"the org has {left:,} MB of data storage left and {creates:,} new rows take about {needed:,} MB"]


def _sent(plan: Plan) -> list[Sent]:
    return [_sent_of(part) for part in plan.entities.values() if part.changes]


def _sent_of(part: EntityPlan) -> Sent:
    return Sent(
        creates=part.creates.rows, updates=part.updates.rows, deletes=part.deletes.rows, desired=part.counts.desired,
        profile=part.entity.row == "profile",
    )  # fmt: skip


def _unknown(claimed: Sequence[pd.Series], known: pd.Series) -> pd.Index:
    """Return the claimed record ids that are of nobody known: by 15 characters, which tell records apart."""
    ids = pd.concat(list(claimed)).dropna().str.slice(0, 15).unique()
    return pd.Index(ids).difference(pd.Index(known.str.slice(0, 15)))
