"""The life of one run around its pipeline: lock, folder, and a report at the end of whatever happened."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from etl import pipeline
from etl.clock import stoppable
from etl.config import NotifySettings
from etl.errors import BUG, OK, ROWS_REFUSED, SyncError, exit_code_of
from etl.notify import Notifier
from etl.report.html import html
from etl.report.model import Report, to_json
from etl.report.tables import changes_csv, refused_csv, unmatched_csv
from etl.stages.account import Record
from etl.stages.job import Job
from etl.state import RunDir, lock, prune, remove_leftovers

_log = logging.getLogger(__name__)
_OUTCOMES = {OK: "ok", ROWS_REFUSED: "rows_refused"}
Work = Callable[[Job, RunDir, Record], int]


def execute(job: Job, work: Work = pipeline.run) -> tuple[Report, SyncError | None]:
    """Run a job from lock to report; return the report and the error that stopped it, if one did.

    A stop that is a SyncError ends in a report with its exit code; any other exception is a bug, which is reported too
    and then raised. A run that may write holds the lock of the state folder; LockHeld and StateFault are raised.
    """
    state = job.settings.state_dir
    with _locked(job), RunDir(state, job.run_id, job.clock) as folder:
        remove_leftovers(state)
        record = Record(job)
        notifier = Notifier(
            job.settings.notify if job.writes else NotifySettings(),
            clock=job.clock,
            random=job.random,
            transport=job.transport,
        )
        notifier.began()
        folder.journal.record("run_begun", command=job.command, dry_run=not job.writes)
        try:
            code = work(replace(job, clock=stoppable(job.clock, job.stop)), folder, record)
            report, error = record.end(code, _OUTCOMES[code]), None
        except BaseException as raised:
            error = record.reason(raised)
            if error is None:
                record.end(BUG, "bug", f"{type(raised).__name__}: this is a bug; the traceback is in the log")
                leave(folder, record)
                notifier.ended(record.report)
                raise
            report = record.end(exit_code_of(error), error.outcome, str(error))
        leave(folder, record)
        notifier.ended(report)
        prune(state, job.settings.report.keep_days, job.clock.now())
    return report, error


def _locked(job: Job) -> AbstractContextManager[None]:
    return lock(job.settings.state_dir, run_id=job.run_id, clock=job.clock) if job.writes else nullcontext()


def leave(folder: RunDir, record: Record) -> None:
    """Write what a run leaves: report.json, report.html, changes, unmatched and refused rows; the JSON last."""
    report = record.report
    for name, plan in record.plan.entities.items():
        if plan.changes:
            folder.write(f"changes/{name}.csv", changes_csv(plan))
    folder.write("unmatched.csv", unmatched_csv(record.unmatched, show_names=record.show_names))
    folder.write("refused.csv", refused_csv(record.refused, record.plan.rejected))
    folder.write_text("report.html", html(report))
    folder.write_text("report.json", json.dumps(to_json(report), indent=2, ensure_ascii=False) + "\n")
    folder.journal.record("run_ended", exit_code=report.exit_code, outcome=report.outcome)
    _log.info("run %s ended: %s (exit %d)", report.run_id, report.outcome, report.exit_code)
