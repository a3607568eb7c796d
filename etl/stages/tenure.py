"""A writing run's place in the org: the lease, kept by a heartbeat, and the line in the run log; it writes no rows.

Without the run object (or with a namespace) there is neither: runs are then kept apart by the lock of the state folder
alone. Whatever becomes of the log is no more than a warning; a lease that is lost stops the run.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

from etl.clock import Clock, Stopped
from etl.errors import Interrupted, SyncError, TryLater
from etl.report.model import Report
from etl.salesforce import fewrows
from etl.salesforce.describe import Described, check_described, describe
from etl.salesforce.ingest import Recorder
from etl.salesforce.lease import BRIEF, MARGIN, Holding, Lease, LeaseLost, NoRoom
from etl.salesforce.org import Org
from etl.schema import KEY, RUN, RUN_LOG
from etl.session import LEAVING, Patience
from etl.stages import target
from etl.stages.account import Record
from etl.stages.job import Job
from etl.state import LEASE_WANTED, RunDir, asked_for_lease

_log = logging.getLogger(__name__)

BEAT_S = 120.0
_DOUBTFUL_S = 2 * BEAT_S
"""Age of the last sign of life from which a step that writes asks first whether the lease is still held."""
_JOIN_S, _HURRIED_JOIN_S = 5.0, 1.0
_LOG_PATIENCE = Patience(attempts=2, waiting_s=5.0, connect_s=4.0, read_s=6.0)
_WRITING_STEPS = frozenset({"job_creating", "job_closing"})


def begin(job: Job, org: Org, record: Record, folder: RunDir) -> None:
    """Make a run that may write the only one that does, and end what earlier runs left in Salesforce.

    Raises LockHeld when another run is at work on one of the same portals, OutcomeUnknown when an earlier run's job
    does not end. A run that does not write leaves everything alone.
    """
    if not job.writes:
        return
    lease = None
    if has_run_log(org):
        tenure = Tenure(job, org)
        record.hold(tenure)
        folder.journal.record(LEASE_WANTED, token=tenure.lease.token)
        record.note(tenure.take())
        lease = tenure.lease
    record.note(target.end_earlier_jobs(org, job, lease))


def has_run_log(org: Org) -> bool:
    """Say whether the org has the run object; raises like `target.shapes_of` when it is there but cannot serve."""
    if org.settings.namespace:
        return False
    described = describe(org, [RUN])
    if RUN_LOG not in described.objects:
        _log.info("the org has no %s: this run goes without lease and log", RUN_LOG)
        return False
    target.refuse(check_described(Described(described.objects, (RUN,)), ""))
    return True


def keys(job: Job) -> list[str]:
    """Return what a run holds, in the one order: its portals, by id, and the profiles when it writes them."""
    return [*(str(portal) for portal in sorted(job.portal_ids)), *(["profiles"] if job.with_profiles else [])]


class Tenure:
    """One run's lease and its line in the log, from `take` to `end`."""

    def __init__(self, job: Job, org: Org) -> None:
        """Hold nothing yet."""
        self.lease = Lease(org, keys(job), run_id=job.run_id, command=job.command, is_dead=self._died_here)
        self.lost: TryLater | None = None
        """Why the run must stop, once the lease is lost."""
        self._job = job
        self._org = org
        self._log_ids: list[str] = []
        self._told = ""
        self._ended = threading.Event()
        self._beating = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._alive = (0.0, 0.0)

    def take(self) -> list[str]:
        """Take the lease, keep it, and begin the run's line in the log; return warnings.

        Raises LockHeld when another run has the lease.
        """
        try:
            self.lease.take()
        except NoRoom as full:
            return [f"the org has no storage left for a lease ({full}): nothing kept another run away from it"]
        self._alive = self._moment()
        self._thread.start()
        return self._write_log({"Command__c": self._job.command, "Started_At__c": self.lease.now()})

    def _died_here(self, one: Holding) -> bool:
        # the holder held the lock of this state folder, as this run does now
        return asked_for_lease(self._job.settings.state_dir, one.run_id, one.token)

    def end(self, report: Report, clock: Clock) -> list[str]:
        """Close the log with the report's outcome and give the lease back; return warnings. May be called again.

        `clock` is one that runs on when the run was stopped.
        """
        hurried = report.outcome == Interrupted.outcome
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_HURRIED_JOIN_S if hurried else _JOIN_S)
        self._org.clock = clock
        warnings = []
        if self._told != report.outcome and (self.lease.ids or self.lost or self._told):
            warnings = self._close_log(report, LEAVING if hurried else _LOG_PATIENCE)
            self._told = report.outcome
        try:
            if not self.lost:
                self.lease.give_back(LEAVING if hurried else BRIEF)
        except SyncError as error:
            warnings.append(f"the lease could not be given back ({error}); it ends by itself in {MARGIN}")
        return warnings

    def _close_log(self, report: Report, patience: Patience) -> list[str]:
        total = report.totals
        return self._write_log(
            {
                "Command__c": report.command,
                "Finished_At__c": self.lease.now(),
                "Outcome__c": report.outcome,
                "Exit_Code__c": report.exit_code,
                "Rows_Created__c": total.created,
                "Rows_Updated__c": total.updated,
                "Rows_Deleted__c": total.deleted,
                "Rows_Refused__c": total.refused,
            },
            patience,
        )

    def _write_log(self, facts: dict[str, Any], patience: Patience = _LOG_PATIENCE) -> list[str]:
        row = {KEY: f"run:{self._job.run_id}", "Run_Id__c": self._job.run_id, "Heartbeat_At__c": self.lease.now()}
        try:
            (result,) = fewrows.upsert(self._org, RUN_LOG, KEY, [{**row, **facts}], patience)
        except SyncError as error:
            return [f"the run log in Salesforce could not be written: {error}"]
        if result.code:
            return [f"the run log in Salesforce could not be written: {result.code} {result.message}"]
        self._log_ids = [result.id]
        return []

    def fence(self, journal: Recorder) -> Recorder:
        """Return a journal that lets no step that writes begin unless the lease is held."""
        return _Fence(journal, self)

    def check(self) -> None:
        """Raise TryLater when the lease was lost; after a long silence Salesforce is asked."""
        if self._age() > _DOUBTFUL_S:
            self._beat()
        if self.lost:
            raise self.lost

    def _moment(self) -> tuple[float, float]:
        # the monotonic clock may stand still while a machine sleeps, wall time does not
        return self._job.clock.monotonic(), self._job.clock.now().timestamp()

    def _age(self) -> float:
        return max(now - then for now, then in zip(self._moment(), self._alive, strict=True))

    def _beat(self) -> None:
        with self._beating:
            before = self._moment()
            try:
                self.lease.beat(*self._log_ids)
            except LeaseLost as error:
                self._lose(str(error))
            else:
                self._alive = before

    def _lose(self, why: str) -> None:
        self.lost = self.lost or TryLater(
            f"the lease of this run was lost ({why}): another run may be at work; this one stopped, and wrote what the "
            "report says; run again later"
        )

    def _try_to_beat(self) -> None:
        try:
            self._beat()
        except SyncError as error:
            _log.warning("the lease could not be renewed: %s", error)
            if self._age() > MARGIN.total_seconds():
                self._lose(f"no sign of life could be given for {MARGIN}")

    def _keep(self) -> None:
        """Show every two minutes that this run lives, until it ends; stop it when the lease is lost."""
        while not self._job.clock.wait(self._ended, BEAT_S):
            with suppress(Stopped):
                self._try_to_beat()
            if self.lost:
                _log.error("%s", self.lost)
                self._job.stop.set()
                return


class _Fence:
    """A journal in front of which the lease is checked."""

    def __init__(self, journal: Recorder, tenure: Tenure) -> None:
        self._journal = journal
        self._tenure = tenure

    def record(self, event: str, **facts: Any) -> None:
        """Record an event; TryLater before one that begins to write when the lease is lost."""
        if event in _WRITING_STEPS:
            self._tenure.check()
        self._journal.record(event, **facts)
