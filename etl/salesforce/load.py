"""The writer: a plan applied by Bulk jobs, parents first, deletes last; what became of every row is counted.

It decides nothing: what is in the plan is sent, and nothing else. Rows refused for a lock or a hiccup of the platform
are sent again, in smaller jobs, a bounded number of times.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl import frames
from etl.ahead import one_ahead
from etl.errors import AccessRefused, OutcomeUnknown, QuotaSpent, StateFault, Unavailable
from etl.plan import EntityPlan
from etl.salesforce.csvtext import Part, read_back, subset
from etl.salesforce.ingest import Ingest, Recorder, Upload
from etl.salesforce.joblist import Job
from etl.salesforce.onlyonce import refuse_repeats
from etl.salesforce.org import Org
from etl.salesforce.packagefiles import Parents, keys_of, prefixed, write_inserts, write_updates
from etl.salesforce.results import Outcome, read_outcome
from etl.salesforce.rowfiles import delete_rows, moved_in, write_ids, write_rows
from etl.salesforce.verdict import Verdict, judge, refused
from etl.schema import ENTITIES, KEY

_log = logging.getLogger(__name__)

REFUSALS = pa.schema(
    {"object": pa.string(), "key": pa.string(), "code": pa.string(), "message": pa.string(), "operation": pa.string()}
)
"""Rows that were not written, each with Salesforce's code and words; `key` is the record id for people."""
HELD_BACK = "HELD_BACK"
"""Code of a delete that was not sent, since the learner's row in the other object could not be written first."""
NO_PARENT = "PARENT_MISSING"
"""Code of a row of the package that was not sent: its portal or membership is not there, or there more than once."""
_ORPHAN = "its portal or membership is not in Salesforce, or there more than once, so this row was not sent"
ASTRAY = "WITHOUT_MEMBERSHIP"
"""Code of a row of the package that was not sent, since it is there already and its membership was deleted."""
_STRAY = (
    "a row of this number and person is there that names no membership, so this one was not sent: let that row name "
    "its membership, or delete it"
)
NOT_AGAIN = "NOT_SENT_AGAIN"
"""Code of a row that was refused in passing and not sent again, since the run stopped before."""
_STOPPED = "refused for a passing reason; the run stopped before it could be sent again"
_KEPT = "the learner's row in the other object was not written, so this one is kept"
_ROUNDS = 3


class Watcher(Protocol):
    """Who is told of an object when its rows are written, and when they are deleted; `refused` are keys of rows."""

    def written(self, plan: EntityPlan, refused: pa.Array) -> None:
        """Hear that the creates and updates of an object have been sent."""

    def before_deletes(self, plan: EntityPlan) -> None:
        """Hear that rows of an object are to be deleted now; they are once this returns."""

    def deleted(self, plan: EntityPlan, refused: pa.Array) -> None:
        """Hear that its deletes have been sent."""


@dataclass
class Written:
    """What became of the rows of one object: their sum is the number of rows sent."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    """Rows to delete that had already been deleted by somebody are among them."""
    refused: int = 0
    unknown: int = 0


class Load:
    """Applies one plan. After an exception `written`, `refusals` and `jobs` tell how far it came."""

    def __init__(self, org: Org, *, journal: Recorder, folder: Path, watcher: Watcher | None = None) -> None:
        """Use `folder` for the files that are uploaded; it is left to the caller to remove."""
        self._watcher = watcher
        self.org = org
        self.folder = folder
        self.journal = journal
        self.written: dict[str, Written] = {}
        self._ingest = Ingest(org, journal)
        self._refused: list[pa.Table] = []
        self._not_written: list[pa.Array] = []

    @property
    def jobs(self) -> list[str]:
        """Ids of the jobs made, in order."""
        return self._ingest.jobs

    @property
    def refusals(self) -> pd.DataFrame:
        """Every refused row: object, key, code, message, operation."""
        return frames.to_pandas(pa.concat_tables([REFUSALS.empty_table(), *self._refused]))

    def apply(self, plan: Mapping[str, EntityPlan]) -> dict[str, Written]:
        """Write a plan's rows and return what became of them, by local object name.

        Raises OutcomeUnknown when a job's end is not seen, Unavailable, AccessRefused or QuotaSpent when Salesforce
        stops answering; what follows in the plan is then not sent. Bug, before anything is sent, for a plan that holds
        a key twice.
        """
        present = [plan[entity.name] for entity in ENTITIES if entity.name in plan]
        for one in present:
            refuse_repeats(one)
        self.written = {one.entity.name: Written() for one in present}
        parents = Parents(self.org, plan, self.folder)
        # A file is made while Salesforce works on the one before it. Closed, lest one be made that nobody removes.
        with closing(one_ahead(self._uploads(present))) as uploads:
            coming = next(uploads, None)
            for one in present:
                while coming is not None and coming.object == one.entity.name:
                    self._send(coming)
                    coming = next(uploads, None)
                if self._is_package(one):
                    self._write_package(one, parents)
                if self._watcher:
                    self._watcher.written(one, self._refused_keys(one.entity.name))
        for one in present:
            self._delete(one)
            if self._watcher:
                self._watcher.deleted(one, self._refused_keys(one.entity.name))
        return self.written

    def _refused_keys(self, name: str) -> pa.Array:
        keys = [table.filter(pc.equal(table["object"], name))["key"] for table in self._refused]
        return pa.concat_arrays([pa.array([], pa.string()), *(chunk for column in keys for chunk in column.chunks)])

    def _uploads(self, plans: Sequence[EntityPlan]) -> Generator[Upload]:
        """Give what is to be uploaded of creates and updates, object by object.

        The package's files are made when it is their turn: they need the ids of parents that were written before.
        """
        for plan in plans:
            profile = plan.entity.row == "profile"
            if profile and plan.creates.rows:
                raise ValueError(f"{plan.entity.name} records are never created")
            if plan.creates.rows + plan.updates.rows and not self._is_package(plan):
                operation, key = ("update", "Id") if profile else ("upsert", KEY)
                for part in write_rows(self.org, plan, self.folder):
                    yield Upload(plan.entity.name, operation, part, key)

    def _is_package(self, plan: EntityPlan) -> bool:
        return bool(self.org.settings.namespace) and plan.entity.row != "profile"

    def _write_package(self, plan: EntityPlan, parents: Parents) -> None:
        """Write an object of LearnUpon's package: inserts, and updates by record id."""
        name = plan.entity.name
        inserts, orphans, astray = write_inserts(self.org, plan, parents, self.folder)
        self._unsent(name, "insert", orphans, NO_PARENT, _ORPHAN)
        self._unsent(name, "insert", astray, ASTRAY, _STRAY)
        for one in inserts:
            self._send(Upload(name, "insert", one.part, one.number, partial(prefixed, one.prefix)))
        updates, orphans = write_updates(self.org, plan, parents, self.folder)
        self._unsent(name, "update", orphans, NO_PARENT, _ORPHAN)
        for part in updates:
            self._send(Upload(name, "update", part, "Id", partial(keys_of, plan.updates)))

    def _unsent(self, name: str, operation: str, keys: pa.Array, code: str, words: str) -> None:
        self._not_written.append(keys)
        self._refuse(name, operation, refused(keys, code, words))

    def _delete(self, plan: EntityPlan) -> None:
        if not plan.deletes.rows:
            return
        if self._watcher:
            self._watcher.before_deletes(plan)
        held = pa.concat_arrays([pa.array([], pa.string()), *self._not_written])
        self._hold_back(plan, held)
        for part in write_ids(self.org, plan.entity, delete_rows(plan, held), self.folder):
            self._send(Upload(plan.entity.name, "delete", part, named=partial(keys_of, plan.deletes)))

    def _hold_back(self, plan: EntityPlan, held: pa.Array) -> None:
        for table in plan.deletes.batches():
            keys = table.filter(moved_in(table, held))[KEY]
            self._refuse(plan.entity.name, "delete", refused(keys, HELD_BACK, _KEPT))

    def _send(self, first: Upload) -> None:
        """Send one file, and again those of its rows that were refused in passing, in ever smaller jobs."""
        upload = first
        for turn in range(_ROUNDS + 1):
            job, outcome, verdict = self._run(upload, turn)
            try:
                part = self._rest(upload, job, outcome, verdict, f"{first.part.path.stem}-again{turn + 1}")
                if part is None:
                    return
                _log.info("%s: %d rows are sent again, round %d of %d", upload.object, part.rows, turn + 1, _ROUNDS)
                self.org.clock.sleep(self.org.settings.poll_seconds * 2 ** (turn + 1))
            except BaseException:
                self._refuse(upload.object, upload.operation, refused(upload.named(verdict.again), NOT_AGAIN, _STOPPED))
                raise
            upload = replace(first, part=part)

    def _rest(self, upload: Upload, job: Job, outcome: Outcome, verdict: Verdict, stem: str) -> Part | None:
        """Note the end of a job, and return the file of the rows to be sent again; None when there are none."""
        self.journal.record(
            "job_ended", job=job.id, state=job.state, written=outcome.written.num_rows, failed=outcome.failed.num_rows,
            unprocessed=len(outcome.unprocessed), unknown=len(outcome.unknown),
        )  # fmt: skip
        if job.state == "Aborted":
            raise Unavailable(
                f"job {job.id} was aborted by someone else after {job.processed} of {upload.part.rows} rows; "
                "nothing is sent again in this run, run again later"
            )
        part = subset(upload.part, upload.key, verdict.again, self.folder, stem)
        upload.part.path.unlink(missing_ok=True)
        return part

    def _run(self, upload: Upload, turn: int) -> tuple[Job, Outcome, Verdict]:
        """Run one job and count what became of its rows; from the close on, an exception leaves them unknown."""
        try:
            job = self._ingest.run(upload)
            try:
                outcome = read_outcome(self.org, job, upload.part, upload.key, self.folder)
            except (Unavailable, AccessRefused, QuotaSpent) as error:
                raise OutcomeUnknown(
                    f"job {job.id} ended {job.state} with {job.failed} of {job.processed} rows failed, but which ones "
                    f"is not known: {error}; nothing is sent again, the next run compares anew"
                ) from error
            verdict = judge(upload.operation, job, outcome, last=turn == _ROUNDS)
            self._count(upload, verdict)
            self._ingest.closing = False
        except BaseException as error:
            if self._ingest.closing:
                self.written[upload.object].unknown += upload.part.rows
                if isinstance(error, StateFault):
                    raise StateFault(
                        f"{error}; what became of the {upload.part.rows} rows of job {self.jobs[-1]} "
                        f"({upload.operation} of {upload.object}) is not known; the next run looks at the job first"
                    ) from error
            elif turn:
                keys = read_back(upload.part.path, [upload.key])[upload.key].combine_chunks()
                self._refuse(upload.object, upload.operation, refused(upload.named(keys), NOT_AGAIN, _STOPPED))
            raise
        return job, outcome, verdict

    def _count(self, upload: Upload, verdict: Verdict) -> None:
        counts = self.written[upload.object]
        counts.created += verdict.created
        counts.updated += verdict.updated
        counts.deleted += verdict.deleted
        counts.unknown += len(verdict.unknown)
        if upload.operation != "delete":
            self._not_written.append(upload.named(verdict.not_written))
        named = upload.named(verdict.refused["key"].combine_chunks())
        self._refuse(upload.object, upload.operation, verdict.refused.set_column(0, "key", named))

    def _refuse(self, name: str, operation: str, rows: pa.Table) -> None:
        """Keep refused rows (key, code, message) for the report."""
        if not rows.num_rows:
            return
        self.written[name].refused += rows.num_rows
        facts = {"object": name, "operation": operation}
        for column, value in facts.items():
            rows = rows.append_column(column, pa.array([value] * rows.num_rows, pa.string()))
        self._refused.append(rows.select(REFUSALS.names).cast(REFUSALS))
        _log.warning("%s: %d rows refused (%s)", name, rows.num_rows, operation)
